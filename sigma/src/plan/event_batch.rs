//! Events in memory as the rows that rules are asked about.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use schemas::tables::Table;
use schemas::wire::Event;

use crate::mapping::TENANT_ID;

/// The rows of events of `table`: the columns of its files, and whose each row is.
pub(crate) fn batch(table: Table, events: &[Event]) -> Result<RecordBatch, ArrowError> {
    let batch = columns::event_batch(table, events)?;
    let tenants = events.iter().map(|event| event.tenant_id.as_str());
    let tenants: ArrayRef = Arc::new(StringArray::from_iter_values(tenants));
    let mut fields = batch.schema().fields().to_vec();
    fields.push(Arc::new(Field::new(TENANT_ID, DataType::Utf8, false)));
    let mut arrays = batch.columns().to_vec();
    arrays.push(tenants);
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
}
