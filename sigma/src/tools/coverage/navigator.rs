//! Rules as a layer of the ATT&CK Navigator, version 4.5: a technique's score is the number of its rules.
//!
//! Source: ATT&CK Navigator, layer format 4.5; MITRE ATT&CK v19, which split *Defense Evasion* into *Stealth* and
//! *Defense Impairment*.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::metadata::RuleMetadata;

/// The vocabulary of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attack {
    /// Up to v18, with the tactic *Defense Evasion*.
    V18,
    /// From v19 on, with *Stealth* and *Defense Impairment*.
    V19,
}

/// Techniques that v19 made of *Impair Defenses* and its parts: v18's id, v19's.
const TECHNIQUES: &[(&str, &str)] = &[
    ("T1562", "T1685"),
    ("T1562.001", "T1685"),
    ("T1562.004", "T1686"),
    ("T1562.007", "T1686.001"),
];

impl Attack {
    fn version(self) -> &'static str {
        match self {
            Self::V18 => "18",
            Self::V19 => "19",
        }
    }

    /// The technique's id in this vocabulary; ids that both have stay as they are.
    pub fn technique(self, id: &str) -> &str {
        let found = TECHNIQUES.iter().rev().find_map(|(old, new)| match self {
            Self::V18 => (*new == id).then_some(*old),
            Self::V19 => (*old == id).then_some(*new),
        });
        found.unwrap_or(id)
    }

    /// The tactics of a rule in this vocabulary, by their slugs.
    ///
    /// A rule of v18 that evades is one of stealth in v19 unless it names a technique that impairs.
    pub fn tactics(self, rule: &RuleMetadata) -> BTreeSet<String> {
        let impairs = rule
            .techniques
            .iter()
            .any(|id| TECHNIQUES.iter().any(|(old, new)| old == id || new == id));
        let map = |slug: &str| match (self, slug) {
            (Self::V18, "stealth" | "defense-impairment") => "defense-evasion".to_owned(),
            (Self::V19, "defense-evasion") if impairs => "defense-impairment".to_owned(),
            (Self::V19, "defense-evasion") => "stealth".to_owned(),
            _ => slug.to_owned(),
        };
        rule.tactics.iter().map(|slug| map(slug)).collect()
    }
}

/// The layer of `rules`.
///
/// Shape: the keys that layer format 4.5 requires, a score for each technique, the rules' titles as its comment and
/// their tactics as its metadata.
pub fn layer<'a>(
    name: &str,
    description: &str,
    attack: Attack,
    rules: impl IntoIterator<Item = &'a RuleMetadata>,
) -> Value {
    let mut titles: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut tactics: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut scores: BTreeMap<String, u64> = BTreeMap::new();
    for rule in rules {
        let ids: BTreeSet<&str> = rule
            .techniques
            .iter()
            .map(|id| attack.technique(id))
            .collect();
        for id in ids {
            *scores.entry(id.to_owned()).or_default() += 1;
            titles
                .entry(id.to_owned())
                .or_default()
                .insert(rule.title.clone());
            tactics
                .entry(id.to_owned())
                .or_default()
                .extend(attack.tactics(rule));
        }
    }
    let join = |set: Option<&BTreeSet<String>>, mark: &str| {
        let all: Vec<&str> = set.into_iter().flatten().map(String::as_str).collect();
        all.join(mark)
    };
    let highest = scores.values().copied().max().unwrap_or(1);
    let techniques: Vec<Value> = scores
        .iter()
        .map(|(id, score)| {
            json!({
                "techniqueID": id,
                "score": score,
                "comment": join(titles.get(id), "\n"),
                "enabled": true,
                "metadata": [{"name": "tactics", "value": join(tactics.get(id), ", ")}],
                "showSubtechniques": id.contains('.'),
            })
        })
        .collect();
    json!({
        "name": name,
        "description": description,
        "domain": "enterprise-attack",
        "versions": {"attack": attack.version(), "navigator": "5.2.0", "layer": "4.5"},
        "techniques": techniques,
        "gradient": {"colors": ["#e8f1fa", "#1f6fb2"], "minValue": 0, "maxValue": highest},
        "sorting": 3,
        "hideDisabled": false,
    })
}

#[cfg(test)]
mod tests {
    use super::{Attack, layer};
    use crate::collection::{Rule, RuleCollection};
    use crate::metadata::RuleMetadata;

    fn rules(tags: [&str; 2]) -> Vec<RuleMetadata> {
        let mut collection = RuleCollection::default();
        for (at, tags) in tags.iter().enumerate() {
            let rule = format!(
                "title: Rule {at}\nid: 0{at}f3f7c2-8c0f-4a57-b0d4-9e1f2a3b4c5d\ntags: [{tags}]\n\
                 logsource: {{product: azure, service: signinlogs}}\ndetection: {{s: {{ResultType: 0}}, condition: s}}\n"
            );
            collection.add("t.yml", rule.as_bytes());
        }
        assert!(collection.rejected.is_empty(), "{:?}", collection.rejected);
        collection.loaded.iter().map(Rule::metadata).collect()
    }

    #[test]
    fn a_techniques_score_is_the_number_of_its_rules() {
        let metadata = rules([
            "attack.initial-access, attack.t1078.004, attack.t1078.004",
            "attack.initial_access, attack.t1078.004, attack.t1110",
        ]);
        let layer = layer("a", "b", Attack::V19, &metadata);
        assert_eq!(layer["versions"]["layer"], "4.5");
        assert_eq!(layer["domain"], "enterprise-attack");
        let found: Vec<_> = layer["techniques"]
            .as_array()
            .unwrap()
            .iter()
            .map(|technique| {
                (
                    technique["techniqueID"].as_str().unwrap(),
                    technique["score"].as_u64().unwrap(),
                )
            })
            .collect();
        assert_eq!(found, [("T1078.004", 2), ("T1110", 1)]);
        assert_eq!(layer["gradient"]["maxValue"], 2);
        assert_eq!(layer["techniques"][0]["comment"], "Rule 0\nRule 1");
        assert_eq!(
            layer["techniques"][0]["metadata"][0]["value"],
            "initial-access"
        );
    }

    #[test]
    fn both_vocabularies_give_the_same_layer() {
        let metadata = rules([
            "attack.defense-evasion, attack.t1562.007",
            "attack.defense-impairment, attack.t1686.001",
        ]);
        for (attack, id, tactic) in [
            (Attack::V18, "T1562.007", "defense-evasion"),
            (Attack::V19, "T1686.001", "defense-impairment"),
        ] {
            let layer = layer("a", "b", attack, &metadata);
            let technique = &layer["techniques"][0];
            assert_eq!(technique["techniqueID"], id);
            assert_eq!(technique["score"], 2);
            assert_eq!(technique["metadata"][0]["value"], tactic);
        }
        let hidden = rules([
            "attack.defense-evasion, attack.t1078",
            "attack.stealth, attack.t1078",
        ]);
        for (rule, attack, tactic) in [
            (0, Attack::V19, "stealth"),
            (1, Attack::V18, "defense-evasion"),
            (1, Attack::V19, "stealth"),
        ] {
            let tactics = attack.tactics(&hidden[rule]);
            assert_eq!(tactics.into_iter().collect::<Vec<_>>(), [tactic]);
        }
    }
}
