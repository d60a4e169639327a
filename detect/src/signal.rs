//! Matches that correlations count: on the wire, in the lake, and as the engine sees them.

use std::collections::HashSet;
use std::sync::Arc;

use lake::RowError;
use schemas::tables::Table;
use schemas::wire;
use sigma::correlation::{Evidence, Signal, Subject};

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

    /// A signal that travelled, or that the lake has.
    ///
    /// # Errors
    /// [`RowError::Value`] if its id is not one.
    pub fn of_wire(&mut self, signal: &wire::Signal) -> Result<Signal, RowError> {
        let id = &signal.signal_id;
        let id = u128::from_str_radix(id, 16)
            .map_err(|why| RowError::value(Table::Signals, id, "signal_id", id, &why))?;
        let fields: Vec<(Arc<str>, Arc<str>)> = signal
            .fields
            .iter()
            .map(|field| (self.word(&field.name), self.word(&field.value)))
            .collect();
        Ok(Signal {
            id,
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
}
