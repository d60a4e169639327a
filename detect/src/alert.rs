//! A match becomes an alert: named by its causes, with the event, its file and its row as evidence.

use schemas::alert::AlertState;
use schemas::ids;
use schemas::provenance::Provenance;
use schemas::wire::{Alert, Evidence};
use sigma::Rule;
use sigma::correlation::Found;
use sigma::metadata::RuleMetadata;

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
    /// User principal name, its ASCII letters in lower case: a name that looks like another one stays what it is.
    pub user: String,
    /// Object id of the account.
    pub user_id: String,
    /// Address.
    pub ip: String,
    /// Session.
    pub session_id: String,
    /// Where the event came from.
    pub provenance: Provenance,
}

/// The alert of `rule` about an event in row `row` of its file.
///
/// The same event and rule make the same alert id, whatever the file and the time.
pub fn of_match(rule: &Rule, subject: &Subject, origin: &Origin, row: u64, now_us: i64) -> Alert {
    Alert {
        alert_id: ids::alert(&origin.tenant_id, &rule.id, &subject.event_id, 0),
        tenant_id: origin.tenant_id.clone(),
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
        event_count: 1,
        state: AlertState::Raised.to_string(),
        provenance: subject.provenance.to_string(),
        ..saying(rule.metadata())
    }
}

/// The alert of what a correlation found, in a state, when so many signals were counted.
pub fn of_found(
    found: &Found,
    statement: RuleMetadata,
    state: AlertState,
    counted: i64,
    now_us: i64,
) -> Alert {
    let subject = found.subject();
    let evidence = found.evidence().into_iter().map(|record| Evidence {
        table: record.table.to_string(),
        event_id: record.event_id.to_string(),
        file: record.file.to_string(),
        row: record.row,
        version: record.version,
    });
    Alert {
        alert_id: found.id.clone(),
        tenant_id: found.tenant_id.to_string(),
        user: subject.user.to_ascii_lowercase(),
        user_id: subject.user_id.to_string(),
        ip: subject.ip.to_string(),
        session_id: subject.session_id.to_string(),
        group_key: found.group_key(),
        first_event_time_us: found.outcome.first_us,
        last_event_time_us: found.outcome.last_us,
        accepted_time_us: found.accepted_time_us(),
        detected_time_us: now_us,
        evidence: evidence.collect(),
        event_count: found.outcome.count,
        counted,
        state: state.to_string(),
        provenance: found.outcome.provenance.to_string(),
        ..saying(statement)
    }
}

/// What every alert of a rule or correlation says.
fn saying(statement: RuleMetadata) -> Alert {
    Alert {
        label: statement.label,
        rule_id: statement.id,
        title: statement.title,
        description: statement.description,
        severity: statement.severity.as_str().to_owned(),
        category: CATEGORY.to_owned(),
        techniques: statement.techniques,
        tactics: statement.tactics,
        blind_spots: statement.blind_spots,
        ..Alert::default()
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
