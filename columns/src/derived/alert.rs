//! Alerts: the table `alerts`, and its view of the newest version of each.
//!
//! Not kept: the time of the last event, which the events tell, and the rule's blind spots, which the rule tells.

use schemas::alert::AlertState;
use schemas::ids;
use schemas::severity::Severity;
use schemas::tables::Table;
use schemas::wire::{Alert, Evidence};
use serde::Deserialize;
use serde_json::{Value, json};

use super::derived_row::DerivedRow;
use super::error::RowError;
use super::row_builder::{Checks, RowBuilder};
use super::stored_rows::StoredRow;
use crate::Row;

/// An event behind an alert, as the column `evidence` lists it.
#[derive(Deserialize)]
struct StoredEvidence {
    table: String,
    event_id: String,
    file: String,
    row: u64,
    version: i64,
}

impl DerivedRow for Alert {
    const TABLE: Table = Table::Alerts;

    fn check(&self) -> Result<(), RowError> {
        let checks = Checks {
            table: Self::TABLE,
            row: &self.alert_id,
        };
        checks.is_named("alert_id", &self.alert_id)?;
        checks.word::<AlertState>("alert_state", &self.state)?;
        checks.word::<Severity>("alert_severity", &self.severity)?;
        checks.time("event_time", self.first_event_time_us)?;
        checks.time("accepted_time", self.accepted_time_us)?;
        checks.time("detected_time", self.detected_time_us)?;
        checks.count("event_count", self.event_count)
    }

    fn to_row(&self) -> Row {
        let event_time = Some(self.first_event_time_us).filter(|time| *time != 0);
        RowBuilder::new(Self::TABLE)
            .text("version_id", &ids::alert_version(self))
            .text("alert_id", &self.alert_id)
            .some_time("event_time", self.first_event_time_us)
            .some_time("accepted_time", self.accepted_time_us)
            .time("detected_time", self.detected_time_us)
            .text("label", &self.label)
            .text("rule_id", &self.rule_id)
            .text("title", &self.title)
            .some_text("description", &self.description)
            .text("alert_severity", &self.severity)
            .some_text("alert_category", &self.category)
            .texts("techniques", &self.techniques)
            .texts("tactics", &self.tactics)
            .some_text("user_principal_name", &self.user)
            .some_text("user_id", &self.user_id)
            .some_text("ip_address", &self.ip)
            .some_text("session_id", &self.session_id)
            .some_text("group_key", &self.group_key)
            .count("event_count", self.event_count)
            .integer("counted", self.counted)
            .text("alert_state", &self.state)
            .some_text("url", &self.url)
            .json("evidence", &listed(&self.evidence))
            .some_text("provenance", &self.provenance)
            .finish(&self.tenant_id, event_time, self.detected_time_us)
    }

    fn from_row(row: &StoredRow<'_>) -> Result<Self, RowError> {
        let evidence: Vec<StoredEvidence> = row.json("evidence")?.unwrap_or_default();
        Ok(Self {
            alert_id: row.name("alert_id")?,
            tenant_id: row.name("tenant_id")?,
            label: row.text("label")?,
            rule_id: row.text("rule_id")?,
            title: row.text("title")?,
            description: row.text("description")?,
            severity: row.word::<Severity>("alert_severity")?,
            category: row.text("alert_category")?,
            techniques: row.json("techniques")?.unwrap_or_default(),
            tactics: row.json("tactics")?.unwrap_or_default(),
            user: row.text("user_principal_name")?,
            user_id: row.text("user_id")?,
            ip: row.text("ip_address")?,
            session_id: row.text("session_id")?,
            group_key: row.text("group_key")?,
            first_event_time_us: row.some_time("event_time")?.unwrap_or(0),
            last_event_time_us: 0,
            accepted_time_us: row.some_time("accepted_time")?.unwrap_or(0),
            detected_time_us: row.time("detected_time")?,
            evidence: evidence.into_iter().map(Evidence::from).collect(),
            state: row.word::<AlertState>("alert_state")?,
            url: row.text("url")?,
            // Rows of before these were counted say nothing, as their messages did.
            event_count: row.some_count("event_count")?.unwrap_or(0),
            counted: row.some_integer("counted")?.unwrap_or(0),
            provenance: row.text("provenance")?,
            blind_spots: Vec::new(),
        })
    }
}

impl From<StoredEvidence> for Evidence {
    fn from(stored: StoredEvidence) -> Self {
        Self {
            table: stored.table,
            event_id: stored.event_id,
            file: stored.file,
            row: stored.row,
            version: stored.version,
        }
    }
}

fn listed(evidence: &[Evidence]) -> Value {
    evidence
        .iter()
        .map(|event| {
            json!({"table": event.table, "event_id": event.event_id, "file": event.file,
                "row": event.row, "version": event.version})
        })
        .collect()
}
