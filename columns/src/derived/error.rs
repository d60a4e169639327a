//! Why a row cannot be read.

use std::fmt::Display;

use schemas::fate::Fate;
use schemas::tables::Table;

/// Longest part of a value that a message has, in bytes.
const VALUE_BYTES_MAX: usize = 80;

/// Why a row of a derived table cannot be read, or a message cannot become one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    /// A column holds what it cannot mean.
    #[error("row \"{row}\" of table {table} has {value:?} in column {column}: {why}")]
    Value {
        /// The table.
        table: Table,
        /// The row, by its identity; empty where that cannot be read either.
        row: String,
        /// The column.
        column: &'static str,
        /// What it holds, cut where it is long.
        value: String,
        /// Why that cannot be.
        why: String,
    },
    /// A required column holds nothing.
    #[error("row \"{row}\" of table {table} has nothing in column {column}, which every row has")]
    Nothing {
        /// The table.
        table: Table,
        /// The row, by its identity; empty where that cannot be read either.
        row: String,
        /// The column.
        column: &'static str,
    },
    /// A column is not there, or is of another type than the table's: no row can be read.
    #[error(
        "column {column} of table {table} is {found}, and must be {expected}: select all columns of the table"
    )]
    Column {
        /// The table.
        table: Table,
        /// The column.
        column: &'static str,
        /// What was found in its place.
        found: String,
        /// What it must be.
        expected: String,
    },
}

impl RowError {
    /// A value that cannot be.
    pub fn value(
        table: Table,
        row: &str,
        column: &'static str,
        value: &str,
        why: &dyn Display,
    ) -> Self {
        let end = value.floor_char_boundary(VALUE_BYTES_MAX);
        Self::Value {
            table,
            row: row.to_owned(),
            column,
            value: value[..end].to_owned(),
            why: why.to_string(),
        }
    }

    /// The table that it is about.
    pub fn table(&self) -> Table {
        match self {
            Self::Value { table, .. }
            | Self::Nothing { table, .. }
            | Self::Column { table, .. } => *table,
        }
    }

    /// The row that it is about, by its identity; empty where that is not known.
    pub fn row(&self) -> &str {
        match self {
            Self::Value { row, .. } | Self::Nothing { row, .. } => row,
            Self::Column { .. } => "",
        }
    }

    /// What happens next: a damaged row is set aside, and without a column there is none to read.
    pub fn fate(&self) -> Fate {
        match self {
            Self::Value { .. } | Self::Nothing { .. } => Fate::DeadLetter,
            Self::Column { .. } => Fate::Stop,
        }
    }
}
