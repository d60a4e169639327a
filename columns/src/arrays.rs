//! Rows as Arrow arrays, and cells read back from them.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryBuilder, BooleanBuilder, Float64Builder, Int64Builder,
    StringBuilder, StringDictionaryBuilder, TimestampMicrosecondBuilder,
};
use arrow::datatypes::{Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use schemas::arrow::file_schema;
use schemas::tables::{Column, Kind, RAW, Table};

use super::{Cell, Row};
use crate::values::Reading;

/// The rows as a batch of the table's file schema.
///
/// # Errors
/// [`ArrowError`] if a row has not the table's columns.
pub fn record_batch(table: Table, rows: &[&Row]) -> Result<RecordBatch, ArrowError> {
    let arrays = table
        .columns()
        .iter()
        .enumerate()
        .map(|(at, column)| {
            let bytes = if column.name == RAW.name {
                rows.iter().map(|row| text_bytes(&row.cells[at])).sum()
            } else {
                rows.len() * TEXT_BYTES
            };
            let mut builder = ColumnBuilder::new(column, rows.len(), bytes);
            for row in rows {
                builder.append(&Reading::of(&row.cells[at]));
            }
            builder.finish()
        })
        .collect();
    RecordBatch::try_new(file_schema(table), arrays)
}

/// Bytes of text for which each row has room at first.
pub(crate) const TEXT_BYTES: usize = 16;

fn text_bytes(cell: &Cell) -> usize {
    match cell {
        Cell::Text(text) => text.len(),
        _ => 0,
    }
}

/// A column that is being filled, row by row.
pub(crate) struct ColumnBuilder {
    values: Values,
    /// Every row has a value: where it lacks, an empty one stands.
    required: bool,
}

enum Values {
    Category(StringDictionaryBuilder<Int32Type>),
    Text(StringBuilder),
    Integer(Int64Builder),
    Number(Float64Builder),
    Boolean(BooleanBuilder),
    Time(TimestampMicrosecondBuilder),
    Bytes(BinaryBuilder),
}

impl ColumnBuilder {
    /// A column with room for `rows`, and for `bytes` of text.
    pub(crate) fn new(column: &Column, rows: usize, bytes: usize) -> Self {
        let values = match column.kind {
            Kind::Category => {
                Values::Category(StringDictionaryBuilder::with_capacity(rows, 64, 1024))
            }
            Kind::Text | Kind::Ip | Kind::Json => {
                Values::Text(StringBuilder::with_capacity(rows, bytes))
            }
            Kind::Integer => Values::Integer(Int64Builder::with_capacity(rows)),
            Kind::Number => Values::Number(Float64Builder::with_capacity(rows)),
            Kind::Boolean => Values::Boolean(BooleanBuilder::with_capacity(rows)),
            Kind::Time => Values::Time(TimestampMicrosecondBuilder::with_capacity(rows)),
            Kind::Bytes => Values::Bytes(BinaryBuilder::with_capacity(rows, rows * 64)),
        };
        Self {
            values,
            required: column.required,
        }
    }

    /// Adds a row; what is not of the column's kind counts as nothing.
    pub(crate) fn append(&mut self, reading: &Reading<'_>) {
        let required = self.required;
        match (&mut self.values, reading) {
            (Values::Category(values), Reading::Text(text)) => values.append_value(text),
            (Values::Category(values), _) => values.append_option(required.then_some("")),
            (Values::Text(values), Reading::Text(text)) => values.append_value(text),
            (Values::Text(values), _) => values.append_option(required.then_some("")),
            (Values::Integer(values), Reading::Integer(value)) => values.append_value(*value),
            (Values::Integer(values), _) => values.append_option(required.then_some(0)),
            (Values::Number(values), Reading::Number(value)) => values.append_value(*value),
            (Values::Number(values), _) => values.append_option(required.then_some(0.0)),
            (Values::Boolean(values), Reading::Boolean(value)) => values.append_value(*value),
            (Values::Boolean(values), _) => values.append_option(required.then_some(false)),
            (Values::Time(values), Reading::Time(value)) => values.append_value(*value),
            (Values::Time(values), _) => values.append_option(required.then_some(0)),
            (Values::Bytes(values), Reading::Bytes(bytes)) => values.append_value(bytes),
            (Values::Bytes(values), _) => values.append_option(required.then_some([])),
        }
    }

    /// The column as an array.
    pub(crate) fn finish(self) -> ArrayRef {
        match self.values {
            Values::Category(mut values) => Arc::new(values.finish()),
            Values::Text(mut values) => Arc::new(values.finish()),
            Values::Integer(mut values) => Arc::new(values.finish()),
            Values::Number(mut values) => Arc::new(values.finish()),
            Values::Boolean(mut values) => Arc::new(values.finish()),
            Values::Time(mut values) => Arc::new(values.finish().with_timezone("UTC")),
            Values::Bytes(mut values) => Arc::new(values.finish()),
        }
    }
}

/// The cell at `row` of an array of the kind's type.
pub fn cell_at(kind: Kind, array: &dyn Array, row: usize) -> Cell {
    if array.is_null(row) {
        return Cell::Null;
    }
    match kind {
        Kind::Category => {
            let Some(values) = array.as_dictionary_opt::<Int32Type>() else {
                return Cell::Null;
            };
            let strings = values.values().as_string::<i32>();
            values
                .key(row)
                .map_or(Cell::Null, |key| Cell::Text(strings.value(key).to_owned()))
        }
        Kind::Text | Kind::Ip | Kind::Json => {
            array.as_string_opt::<i32>().map_or(Cell::Null, |values| {
                Cell::Text(values.value(row).to_owned())
            })
        }
        Kind::Integer => array
            .as_primitive_opt::<Int64Type>()
            .map_or(Cell::Null, |values| Cell::Integer(values.value(row))),
        Kind::Number => array
            .as_primitive_opt::<Float64Type>()
            .map_or(Cell::Null, |values| Cell::Number(values.value(row))),
        Kind::Boolean => array
            .as_boolean_opt()
            .map_or(Cell::Null, |values| Cell::Boolean(values.value(row))),
        Kind::Time => array
            .as_primitive_opt::<TimestampMicrosecondType>()
            .map_or(Cell::Null, |values| Cell::Time(values.value(row))),
        Kind::Bytes => array.as_binary_opt::<i32>().map_or(Cell::Null, |values| {
            Cell::Bytes(Bytes::copy_from_slice(values.value(row)))
        }),
    }
}
