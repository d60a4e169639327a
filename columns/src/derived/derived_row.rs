//! What a wire type with a table of its own answers.

use schemas::tables::Table;

use super::error::RowError;
use super::stored_rows::StoredRow;
use crate::Row;

/// A wire type that has a table of its own.
pub trait DerivedRow: Sized {
    /// The table.
    const TABLE: Table;

    /// Whether every word of it is one of its closed set, and every number and time one that the table can hold.
    ///
    /// # Errors
    /// [`RowError::Value`] of the first that is not.
    fn check(&self) -> Result<(), RowError>;

    /// Its row; of what [`Self::check`] refuses, the nearest that the table can hold.
    fn to_row(&self) -> Row;

    /// What a row says.
    ///
    /// # Errors
    /// [`RowError`] if a required column holds nothing, or one holds what [`Self::check`] would refuse.
    fn from_row(row: &StoredRow<'_>) -> Result<Self, RowError>;
}
