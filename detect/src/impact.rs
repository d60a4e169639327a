//! What another set of rules would have found: which rules differ, and which alerts that gives and takes. Pure.

use std::collections::{BTreeMap, BTreeSet};

use schemas::wire::Alert;
use serde_json::Value;
use sigma::Ruleset;
use sigma::metadata::RuleMetadata;

/// A rule or correlation that is not the same in two sets.
#[derive(Debug)]
pub struct Change {
    /// What it said; none if it is new.
    pub before: Option<RuleMetadata>,
    /// What it says; none if it was removed.
    pub after: Option<RuleMetadata>,
}

impl Change {
    /// What it says, or last said.
    pub fn statement(&self) -> Option<&RuleMetadata> {
        self.after.as_ref().or(self.before.as_ref())
    }

    /// "new", "removed" or "changed".
    pub fn as_str(&self) -> &'static str {
        match (&self.before, &self.after) {
            (None, _) => "new",
            (_, None) => "removed",
            _ => "changed",
        }
    }
}

/// The rules and correlations that differ between two sets, by id: their text, or what filters, pipelines and
/// placeholders made of it.
pub fn changes(before: &Ruleset, after: &Ruleset) -> Vec<Change> {
    let (before, after) = (meanings(before), meanings(after));
    let ids: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let of = |set: &BTreeMap<String, (Value, RuleMetadata)>, id: &String| {
        set.get(id).map(|(_, statement)| statement.clone())
    };
    ids.into_iter()
        .filter(|id| before.get(*id).map(|one| &one.0) != after.get(*id).map(|one| &one.0))
        .map(|id| Change {
            before: of(&before, id),
            after: of(&after, id),
        })
        .collect()
}

/// What decides over the alerts of each rule and correlation: maps in it have no order of their own, so as a value.
fn meanings(rules: &Ruleset) -> BTreeMap<String, (Value, RuleMetadata)> {
    let of_rules = rules
        .rules()
        .iter()
        .map(|rule| (serde_json::to_value(&rule.sigma), rule.metadata()));
    let of_correlations = rules
        .correlations()
        .iter()
        .map(|one| (serde_json::to_value(&one.sigma), one.metadata()));
    of_rules
        .chain(of_correlations)
        .map(|(value, statement)| (statement.id.clone(), (value.unwrap_or_default(), statement)))
        .collect()
}

/// The alerts of one rule, before and after.
#[derive(Debug, Default, PartialEq)]
pub struct Difference<'a> {
    /// How many there were.
    pub before: usize,
    /// How many there are.
    pub after: usize,
    /// Those that came, in the order of their ids.
    pub gained: Vec<&'a Alert>,
    /// Those that went.
    pub lost: Vec<&'a Alert>,
    /// Those that say something else, as they are.
    pub amended: Vec<&'a Alert>,
}

/// The alerts of each rule, by its id, that are in one of two evaluations only.
pub fn differences<'a>(
    before: &'a BTreeMap<String, Alert>,
    after: &'a BTreeMap<String, Alert>,
) -> BTreeMap<&'a str, Difference<'a>> {
    let mut all: BTreeMap<&str, Difference<'_>> = BTreeMap::new();
    for (id, alert) in before {
        let difference = all.entry(&alert.rule_id).or_default();
        difference.before += 1;
        if !after.contains_key(id) {
            difference.lost.push(alert);
        }
    }
    for (id, alert) in after {
        let difference = all.entry(&alert.rule_id).or_default();
        difference.after += 1;
        match before.get(id) {
            None => difference.gained.push(alert),
            Some(known) if says(known) != says(alert) => difference.amended.push(alert),
            Some(_) => {}
        }
    }
    all
}

/// What an alert says, without the time at which it was said.
fn says(alert: &Alert) -> Alert {
    Alert {
        detected_time_us: 0,
        counted: 0,
        ..alert.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use schemas::wire::Alert;
    use sigma::{RuleCollection, Ruleset};

    use super::{changes, differences};

    fn set(rules: &[(u8, &str)]) -> Ruleset {
        let mut collection = RuleCollection::default();
        for (id, word) in rules {
            let text = format!(
                "title: Rule {id}\nid: {id}0000000-0000-4000-8000-000000000000\nstatus: test\nlevel: low\n\
                 logsource: {{product: m365, service: audit}}\n\
                 detection:\n  one: {{Operation: {word}}}\n  two: {{UserId: x}}\n  condition: one or two\n"
            );
            collection.add(&format!("{id}.yml"), text.as_bytes());
        }
        assert!(collection.rejected.is_empty(), "{}", collection.rejected[0]);
        Ruleset::compile(&mut collection)
    }

    #[test]
    fn tells_new_changed_and_removed_rules_from_those_that_stay() {
        let before = set(&[(1, "A"), (2, "B"), (3, "C")]);
        let after = set(&[(1, "A"), (3, "D"), (4, "E")]);
        let found: Vec<(String, &str)> = changes(&before, &after)
            .iter()
            .map(|change| (change.statement().unwrap().title.clone(), change.as_str()))
            .collect();
        let expected = [
            ("Rule 2", "removed"),
            ("Rule 3", "changed"),
            ("Rule 4", "new"),
        ];
        assert_eq!(
            found,
            expected.map(|(title, what)| (title.to_owned(), what))
        );
    }

    #[test]
    fn alerts_are_gained_and_lost_by_their_ids() {
        let alerts = |ids: &[&str]| -> BTreeMap<String, Alert> {
            let alert = |id: &&str| Alert {
                alert_id: (*id).to_owned(),
                rule_id: id[..1].to_owned(),
                ..Alert::default()
            };
            ids.iter().map(|id| ((*id).to_owned(), alert(id))).collect()
        };
        let (before, after) = (alerts(&["a1", "a2", "b1"]), alerts(&["a2", "a3", "a4"]));
        let found = differences(&before, &after);
        let figures = |rule: &str| {
            let one = &found[rule];
            (one.before, one.after, one.gained.len(), one.lost.len())
        };
        assert_eq!(figures("a"), (2, 3, 2, 1));
        assert_eq!(figures("b"), (1, 0, 0, 1));
    }
}
