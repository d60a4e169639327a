//! Rows of the lake: from what travels on topics to Arrow, and back for comparison.
//!
//! A crate of its own, because the lake writes them and rules are tried on them, and only one of both needs `DataFusion`.
//!
//! Pure: nothing here waits, and nothing that a tenant can send makes it fail.

mod arrays;
mod values;

use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use schemas::dead_letter::Reason;
use schemas::ids;
use schemas::limits::FUTURE_TOLERANCE_US;
use schemas::path;
use schemas::tables::{Column, Kind, Table};
use schemas::wire::Event;
use serde_json::Value;

pub use arrays::{cell_at, record_batch};
pub use values::read;

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
    /// The cells, in the order of the table's columns.
    pub cells: Vec<Cell>,
}

impl Row {
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
        let identity = position_of(table, table.identity()).and_then(|at| cells.get(at));
        let identity = match identity {
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
            cells,
        }
    }

    /// Hash of the columns that make a difference; 0 stands for "not known" and is never returned.
    pub fn content(&self, table: Table) -> u64 {
        content_of(compared_columns(table).iter().map(|at| &self.cells[*at]))
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

/// Columns whose difference under a known identity is news, by their place in the table.
///
/// Not compared: what says only how and when the record came to us, and the raw JSON, in which
/// Microsoft reorders fields. Alerts may be raised again by a replay at another time.
pub fn compared_columns(table: Table) -> Vec<usize> {
    let columns = table.columns();
    let compared: Vec<&str> = match table {
        Table::Alerts => vec!["alert_state", "alert_severity", "title", "label"],
        Table::Coverage => vec!["coverage_state"],
        // The identities of these are hashes of their whole content.
        Table::Revisions | Table::Signals | Table::Actions | Table::DeadLetters => Vec::new(),
        events => {
            let mut names = vec!["event_time"];
            names.extend(events.record_columns().iter().map(|column| column.name));
            names
        }
    };
    columns
        .iter()
        .enumerate()
        .filter(|(_, column)| compared.contains(&column.name))
        .map(|(at, _)| at)
        .collect()
}

/// Where a column stands in its table.
pub fn position_of(table: Table, name: &str) -> Option<usize> {
    table
        .columns()
        .iter()
        .position(|column| column.name == name)
}

/// The day of a time, in days since the Unix epoch.
pub fn day_of(time_us: i64) -> i32 {
    let time_us = time_us.clamp(0, TIME_MAX_US);
    i32::try_from(time_us / DAY_US).unwrap_or(i32::MAX)
}

/// A day as `YYYY-MM-DD`.
pub fn day_text(day: i32) -> String {
    schemas::time::day(i64::from(day) * DAY_US)
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

/// The row of an event.
///
/// # Errors
/// [`Reason::NotUtf8`] if its bytes cannot be kept as text.
pub fn event_row(table: Table, event: &Event) -> Result<Row, Reason> {
    let raw = std::str::from_utf8(&event.raw).map_err(|_| Reason::NotUtf8)?;
    Ok(text_row(table, event, raw))
}

/// What the lake would keep of these events in `table`, in order, whatever their bytes are.
///
/// Shape: exactly the columns of [`schemas::arrow::file_schema`], one row for each event.
///
/// # Errors
/// [`ArrowError`] never for a table that records of sources go to.
pub fn event_batch(table: Table, events: &[Event]) -> Result<RecordBatch, ArrowError> {
    let rows: Vec<Row> = events
        .iter()
        .map(|event| text_row(table, event, &String::from_utf8_lossy(&event.raw)))
        .collect();
    record_batch(table, &rows.iter().collect::<Vec<_>>())
}

fn text_row(table: Table, event: &Event, raw: &str) -> Row {
    let mut problems = event.problems.clone();
    let record: Value = serde_json::from_str(raw).unwrap_or_else(|error| {
        problems.push(format!("raw is not JSON: {error}"));
        Value::Null
    });
    let event_time = event.event_time_us.map_or(Cell::Null, Cell::time);
    if let Some(time) = event.event_time_us
        && !is_believable(time, event.ingest_time_us)
    {
        problems.push(format!(
            "event time {time} µs is before 1970 or in the future"
        ));
    }
    let record_cells: Vec<Cell> = table
        .record_columns()
        .iter()
        .map(|column| record_cell(column, &record, &mut problems))
        .collect();
    let event_id = if event.event_id.is_empty() {
        problems.push("came without an id".to_owned());
        ids::of_content(&record)
    } else {
        event.event_id.clone()
    };
    let mut cells = vec![
        Cell::Text(event_id),
        event_time,
        ingest_time(event.ingest_time_us),
        Cell::Text(event.source.clone()),
        Cell::some_text(&event.category),
        Cell::some_text(&event.position),
        Cell::some_text(&problems.join("; ")),
    ];
    cells.extend(record_cells);
    cells.push(Cell::Text(raw.to_owned()));
    Row::new(
        table,
        &event.tenant_id,
        event.event_time_us,
        event.ingest_time_us,
        cells,
    )
}

/// A required time; one that nobody can print reads as 1970.
pub fn ingest_time(time_us: i64) -> Cell {
    match Cell::time(time_us) {
        Cell::Null => Cell::Time(0),
        time => time,
    }
}

fn record_cell(column: &Column, record: &Value, problems: &mut Vec<String>) -> Cell {
    let Some(found) = path::find_first(record, column.paths) else {
        return Cell::Null;
    };
    read(column.kind, &found).unwrap_or_else(|| {
        if !matches!(column.kind, Kind::Ip) {
            problems.push(format!("cannot read {}", column.name));
        }
        Cell::Null
    })
}

#[cfg(test)]
mod tests;
