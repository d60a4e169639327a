//! A matched row as a signal.

use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use schemas::ids;

use super::signal::{Evidence, Signal, Subject};
use crate::fields;
use crate::ruleset::Counted;

/// The signal of a row that a counted rule matched; none where the place that is counted is not known.
///
/// The same event and rule make the same signal, whatever the file and the time. `tenant_id` is whose it is,
/// `evidence` where it stands; its event id is read from the row.
pub fn signal(
    counted: &Counted,
    batch: &RecordBatch,
    row: usize,
    tenant_id: &Arc<str>,
    subject: Subject,
    evidence: Evidence,
) -> Option<Signal> {
    let values = counted.values(batch, row)?;
    let event_id = fields::text(batch, "event_id", row).unwrap_or_default();
    let accepted_time_us = fields::time(batch, "ingest_time", row).unwrap_or(0);
    Some(Signal {
        id: ids::hash(&[
            b"signal",
            tenant_id.as_bytes(),
            counted.signal.as_bytes(),
            event_id.as_bytes(),
        ]),
        tenant_id: Arc::clone(tenant_id),
        rule_id: Arc::clone(&counted.signal),
        time_us: fields::time(batch, "event_time", row).unwrap_or(accepted_time_us),
        accepted_time_us,
        fields: values.into(),
        subject,
        evidence: Box::new([Evidence {
            event_id: event_id.into(),
            ..evidence
        }]),
        provenance: fields::provenance(batch, row),
    })
}
