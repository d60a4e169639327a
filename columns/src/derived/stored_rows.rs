//! Rows of a derived table as a query gives them, read by the names of their columns.

use std::collections::HashMap;
use std::fmt::Display;
use std::str::FromStr;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, StringArray};
use arrow::array::{BinaryArray, TimestampMicrosecondArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, TimestampMicrosecondType};
use arrow::datatypes::{Int64Type, TimeUnit};
use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use schemas::arrow::{PARTITION_COLUMNS, data_type};
use schemas::tables::{Kind, Table};
use serde::de::DeserializeOwned;

use super::error::RowError;

/// A column of the table, as the type that its kind is read as.
enum Values {
    Text(StringArray),
    Integer(Int64Array),
    Boolean(BooleanArray),
    Time(TimestampMicrosecondArray),
    Bytes(BinaryArray),
}

/// The rows of a batch that has all columns of a derived table, `tenant_id` among them.
pub struct StoredRows {
    table: Table,
    columns: HashMap<&'static str, (Values, bool)>,
    rows: usize,
}

impl StoredRows {
    /// The rows of a batch of the table.
    ///
    /// # Errors
    /// [`RowError::Column`] if the batch lacks a column, or has one of another type.
    pub fn new(table: Table, batch: &RecordBatch) -> Result<Self, RowError> {
        let mut columns = HashMap::new();
        let tenant_id = values(table, batch, PARTITION_COLUMNS[0], Kind::Category)?;
        columns.insert(PARTITION_COLUMNS[0], (tenant_id, true));
        for column in table.columns() {
            let values = values(table, batch, column.name, column.kind)?;
            columns.insert(column.name, (values, column.required));
        }
        Ok(Self {
            table,
            columns,
            rows: batch.num_rows(),
        })
    }

    /// Each row, in order.
    pub fn iter(&self) -> impl Iterator<Item = StoredRow<'_>> {
        (0..self.rows).map(|row| StoredRow { rows: self, row })
    }
}

/// A column of a batch; only texts have more than one type, because queries give them as they like.
fn values(
    table: Table,
    batch: &RecordBatch,
    column: &'static str,
    kind: Kind,
) -> Result<Values, RowError> {
    let other = |found: &str| RowError::Column {
        table,
        column,
        found: found.to_owned(),
        expected: data_type(kind).to_string(),
    };
    let Some(array) = batch.column_by_name(column) else {
        return Err(other("not there"));
    };
    let found = || other(&array.data_type().to_string());
    match kind {
        Kind::Category | Kind::Text | Kind::Ip | Kind::Json => {
            texts(array).map(Values::Text).ok_or_else(found)
        }
        Kind::Integer => {
            let values = array.as_primitive_opt::<Int64Type>().cloned();
            values.map(Values::Integer).ok_or_else(found)
        }
        Kind::Boolean => {
            let values = array.as_boolean_opt().cloned();
            values.map(Values::Boolean).ok_or_else(found)
        }
        Kind::Time => {
            let values = match array.data_type() {
                DataType::Timestamp(TimeUnit::Microsecond, _) => array
                    .as_primitive_opt::<TimestampMicrosecondType>()
                    .cloned(),
                _ => None,
            };
            values.map(Values::Time).ok_or_else(found)
        }
        Kind::Bytes => {
            let values = array.as_binary_opt::<i32>().cloned();
            values.map(Values::Bytes).ok_or_else(found)
        }
        // No derived table has one.
        Kind::Number => Err(found()),
    }
}

fn texts(array: &ArrayRef) -> Option<StringArray> {
    let is_text = |data_type: &DataType| {
        matches!(
            data_type,
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
        )
    };
    let is_text = match array.data_type() {
        DataType::Dictionary(_, values) => is_text(values),
        other => is_text(other),
    };
    let strict = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    let texts = is_text.then(|| cast_with_options(array, &DataType::Utf8, &strict));
    texts?.ok()?.as_string_opt::<i32>().cloned()
}

/// One row.
#[derive(Clone, Copy)]
pub struct StoredRow<'a> {
    rows: &'a StoredRows,
    row: usize,
}

