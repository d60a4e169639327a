//! Matches that correlations count: the table `signals`.
//!
//! Not kept: when the rule matched.

use std::collections::BTreeMap;

use schemas::tables::Table;
use schemas::wire::{Signal, SignalField};
use serde_json::{Map, Value};

use super::derived_row::DerivedRow;
use super::error::RowError;
use super::row_builder::{Checks, RowBuilder};
use super::stored_rows::StoredRow;
use crate::Row;

/// A signal, and its place among all signals that the lake has taken in.
#[derive(Debug, Clone, PartialEq)]
pub struct ArrivedSignal {
    /// The signal.
    pub signal: Signal,
    /// Its place: they are counted in this order.
    pub arrival: i64,
}

impl DerivedRow for ArrivedSignal {
    const TABLE: Table = Table::Signals;

    fn check(&self) -> Result<(), RowError> {
        let signal = &self.signal;
        let checks = Checks {
            table: Self::TABLE,
            row: &signal.signal_id,
        };
        let id = u128::from_str_radix(&signal.signal_id, 16);
        id.map_err(|why| checks.refused("signal_id", &signal.signal_id, &why))?;
        checks.time("event_time", signal.event_time_us)?;
        checks.time("ingest_time", signal.accepted_time_us)?;
        checks.count("event_row", signal.row)
    }

    fn to_row(&self) -> Row {
        let signal = &self.signal;
        let fields: Map<String, Value> = signal
            .fields
            .iter()
            .map(|field| (field.name.clone(), Value::from(field.value.as_str())))
            .collect();
        RowBuilder::new(Self::TABLE)
            .text("signal_id", &signal.signal_id)
            .time("event_time", signal.event_time_us)
            .time("ingest_time", signal.accepted_time_us)
            .text("rule_id", &signal.rule_id)
            .text("event_table", &signal.event_table)
            .text("event_id", &signal.event_id)
            .json("fields", &Value::Object(fields))
            .some_text("user_principal_name", &signal.user)
            .some_text("user_id", &signal.user_id)
            .some_text("ip_address", &signal.ip)
            .some_text("session_id", &signal.session_id)
            .text("event_file", &signal.file)
            .count("event_row", signal.row)
            .integer("event_version", signal.version)
            .integer("arrival", self.arrival)
            .some_text("provenance", &signal.provenance)
            .finish(
                &signal.tenant_id,
                Some(signal.event_time_us),
                signal.accepted_time_us,
            )
    }

    fn from_row(row: &StoredRow<'_>) -> Result<Self, RowError> {
        let fields: BTreeMap<String, String> = row.json("fields")?.unwrap_or_default();
        let fields = fields.into_iter();
        let event_time_us = row.some_time("event_time")?;
        let arrived = Self {
            signal: Signal {
                signal_id: row.name("signal_id")?,
                tenant_id: row.name("tenant_id")?,
                rule_id: row.text("rule_id")?,
                event_table: row.text("event_table")?,
                event_id: row.text("event_id")?,
                event_time_us: row.needed("event_time", event_time_us)?,
                accepted_time_us: row.time("ingest_time")?,
                detected_time_us: 0,
                fields: fields
                    .map(|(name, value)| SignalField { name, value })
                    .collect(),
                user: row.text("user_principal_name")?,
                user_id: row.text("user_id")?,
                ip: row.text("ip_address")?,
                session_id: row.text("session_id")?,
                file: row.text("event_file")?,
                row: row.count("event_row")?,
                version: row.integer("event_version")?,
                provenance: row.text("provenance")?,
            },
            arrival: row.integer("arrival")?,
        };
        arrived.check()?;
        Ok(arrived)
    }
}
