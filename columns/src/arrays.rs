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
use schemas::tables::{Column, Kind, Table};

use super::{Cell, Row};

/// The rows as a batch of the table's file schema.
///
/// # Errors
/// [`ArrowError`] if a row has not the table's columns.
pub fn record_batch(table: Table, rows: &[&Row]) -> Result<RecordBatch, ArrowError> {
    let arrays = table
        .columns()
        .iter()
        .enumerate()
        .map(|(at, column)| array(column, rows.iter().map(|row| &row.cells[at]), rows.len()))
        .collect();
    RecordBatch::try_new(file_schema(table), arrays)
}

fn array<'a>(column: &Column, cells: impl Iterator<Item = &'a Cell>, rows: usize) -> ArrayRef {
    match column.kind {
        Kind::Category => {
            let mut builder = StringDictionaryBuilder::<Int32Type>::new();
            for cell in cells {
                builder.append_option(text(cell, column.required));
            }
            Arc::new(builder.finish())
        }
        Kind::Text | Kind::Ip | Kind::Json => {
            let mut builder = StringBuilder::with_capacity(rows, rows * 16);
            for cell in cells {
                builder.append_option(text(cell, column.required));
            }
            Arc::new(builder.finish())
        }
        Kind::Integer => {
            let mut builder = Int64Builder::with_capacity(rows);
            builder.extend(cells.map(|cell| match cell {
                Cell::Integer(value) => Some(*value),
                _ => column.required.then_some(0),
            }));
            Arc::new(builder.finish())
        }
        Kind::Number => {
            let mut builder = Float64Builder::with_capacity(rows);
            builder.extend(cells.map(|cell| match cell {
                Cell::Number(value) => Some(*value),
                _ => column.required.then_some(0.0),
            }));
            Arc::new(builder.finish())
        }
        Kind::Boolean => {
            let mut builder = BooleanBuilder::with_capacity(rows);
            builder.extend(cells.map(|cell| match cell {
                Cell::Boolean(value) => Some(*value),
                _ => column.required.then_some(false),
            }));
            Arc::new(builder.finish())
        }
        Kind::Time => {
            let mut builder = TimestampMicrosecondBuilder::with_capacity(rows);
            builder.extend(cells.map(|cell| match cell {
                Cell::Time(value) => Some(*value),
                _ => column.required.then_some(0),
            }));
            Arc::new(builder.finish().with_timezone("UTC"))
        }
        Kind::Bytes => {
            let mut builder = BinaryBuilder::with_capacity(rows, rows * 64);
            for cell in cells {
                match cell {
                    Cell::Bytes(bytes) => builder.append_value(bytes),
                    _ if column.required => builder.append_value([]),
                    _ => builder.append_null(),
                }
            }
            Arc::new(builder.finish())
        }
    }
}

fn text(cell: &Cell, required: bool) -> Option<&str> {
    match cell {
        Cell::Text(text) => Some(text),
        _ => required.then_some(""),
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
