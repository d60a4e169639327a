//! Sigma correlations: what holds over several records, exact however late they come.
//!
//! ```text
//! files ─▶ check ─▶ link ─▶ build ─▶ definition ┐
//! matches of rules ─▶ signal ─▶ point in its group ─▶ windows (evaluate, counter) ─▶ outcomes ─▶ correlator: changes
//! ```
//! An outcome is a function of the set of signals, by the time of their events: arrival order, duplicates and restarts
//! change nothing in the end. `DECISIONS.md` says what was decided where Sigma leaves room.
//!
//! Source: Sigma 2.1.0, "correlation rules".

mod about;
mod build;
mod check;
mod correlations;
mod correlator;
mod counter;
pub(crate) mod custom;
mod definition;
mod evaluate;
pub mod matched;
mod outcome;
mod point;
mod signal;

pub use rsigma_parser::CorrelationType;
use rsigma_parser::{CorrelationCondition, CorrelationRule, WindowMode};
use schemas::severity::Severity;

pub use self::correlations::Correlations;
pub use self::correlator::Correlator;
pub use self::custom::rule_of_match;
pub(crate) use self::definition::CORRELATIONS_MAX;
pub use self::definition::{CorrelationTest, Definition};
pub use self::outcome::{Change, Found};
pub use self::signal::{Evidence, Signal, Subject};
use crate::document::DocumentSource;
use crate::error::RuleError;
use crate::metadata::keys::{key, made_label, severity};
use crate::metadata::{Case, RuleMetadata};

/// A correlation, and where it stands.
#[derive(Debug, Clone)]
pub struct Correlation {
    /// The file that it came from.
    pub file: String,
    /// The line at which its document starts, from 1.
    pub line: usize,
    /// The document that it was read from.
    pub source: DocumentSource,
    /// Its id; its name or title where it has none.
    pub id: String,
    /// The name under which its alerts are known.
    pub label: String,
    /// Severity of its alerts.
    pub severity: Severity,
    /// What it cannot see.
    pub blind_spots: Vec<String>,
    /// What a person checks first.
    pub check_first: Vec<String>,
    /// Records that it must find, and near misses.
    pub cases: Vec<Case>,
    /// The rule whose absence it tells.
    pub absence: Option<String>,
    /// What it refers to, in its order; empty until all files are read.
    pub rules: Vec<Referred>,
    /// The correlation as Sigma has it.
    pub sigma: CorrelationRule,
}

/// What a correlation refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Referred {
    /// The rule with this id.
    Rule(String),
    /// The correlation with this id, name or title.
    Correlation(String),
}

impl Correlation {
    /// Checks what can be told without the other files.
    ///
    /// # Errors
    /// [`RuleError`] that names the key which is wrong.
    pub fn new(
        file: &str,
        line: usize,
        source: DocumentSource,
        sigma: CorrelationRule,
    ) -> Result<Self, RuleError> {
        check::check_window(&sigma)?;
        check::check_lists(&sigma)?;
        check::check_condition(&sigma)?;
        let keys = &sigma.custom_attributes;
        let id = [&sigma.id, &sigma.name].into_iter().flatten().next();
        let id = id.unwrap_or(&sigma.title).clone();
        let correlation = Self {
            file: file.to_owned(),
            line,
            source,
            label: made_label(keys, &id)?,
            id,
            severity: severity(sigma.level),
            blind_spots: key::<Vec<String>>(keys, "blind_spots")?.unwrap_or_default(),
            check_first: key::<Vec<String>>(keys, "check_first")?.unwrap_or_default(),
            cases: key::<Vec<Case>>(keys, "cases")?.unwrap_or_default(),
            absence: key(keys, "absence")?,
            rules: Vec::new(),
            sigma,
        };
        build::check(&correlation)?;
        Ok(correlation)
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

    /// What it counts and in which windows, in a line for a person.
    pub fn summary(&self) -> String {
        let window = match self.sigma.window {
            WindowMode::Sliding => String::new(),
            other => format!(", {} windows", other.as_str()),
        };
        let groups = match self.sigma.group_by.join(", ") {
            none if none.is_empty() => "the tenant".to_owned(),
            names => names,
        };
        let of = match &self.sigma.condition {
            CorrelationCondition::Threshold {
                field: Some(fields),
                ..
            } => format!(" of {}", fields.join(", ")),
            _ => String::new(),
        };
        format!(
            "{}{of} by {groups} within {}{window}",
            self.sigma.correlation_type.as_str(),
            self.sigma.timespan
        )
    }
}
