//! What a correlation found, and how that differs from what it found before.

use std::sync::Arc;

use schemas::alert::AlertState;

use super::evaluate::{EVIDENCE_MAX, Outcome};
use super::signal::{Evidence, Signal, Subject};

/// An outcome with the correlation and the group that it is of.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Hash of tenant, correlation, group, account and window.
    pub id: String,
    /// Id of the correlation.
    pub correlation: Arc<str>,
    /// The tenant.
    pub tenant_id: Arc<str>,
    /// Names and values of what tells the group, in the order of the correlation.
    pub group: Vec<(Arc<str>, Arc<str>)>,
    /// True if it is about the last of its records, which tells more than the group.
    pub is_of_records: bool,
    /// What was found.
    pub outcome: Outcome,
}

/// A change of what is told.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// How it differs from what was told before: the state of its alert.
    pub state: AlertState,
    /// What was told before, if anything.
    pub before: Option<Found>,
    /// What is told now; of a withdrawal what was told last.
    pub found: Found,
}

impl Found {
    /// The group as JSON, one text for each group.
    pub fn group_key(&self) -> String {
        key_text(&self.group)
    }

    /// When the first of its events was accepted, in microseconds since the Unix epoch, UTC.
    pub fn accepted_time_us(&self) -> i64 {
        let signals = self.outcome.signals.iter();
        signals
            .map(|signal| signal.accepted_time_us)
            .min()
            .unwrap_or(0)
    }

    /// Its records, each once, at most `EVIDENCE_MAX`.
    pub fn evidence(&self) -> Vec<Evidence> {
        let mut all: Vec<Evidence> = Vec::new();
        let records = self
            .outcome
            .signals
            .iter()
            .flat_map(|signal| &signal.evidence);
        for record in records {
            let is_known =
                |known: &Evidence| known.table == record.table && known.event_id == record.event_id;
            if all.len() < EVIDENCE_MAX && !all.iter().any(is_known) {
                all.push(record.clone());
            }
        }
        all
    }

    /// Who and what it is about.
    pub fn subject(&self) -> Subject {
        self.outcome.subject.clone()
    }

    /// What a correlation sees that refers to this one: a signal at the time at which it first held.
    pub(super) fn as_signal(&self) -> Signal {
        let mut fields = self.group.clone();
        if let (true, Some(last)) = (self.is_of_records, self.outcome.signals.last()) {
            fields.extend(last.fields.iter().cloned());
        }
        Signal {
            id: u128::from_str_radix(&self.id, 16).unwrap_or_default(),
            tenant_id: Arc::clone(&self.tenant_id),
            rule_id: Arc::clone(&self.correlation),
            time_us: self.outcome.fired_us,
            accepted_time_us: self.accepted_time_us(),
            fields: fields.into(),
            subject: self.subject(),
            evidence: self.evidence().into(),
            provenance: self.outcome.provenance,
        }
    }
}

/// Names and values as a JSON object, in their order.
pub(super) fn key_text(group: &[(Arc<str>, Arc<str>)]) -> String {
    let mut text = String::from("{");
    for (name, value) in group {
        if text.len() > 1 {
            text.push(',');
        }
        text.push_str(&serde_json::Value::from(&**name).to_string());
        text.push(':');
        text.push_str(&serde_json::Value::from(&**value).to_string());
    }
    text.push('}');
    text
}
