//! An answer as a table for a terminal, where nothing that a tenant wrote may act.

use std::sync::Arc;

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{ContentArrangement, Table};
use datafusion::arrow::array::{Array as _, ArrayRef, AsArray as _, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};

/// Longest cell that is shown, in characters; `--output json` has all of it.
const CELL_CHARACTERS_MAX: usize = 120;

/// Most characters of a sentence on a line of its own.
const SENTENCE_CHARACTERS_MAX: usize = 1_000;

/// Draws up to `rows_max` rows.
pub(super) fn draw(batches: &[RecordBatch], rows_max: usize) -> anyhow::Result<Table> {
    let mut table = Table::new();
    table
        .load_style(UTF8_HORIZONTAL_ONLY)
        .set_content_arrangement(ContentArrangement::Dynamic);
    if let Some(first) = batches.first() {
        table.set_header(
            first
                .schema()
                .fields()
                .iter()
                .map(|field| inert(field.name())),
        );
    }
    let options = FormatOptions::default().with_null("");
    let mut left = rows_max;
    for batch in batches {
        let columns = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column.as_ref(), &options))
            .collect::<Result<Vec<_>, _>>()?;
        for row in 0..batch.num_rows().min(left) {
            table.add_row(
                columns
                    .iter()
                    .map(|column| inert(&column.value(row).to_string())),
            );
        }
        left = left.saturating_sub(batch.num_rows());
    }
    Ok(table)
}

/// The text with its control characters shown instead of obeyed, and cut to what a cell holds.
pub(crate) fn inert(text: &str) -> String {
    inert_within(text, CELL_CHARACTERS_MAX)
}

/// A sentence with its control characters shown instead of obeyed; longer than a cell, for its end says why.
pub(crate) fn inert_sentence(text: &str) -> String {
    inert_within(text, SENTENCE_CHARACTERS_MAX)
}

fn inert_within(text: &str, characters_max: usize) -> String {
    let mut shown: String = text
        .chars()
        .take(characters_max)
        .map(|character| match character {
            '\n' | '\t' => ' ',
            // Bidirectional overrides make one name look like another.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
            other if other.is_control() => '\u{fffd}',
            other => other,
        })
        .collect();
    if text.chars().nth(characters_max).is_some() {
        shown.push('…');
    }
    shown
}

/// The batch with an apostrophe before text that a spreadsheet would run as a formula (F13).
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

fn defused(cell: &str) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{cell}")
    } else {
        cell.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::{CELL_CHARACTERS_MAX, defused, inert};

    #[test]
    fn escape_sequences_of_a_tenant_do_not_reach_the_terminal() {
        assert_eq!(inert("a\u{1b}]0;owned\u{7}b"), "a\u{fffd}]0;owned\u{fffd}b");
        assert_eq!(inert("user\u{202e}gpj.exe"), "user\u{fffd}gpj.exe");
    }

    #[test]
    fn a_long_cell_is_cut_and_says_so() {
        let cell = inert(&"x".repeat(CELL_CHARACTERS_MAX + 1));
        assert_eq!(cell.chars().count(), CELL_CHARACTERS_MAX + 1);
        assert!(cell.ends_with('…'));
    }

    #[test]
    fn formulas_become_text_in_csv() {
        assert_eq!(defused("=cmd|' /C calc'!A0"), "'=cmd|' /C calc'!A0");
        assert_eq!(defused("plain"), "plain");
    }
}
