//! Hits as record batches: which rule, in which file and row of it, and what the row has in the columns that are asked.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, LazyLock};

use arrow::array::{
    ArrayRef, Date32Array, DictionaryArray, Int32Array, StringArray, UInt32Array, UInt64Array,
    new_null_array,
};
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::common::Result;
use schemas::arrow::{PARTITION_COLUMNS, file_schema};
use schemas::tables::Table;

use super::unit::ScanFile;

/// Place of the number of the rule in [`hit_schema`]; null where a row stands for what it says itself.
pub const RULE: usize = 0;

/// Place of the path of the file.
const FILE: usize = 1;

/// Place of the row in the file.
pub const ROW: usize = 2;

/// Columns before those of the table.
const OWN: usize = 3;

/// Columns of hits in the rows of a table: `rule`, `file` and `row`, then the table's columns, then whose it is and of
/// which day.
///
/// Shape: `rule` is the number that the caller of the compiler gave it; of rows of other tables that are told again, the
/// columns are those of the row in the file. All columns of the table may be null, because an old file lacks some.
pub fn hit_schema(table: Table) -> SchemaRef {
    static SCHEMAS: LazyLock<BTreeMap<Table, SchemaRef>> = LazyLock::new(|| {
        let all = Table::ALL.iter();
        all.map(|table| (*table, make(*table))).collect()
    });
    SCHEMAS.get(&table).cloned().unwrap_or_else(|| make(table))
}

fn make(table: Table) -> SchemaRef {
    let [tenant_id, day] = PARTITION_COLUMNS;
    let mut fields = vec![
        Arc::new(Field::new("rule", DataType::UInt32, true)),
        Arc::new(Field::new("file", word_type(), false)),
        Arc::new(Field::new("row", DataType::UInt64, false)),
    ];
    let of_table = file_schema(table);
    let of_table = of_table.fields().iter();
    fields.extend(of_table.map(|field| Arc::new(field.as_ref().clone().with_nullable(true))));
    fields.push(Arc::new(Field::new(tenant_id, word_type(), false)));
    fields.push(Arc::new(Field::new(day, DataType::Date32, true)));
    Arc::new(Schema::new(fields))
}

/// Places of a table's own columns in [`hit_schema`], without whose it is and of which day.
pub(crate) fn table_columns(table: Table) -> Range<usize> {
    OWN..hit_schema(table).fields().len() - PARTITION_COLUMNS.len()
}

fn word_type() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}

/// A word in so many rows.
fn word(word: &str, rows: usize) -> ArrayRef {
    let keys = Int32Array::from(vec![0; rows]);
    let values = Arc::new(StringArray::from_iter_values([word]));
    // The one key is in the dictionary.
    match DictionaryArray::try_new(keys, values) {
        Ok(array) => Arc::new(array),
        Err(_) => new_null_array(&word_type(), rows),
    }
}

/// The columns of hits that are asked.
#[derive(Debug)]
pub(super) struct HitColumns {
    schema: SchemaRef,
    columns: Vec<HitColumn>,
}

#[derive(Debug)]
enum HitColumn {
    Rule,
    File,
    Row,
    OfTable(String),
    Tenant,
    Day,
}

/// Hits in rows that were read together.
pub(super) struct HitRows<'a> {
    pub(super) file: &'a ScanFile,
    /// Numbers of rules, and the places of the rows among those that were read.
    pub(super) hits: &'a [(Option<u32>, u32)],
    /// Where in the file each row stands that was read.
    pub(super) places: &'a dyn Fn(u32) -> u64,
    pub(super) read: &'a RecordBatch,
}

impl HitColumns {
    pub(super) fn new(table: Table, projection: &[usize]) -> Result<Self> {
        let all = hit_schema(table);
        let schema = Arc::new(all.project(projection)?);
        let of_table = table_columns(table);
        let column = |place: &usize| match *place {
            RULE => HitColumn::Rule,
            FILE => HitColumn::File,
            ROW => HitColumn::Row,
            place if of_table.contains(&place) => {
                HitColumn::OfTable(all.field(place).name().clone())
            }
            place if place == of_table.end => HitColumn::Tenant,
            _ => HitColumn::Day,
        };
        Ok(Self {
            schema,
            columns: projection.iter().map(column).collect(),
        })
    }

    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Those that have to be read for it.
    pub(super) fn of_table(&self) -> Vec<&str> {
        let columns = self.columns.iter();
        columns
            .filter_map(|column| match column {
                HitColumn::OfTable(name) => Some(name.as_str()),
                _ => None,
            })
            .collect()
    }

    /// A row for each hit.
    pub(super) fn batch(&self, rows: &HitRows<'_>) -> Result<RecordBatch> {
        let count = rows.hits.len();
        let at: UInt32Array = rows.hits.iter().map(|(_, at)| *at).collect();
        // One rule that matched every row that was read needs no copy.
        let is_all =
            count == rows.read.num_rows() && (0..).zip(at.values().iter()).all(|(n, at)| n == *at);
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.columns.len());
        for (column, field) in self.columns.iter().zip(self.schema.fields()) {
            arrays.push(match column {
                HitColumn::Rule => Arc::new(
                    rows.hits
                        .iter()
                        .map(|(rule, _)| *rule)
                        .collect::<UInt32Array>(),
                ),
                HitColumn::File => word(&rows.file.path, count),
                HitColumn::Row => {
                    let places = rows.hits.iter().map(|(_, at)| (rows.places)(*at));
                    Arc::new(UInt64Array::from_iter_values(places))
                }
                HitColumn::Tenant => word(&rows.file.tenant_id, count),
                HitColumn::Day => Arc::new(Date32Array::from(vec![rows.file.day; count])),
                HitColumn::OfTable(name) => match rows.read.column_by_name(name) {
                    None => new_null_array(field.data_type(), count),
                    Some(array) => {
                        let array = if is_all {
                            Arc::clone(array)
                        } else {
                            take(array, &at, None)?
                        };
                        // A foreign writer may have stored another type of text.
                        if array.data_type() == field.data_type() {
                            array
                        } else {
                            cast(&array, field.data_type())?
                        }
                    }
                },
            });
        }
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        let schema = Arc::clone(&self.schema);
        Ok(RecordBatch::try_new_with_options(schema, arrays, &options)?)
    }
}
