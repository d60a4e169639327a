//! The tables of the lake, and for each column where in a record its value stands.
//!
//! Columns are read from `raw` by the lake, not by ingest: a column that is added later can be
//! filled from what is already stored, and the envelope on Kafka stays small.

use std::fmt;

mod codes;
mod derived;
mod entra;
mod graph;
mod m365;

pub use codes::code_of;

/// A table of the lake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Table {
    /// Sign-ins of every category of Entra.
    Signins,
    /// Changes to the directory.
    DirectoryAudits,
    /// Risk detections and risky users and service principals.
    RiskEvents,
    /// Requests to Microsoft Graph.
    GraphActivity,
    /// Operations on Azure resources.
    AzureActivity,
    /// The unified audit log.
    M365Activity,
    /// Versions of Microsoft's alerts: one row for each (alert id, lastUpdateDateTime).
    GraphAlerts,
    /// Users of the directory: one row for each state of one, the newest by ingest time.
    DirectoryUsers,
    /// Groups of the directory, likewise.
    DirectoryGroups,
    /// Domains of the directory, likewise: what is sent to a verified one stays inside.
    DirectoryDomains,
    /// Provisioning to other systems.
    Provisioning,
    /// Records of categories that no other table takes.
    OtherEvents,
    /// New content of ids that are known already.
    Revisions,
    /// Rule matches that correlations are computed from.
    Signals,
    /// Alerts, as published: one row for each version (alert id, state, events).
    Alerts,
    /// Entries of the audit chain.
    Actions,
    /// Bytes that could not become an event.
    DeadLetters,
    /// The completeness ledger.
    Coverage,
}

/// What a column holds, which decides its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text of few distinct values, dictionary-encoded.
    Category,
    /// Text of many distinct values.
    Text,
    /// A client address, without port.
    Ip,
    /// A list or object as JSON text.
    Json,
    /// A whole number; numbers written as text or with a fraction of zero are read too.
    Integer,
    /// A number.
    Number,
    /// True or false, also written as text.
    Boolean,
    /// Microseconds since the Unix epoch, UTC.
    Time,
    /// Bytes as received.
    Bytes,
}

/// A column of a table.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Name in the lake.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Where in the record it stands, first found wins (see [`crate::path`]); empty for columns of the envelope.
    pub paths: &'static [&'static str],
    /// True if every row has it.
    pub required: bool,
    /// For columns of changes, whether the values that came or those that went, instead of what stands there.
    pub changes: Option<Side>,
}

/// A side of the changes that a record tells by the values before and after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Values that are new.
    Added,
    /// Values that are gone.
    Removed,
}