impl StoredRow<'_> {
    /// The value in the table's identity column; empty if there is none.
    fn identity(&self) -> String {
        match self.rows.columns.get(self.rows.table.identity()) {
            Some((Values::Text(texts), _)) if texts.is_valid(self.row) => {
                texts.value(self.row).to_owned()
            }
            _ => String::new(),
        }
    }

    /// The column and its value, if it has one.
    fn cell<T>(
        &self,
        column: &'static str,
        read: impl Fn(&Values, usize) -> Option<Option<T>>,
    ) -> Result<Option<T>, RowError> {
        let table = self.rows.table;
        let found = self.rows.columns.get(column);
        let value = found.and_then(|(values, required)| Some((read(values, self.row)?, required)));
        match value {
            None => Err(RowError::Column {
                table,
                column,
                found: "read as another kind".to_owned(),
                expected: "read as its own".to_owned(),
            }),
            Some((None, true)) => Err(RowError::Nothing {
                table,
                row: self.identity(),
                column,
            }),
            Some((value, _)) => Ok(value),
        }
    }

    /// What a value that cannot be is told as.
    pub fn refused(&self, column: &'static str, value: &str, why: &dyn Display) -> RowError {
        RowError::value(self.rows.table, &self.identity(), column, value, why)
    }

    /// What every row must have, whatever the table says of the column.
    pub(super) fn needed<T>(&self, column: &'static str, value: Option<T>) -> Result<T, RowError> {
        value.ok_or_else(|| RowError::Nothing {
            table: self.rows.table,
            row: self.identity(),
            column,
        })
    }

    /// A text; empty where a column that may hold nothing does.
    pub(super) fn text(&self, column: &'static str) -> Result<String, RowError> {
        let text = self.cell(column, |values, row| match values {
            Values::Text(texts) => Some(texts.is_valid(row).then(|| texts.value(row).to_owned())),
            _ => None,
        })?;
        Ok(text.unwrap_or_default())
    }

    /// A text that names something.
    pub(super) fn name(&self, column: &'static str) -> Result<String, RowError> {
        let name = self.text(column)?;
        if name.is_empty() {
            return Err(self.refused(column, "", &"it must name something"));
        }
        Ok(name)
    }

    /// A word of a closed set, as it stands.
    pub(super) fn word<T: FromStr<Err: Display>>(
        &self,
        column: &'static str,
    ) -> Result<String, RowError> {
        let word = self.text(column)?;
        match word.parse::<T>() {
            Ok(_) => Ok(word),
            Err(why) => Err(self.refused(column, &word, &why)),
        }
    }

    /// JSON of a form; none where the column holds nothing.
    pub(super) fn json<T: DeserializeOwned>(
        &self,
        column: &'static str,
    ) -> Result<Option<T>, RowError> {
        let text = self.text(column)?;
        if text.is_empty() {
            return Ok(None);
        }
        serde_json::from_str(&text).map_err(|why| self.refused(column, &text, &why))
    }

    pub(super) fn some_integer(&self, column: &'static str) -> Result<Option<i64>, RowError> {
        self.cell(column, |values, row| match values {
            Values::Integer(values) => Some(values.is_valid(row).then(|| values.value(row))),
            _ => None,
        })
    }

    pub(super) fn integer(&self, column: &'static str) -> Result<i64, RowError> {
        let value = self.some_integer(column)?;
        self.needed(column, value)
    }

    /// A count: nothing below 0.
    pub(super) fn some_count<T: TryFrom<i64, Error: Display>>(
        &self,
        column: &'static str,
    ) -> Result<Option<T>, RowError> {
        let Some(value) = self.some_integer(column)? else {
            return Ok(None);
        };
        let count = T::try_from(value);
        count
            .map(Some)
            .map_err(|why| self.refused(column, &value.to_string(), &why))
    }

    pub(super) fn count<T: TryFrom<i64, Error: Display>>(
        &self,
        column: &'static str,
    ) -> Result<T, RowError> {
        let count = self.some_count(column)?;
        self.needed(column, count)
    }

    pub(super) fn boolean(&self, column: &'static str) -> Result<bool, RowError> {
        let value = self.cell(column, |values, row| match values {
            Values::Boolean(values) => Some(values.is_valid(row).then(|| values.value(row))),
            _ => None,
        })?;
        self.needed(column, value)
    }

    pub(super) fn some_time(&self, column: &'static str) -> Result<Option<i64>, RowError> {
        self.cell(column, |values, row| match values {
            Values::Time(values) => Some(values.is_valid(row).then(|| values.value(row))),
            _ => None,
        })
    }

    pub(super) fn time(&self, column: &'static str) -> Result<i64, RowError> {
        let value = self.some_time(column)?;
        self.needed(column, value)
    }

    pub(super) fn bytes(&self, column: &'static str) -> Result<Bytes, RowError> {
        let value = self.cell(column, |values, row| match values {
            Values::Bytes(values) => Some(
                values
                    .is_valid(row)
                    .then(|| Bytes::copy_from_slice(values.value(row))),
            ),
            _ => None,
        })?;
        self.needed(column, value)
    }
}
