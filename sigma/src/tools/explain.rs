//! Why a rule matches an event, or does not: the engine's own answer for every part of the rule.
//!
//! ```text
//! rule ─▶ a rule of its own for each condition, detection, item and value ─▶ one plan ─▶ one row ─▶ tree
//! ```
//! Each part is compiled and evaluated as the whole is, so an explanation cannot say anything else than the engine.

pub(crate) mod row;
pub mod tree;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arrow::error::ArrowError;
use rsigma_parser::{
    ConditionExpr, Detection, DetectionItem, Modifier, SelectorPattern, SigmaRule, SigmaValue,
    detection_name_matches,
};
use schemas::wire::Event;

use self::row::{Row, written};
use self::tree::{Explanation, Item, Node, Part, Standing};
use crate::collection::Rule;
use crate::error::RuleError;
use crate::mapping::UserMapping;

/// Most values of one item that are asked one by one.
const VALUES_MAX: usize = 64;

/// The name of the detection in a rule that asks one part.
const PART: &str = "part";

/// Why there is no explanation.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// The rule cannot be honoured.
    #[error("rule is refused")]
    Refused(#[from] RuleError),
    /// The event does not make a row.
    #[error("cannot make a row of the event")]
    Row(#[from] ArrowError),
}

/// What `rule` makes of `event`, a row of the rule's table; names of `user_mapping` come before our own.
///
/// # Errors
/// [`ExplainError`] if the rule is refused, or the event makes no row.
pub fn explain(
    rule: &Rule,
    user_mapping: &Arc<UserMapping>,
    event: &Event,
) -> Result<Explanation, ExplainError> {
    let row = Row::new(rule.table, event, user_mapping)?;
    let mut asked = Asked::new(&rule.sigma);
    let whole = asked.add(rule.sigma.clone());
    let conditions = &rule.sigma.detection.conditions;
    let drafts: Vec<Draft> = conditions
        .iter()
        .map(|condition| asked.condition(condition, &row))
        .collect();
    let answers = row.ask(&asked.rules, whole)?;
    Ok(Explanation {
        rule: rule.label.clone(),
        id: rule.id.clone(),
        title: rule.sigma.title.clone(),
        table: rule.table.name().to_owned(),
        holds: answers.of(whole) == Some(true),
        conditions: drafts
            .into_iter()
            .map(|draft| draft.answered(&answers))
            .collect(),
    })
}

/// A node whose answer is not known yet.
struct Draft {
    /// The number of the rule that asks it.
    number: usize,
    part: Part,
    /// The numbers of the rules that ask its values, where they are asked one by one.
    values: Vec<usize>,
    parts: Vec<Draft>,
}

impl Draft {
    fn answered(self, answers: &Answers) -> Node {
        let mut part = self.part;
        if let Part::Item(item) = &mut part {
            for (value, number) in item.values.iter_mut().zip(&self.values) {
                value.holds = answers.of(*number);
            }
        }
        Node {
            holds: answers.of(self.number),
            part,
            parts: self
                .parts
                .into_iter()
                .map(|draft| draft.answered(answers))
                .collect(),
        }
    }
}

/// Which of the numbered rules matched, and which could not be asked.
struct Answers {
    matched: BTreeSet<usize>,
    refused: BTreeSet<usize>,
}

impl Answers {
    fn of(&self, number: usize) -> Option<bool> {
        (!self.refused.contains(&number)).then(|| self.matched.contains(&number))
    }
}

/// The rules that ask each part of a rule.
struct Asked {
    /// The rule without its detections.
    bare: SigmaRule,
    named: HashMap<String, Detection>,
    rules: Vec<SigmaRule>,
}

impl Asked {
    fn new(rule: &SigmaRule) -> Self {
        let mut bare = rule.clone();
        // What is long and makes no difference: every part would carry it.
        bare.custom_attributes.remove("cases");
        bare.description = None;
        bare.detection.conditions.clear();
        let named = std::mem::take(&mut bare.detection.named);
        Self {
            bare,
            named,
            rules: Vec::new(),
        }
    }

    fn add(&mut self, rule: SigmaRule) -> usize {
        self.rules.push(rule);
        self.rules.len() - 1
    }

    /// Asks a condition over the rule's own detections.
    fn ask_condition(&mut self, condition: &ConditionExpr) -> usize {
        let mut names = BTreeSet::new();
        self.collect_names(condition, &mut names);
        let mut rule = self.bare.clone();
        rule.detection.named = names
            .into_iter()
            .filter_map(|name| self.named.get_key_value(&name))
            .map(|(name, detection)| (name.clone(), detection.clone()))
            .collect();
        rule.detection.conditions = vec![condition.clone()];
        self.add(rule)
    }

    /// Asks a detection alone.
    fn ask_detection(&mut self, detection: Detection) -> usize {
        let mut rule = self.bare.clone();
        rule.detection.named = HashMap::from([(PART.to_owned(), detection)]);
        rule.detection.conditions = vec![ConditionExpr::Identifier(PART.to_owned())];
        self.add(rule)
    }

    fn condition(&mut self, condition: &ConditionExpr, row: &Row) -> Draft {
        let number = self.ask_condition(condition);
        let (part, parts) = match condition {
            ConditionExpr::And(members) => (Part::And, self.conditions(members, row)),
            ConditionExpr::Or(members) => (Part::Or, self.conditions(members, row)),
            ConditionExpr::Not(inner) => (Part::Not, vec![self.condition(inner, row)]),
            ConditionExpr::Identifier(name) => {
                let name = name.clone();
                let parts = self.named(&name, row);
                (Part::Detection { name }, parts)
            }
            ConditionExpr::Selector {
                quantifier,
                pattern,
            } => {
                let text = format!("{quantifier} of {pattern}");
                let names = self.selected(pattern);
                let parts = names
                    .into_iter()
                    .map(|name| self.condition(&ConditionExpr::Identifier(name), row))
                    .collect();
                (Part::Selector { text }, parts)
            }
        };
        Draft {
            number,
            part,
            values: Vec::new(),
            parts,
        }
    }

    fn conditions(&mut self, members: &[ConditionExpr], row: &Row) -> Vec<Draft> {
        members
            .iter()
            .map(|member| self.condition(member, row))
            .collect()
    }

    /// The names of all detections that a condition depends on.
    fn collect_names(&self, condition: &ConditionExpr, names: &mut BTreeSet<String>) {
        match condition {
            ConditionExpr::And(members) | ConditionExpr::Or(members) => {
                for member in members {
                    self.collect_names(member, names);
                }
            }
            ConditionExpr::Not(inner) => self.collect_names(inner, names),
            ConditionExpr::Identifier(name) => {
                names.insert(name.clone());
            }
            ConditionExpr::Selector { pattern, .. } => names.extend(self.selected(pattern)),
        }
    }

    /// The names that a selector means, in order.
    fn selected(&self, pattern: &SelectorPattern) -> Vec<String> {
        let mut names: Vec<String> = self
            .named
            .keys()
            .filter(|name| match pattern {
                SelectorPattern::Them => !name.starts_with('_'),
                SelectorPattern::Pattern(pattern) => detection_name_matches(pattern, name),
            })
            .cloned()
            .collect();
        names.sort_unstable();
        names
    }

    /// The parts of a detection that the condition names.
    fn named(&mut self, name: &str, row: &Row) -> Vec<Draft> {
        let Some(detection) = self.named.get(name).cloned() else {
            return Vec::new();
        };
        match &detection {
            // One line fewer: a map with its fields directly below the name.
            Detection::AllOf(items) => self.items(items, row),
            _ => vec![self.detection(&detection, row)],
        }
    }

    fn detection(&mut self, detection: &Detection, row: &Row) -> Draft {
        let number = self.ask_detection(detection.clone());
        let (part, parts) = match detection {
            Detection::AllOf(items) => match items.as_slice() {
                [item] => return self.item(item, row),
                _ => (Part::And, self.items(items, row)),
            },
            Detection::AnyOf(members) => (Part::Or, self.detections(members, row)),
            Detection::And(members) => (Part::And, self.detections(members, row)),
            Detection::Keywords(values) => return self.keywords(values, number),
            Detection::ArrayMatch {
                field, quantifier, ..
            } => {
                let text = format!("{field}[{quantifier}]");
                (Part::Other { text }, Vec::new())
            }
            Detection::Conditional { condition, .. } => {
                let text = condition.to_string();
                (Part::Other { text }, Vec::new())
            }
        };
        Draft {
            number,
            part,
            values: Vec::new(),
            parts,
        }
    }

    fn detections(&mut self, members: &[Detection], row: &Row) -> Vec<Draft> {
        members
            .iter()
            .map(|member| self.detection(member, row))
            .collect()
    }

    fn items(&mut self, items: &[DetectionItem], row: &Row) -> Vec<Draft> {
        items.iter().map(|item| self.item(item, row)).collect()
    }

    fn keywords(&mut self, values: &[SigmaValue], number: usize) -> Draft {
        let single = |value: &SigmaValue| Detection::Keywords(vec![value.clone()]);
        let numbers = self.single_values(values, single);
        let part = Part::Item(Item {
            field: None,
            modifiers: Vec::new(),
            values: written(values, |_| None),
            values_left_out: values.len().saturating_sub(VALUES_MAX),
            standing: Standing::Anywhere,
            found: Vec::new(),
        });
        Draft {
            number,
            part,
            values: numbers,
            parts: Vec::new(),
        }
    }

    fn item(&mut self, item: &DetectionItem, row: &Row) -> Draft {
        let number = self.ask_detection(Detection::AllOf(vec![item.clone()]));
        let modifiers = &item.field.modifiers;
        let is_joined = modifiers.contains(&Modifier::Neq) || modifiers.contains(&Modifier::Exists);
        let numbers = if is_joined {
            Vec::new()
        } else {
            self.single_values(&item.values, |value| {
                let mut single = item.clone();
                // With one value left there is nothing to join.
                single
                    .field
                    .modifiers
                    .retain(|modifier| *modifier != Modifier::All);
                single.values = vec![value.clone()];
                Detection::AllOf(vec![single])
            })
        };
        Draft {
            number,
            part: Part::Item(row.item(item)),
            values: numbers,
            parts: Vec::new(),
        }
    }

    /// Asks values one by one; one alone is what the whole item asks.
    fn single_values(
        &mut self,
        values: &[SigmaValue],
        single: impl Fn(&SigmaValue) -> Detection,
    ) -> Vec<usize> {
        if values.len() < 2 {
            return Vec::new();
        }
        values
            .iter()
            .take(VALUES_MAX)
            .map(|value| self.ask_detection(single(value)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use schemas::wire::Event;

    use super::explain;
    use crate::collection::{Rule, RuleCollection};
    use crate::mapping::UserMapping;

    fn rule(detection: &str) -> Rule {
        let text = format!(
            "title: Try\nid: 1f0c2f8e-55a3-4a5c-9e42-6a5e0f7d9b11\nlabel: 7\nlogsource: {{product: m365, service: audit}}\n{detection}"
        );
        let mut collection = RuleCollection::default();
        collection.add("try.yml", text.as_bytes());
        assert!(collection.rejected.is_empty(), "{:?}", collection.rejected);
        collection.loaded.remove(0)
    }

    fn event(record: &str) -> Event {
        Event {
            event_id: "one".to_owned(),
            raw: record.to_owned().into(),
            ..Event::default()
        }
    }

    #[test]
    fn says_for_each_part_what_the_event_has_there() {
        let rule = rule(
            "detection:\n  cmdlet:\n    Operation: [New-InboxRule, Set-InboxRule]\n  words:\n    SubjectContainsWords|contains: invoice\n  \
             filter_own:\n    UserId|endswith: '@own.example'\n  condition: cmdlet and words and not 1 of filter_*\n",
        );
        let event = event(
            r#"{"Operation":"New-InboxRule.","UserId":"eve@own.example","Parameters":[{"Name":"SubjectContainsWords","Value":"Invoice"}]}"#,
        );
        let text = explain(&rule, &Arc::default(), &event).unwrap().to_string();
        let expected = "\
✗ SAAS-M365-00007 \"Try\" does not match
   asked of table m365_activity
└─ ✗ all of
   ├─ ✓ cmdlet:
   │  └─ ✓ Operation: \"New-InboxRule\" ✓, \"Set-InboxRule\" ✗
   │       column operation: \"New-InboxRule.\" compared as \"new-inboxrule\"
   ├─ ✓ words:
   │  └─ ✓ SubjectContainsWords|contains: \"invoice\"
   │       record \"Parameters[SubjectContainsWords]\": \"Invoice\"
   └─ ✗ not
      └─ ✓ 1 of filter_*
         └─ ✓ filter_own:
            └─ ✓ UserId|endswith: \"@own.example\"
                 column user_id: \"eve@own.example\"
";
        assert_eq!(text, expected, "{text}");
    }

    #[test]
    fn a_users_names_are_explained_as_they_are_asked() {
        let rule = rule("detection:\n  s:\n    Postbox: x\n  condition: s\n");
        let event = event(r#"{"MailboxOwnerUPN":"x"}"#);
        let mapping =
            "m365_activity:\n  fields:\n    - names: [Postbox]\n      paths: [MailboxOwnerUPN]\n";
        let user_mapping = UserMapping::parse("mine.yml", mapping).unwrap();
        let plain = explain(&rule, &Arc::default(), &event).unwrap();
        assert!(!plain.holds);
        let extended = explain(&rule, &Arc::new(user_mapping), &event).unwrap();
        assert!(extended.holds, "{extended}");
        assert!(
            extended.to_string().contains("MailboxOwnerUPN"),
            "{extended}"
        );
    }

    /// Text of tenants must not act on a terminal.
    #[test]
    fn shows_what_an_event_contains_without_obeying_it() {
        let rule = rule("detection:\n  s:\n    UserId: x\n  condition: s\n");
        let event = event(r#"{"UserId":"a\u001b[2Jb\u202ec\nd"}"#);
        let text = explain(&rule, &Arc::default(), &event).unwrap().to_string();
        assert!(text.contains(r#""a\u{1b}[2Jb\u{202e}c\nd""#), "{text}");
    }
}