/// A column that is read from the record.
const fn column(name: &'static str, kind: Kind, paths: &'static [&'static str]) -> Column {
    Column {
        name,
        kind,
        paths,
        required: false,
        changes: None,
    }
}

/// A column of one side of the changes that stand at the paths: a JSON list of `Property=value`.
const fn changes(name: &'static str, side: Side, paths: &'static [&'static str]) -> Column {
    Column {
        changes: Some(side),
        ..column(name, Kind::Json, paths)
    }
}

/// A column that comes with the envelope.
const fn envelope(name: &'static str, kind: Kind, required: bool) -> Column {
    Column {
        name,
        kind,
        paths: &[],
        required,
        changes: None,
    }
}

/// The columns that every event table begins with.
pub const ENVELOPE: &[Column] = &[
    envelope("event_id", Kind::Text, true),
    envelope("event_time", Kind::Time, false),
    envelope("ingest_time", Kind::Time, true),
    envelope("source", Kind::Category, true),
    envelope("category", Kind::Category, false),
    envelope("position", Kind::Text, false),
    envelope("problems", Kind::Text, false),
    // Where it came from, as `schemas::provenance` says it; null in rows of before it was kept.
    envelope("provenance", Kind::Category, false),
];

/// The column that every event table ends with: the JSON as received.
pub const RAW: Column = envelope("raw", Kind::Text, true);

impl Table {
    /// Every table.
    pub const ALL: &'static [Self] = &[
        Self::Signins,
        Self::DirectoryAudits,
        Self::RiskEvents,
        Self::GraphActivity,
        Self::AzureActivity,
        Self::M365Activity,
        Self::GraphAlerts,
        Self::DirectoryUsers,
        Self::DirectoryGroups,
        Self::DirectoryDomains,
        Self::Provisioning,
        Self::OtherEvents,
        Self::Revisions,
        Self::Signals,
        Self::Alerts,
        Self::Actions,
        Self::DeadLetters,
        Self::Coverage,
    ];

    /// The tables that records of sources go to, each with a topic of its own.
    pub const EVENTS: &'static [Self] = &[
        Self::Signins,
        Self::DirectoryAudits,
        Self::RiskEvents,
        Self::GraphActivity,
        Self::AzureActivity,
        Self::M365Activity,
        Self::GraphAlerts,
        Self::DirectoryUsers,
        Self::DirectoryGroups,
        Self::DirectoryDomains,
        Self::Provisioning,
        Self::OtherEvents,
    ];

    /// Its name in the lake and on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Signins => "signins",
            Self::DirectoryAudits => "directory_audits",
            Self::RiskEvents => "risk_events",
            Self::GraphActivity => "graph_activity",
            Self::AzureActivity => "azure_activity",
            Self::M365Activity => "m365_activity",
            Self::GraphAlerts => "graph_alerts",
            Self::DirectoryUsers => "directory_users",
            Self::DirectoryGroups => "directory_groups",
            Self::DirectoryDomains => "directory_domains",
            Self::Provisioning => "provisioning",
            Self::OtherEvents => "other_events",
            Self::Revisions => "revisions",
            Self::Signals => "signals",
            Self::Alerts => "alerts",
            Self::Actions => "actions",
            Self::DeadLetters => "dead_letters",
            Self::Coverage => "coverage",
        }
    }

    /// The table of a name, or none.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|table| table.name() == name)
    }

    /// True for the tables that records of sources go to.
    pub fn is_events(self) -> bool {
        Self::EVENTS.contains(&self)
    }

    /// Its columns in order, without the partition columns `tenant_id` and `day`.
    pub fn columns(self) -> Vec<Column> {
        match self {
            Self::Revisions => derived::REVISIONS.to_vec(),
            Self::Signals => derived::SIGNALS.to_vec(),
            Self::Alerts => derived::ALERTS.to_vec(),
            Self::Actions => derived::ACTIONS.to_vec(),
            Self::DeadLetters => derived::DEAD_LETTERS.to_vec(),
            Self::Coverage => derived::COVERAGE.to_vec(),
            events => {
                let mut columns = ENVELOPE.to_vec();
                columns.extend_from_slice(events.record_columns());
                columns.push(RAW);
                columns
            }
        }
    }

    /// The columns that are read from the record; none for tables that are not fed by sources.
    pub fn record_columns(self) -> &'static [Column] {
        match self {
            Self::Signins => entra::SIGNINS,
            Self::DirectoryAudits => entra::DIRECTORY_AUDITS,
            Self::RiskEvents => entra::RISK_EVENTS,
            Self::Provisioning => entra::PROVISIONING,
            Self::GraphActivity => graph::GRAPH_ACTIVITY,
            Self::AzureActivity => graph::AZURE_ACTIVITY,
            Self::GraphAlerts => graph::GRAPH_ALERTS,
            Self::DirectoryUsers => graph::DIRECTORY_USERS,
            Self::DirectoryGroups => graph::DIRECTORY_GROUPS,
            Self::DirectoryDomains => graph::DIRECTORY_DOMAINS,
            Self::M365Activity => m365::M365_ACTIVITY,
            _ => &[],
        }
    }

    /// The column whose values are unique in the table.
    pub const fn identity(self) -> &'static str {
        match self {
            Self::Revisions => "revision_id",
            Self::Signals => "signal_id",
            Self::Alerts => "version_id",
            Self::Actions => "audit_id",
            Self::DeadLetters => "dead_letter_id",
            Self::Coverage => "coverage_id",
            _ => "event_id",
        }
    }

    /// The column that was the identity before: what it holds is the identity of rows that do not have the present one.
    pub const fn identity_before(self) -> &'static str {
        match self {
            // An alert of one event has its alert id as version.
            Self::Alerts => "alert_id",
            _ => self.identity(),
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::Table;

    #[test]
    fn every_table_has_its_identity_column() {
        for table in Table::ALL {
            assert!(
                table
                    .columns()
                    .iter()
                    .any(|column| column.name == table.identity()),
                "{table}"
            );
        }
    }

    #[test]
    fn every_name_leads_back_to_its_table() {
        for table in Table::ALL {
            assert_eq!(Table::of_name(table.name()), Some(*table));
        }
    }
}
