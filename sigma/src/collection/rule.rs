//! A detection rule: one Sigma file with our keys `label`, `blind_spots`, `check_first`, `only_counted` and `cases`.

pub mod attack;
pub(crate) mod bounds;
pub mod cases;
pub mod files;
pub(crate) mod lines;
pub mod load;
mod resolve;
mod source;

use std::collections::HashMap;

use rsigma_parser::{Level, SigmaRule};
use schemas::label::Label;
use schemas::severity::Severity;
use schemas::tables::Table;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::correlation::{Definition, custom};
use crate::mapping::{Extension, logsource};
use crate::refusal::Refusal;
use crate::statement::Statement;

pub use cases::{CaseFailure, check_cases, check_cases_with, check_correlation};
pub use load::{Catalogue, Rejected, load_folder};
pub use source::Source;

/// A rule, read and checked.
#[derive(Debug, Clone)]
pub struct Rule {
    /// The file that it came from, without its folder.
    pub file: String,
    /// Its UUID.
    pub id: String,
    /// The name under which its alerts are known: ours have a label, others the start of their UUID.
    pub label: String,
    /// The table of its log source.
    pub table: Table,
    /// Severity of its alerts.
    pub severity: Severity,
    /// ATT&CK techniques, for example "T1114.003".
    pub techniques: Vec<String>,
    /// ATT&CK tactics, for example "collection".
    pub tactics: Vec<String>,
    /// What it cannot see.
    pub blind_spots: Vec<String>,
    /// What a person checks first.
    pub check_first: Vec<String>,
    /// Records that it must find, and near misses.
    pub cases: Vec<Case>,
    /// What it asks of its matches over time; none if every match is an alert.
    pub over_time: Option<Definition>,
    /// True if a match by itself is never an alert: the rule is there for correlations.
    pub only_counted: bool,
    /// The document that it was read from.
    pub source: Source,
    /// The rule as Sigma has it.
    pub sigma: SigmaRule,
}

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

impl Rule {
    /// Checks a parsed rule; `file` is where it came from, `extension` adds names of log sources.
    ///
    /// # Errors
    /// [`Refusal`] if it has no id or table, or one of our keys has another form than it needs.
    pub fn new(file: &str, sigma: SigmaRule, extension: &Extension) -> Result<Self, Refusal> {
        let table = logsource::table(extension, &sigma.logsource);
        Self::of_table(file, sigma, table?)
    }

    /// Checks a parsed rule whose table is known already.
    pub(crate) fn of_table(file: &str, sigma: SigmaRule, table: Table) -> Result<Self, Refusal> {
        let id = sigma.id.clone().ok_or(Refusal::NoId)?;
        let keys = &sigma.custom_attributes;
        let (techniques, tactics) = attack::split(&sigma.tags);
        Ok(Self {
            file: file.to_owned(),
            table,
            severity: severity(sigma.level),
            label: made_label(keys, &id)?,
            techniques,
            tactics,
            blind_spots: key::<Vec<String>>(keys, "blind_spots")?.unwrap_or_default(),
            check_first: key::<Vec<String>>(keys, "check_first")?.unwrap_or_default(),
            cases: key::<Vec<Case>>(keys, "cases")?.unwrap_or_default(),
            over_time: custom::definition(&id, &sigma)?,
            only_counted: key(keys, "only_counted")?.unwrap_or_default(),
            source: Source::default(),
            id,
            sigma,
        })
    }

    /// What an alert of it says.
    pub fn statement(&self) -> Statement {
        Statement::new(
            &self.id,
            &self.label,
            &self.sigma.title,
            self.sigma.description.as_deref(),
            &self.check_first,
            self.severity,
            &self.sigma.tags,
        )
    }
}

/// Sigma's level; a rule without one counts as medium, so that somebody looks.
pub(crate) fn severity(level: Option<Level>) -> Severity {
    level
        .and_then(|level| level.as_str().parse().ok())
        .unwrap_or(Severity::Medium)
}

/// The label that a document gives itself; otherwise one that is made of its id.
pub(crate) fn made_label<V: Serialize>(
    keys: &HashMap<String, V>,
    id: &str,
) -> Result<String, Refusal> {
    let number: Option<u32> = key(keys, "label")?;
    Ok(match number {
        Some(number) => Label::SaasM365(number).to_string(),
        None => format!("SIGMA-{}", id.chars().take(8).collect::<String>()),
    })
}

/// One of our own keys of a document.
pub(crate) fn key<T: serde::de::DeserializeOwned>(
    keys: &HashMap<String, impl Serialize>,
    name: &'static str,
) -> Result<Option<T>, Refusal> {
    keys.get(name)
        .map(|value| serde_json::to_value(value).and_then(serde_json::from_value))
        .transpose()
        .map_err(|cause| Refusal::Key { key: name, cause })
}
