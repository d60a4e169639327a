//! The tables of the lake, and for each column where in a record its value stands.
//!
//! Columns are read from `raw` by the lake, not by ingest: a column that is added later can be
//! filled from what is already stored, and the envelope on Kafka stays small.

use std::fmt;

mod codes;
mod column;
mod derived;
mod entra;
mod graph;
mod m365;
mod spec;

use column::envelope;
use spec::TableSpec;

pub use codes::code_of;
pub use column::{Column, Kind, Side};

/// The tables, each by its name in code, with what [`TableSpec`] says of it.
macro_rules! tables {
    ($($(#[$documentation:meta])* $table:ident = $spec:expr,)*) => {
        /// A table of the lake.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Table {
            $($(#[$documentation])* $table,)*
        }

        impl Table {
            /// Every table.
            pub const ALL: &'static [Self] = &[$(Self::$table,)*];

            const fn spec(self) -> TableSpec {
                match self {
                    $(Self::$table => $spec,)*
                }
            }
        }
    };
}

tables! {
    /// Sign-ins of every category of Entra.
    Signins = entra::SIGNINS,
    /// Changes to the directory.
    DirectoryAudits = entra::DIRECTORY_AUDITS,
    /// Risk detections and risky users and service principals.
    RiskEvents = entra::RISK_EVENTS,
    /// Requests to Microsoft Graph.
    GraphActivity = graph::GRAPH_ACTIVITY,
    /// Operations on Azure resources.
    AzureActivity = graph::AZURE_ACTIVITY,
    /// The unified audit log.
    M365Activity = m365::M365_ACTIVITY,
    /// Versions of Microsoft's alerts: one row for each (alert id, lastUpdateDateTime).
    GraphAlerts = graph::GRAPH_ALERTS,
    /// Users of the directory: one row for each state of one, the newest by ingest time.
    DirectoryUsers = graph::DIRECTORY_USERS,
    /// Groups of the directory, likewise.
    DirectoryGroups = graph::DIRECTORY_GROUPS,
    /// Domains of the directory, likewise: what is sent to a verified one stays inside.
    DirectoryDomains = graph::DIRECTORY_DOMAINS,
    /// Provisioning to other systems.
    Provisioning = entra::PROVISIONING,
    /// Records of categories that no other table takes.
    OtherEvents = TableSpec::events("other_events", &[]),
    /// New content of ids that are known already.
    Revisions = derived::REVISIONS,
    /// Rule matches that correlations are computed from.
    Signals = derived::SIGNALS,
    /// Alerts, as published: one row for each version (alert id, state, events).
    Alerts = derived::ALERTS,
    /// Entries of the audit chain.
    Actions = derived::ACTIONS,
    /// Bytes that could not become an event.
    DeadLetters = derived::DEAD_LETTERS,
    /// The completeness ledger.
    Coverage = derived::COVERAGE,
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

const EVENTS_COUNT: usize = {
    let (mut count, mut at) = (0, 0);
    while at < Table::ALL.len() {
        count += Table::ALL[at].spec().is_events as usize;
        at += 1;
    }
    count
};

impl Table {
    /// The tables that records of sources go to, each with a topic of its own.
    pub const EVENTS: &'static [Self] = &{
        let mut events = [Self::OtherEvents; EVENTS_COUNT];
        let (mut taken, mut at) = (0, 0);
        while at < Self::ALL.len() {
            if Self::ALL[at].spec().is_events {
                events[taken] = Self::ALL[at];
                taken += 1;
            }
            at += 1;
        }
        events
    };

    /// Its name in the lake and on the wire.
    pub const fn name(self) -> &'static str {
        self.spec().name
    }

    /// The table of a name, or none.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|table| table.name() == name)
    }

    /// True for the tables that records of sources go to.
    pub const fn is_events(self) -> bool {
        self.spec().is_events
    }

    /// Its columns in order, without the partition columns `tenant_id` and `day`.
    pub fn columns(self) -> Vec<Column> {
        let spec = self.spec();
        if !spec.is_events {
            return spec.columns.to_vec();
        }
        let mut columns = ENVELOPE.to_vec();
        columns.extend_from_slice(spec.columns);
        columns.push(RAW);
        columns
    }

    /// The columns that are read from the record; none for tables that are not fed by sources.
    pub const fn record_columns(self) -> &'static [Column] {
        let spec = self.spec();
        if spec.is_events { spec.columns } else { &[] }
    }

    /// Names of the columns whose difference under a known identity is news.
    ///
    /// Not compared: what says only how and when the record came to us, and the raw JSON, in which Microsoft reorders
    /// fields.
    pub fn compared_columns(self) -> Vec<&'static str> {
        if let Some(names) = self.spec().compared {
            return names.to_vec();
        }
        let read = self.record_columns().iter().map(|column| column.name);
        std::iter::once("event_time").chain(read).collect()
    }

    /// The column whose values are unique in the table.
    pub const fn identity(self) -> &'static str {
        self.spec().identity
    }

    /// The column that was the identity before: what it holds is the identity of rows that do not have the present one.
    pub const fn identity_before(self) -> &'static str {
        self.spec().identity_before
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
    fn every_compared_column_is_one_of_the_table() {
        for table in Table::ALL {
            let columns = table.columns();
            for name in table.compared_columns() {
                assert!(
                    columns.iter().any(|column| column.name == name),
                    "{table}.{name}"
                );
            }
        }
        assert_eq!(Table::EVENTS.len(), 12);
        assert!(Table::EVENTS.iter().all(|table| table.is_events()));
    }

    #[test]
    fn every_name_leads_back_to_its_table() {
        for table in Table::ALL {
            assert_eq!(Table::of_name(table.name()), Some(*table));
        }
    }
}
