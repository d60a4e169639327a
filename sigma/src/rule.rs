//! A detection rule: one Sigma file with our keys `label`, `blind_spots`, `check_first` and `cases`.

pub mod attack;
pub(crate) mod bounds;
pub mod cases;
pub mod files;
pub(crate) mod lines;
pub mod load;
mod resolve;
mod source;

use rsigma_parser::SigmaRule;
use schemas::label::Label;
use schemas::severity::Severity;
use schemas::tables::Table;
use serde::Deserialize;
use serde_json::Value;

use crate::mapping::{Extension, logsource};
use crate::refusal::Refusal;

pub use cases::{CaseFailure, check_cases, check_cases_with};
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
    /// The document that it was read from.
    pub source: Source,
    /// The rule as Sigma has it.
    pub sigma: SigmaRule,
}

/// A record with what the rule must make of it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What it shows.
    pub name: String,
    /// 1 if it must alert, 0 if it must not.
    pub alerts: u8,
    /// Name of the table that keeps the record; absent for the rule's own.
    #[serde(default)]
    pub table: Option<String>,
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
        let number: Option<u32> = key(&sigma, "label")?;
        let label = match number {
            Some(number) => Label::SaasM365(number).to_string(),
            None => format!("SIGMA-{}", id.chars().take(8).collect::<String>()),
        };
        let (techniques, tactics) = attack::split(&sigma.tags);
        Ok(Self {
            file: file.to_owned(),
            table,
            severity: severity(&sigma),
            label,
            id,
            techniques,
            tactics,
            blind_spots: key::<Vec<String>>(&sigma, "blind_spots")?.unwrap_or_default(),
            check_first: key::<Vec<String>>(&sigma, "check_first")?.unwrap_or_default(),
            cases: key::<Vec<Case>>(&sigma, "cases")?.unwrap_or_default(),
            source: Source::default(),
            sigma,
        })
    }

    /// True if its label was made of its id.
    fn has_made_label(&self) -> bool {
        !self.sigma.custom_attributes.contains_key("label")
    }

    /// What an alert of it means and what to check first.
    pub fn description(&self) -> String {
        let mut text = self
            .sigma
            .description
            .as_deref()
            .unwrap_or_default()
            .trim()
            .to_owned();
        if !self.check_first.is_empty() {
            text.push_str("\n\nCheck first:");
            for step in &self.check_first {
                text.push_str("\n- ");
                text.push_str(step);
            }
        }
        text
    }
}

/// Sigma's level; a rule without one counts as medium, so that somebody looks.
fn severity(sigma: &SigmaRule) -> Severity {
    sigma
        .level
        .and_then(|level| level.as_str().parse().ok())
        .unwrap_or(Severity::Medium)
}

/// One of our own keys of a rule.
fn key<T: serde::de::DeserializeOwned>(
    sigma: &SigmaRule,
    name: &'static str,
) -> Result<Option<T>, Refusal> {
    sigma
        .custom_attributes
        .get(name)
        .map(|value| serde_json::to_value(value).and_then(serde_json::from_value))
        .transpose()
        .map_err(|cause| Refusal::Key { key: name, cause })
}
