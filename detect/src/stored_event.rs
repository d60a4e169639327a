//! The event in a row of a table, as it came in. Pure.

use arrow::record_batch::RecordBatch;
use schemas::wire::Event;
use sigma::mapping::TENANT_ID;
use sigma::plan::fields;

/// The event in a row; of a revision, what it is new content of.
pub fn event(batch: &RecordBatch, row: usize) -> Event {
    let text = |name: &str| fields::text(batch, name, row);
    Event {
        event_id: text("event_id").unwrap_or_default(),
        // Of rows that a query gave; those of a file do not say whose they are.
        tenant_id: text(TENANT_ID).unwrap_or_default(),
        event_time_us: fields::time(batch, "event_time", row),
        ingest_time_us: fields::time(batch, "ingest_time", row).unwrap_or(0),
        source: text("source").unwrap_or_default(),
        category: text("category").unwrap_or_default(),
        raw: text("raw").unwrap_or_default().into(),
        provenance: fields::provenance(batch, row).to_string(),
        ..Event::default()
    }
}
