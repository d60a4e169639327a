//! What can be said of a configuration without running it: what is wrong, where, why, and how to mend it.

use std::fmt;

use forward::ForwardError;

use super::Config;

mod content;
mod response;
mod secrets;
mod stages;
mod tenants;

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weight {
    /// It may be meant, and somebody should know.
    Note,
    /// The configuration cannot be used.
    Fault,
}

/// One thing about a configuration that its author should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// How much it weighs.
    pub(crate) weight: Weight,
    /// The key, or the file.
    pub(crate) at: String,
    /// What is the matter.
    pub(crate) what: String,
    /// What comes of it.
    pub(crate) why: String,
    /// What to do.
    pub(crate) fix: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let weight = match self.weight {
            Weight::Note => "note",
            Weight::Fault => "fault",
        };
        write!(
            formatter,
            "{weight}: {}: {}\n  why: {}\n  fix: {}",
            self.at, self.what, self.why, self.fix
        )
    }
}

/// A day, in milliseconds: what waits longer is not meant to come.
const WAIT_MS_MAX: u64 = 86_400_000;

/// Where findings are gathered.
#[derive(Debug, Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(
        &mut self,
        weight: Weight,
        at: impl Into<String>,
        what: impl Into<String>,
        why: &str,
        fix: &str,
    ) {
        self.0.push(Finding {
            weight,
            at: at.into(),
            what: what.into(),
            why: why.to_owned(),
            fix: fix.to_owned(),
        });
    }

    fn fault(&mut self, at: impl Into<String>, what: impl Into<String>, why: &str, fix: &str) {
        self.add(Weight::Fault, at, what, why, fix);
    }

    fn note(&mut self, at: impl Into<String>, what: impl Into<String>, why: &str, fix: &str) {
        self.add(Weight::Note, at, what, why, fix);
    }

    /// A number that must lie within bounds.
    fn bounds(&mut self, at: impl Into<String>, value: u64, least: u64, most: u64, why: &str) {
        if (least..=most).contains(&value) {
            return;
        }
        let fix = if most == u64::MAX {
            format!("set it to {least} or more, or leave it out for the default")
        } else {
            format!("set it to {least} to {most}, or leave it out for the default")
        };
        self.fault(at, format!("is {value}"), why, &fix);
    }
}

/// What keeps a destination from being used.
fn destination(error: &ForwardError, findings: &mut Findings) {
    let (at, what) = match error {
        ForwardError::Setting { name, key, why } => {
            (format!("destinations.{name}.{key}"), why.clone())
        }
        other => ("destinations".to_owned(), other.to_string()),
    };
    findings.fault(
        at,
        what,
        "nothing would be sent there",
        "mend the setting; `vedette forward validate` asks the destination itself",
    );
}

/// How many of the findings are faults.
pub(crate) fn faults(findings: &[Finding]) -> usize {
    let is_fault = |finding: &&Finding| finding.weight == Weight::Fault;
    findings.iter().filter(is_fault).count()
}

impl Config {
    /// What is wrong with the settings themselves: what keeps a stage from starting, or from doing what is meant.
    pub(crate) fn check_settings(&self) -> Vec<Finding> {
        let mut findings = Findings::default();
        stages::check(self, &mut findings);
        response::check(self, &mut findings);
        tenants::check(self, &mut findings);
        findings.0
    }

    /// The same, and what is wrong in what the settings name: secrets, which not every stage needs, rules, playbooks.
    pub(crate) fn check(&self) -> Vec<Finding> {
        let mut findings = Findings(self.check_settings());
        secrets::check(self, &mut findings);
        content::check(self, &mut findings);
        findings.0
    }
}

#[cfg(test)]
mod tests;
