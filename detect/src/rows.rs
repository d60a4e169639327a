//! Raw records as a batch of their table, for records that the lake keeps only as raw: revisions, and cases of rules.
//!
//! Reads the same columns from the same paths as the lake does.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray, TimestampMicrosecondArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use schemas::arrow::{data_type, file_schema};
use schemas::tables::{Column, Kind, RAW, Table};
use schemas::{ip, path, time};
use serde_json::Value;

/// A raw record with what the lake knows of it besides.
#[derive(Debug, Clone)]
pub struct RawRow {
    /// Its id.
    pub event_id: String,
    /// When it happened, in microseconds since the Unix epoch, UTC.
    pub event_time_us: Option<i64>,
    /// When it was accepted, in microseconds since the Unix epoch, UTC.
    pub ingest_time_us: i64,
    /// The connector.
    pub source: String,
    /// The source's category.
    pub category: Option<String>,
    /// The JSON.
    pub raw: String,
}

/// The rows as a batch of `table`, in order.
///
/// # Errors
/// [`ArrowError`] never for text that is JSON; a record that is not has only its envelope.
pub fn batch(table: Table, rows: &[RawRow]) -> Result<RecordBatch, ArrowError> {
    let records: Vec<Value> = rows
        .iter()
        .map(|row| serde_json::from_str(&row.raw).unwrap_or(Value::Null))
        .collect();
    let arrays = table
        .columns()
        .iter()
        .map(|column| match envelope(column, rows) {
            Some(array) => typed(column.kind, array),
            None => read(column, &records),
        })
        .collect::<Result<Vec<_>, _>>()?;
    RecordBatch::try_new(file_schema(table), arrays)
}

/// The array of a column that comes with the envelope; none for columns that are read from the record.
fn envelope(column: &Column, rows: &[RawRow]) -> Option<ArrayRef> {
    if !column.paths.is_empty() {
        return None;
    }
    let texts = |value: &dyn Fn(&RawRow) -> Option<String>| -> ArrayRef {
        Arc::new(rows.iter().map(value).collect::<StringArray>())
    };
    let times = |value: &dyn Fn(&RawRow) -> Option<i64>| -> ArrayRef {
        Arc::new(
            rows.iter()
                .map(value)
                .collect::<TimestampMicrosecondArray>()
                .with_timezone("UTC"),
        )
    };
    Some(match column.name {
        "event_id" => texts(&|row| Some(row.event_id.clone())),
        "event_time" => times(&|row| row.event_time_us),
        "ingest_time" => times(&|row| Some(row.ingest_time_us)),
        "source" => texts(&|row| Some(row.source.clone())),
        "category" => texts(&|row| row.category.clone()),
        name if name == RAW.name => texts(&|row| Some(row.raw.clone())),
        _ => texts(&|_| None),
    })
}

fn read(column: &Column, records: &[Value]) -> Result<ArrayRef, ArrowError> {
    let found = records
        .iter()
        .map(|record| path::find_first(record, column.paths));
    if column.kind == Kind::Time {
        let times: TimestampMicrosecondArray = found
            .map(|value| time::parse_us(value?.as_str()?))
            .collect();
        return Ok(Arc::new(times.with_timezone("UTC")));
    }
    let texts: StringArray = found
        .map(|value| {
            let value = value?;
            let text = path::text(&value)?;
            match column.kind {
                Kind::Ip => ip::host(&text),
                Kind::Integer => Some(whole(&text)),
                _ => Some(text.into_owned()),
            }
        })
        .collect();
    typed(column.kind, Arc::new(texts))
}

/// Microsoft writes some whole numbers with a fraction of zero.
fn whole(text: &str) -> String {
    let text = text.trim();
    match text.split_once('.') {
        Some((whole, fraction)) if fraction.bytes().all(|byte| byte == b'0') => whole.to_owned(),
        _ => text.to_owned(),
    }
}

/// What cannot be a value of the column's type becomes null.
fn typed(kind: Kind, array: ArrayRef) -> Result<ArrayRef, ArrowError> {
    let wanted = data_type(kind);
    if kind == Kind::Bytes || *array.data_type() == wanted {
        return Ok(array);
    }
    debug_assert!(*array.data_type() == DataType::Utf8);
    cast(&array, &wanted)
}

#[cfg(test)]
mod tests {
    use super::{RawRow, batch};
    use arrow::array::AsArray;
    use arrow::datatypes::{Int32Type, Int64Type};
    use schemas::tables::Table;

    fn row(raw: &str) -> RawRow {
        RawRow {
            event_id: "1".to_owned(),
            event_time_us: None,
            ingest_time_us: 7,
            source: "files".to_owned(),
            category: None,
            raw: raw.to_owned(),
        }
    }

    #[test]
    fn reads_columns_of_every_table_from_anything() {
        for table in Table::EVENTS {
            let rows = [
                row("{}"),
                row("not json"),
                row("[1]"),
                row("{\"properties\":\"x\"}"),
            ];
            assert_eq!(batch(*table, &rows).unwrap().num_rows(), 4, "{table}");
        }
    }

    #[test]
    fn reads_parameters_and_numbers() {
        let raw = r#"{"RecordType":"1.00","Operation":"New-InboxRule","ClientIP":"203.0.113.9:443",
            "Parameters":[{"Name":"ForwardTo","Value":"x@y.example"}]}"#;
        let batch = batch(Table::M365Activity, &[row(raw)]).unwrap();
        let column = |name: &str| batch.column_by_name(name).unwrap();
        assert_eq!(
            column("record_type").as_primitive::<Int64Type>().value(0),
            1
        );
        let forward = column("forward_to").as_dictionary::<Int32Type>();
        assert_eq!(forward.values().as_string::<i32>().value(0), "x@y.example");
        assert_eq!(
            column("ip_address").as_string::<i32>().value(0),
            "203.0.113.9"
        );
    }
}
