//! The topics, and the stage that writes each.

use std::fmt;

use crate::limits::EVENT_PARTITIONS;
use crate::tables::Table;

/// A topic: what travels on it, and by its documentation who writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Topic {
    /// [`crate::wire::Event`] for one table, keyed by event id; written by ingest.
    Events(Table),
    /// [`crate::wire::DeadLetter`], keyed by id; written by ingest of what it could not read, and by forward of what it
    /// could not deliver.
    DeadLetters,
    /// [`crate::wire::Coverage`], keyed by id; written by ingest, by detect of what it could not evaluate,
    /// by respond of a log that was replaced, and by forward of that and of what it came too late for. The lake writes its own lines with the commit that they belong to.
    Coverage,
    /// [`crate::wire::Batch`], keyed by table; written by lake.
    Batches,
    /// [`crate::wire::Signal`], keyed by signal id; written by detect, and counted by it in this order.
    Signals,
    /// [`crate::wire::Alert`], keyed by alert id; written by detect.
    Alerts,
    /// [`crate::wire::Case`], keyed by case id; written by respond.
    Cases,
    /// [`crate::wire::AuditRecord`], keyed by action id; written by respond.
    Audit,
    /// [`crate::wire::LeaseEntry`], keyed by the lease's name; written by the responder that acts, on Kafka only.
    Responder,
}

impl Topic {
    /// Every topic.
    pub fn all() -> Vec<Self> {
        let mut all: Vec<Self> = Table::EVENTS.iter().copied().map(Self::Events).collect();
        all.extend([
            Self::DeadLetters,
            Self::Coverage,
            Self::Batches,
            Self::Signals,
            Self::Alerts,
            Self::Cases,
            Self::Audit,
            Self::Responder,
        ]);
        all
    }

    /// Its name, before the configured prefix.
    pub fn name(self) -> String {
        match self {
            Self::Events(table) => format!("events.{table}"),
            Self::DeadLetters => "dead-letters".to_owned(),
            Self::Coverage => "coverage".to_owned(),
            Self::Batches => "batches".to_owned(),
            Self::Signals => "signals".to_owned(),
            Self::Alerts => "alerts".to_owned(),
            Self::Cases => "cases".to_owned(),
            Self::Audit => "audit".to_owned(),
            Self::Responder => "responder".to_owned(),
        }
    }

    /// The topic of a name, or none.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|topic| topic.name() == name)
    }

    /// Partitions when it is created on Kafka. The audit chain has one order, so one partition; so has a lease.
    pub const fn partitions(self) -> i32 {
        match self {
            Self::Events(_) => EVENT_PARTITIONS,
            Self::DeadLetters
            | Self::Coverage
            | Self::Batches
            | Self::Signals
            | Self::Alerts
            | Self::Cases
            | Self::Audit
            | Self::Responder => 1,
        }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::Topic;

    #[test]
    fn every_name_leads_back_to_its_topic() {
        for topic in Topic::all() {
            assert_eq!(Topic::of_name(&topic.name()), Some(topic));
        }
    }
}
