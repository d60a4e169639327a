//! Hostile and ordinary events as rows.

use schemas::dead_letter::Reason;
use schemas::tables::Table;

use super::{Cell, DAY_US, cell_at, day_from_text, day_text, event_row, record_batch};

mod differential;
mod oracle;
mod same;

use same::{NOON_US, cell, event};

#[test]
fn reads_the_columns_of_a_record() {
    let event = event(
        r#"{"resultType":50126,"callerIpAddress":"10.0.0.1:4","properties":{"userPrincipalName":"a@b.example",
        "isInteractive":"True","autonomousSystemNumber":"64500.0","location":{"geoCoordinates":{"latitude":"1.5"}}}}"#,
    );
    for (name, expected) in [
        ("result_type", Cell::Text("50126".into())),
        ("ip_address", Cell::Text("10.0.0.1".into())),
        ("user_principal_name", Cell::Text("a@b.example".into())),
        ("is_interactive", Cell::Boolean(true)),
        ("autonomous_system_number", Cell::Integer(64500)),
        ("latitude", Cell::Number(1.5)),
        ("problems", Cell::Null),
        ("event_time", Cell::Time(NOON_US)),
    ] {
        assert_eq!(cell(Table::Signins, &event, name), expected, "{name}");
    }
}

#[test]
fn what_cannot_be_read_is_noted_and_kept_in_raw() {
    let odd = event(r#"{"properties":{"autonomousSystemNumber":"many"}}"#);
    assert_eq!(
        cell(Table::Signins, &odd, "problems"),
        Cell::Text("cannot read autonomous_system_number".into())
    );
    let Cell::Text(problems) = cell(Table::Signins, &event("<html>"), "problems") else {
        panic!("no problem noted");
    };
    assert!(problems.starts_with("raw is not JSON"), "{problems}");
    assert_eq!(
        cell(Table::Signins, &event("<html>"), "raw"),
        Cell::Text("<html>".into())
    );
}

#[test]
fn bytes_that_are_no_text_are_a_dead_letter() {
    let mut event = event("");
    event.raw = vec![0xff, 0xfe].into();
    assert_eq!(event_row(Table::Signins, &event), Err(Reason::NotUtf8));
}

#[test]
fn a_time_that_cannot_be_believed_keeps_the_row_under_the_day_it_came() {
    for time in [
        None,
        Some(-1),
        Some(i64::MIN),
        Some(i64::MAX),
        Some(NOON_US + DAY_US + 6),
    ] {
        let mut event = event("{}");
        event.event_time_us = time;
        let row = event_row(Table::Signins, &event).unwrap();
        assert_eq!((row.day, row.is_day_its_own), (20_000, false), "{time:?}");
        record_batch(Table::Signins, &[&row]).unwrap();
    }
    let mut tomorrow = event("{}");
    tomorrow.event_time_us = Some(NOON_US + DAY_US);
    let row = event_row(Table::Signins, &tomorrow).unwrap();
    assert_eq!((row.day, row.is_day_its_own), (20_001, true));
}

#[test]
fn an_event_without_an_id_gets_the_hash_of_its_content() {
    let mut first = event(r#"{"a":1,"b":2}"#);
    first.event_id.clear();
    let mut second = event(r#"{"b":2,"a":1}"#);
    second.event_id.clear();
    let first = event_row(Table::Signins, &first).unwrap();
    assert_eq!(
        first.identity,
        event_row(Table::Signins, &second).unwrap().identity
    );
    assert_eq!(
        first.content(Table::Signins),
        event_row(Table::Signins, &second)
            .unwrap()
            .content(Table::Signins)
    );
}

#[test]
fn every_cell_comes_back_from_arrow() {
    let event = event(
        r#"{"properties":{"userPrincipalName":"é","latitude":1,"riskEventTypes_v2":["x"],"isInteractive":false,
        "autonomousSystemNumber":7,"location":{"geoCoordinates":{"latitude":2.5}}}}"#,
    );
    let row = event_row(Table::Signins, &event).unwrap();
    let batch = record_batch(Table::Signins, &[&row, &row]).unwrap();
    for (at, column) in Table::Signins.columns().iter().enumerate() {
        assert_eq!(
            cell_at(column.kind, batch.column(at), 1),
            row.cells[at],
            "{}",
            column.name
        );
    }
}

#[test]
fn days_are_written_and_read() {
    assert_eq!(day_text(20_000), "2024-10-04");
    assert_eq!(day_from_text("2024-10-04"), Some(20_000));
    assert_eq!(day_from_text("../.."), None);
}
