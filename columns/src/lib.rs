//! Rows of the lake: from what travels on topics to Arrow, and back for comparison.
//!
//! A crate of its own, because the lake writes them and rules are tried on them, and only one of both needs `DataFusion`.
//!
//! Pure: nothing here waits, and nothing that a tenant can send makes it fail.
//!
//! ```
//! use columns::{Cell, cell_at, event_batch};
//! use schemas::tables::{Kind, Table};
//! use schemas::wire::Event;
//!
//! let event = |raw: &str| Event { raw: raw.to_owned().into(), ..Event::default() };
//! let events = [
//!     event(r#"{"Operation": "New-InboxRule", "ClientIP": "203.0.113.57:443"}"#),
//!     event("no JSON at all"),
//! ];
//! let batch = event_batch(Table::M365Activity, &events)?;
//! let cell = |name: &str, kind, row| batch.column_by_name(name).map(|column| cell_at(kind, column, row));
//! assert_eq!(cell("operation", Kind::Category, 0), Some(Cell::Text("New-InboxRule".to_owned())));
//! assert_eq!(cell("ip_address", Kind::Ip, 0), Some(Cell::Text("203.0.113.57".to_owned())));
//! assert_eq!(cell("operation", Kind::Category, 1), Some(Cell::Null));
//! # Ok::<(), arrow::error::ArrowError>(())
//! ```

mod arrays;
mod changes;
pub mod derived;
mod events;
pub mod json;
mod paths;
pub mod retold;
mod shape;
mod values;

use bytes::Bytes;
use schemas::ids;
use schemas::limits::FUTURE_TOLERANCE_US;
use schemas::tables::Table;

use shape::Shape;

pub use arrays::{cell_at, record_batch};
pub use events::{event_batch, event_row};
pub use shape::{compared_columns, position_of};

/// Microseconds of a day.
pub const DAY_US: i64 = 24 * 3600 * 1_000_000;

/// Latest time that a row holds: the end of the year 9999, beyond which readers cannot print it.
const TIME_MAX_US: i64 = 253_402_300_799_999_999;

/// Earliest time that a row holds: the start of the year 1.
const TIME_MIN_US: i64 = -62_135_596_800_000_000;

/// What one column of one row holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Nothing.
    Null,
    /// Text.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A number with a fraction.
    Number(f64),
    /// True or false.
    Boolean(bool),
    /// Microseconds since the Unix epoch, UTC.
    Time(i64),
    /// Bytes.
    Bytes(Bytes),
}

impl Cell {
    /// Text, or null if there is none.
    pub fn some_text(text: &str) -> Self {
        if text.is_empty() {
            Self::Null
        } else {
            Self::Text(text.to_owned())
        }
    }

    /// A time, or null if readers could not print it.
    pub fn time(time_us: i64) -> Self {
        if (TIME_MIN_US..=TIME_MAX_US).contains(&time_us) {
            Self::Time(time_us)
        } else {
            Self::Null
        }
    }
}

/// One row of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The tenant; never empty, because Delta reads an empty partition value as null.
    pub tenant_id: String,
    /// Hash of the value in the table's identity column.
    pub identity: u128,
    /// The day it is kept under, in days since the Unix epoch.
    pub day: i32,
    /// False if `day` is not the event's own, so that the same record may stand under an earlier day.
    pub is_day_its_own: bool,
    /// The day that the record says, believed or not, in days since the Unix epoch.
    pub event_day: Option<i32>,
    /// The cells, in the order of the table's columns.
    pub cells: Vec<Cell>,
}

impl Row {
    /// The day that its record is of: what it says, else what it is kept under.
    pub fn of_day(&self) -> i32 {
        self.event_day.unwrap_or(self.day)
    }

