//! What a matched row has in fields that others ask for, by the names that rules use.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimestampMicrosecondType};
use arrow::record_batch::RecordBatch;
use schemas::provenance::Provenance;

use crate::expression::Leaves;
use crate::mapping::{FieldBinding, Mapping, UserMapping};

/// Longest value that is kept; what is longer is cut.
const VALUE_BYTES_MAX: usize = 4_096;

/// Fields of a table, found.
#[derive(Debug, Clone, Default)]
pub struct Fields(Vec<(Arc<str>, FieldBinding)>);

impl Fields {
    /// Finds fields by their names; names of `user_mapping` come before our own.
    pub fn new(mapping: Mapping, user_mapping: &UserMapping, names: &BTreeSet<Arc<str>>) -> Self {
        let place = |name: &Arc<str>| {
            let field = mapping.field(user_mapping, name);
            (Arc::clone(name), field.place)
        };
        Self(names.iter().map(place).collect())
    }

    /// Names and values of the fields that a row has; `raw` is the column of records as received.
    ///
    /// Of several values the first; empty ones are none.
    pub fn values(&self, batch: &RecordBatch, row: usize) -> Vec<(Arc<str>, Arc<str>)> {
        let mut record = None;
        let found = self.0.iter().filter_map(|(name, place)| {
            let value = match place {
                FieldBinding::Column(column) => text(batch, column, row),
                FieldBinding::Raw(paths) => {
                    let record = record.get_or_insert_with(|| {
                        let raw = text(batch, "raw", row).unwrap_or_default();
                        serde_json::from_str(&raw).unwrap_or_default()
                    });
                    let leaves = Leaves::find(record, paths);
                    let first = leaves.as_leaves().into_iter().next();
                    first.map(|leaf| leaf.text().into_owned())
                }
                FieldBinding::Anywhere => None,
            };
            let value = value.filter(|value| !value.is_empty())?;
            let end = value.floor_char_boundary(VALUE_BYTES_MAX);
            Some((Arc::clone(name), Arc::from(&value[..end])))
        });
        found.collect()
    }
}

/// The text of a column in a row, as rules see it; none if it is null or absent.
pub fn text(batch: &RecordBatch, name: &str, row: usize) -> Option<String> {
    let column = batch.column_by_name(name)?;
    if column.is_null(row) {
        return None;
    }
    if let Some(times) = column.as_primitive_opt::<TimestampMicrosecondType>() {
        return Some(schemas::time::iso_ms(times.value(row)));
    }
    let one = cast(&column.slice(row, 1), &DataType::Utf8).ok()?;
    let one = one.as_string_opt::<i32>()?;
    one.is_valid(0).then(|| one.value(0).to_owned())
}

/// Where the record in a row came from; unknown where the row does not say.
pub fn provenance(batch: &RecordBatch, row: usize) -> Provenance {
    let known = text(batch, "provenance", row).and_then(|word| word.parse().ok());
    known.unwrap_or_default()
}

/// The time of a column in a row, in microseconds since the Unix epoch, UTC.
pub fn time(batch: &RecordBatch, name: &str, row: usize) -> Option<i64> {
    let column = batch.column_by_name(name)?;
    let times = column.as_primitive_opt::<TimestampMicrosecondType>()?;
    times.is_valid(row).then(|| times.value(row))
}
