//! Rows of the tables that vedette itself writes: out by the names of columns, and back.
//!
//! ```text
//! wire type ─▶ check ─▶ to_row ─▶ table ─▶ query ─▶ StoredRows ─▶ from_row ─▶ wire type, or a RowError
//! ```
//! One module for each table. What a table does not keep of a wire type comes back as its default, and is named at the
//! module's head; whatever else cannot be read is a [`RowError`] with table, row, column and value, and never a default.

mod alert;
mod audit_record;
mod coverage;
mod dead_letter;
mod derived_row;
mod error;
mod row_builder;
mod signal;
mod stored_rows;

use arrow::record_batch::RecordBatch;

pub use derived_row::DerivedRow;
pub use error::RowError;
pub use signal::ArrivedSignal;
pub use stored_rows::{StoredRow, StoredRows};

/// What the rows of an answer say, in order, and why others cannot be read: one damaged row hides no other.
pub fn read_rows<'a, T: DerivedRow>(
    batches: impl IntoIterator<Item = &'a RecordBatch>,
) -> (Vec<T>, Vec<RowError>) {
    let (mut found, mut damaged) = (Vec::new(), Vec::new());
    for batch in batches {
        match StoredRows::new(T::TABLE, batch) {
            Ok(rows) => {
                for row in rows.iter() {
                    match T::from_row(&row) {
                        Ok(one) => found.push(one),
                        Err(error) => damaged.push(error),
                    }
                }
            }
            Err(error) => damaged.push(error),
        }
    }
    (found, damaged)
}

#[cfg(test)]
mod tests;
