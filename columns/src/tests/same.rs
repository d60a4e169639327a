//! A record read by the product and by the oracle, compared cell by cell.

use schemas::tables::{ENVELOPE, Table};
use schemas::wire::Event;
use serde_json::Value;

use super::oracle;
use crate::{Cell, DAY_US, event_row, position_of};

/// Noon of a day.
pub(super) const NOON_US: i64 = 20_000 * DAY_US + DAY_US / 2;

/// An event whose record is `raw`.
pub(super) fn event(raw: &str) -> Event {
    Event {
        tenant_id: "t".into(),
        table: "signins".into(),
        event_id: "1".into(),
        event_time_us: Some(NOON_US),
        ingest_time_us: NOON_US + 5,
        source: "test".into(),
        raw: raw.as_bytes().to_vec().into(),
        ..Event::default()
    }
}

/// The cell of a column.
pub(super) fn cell(table: Table, event: &Event, name: &str) -> Cell {
    event_row(table, event).unwrap().cells[position_of(table, name).unwrap()].clone()
}

/// Compares all that is read of a record; true if it is JSON.
pub(super) fn same(table: Table, raw: &str) -> bool {
    let event = event(raw);
    let record: Result<Value, _> = serde_json::from_str(raw);
    let (cells, mut problems) =
        oracle::record_cells(table, record.as_ref().unwrap_or(&Value::Null));
    if let Err(error) = &record {
        problems.insert(0, format!("raw is not JSON: {error}"));
    }
    let row = event_row(table, &event).unwrap();
    let of_record = &row.cells[ENVELOPE.len()..row.cells.len() - 1];
    for (column, (found, expected)) in table
        .record_columns()
        .iter()
        .zip(of_record.iter().zip(&cells))
    {
        assert_eq!(found, expected, "{table}.{} of {raw}", column.name);
    }
    assert_eq!(
        cell(table, &event, "problems"),
        Cell::some_text(&problems.join("; ")),
        "{table}: {raw}"
    );
    assert_eq!(cell(table, &event, "raw"), Cell::Text(raw.to_owned()));
    record.is_ok()
}
