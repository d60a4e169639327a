//! Events of the bus as rows, and many of them as a batch without rows between.

use std::borrow::Cow;

use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use schemas::arrow::file_schema;
use schemas::dead_letter::Reason;
use schemas::ids;
use schemas::tables::{ENVELOPE, Kind, RAW, Table};
use schemas::wire::Event;
use serde_json::Value;

use crate::arrays::{ColumnBuilder, TEXT_BYTES};
use crate::paths::Finder;
use crate::shape::Shape;
use crate::values::Reading;
use crate::{Cell, Row, ingest_time, is_believable};

/// The row of an event.
///
/// # Errors
/// [`Reason::NotUtf8`] if its bytes cannot be kept as text.
pub fn event_row(table: Table, event: &Event) -> Result<Row, Reason> {
    let raw = std::str::from_utf8(&event.raw).map_err(|_| Reason::NotUtf8)?;
    let shape = Shape::of(table);
    let mut cells = vec![Cell::Null; shape.columns.len()];
    let mut finder = Finder::default();
    readings(shape, event, raw, &mut finder, |at, reading| {
        cells[at] = reading.into_cell();
    });
    Ok(Row::new(
        table,
        &event.tenant_id,
        event.event_time_us,
        event.ingest_time_us,
        cells,
    ))
}

/// What the lake would keep of these events in `table`, in order, whatever their bytes are.
///
/// Shape: exactly the columns of [`schemas::arrow::file_schema`], one row for each event.
///
/// # Errors
/// [`ArrowError`] never for a table that records of sources go to.
pub fn event_batch(table: Table, events: &[Event]) -> Result<RecordBatch, ArrowError> {
    let shape = Shape::of(table);
    let mut builders: Vec<ColumnBuilder> = shape
        .columns
        .iter()
        .map(|column| {
            let bytes = if column.name == RAW.name {
                events.iter().map(|event| event.raw.len()).sum()
            } else {
                events.len() * TEXT_BYTES
            };
            ColumnBuilder::new(column, events.len(), bytes)
        })
        .collect();
    let mut finder = Finder::default();
    for event in events {
        let raw = String::from_utf8_lossy(&event.raw);
        readings(shape, event, &raw, &mut finder, |at, reading| {
            builders[at].append(&reading);
        });
    }
    let arrays = builders.into_iter().map(ColumnBuilder::finish).collect();
    RecordBatch::try_new(file_schema(table), arrays)
}

/// Gives to `keep` what each of the table's columns holds, each column once.
fn readings(
    shape: &Shape,
    event: &Event,
    raw: &str,
    finder: &mut Finder,
    mut keep: impl FnMut(usize, Reading<'_>),
) {
    let mut problems = event.problems.clone();
    if !finder.find(&shape.paths, raw) {
        problems.push(match serde_json::from_str::<Value>(raw) {
            Err(error) => format!("raw is not JSON: {error}"),
            Ok(_) => "raw is not JSON".to_owned(),
        });
    }
    if let Some(time) = event.event_time_us
        && !is_believable(time, event.ingest_time_us)
    {
        problems.push(format!(
            "event time {time} µs is before 1970 or in the future"
        ));
    }
    let envelope = ENVELOPE.len();
    for (at, column) in shape.paths.columns().iter().enumerate() {
        let reading = finder.read(raw, at, column).unwrap_or_else(|_| {
            if !matches!(column.kind, Kind::Ip) {
                problems.push(format!("cannot read {}", column.name));
            }
            Reading::Null
        });
        let reading = match reading {
            Reading::Null if column.name == "is_interactive" => of_category(&event.category),
            reading => reading,
        };
        keep(envelope + at, reading);
    }
    let event_id = if event.event_id.is_empty() {
        problems.push("came without an id".to_owned());
        let record = serde_json::from_str(raw).unwrap_or(Value::Null);
        Cow::Owned(ids::of_content(&record))
    } else {
        Cow::Borrowed(event.event_id.as_str())
    };
    let event_time = event.event_time_us.map_or(Cell::Null, Cell::time);
    keep(0, Reading::Text(event_id));
    keep(1, Reading::of(&event_time));
    keep(2, Reading::of(&ingest_time(event.ingest_time_us)));
    keep(3, text(&event.source));
    keep(4, some_text(&event.category));
    keep(5, some_text(&event.position));
    keep(6, some_text(&problems.join("; ")));
    keep(7, some_text(&event.provenance));
    keep(shape.columns.len() - 1, text(raw));
}

/// Whether a sign-in was interactive, where it does not say so itself: the logs of the others are apart.
fn of_category(category: &str) -> Reading<'static> {
    if category.eq_ignore_ascii_case("NonInteractiveUserSignInLogs") {
        Reading::Boolean(false)
    } else {
        Reading::Null
    }
}

fn text(text: &str) -> Reading<'_> {
    Reading::Text(Cow::Borrowed(text))
}

/// Text, or null if there is none.
fn some_text(text: &str) -> Reading<'_> {
    if text.is_empty() {
        Reading::Null
    } else {
        Reading::Text(Cow::Borrowed(text))
    }
}
