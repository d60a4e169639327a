//! A matched row as a signal.

use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use schemas::ids;

use super::signal::{Evidence, Signal, Subject};
use crate::geo::{Address, GeoLocator};
use crate::plan::fields;
use crate::plan::fields::Fields;

/// A rule whose matches are counted by a correlation.
#[derive(Debug, Clone)]
pub struct Counted {
    /// What its signals are of.
    pub signal: Arc<str>,
    /// What they must tell.
    pub(crate) fields: Fields,
    /// True if a match by itself is no alert.
    pub is_silent: bool,
    /// What its place is looked up by.
    pub(crate) address: Option<Address>,
    /// Who knows places, if anybody.
    pub(crate) places: Option<Arc<dyn GeoLocator>>,
}

impl Counted {
    /// What a matched row has in the fields that are asked for, by their names.
    ///
    /// None where a place is asked for and nobody knows it: nothing can be counted then.
    pub(crate) fn values(
        &self,
        batch: &RecordBatch,
        row: usize,
    ) -> Option<Vec<(Arc<str>, Arc<str>)>> {
        let mut values = self.fields.values(batch, row);
        let is_told = self
            .address
            .as_ref()
            .is_none_or(|address| address.complete(&mut values, self.places.as_deref()));
        is_told.then_some(values)
    }
}

/// The signal of a row that a counted rule matched; none where the place that is counted is not known, or the time: when it
/// came to us says nothing of when it was.
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
        time_us: fields::time(batch, "event_time", row)?,
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