    /// A row of `table` from its cells; the day is that of `event_time_us` if it can be believed.
    pub fn new(
        table: Table,
        tenant_id: &str,
        event_time_us: Option<i64>,
        ingest_time_us: i64,
        cells: Vec<Cell>,
    ) -> Self {
        let believed = event_time_us.filter(|time| is_believable(*time, ingest_time_us));
        let kept_under = believed.unwrap_or(ingest_time_us);
        let identity = match cells.get(Shape::of(table).identity) {
            Some(Cell::Text(text)) => identity_of(text),
            _ => 0,
        };
        Self {
            tenant_id: if tenant_id.is_empty() {
                "unknown".to_owned()
            } else {
                tenant_id.to_owned()
            },
            identity,
            day: day_of(kept_under),
            is_day_its_own: believed.is_some(),
            event_day: event_time_us.map(day_of),
            cells,
        }
    }

    /// Hash of the columns that make a difference; 0 stands for "not known" and is never returned.
    pub fn content(&self, table: Table) -> u64 {
        let compared = &Shape::of(table).compared;
        content_of(compared.iter().map(|at| &self.cells[*at]))
    }

    /// About how many bytes it holds.
    pub fn bytes(&self) -> usize {
        self.cells
            .iter()
            .map(|cell| match cell {
                Cell::Text(text) => text.len() + 24,
                Cell::Bytes(bytes) => bytes.len() + 32,
                _ => 16,
            })
            .sum()
    }
}

/// Hash of an identity.
pub fn identity_of(text: &str) -> u128 {
    ids::hash(&[text.as_bytes()])
}

/// Hash of the cells of [`compared_columns`].
pub fn content_of<'a>(cells: impl Iterator<Item = &'a Cell>) -> u64 {
    let mut bytes = Vec::with_capacity(512);
    for cell in cells {
        match cell {
            Cell::Null => bytes.push(0),
            Cell::Text(text) => {
                bytes.push(1);
                bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
                bytes.extend_from_slice(text.as_bytes());
            }
            Cell::Integer(value) | Cell::Time(value) => {
                bytes.push(2);
                bytes.extend_from_slice(&value.to_le_bytes());
            }
            Cell::Number(value) => {
                bytes.push(3);
                bytes.extend_from_slice(&value.to_le_bytes());
            }
            Cell::Boolean(value) => bytes.extend_from_slice(&[4, u8::from(*value)]),
            Cell::Bytes(value) => {
                bytes.push(5);
                bytes.extend_from_slice(&(value.len() as u64).to_le_bytes());
                bytes.extend_from_slice(value);
            }
        }
    }
    let [low, ..]: [u64; 2] = halves(ids::hash(&[&bytes]));
    low.max(1)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the two halves of 128 bits"
)]
fn halves(hash: u128) -> [u64; 2] {
    [hash as u64, (hash >> 64) as u64]
}

/// The day of a time, in days since the Unix epoch.
pub fn day_of(time_us: i64) -> i32 {
    let time_us = time_us.clamp(0, TIME_MAX_US);
    i32::try_from(time_us / DAY_US).unwrap_or(i32::MAX)
}

/// A day as `YYYY-MM-DD`, from the year 1 to 9999.
pub fn day_text(day: i32) -> String {
    let time_us = i64::from(day).saturating_mul(DAY_US);
    schemas::time::day(time_us.clamp(TIME_MIN_US, TIME_MAX_US))
}

/// A day written as `YYYY-MM-DD`, in days since the Unix epoch.
pub fn day_from_text(text: &str) -> Option<i32> {
    let start = schemas::time::parse_us(&format!("{text}T00:00:00Z"))?;
    i32::try_from(start.div_euclid(DAY_US)).ok()
}

/// True for times from 1970 to a day after they came to us.
fn is_believable(event_time_us: i64, ingest_time_us: i64) -> bool {
    event_time_us >= 0 && event_time_us <= ingest_time_us.saturating_add(FUTURE_TOLERANCE_US)
}

/// A required time; one that nobody can print reads as 1970.
pub fn ingest_time(time_us: i64) -> Cell {
    match Cell::time(time_us) {
        Cell::Null => Cell::Time(0),
        time => time,
    }
}

#[cfg(test)]
mod tests;
