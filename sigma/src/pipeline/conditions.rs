//! When a step of a pipeline is taken: conditions on the rule, on an item of it, and on a field's name.

use regex::Regex;
use rsigma_parser::{Detection, DetectionItem, SigmaRule, SigmaValue};
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use std::collections::{BTreeMap, BTreeSet};

/// What earlier steps left behind for the conditions of later ones.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) applied: BTreeSet<String>,
    pub(super) values: BTreeMap<String, serde_json::Value>,
}

/// Conditions, joined.
#[derive(Debug, Clone)]
pub(super) struct Conditions<C> {
    pub(super) members: Vec<C>,
    pub(super) is_any: bool,
    pub(super) is_negated: bool,
}

impl<C> Conditions<C> {
    /// True if there are none, or they hold as they are joined.
    pub(super) fn hold(&self, holds: impl Fn(&C) -> bool) -> bool {
        if self.members.is_empty() {
            return true;
        }
        let found = if self.is_any {
            self.members.iter().any(holds)
        } else {
            self.members.iter().all(holds)
        };
        found != self.is_negated
    }
}

/// The names of conditions on rules, as [`RuleCondition`] has them.
pub(super) const OF_RULE: &[&str] = &[
    "logsource",
    "contains_detection_item",
    "contains_field",
    "processing_item_applied",
    "processing_state",
    "tag",
    "is_sigma_rule",
    "is_sigma_correlation_rule",
];

/// The names of conditions on items, as [`ItemCondition`] has them.
pub(super) const OF_ITEM: &[&str] = &["match_string", "is_null", "processing_state"];

/// The names of conditions on fields, as [`FieldCondition`] has them.
pub(super) const OF_FIELD: &[&str] = &["include_fields", "exclude_fields"];

#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum RuleCondition {
    Logsource {
        category: Option<String>,
        product: Option<String>,
        service: Option<String>,
    },
    ContainsDetectionItem {
        field: String,
        value: serde_json::Value,
    },
    ContainsField {
        field: String,
    },
    ProcessingItemApplied {
        processing_item_id: String,
    },
    ProcessingState {
        key: String,
        val: serde_json::Value,
    },
    Tag {
        tag: String,
    },
    IsSigmaRule {},
    IsSigmaCorrelationRule {},
}

impl RuleCondition {
    pub(super) fn holds(&self, rule: &SigmaRule, state: &State) -> bool {
        match self {
            Self::Logsource {
                category,
                product,
                service,
            } => [
                (category, &rule.logsource.category),
                (product, &rule.logsource.product),
                (service, &rule.logsource.service),
            ]
            .into_iter()
            .all(|(wanted, found)| wanted.is_none() || wanted == found),
            Self::ContainsDetectionItem { field, value } => {
                let value = text(value);
                has_item(rule, &|item| {
                    item.field.name.as_ref() == Some(field)
                        && item.values.iter().any(|known| known.to_string() == value)
                })
            }
            Self::ContainsField { field } => {
                has_item(rule, &|item| item.field.name.as_ref() == Some(field))
            }
            Self::ProcessingItemApplied { processing_item_id } => {
                state.applied.contains(processing_item_id)
            }
            Self::ProcessingState { key, val } => state.values.get(key) == Some(val),
            Self::Tag { tag } => rule.tags.contains(tag),
            Self::IsSigmaRule {} => true,
            Self::IsSigmaCorrelationRule {} => false,
        }
    }
}

/// A value of a pipeline as a rule would write it.
fn text(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn has_item(rule: &SigmaRule, is_meant: &dyn Fn(&DetectionItem) -> bool) -> bool {
    fn has(detection: &Detection, is_meant: &dyn Fn(&DetectionItem) -> bool) -> bool {
        match detection {
            Detection::AllOf(items) => items.iter().any(is_meant),
            Detection::AnyOf(members) | Detection::And(members) => {
                members.iter().any(|member| has(member, is_meant))
            }
            _ => false,
        }
    }
    let mut detections = rule.detection.named.values();
    detections.any(|detection| has(detection, is_meant))
}

#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum ItemCondition {
    MatchString {
        cond: Amount,
        #[serde(deserialize_with = "bounded")]
        pattern: Regex,
        #[serde(default)]
        negate: bool,
    },
    IsNull {
        #[serde(default = "any")]
        cond: Amount,
    },
    ProcessingState {
        key: String,
        val: serde_json::Value,
    },
}

/// How many of an item's values must answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Amount {
    Any,
    All,
}

fn any() -> Amount {
    Amount::Any
}

impl ItemCondition {
    pub(super) fn holds(&self, item: &DetectionItem, state: &State) -> bool {
        let of_values = |amount: Amount, is_meant: &dyn Fn(&SigmaValue) -> bool| match amount {
            Amount::Any => item.values.iter().any(is_meant),
            Amount::All => item.values.iter().all(is_meant),
        };
        match self {
            Self::MatchString {
                cond,
                pattern,
                negate,
            } => {
                let matches = |value: &SigmaValue| match value {
                    SigmaValue::String(text) => pattern.is_match(&text.original),
                    _ => false,
                };
                of_values(*cond, &matches) != *negate
            }
            Self::IsNull { cond } => of_values(*cond, &|value| *value == SigmaValue::Null),
            Self::ProcessingState { key, val } => state.values.get(key) == Some(val),
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum FieldCondition {
    IncludeFields {
        fields: Vec<String>,
        #[serde(default)]
        mode: Mode,
    },
    ExcludeFields {
        fields: Vec<String>,
        #[serde(default)]
        mode: Mode,
    },
}

/// Whether names of fields are written out or as regular expressions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Mode {
    #[default]
    Plain,
    Re,
}

impl FieldCondition {
    /// The regular expressions that it asks.
    pub(super) fn expressions(&self) -> &[String] {
        match self {
            Self::IncludeFields { fields, mode } | Self::ExcludeFields { fields, mode } => {
                if *mode == Mode::Re { fields } else { &[] }
            }
        }
    }

    pub(super) fn holds(&self, item: &DetectionItem) -> bool {
        let Some(name) = &item.field.name else {
            return matches!(self, Self::ExcludeFields { .. });
        };
        let has = |fields: &[String], mode: Mode| match mode {
            Mode::Plain => fields.contains(name),
            // They were compiled once when the pipeline was read; at the start of the name, as pySigma does.
            Mode::Re => fields.iter().any(|field| {
                let anchored = format!("^(?:{field})");
                crate::expression::regex_text::expression(&anchored)
                    .is_ok_and(|regex| regex.is_match(name))
            }),
        };
        match self {
            Self::IncludeFields { fields, mode } => has(fields, *mode),
            Self::ExcludeFields { fields, mode } => !has(fields, *mode),
        }
    }
}

/// A regular expression, bounded like those of rules.
fn bounded<'de, D: Deserializer<'de>>(from: D) -> Result<Regex, D::Error> {
    let pattern = String::deserialize(from)?;
    crate::expression::regex_text::compiled(&pattern).map_err(D::Error::custom)
}
