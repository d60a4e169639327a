//! A match becomes an alert: named by its causes, with the event, its file and its row as evidence.

use schemas::ids;
use schemas::wire::{Alert, Evidence};
use sigma::Rule;

/// Category of the alerts of our rules.
pub const CATEGORY: &str = "Platform";

/// The batch that a row came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Name of the table.
    pub table: String,
    /// The tenant.
    pub tenant_id: String,
    /// Path of the file inside the table's folder.
    pub file: String,
    /// A Delta version that has the file: the one that added it, where that is known.
    pub version: i64,
}

/// What an alert says of the event behind it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subject {
    /// The event's id.
    pub event_id: String,
    /// When it happened, in microseconds since the Unix epoch, UTC.
    pub event_time_us: Option<i64>,
    /// When vedette accepted it, in microseconds since the Unix epoch, UTC.
    pub ingest_time_us: i64,
    /// User principal name, in lower case.
    pub user: String,
    /// Object id of the account.
    pub user_id: String,
    /// Address.
    pub ip: String,
    /// Session.
    pub session_id: String,
}

/// The alert of `rule` about an event in row `row` of its file.
///
/// The same event and rule make the same alert id, whatever the file and the time.
pub fn of_match(rule: &Rule, subject: &Subject, origin: &Origin, row: u64, now_us: i64) -> Alert {
    Alert {
        alert_id: ids::alert(&origin.tenant_id, &rule.id, &subject.event_id, 0),
        tenant_id: origin.tenant_id.clone(),
        label: rule.label.clone(),
        rule_id: rule.id.clone(),
        title: rule.sigma.title.clone(),
        description: rule.description(),
        severity: rule.severity.as_str().to_owned(),
        category: CATEGORY.to_owned(),
        techniques: rule.techniques.clone(),
        tactics: rule.tactics.clone(),
        user: subject.user.clone(),
        user_id: subject.user_id.clone(),
        ip: subject.ip.clone(),
        session_id: subject.session_id.clone(),
        group_key: subject.event_id.clone(),
        first_event_time_us: subject.event_time_us.unwrap_or(0),
        last_event_time_us: subject.event_time_us.unwrap_or(0),
        accepted_time_us: subject.ingest_time_us,
        detected_time_us: now_us,
        evidence: vec![evidence(subject, origin, row)],
        state: "raised".to_owned(),
        url: String::new(),
    }
}

/// Where the lake keeps the event.
pub fn evidence(subject: &Subject, origin: &Origin, row: u64) -> Evidence {
    Evidence {
        table: origin.table.clone(),
        event_id: subject.event_id.clone(),
        file: origin.file.clone(),
        row,
        version: origin.version,
    }
}
