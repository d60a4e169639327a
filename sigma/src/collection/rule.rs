//! A detection rule: one Sigma file with our keys `label`, `blind_spots`, `check_first`, `only_counted` and `cases`.

use crate::document::DocumentSource;
use crate::metadata::keys::{key, made_label, severity};
use crate::metadata::{Case, attack};

use rsigma_parser::SigmaRule;
use schemas::severity::Severity;
use schemas::tables::Table;

use crate::correlation::{Definition, custom};
use crate::error::RuleError;
use crate::mapping::{UserMapping, logsource};
use crate::metadata::RuleMetadata;

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
    pub own_correlation: Option<Definition>,
    /// True if a match by itself is never an alert: the rule is there for correlations.
    pub only_counted: bool,
    /// The document that it was read from.
    pub source: DocumentSource,
    /// The rule as Sigma has it.
    pub sigma: SigmaRule,
}

impl Rule {
    /// Checks a parsed rule; `file` is where it came from, `user_mapping` adds names of log sources.
    ///
    /// # Errors
    /// [`RuleError`] if it has no id or table, or one of our keys has another form than it needs.
    pub fn new(
        file: &str,
        sigma: SigmaRule,
        user_mapping: &UserMapping,
    ) -> Result<Self, RuleError> {
        let table = logsource::table(user_mapping, &sigma.logsource);
        Self::of_table(file, sigma, table?)
    }

    /// Checks a parsed rule whose table is known already.
    pub(crate) fn of_table(file: &str, sigma: SigmaRule, table: Table) -> Result<Self, RuleError> {
        let id = sigma.id.clone().ok_or(RuleError::NoId)?;
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
            own_correlation: custom::definition(&id, &sigma)?,
            only_counted: key(keys, "only_counted")?.unwrap_or_default(),
            source: DocumentSource::default(),
            id,
            sigma,
        })
    }

    /// What an alert of it says.
    pub fn metadata(&self) -> RuleMetadata {
        RuleMetadata::new(
            &self.id,
            &self.label,
            &self.sigma.title,
            self.sigma.description.as_deref(),
            &self.check_first,
            self.severity,
            &self.sigma.tags,
        )
        .blind_to(&self.blind_spots)
    }
}
