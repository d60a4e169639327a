//! What the steps of a pipeline can do.

use std::collections::BTreeMap;

use serde::Deserialize;

/// One text or several.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum Texts {
    One(String),
    Many(Vec<String>),
}

impl Texts {
    pub(super) fn as_slice(&self) -> &[String] {
        match self {
            Self::One(text) => std::slice::from_ref(text),
            Self::Many(texts) => texts,
        }
    }
}

/// The names of all transformations, as [`Transformation`] has them.
pub(super) const TRANSFORMATIONS: &[&str] = &[
    "field_name_mapping",
    "field_name_prefix",
    "field_name_suffix",
    "field_name_prefix_mapping",
    "add_condition",
    "change_logsource",
    "drop_detection_item",
    "replace_string",
    "map_string",
    "value_placeholders",
    "wildcard_placeholders",
    "set_state",
    "rule_failure",
    "detection_item_failure",
];

/// What a step does.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Transformation {
    FieldNameMapping {
        mapping: BTreeMap<String, Texts>,
    },
    FieldNamePrefix {
        prefix: String,
    },
    FieldNameSuffix {
        suffix: String,
    },
    FieldNamePrefixMapping {
        mapping: BTreeMap<String, Texts>,
    },
    AddCondition {
        conditions: BTreeMap<String, serde_json::Value>,
        #[serde(default)]
        template: bool,
        #[serde(default)]
        negated: bool,
    },
    ChangeLogsource {
        category: Option<String>,
        product: Option<String>,
        service: Option<String>,
    },
    DropDetectionItem {},
    ReplaceString {
        regex: String,
        replacement: String,
        #[serde(default)]
        skip_special: bool,
    },
    MapString {
        mapping: BTreeMap<String, Texts>,
    },
    ValuePlaceholders {
        include: Option<Vec<String>>,
        exclude: Option<Vec<String>>,
    },
    WildcardPlaceholders {
        include: Option<Vec<String>>,
        exclude: Option<Vec<String>>,
    },
    SetState {
        key: String,
        val: serde_json::Value,
    },
    RuleFailure {
        message: String,
    },
    DetectionItemFailure {
        message: String,
    },
}
