//! Matches that correlations count: on the wire, in the lake, and as the engine sees them.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use schemas::wire;
use sigma::correlation::{Evidence, Signal, Subject};
use sigma::plan::fields::{text, time};

/// What travels.
pub fn to_wire(signal: &Signal, detected_time_us: i64) -> wire::Signal {
    let evidence = signal.evidence.first().cloned().unwrap_or_default();
    let fields = signal.fields.iter().map(|(name, value)| wire::SignalField {
        name: name.to_string(),
        value: value.to_string(),
    });
    wire::Signal {
        signal_id: format!("{:032x}", signal.id),
        tenant_id: signal.tenant_id.to_string(),
        rule_id: signal.rule_id.to_string(),
        event_table: evidence.table.to_string(),
        event_id: evidence.event_id.to_string(),
        event_time_us: signal.time_us,
        accepted_time_us: signal.accepted_time_us,
        detected_time_us,
        fields: fields.collect(),
        user: signal.subject.user.to_string(),
        user_id: signal.subject.user_id.to_string(),
        ip: signal.subject.ip.to_string(),
        session_id: signal.subject.session_id.to_string(),
        file: evidence.file.to_string(),
        row: evidence.row,
        version: evidence.version,
        provenance: signal.provenance.to_string(),
    }
}

/// Texts that many signals have in common, each kept once.
#[derive(Debug, Default)]
pub struct Words(HashSet<Arc<str>>);

impl Words {
    /// The one copy of a text.
    pub fn word(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.0.get(text) {
            return Arc::clone(known);
        }
        let word: Arc<str> = text.into();
        self.0.insert(Arc::clone(&word));
        word
    }

    /// Lets go of texts that nobody has any more.
    pub fn sweep(&mut self) {
        self.0.retain(|word| Arc::strong_count(word) > 1);
    }

    /// A signal that travelled; none if its id is not one.
    pub fn of_wire(&mut self, signal: &wire::Signal) -> Option<Signal> {
        let fields: Vec<(Arc<str>, Arc<str>)> = signal
            .fields
            .iter()
            .map(|field| (self.word(&field.name), self.word(&field.value)))
            .collect();
        Some(Signal {
            id: u128::from_str_radix(&signal.signal_id, 16).ok()?,
            tenant_id: self.word(&signal.tenant_id),
            rule_id: self.word(&signal.rule_id),
            time_us: signal.event_time_us,
            accepted_time_us: signal.accepted_time_us,
            fields: fields.into(),
            subject: Subject {
                user: self.word(&signal.user),
                user_id: self.word(&signal.user_id),
                ip: self.word(&signal.ip),
                session_id: self.word(&signal.session_id),
            },
            evidence: Box::new([Evidence {
                table: self.word(&signal.event_table),
                event_id: signal.event_id.as_str().into(),
                file: self.word(&signal.file),
                row: signal.row,
                version: signal.version,
            }]),
            provenance: signal.provenance.parse().unwrap_or_default(),
        })
    }

    /// The signals in rows of the table `signals`.
    pub fn of_batch(&mut self, batch: &RecordBatch) -> Vec<Signal> {
        let rows = 0..batch.num_rows();
        rows.filter_map(|row| self.of_wire(&of_row(batch, row)))
            .collect()
    }
}

fn of_row(batch: &RecordBatch, row: usize) -> wire::Signal {
    let text = |name: &str| text(batch, name, row).unwrap_or_default();
    let time = |name: &str| time(batch, name, row).unwrap_or(0);
    let fields: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(&text("fields")).unwrap_or_default();
    let fields = fields.into_iter().filter_map(|(name, value)| {
        let value = value.as_str()?.to_owned();
        Some(wire::SignalField { name, value })
    });
    wire::Signal {
        signal_id: text("signal_id"),
        tenant_id: text("tenant_id"),
        rule_id: text("rule_id"),
        event_table: text("event_table"),
        event_id: text("event_id"),
        event_time_us: time("event_time"),
        accepted_time_us: time("ingest_time"),
        detected_time_us: 0,
        fields: fields.collect(),
        user: text("user_principal_name"),
        user_id: text("user_id"),
        ip: text("ip_address"),
        session_id: text("session_id"),
        file: text("event_file"),
        row: text("event_row").parse().unwrap_or(0),
        version: text("event_version").parse().unwrap_or(0),
        provenance: text("provenance"),
    }
}
