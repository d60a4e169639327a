//! A row, made by the names of its columns.

use std::fmt::Display;
use std::str::FromStr;

use schemas::tables::Table;
use serde_json::{Value, json};

use super::error::RowError;
use crate::shape::position_of;
use crate::{Cell, Row, TIME_MAX_US, TIME_MIN_US};

/// The cells of a row that is being made; a column that is named twice, that the table does not have, or that nobody
/// names is a fault of the module that makes it, which its tests find.
pub(super) struct RowBuilder {
    table: Table,
    cells: Vec<Option<Cell>>,
}

impl RowBuilder {
    pub(super) fn new(table: Table) -> Self {
        Self {
            table,
            cells: vec![None; table.columns().len()],
        }
    }

    fn set(mut self, column: &'static str, cell: Cell) -> Self {
        let at = position_of(self.table, column);
        let slot = at.and_then(|at| self.cells.get_mut(at));
        debug_assert!(
            slot.as_ref().is_some_and(|slot| slot.is_none()),
            "column {column} of table {} is not there, or was set before",
            self.table
        );
        if let Some(slot) = slot {
            *slot = Some(cell);
        }
        self
    }

    /// Text that every row has.
    pub(super) fn text(self, column: &'static str, text: &str) -> Self {
        self.set(column, Cell::Text(text.to_owned()))
    }

    /// Text, or nothing if it is empty.
    pub(super) fn some_text(self, column: &'static str, text: &str) -> Self {
        self.set(column, Cell::some_text(text))
    }

    /// A JSON value.
    pub(super) fn json(self, column: &'static str, value: &Value) -> Self {
        self.set(column, Cell::Text(value.to_string()))
    }

    /// Texts as a JSON list, or nothing if there are none.
    pub(super) fn texts(self, column: &'static str, texts: &[String]) -> Self {
        let cell = if texts.is_empty() {
            Cell::Null
        } else {
            Cell::Text(json!(texts).to_string())
        };
        self.set(column, cell)
    }

    pub(super) fn integer(self, column: &'static str, value: i64) -> Self {
        self.set(column, Cell::Integer(value))
    }

    /// A count; what is more than a column can hold is as much as it can.
    pub(super) fn count(self, column: &'static str, value: u64) -> Self {
        self.integer(column, i64::try_from(value).unwrap_or(i64::MAX))
    }

    pub(super) fn boolean(self, column: &'static str, value: bool) -> Self {
        self.set(column, Cell::Boolean(value))
    }

    /// A time that every row has; one that readers could not print is the nearest that they can.
    pub(super) fn time(self, column: &'static str, time_us: i64) -> Self {
        self.set(column, Cell::Time(time_us.clamp(TIME_MIN_US, TIME_MAX_US)))
    }

    /// A time of the wire, where 0 means that there is none.
    pub(super) fn some_time(self, column: &'static str, time_us: i64) -> Self {
        if time_us == 0 {
            self.set(column, Cell::Null)
        } else {
            self.time(column, time_us)
        }
    }

    pub(super) fn bytes(self, column: &'static str, bytes: bytes::Bytes) -> Self {
        self.set(column, Cell::Bytes(bytes))
    }

    /// The row, kept under the day of `event_time_us` if it can be believed, else under that of `ingest_time_us`.
    pub(super) fn finish(
        self,
        tenant_id: &str,
        event_time_us: Option<i64>,
        ingest_time_us: i64,
    ) -> Row {
        debug_assert!(
            self.cells.iter().all(Option::is_some),
            "a column of table {} was not set",
            self.table
        );
        let cells = self.cells.into_iter();
        let cells = cells.map(|cell| cell.unwrap_or(Cell::Null)).collect();
        Row::new(self.table, tenant_id, event_time_us, ingest_time_us, cells)
    }
}

/// What a message is asked before it becomes a row.
#[derive(Clone, Copy)]
pub(super) struct Checks<'a> {
    pub(super) table: Table,
    /// The row's identity.
    pub(super) row: &'a str,
}

impl Checks<'_> {
    /// Whether a text is a word of a closed set.
    pub(super) fn word<T: FromStr<Err: Display>>(
        self,
        column: &'static str,
        text: &str,
    ) -> Result<T, RowError> {
        text.parse()
            .map_err(|why| RowError::value(self.table, self.row, column, text, &why))
    }

    /// Whether a text names something.
    pub(super) fn is_named(self, column: &'static str, text: &str) -> Result<(), RowError> {
        if text.is_empty() {
            return Err(self.refused(column, text, &"it must name something"));
        }
        Ok(())
    }

    /// Whether a count fits into a column.
    pub(super) fn count(self, column: &'static str, count: u64) -> Result<(), RowError> {
        i64::try_from(count)
            .map(|_| ())
            .map_err(|why| self.refused(column, &count.to_string(), &why))
    }

    /// Whether readers can print a time.
    pub(super) fn time(self, column: &'static str, time_us: i64) -> Result<(), RowError> {
        if (TIME_MIN_US..=TIME_MAX_US).contains(&time_us) {
            return Ok(());
        }
        let why = "microseconds since the Unix epoch, outside of the years 1 to 9999";
        Err(self.refused(column, &time_us.to_string(), &why))
    }

    pub(super) fn refused(self, column: &'static str, value: &str, why: &dyn Display) -> RowError {
        RowError::value(self.table, self.row, column, value, why)
    }
}
