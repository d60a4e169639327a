//! An answer as a table for a terminal, where nothing that a tenant wrote may act.

use std::sync::Arc;

use datafusion::arrow::array::{Array as _, ArrayRef, AsArray as _, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};

use crate::output::Table;
use crate::output::csv::defused;

/// Draws up to `rows_max` rows.
pub(super) fn draw(batches: &[RecordBatch], rows_max: usize) -> anyhow::Result<Table> {
    let schema = batches.first().map(RecordBatch::schema);
    let fields = schema.iter().flat_map(|schema| schema.fields().iter());
    let mut table = Table::new(fields.map(|field| field.name()));
    let options = FormatOptions::default().with_null("");
    let mut left = rows_max;
    for batch in batches {
        let columns = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column.as_ref(), &options))
            .collect::<Result<Vec<_>, _>>()?;
        for row in 0..batch.num_rows().min(left) {
            table.row(columns.iter().map(|column| column.value(row)));
        }
        left = left.saturating_sub(batch.num_rows());
    }
    Ok(table)
}

/// The batch with an apostrophe before text that a spreadsheet would run as a formula.
pub(super) fn without_formulas(batch: &RecordBatch) -> anyhow::Result<RecordBatch> {
    let mut fields = Vec::with_capacity(batch.num_columns());
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(batch.num_columns());
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        let is_text = matches!(
            column.data_type(),
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Dictionary(_, _)
        );
        if !is_text {
            fields.push(field.as_ref().clone());
            columns.push(Arc::clone(column));
            continue;
        }
        let text = cast(column, &DataType::Utf8)?;
        let cells: StringArray = text
            .as_string::<i32>()
            .iter()
            .map(|cell| cell.map(defused))
            .collect();
        fields.push(Field::new(field.name(), DataType::Utf8, true));
        columns.push(Arc::new(cells));
    }
    Ok(RecordBatch::try_new(
        Arc::new(Schema::new(fields)),
        columns,
    )?)
}
