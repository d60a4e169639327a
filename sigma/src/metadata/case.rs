//! Records that stand beside a rule or correlation, and how many alerts must come of them.

use serde::Deserialize;
use serde_json::Value;

/// Records with what must be made of them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What it shows.
    pub name: String,
    /// Number of alerts that must come of it.
    pub alerts: u8,
    /// Name of the table that keeps the record; absent for the rule's own.
    #[serde(default)]
    pub table: Option<String>,
    /// The record as Microsoft sends it; null where there are [`Self::events`].
    #[serde(default)]
    pub event: Value,
    /// Records over time.
    #[serde(default)]
    pub events: Vec<CaseEvent>,
}

/// A record of a case over time, once or again and again.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseEvent {
    /// Name of the table that keeps it; absent for that of the first rule.
    #[serde(default)]
    pub table: Option<String>,
    /// Time of the first, after the beginning: `90s`, `10m`, `2h`, `3d`.
    #[serde(default)]
    pub at: Option<String>,
    /// How many there are, 1 to 10,000; `{n}` in a text of the record is the number of each, from 1.
    #[serde(default)]
    pub times: Option<u32>,
    /// Time between two of them.
    #[serde(default)]
    pub every: Option<String>,
    /// The record as Microsoft sends it.
    pub event: Value,
}
