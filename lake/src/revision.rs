//! New content under a known identity, as a row of `revisions`.
//!
//! Pure.

use schemas::ids;
use schemas::tables::{Kind, Table};
use serde_json::{Map, Value, json};

use columns::{Cell, Row, position_of};

/// The revision that `row` of `table` is; its id is the hash of identity and content, so the same one twice is one.
pub(crate) fn revision(table: Table, row: &Row, changed: &[&str]) -> Row {
    let cell = |name: &str| position_of(table, name).map_or(Cell::Null, |at| row.cells[at].clone());
    let event_id = cell(table.identity());
    let id_text = match &event_id {
        Cell::Text(text) => text.as_str(),
        _ => "",
    };
    let revision_id = ids::hex(&[
        b"revision",
        table.name().as_bytes(),
        row.tenant_id.as_bytes(),
        id_text.as_bytes(),
        &row.content(table).to_le_bytes(),
    ]);
    let ingest_time = ["ingest_time", "detected_time", "observed_time"]
        .into_iter()
        .map(cell)
        .find(|cell| *cell != Cell::Null)
        .unwrap_or(Cell::Time(0));
    let time_us = |cell: &Cell| match cell {
        Cell::Time(time) => Some(*time),
        _ => None,
    };
    let event_time = cell("event_time");
    let (event_time_us, ingest_time_us) =
        (time_us(&event_time), time_us(&ingest_time).unwrap_or(0));
    let source = match cell("source") {
        Cell::Null => Cell::Text("lake".to_owned()),
        source => source,
    };
    let raw = match cell("raw") {
        Cell::Null => Cell::Text(whole(table, row).to_string()),
        raw => raw,
    };
    let cells = vec![
        Cell::Text(revision_id),
        event_id,
        event_time,
        ingest_time,
        source,
        cell("category"),
        cell("position"),
        Cell::Text(table.name().to_owned()),
        Cell::Text(json!(changed).to_string()),
        cell("provenance"),
        raw,
    ];
    Row::new(
        Table::Revisions,
        &row.tenant_id,
        event_time_us,
        ingest_time_us,
        cells,
    )
}

/// A row without JSON of its own, as JSON.
fn whole(table: Table, row: &Row) -> Value {
    let mut members = Map::new();
    for (column, cell) in table.columns().iter().zip(&row.cells) {
        let value = match cell {
            Cell::Null | Cell::Bytes(_) => continue,
            Cell::Text(text) if column.kind == Kind::Json => {
                serde_json::from_str(text).unwrap_or_else(|_| json!(text))
            }
            Cell::Text(text) => json!(text),
            Cell::Integer(value) => json!(value),
            Cell::Number(value) => json!(value),
            Cell::Boolean(value) => json!(value),
            Cell::Time(value) => json!(schemas::time::iso_ms(*value)),
        };
        members.insert(column.name.to_owned(), value);
    }
    Value::Object(members)
}

#[cfg(test)]
mod tests {
    use super::revision;
    use columns::derived::DerivedRow as _;
    use columns::{Cell, position_of, record_batch};
    use schemas::tables::Table;
    use schemas::wire::Alert;

    #[test]
    fn an_amended_alert_is_a_revision_with_the_alert_as_json() {
        let alert = Alert {
            alert_id: "7".into(),
            state: "amended".into(),
            detected_time_us: 5,
            ..Alert::default()
        };
        let revised = revision(Table::Alerts, &alert.to_row(), &["alert_state"]);
        record_batch(Table::Revisions, &[&revised]).unwrap();
        let cell = |name| revised.cells[position_of(Table::Revisions, name).unwrap()].clone();
        assert_eq!(
            cell("changed_columns"),
            Cell::Text(r#"["alert_state"]"#.into())
        );
        let Cell::Text(raw) = cell("raw") else {
            panic!("no raw")
        };
        assert!(raw.contains(r#""alert_state":"amended""#), "{raw}");
        let again = Alert {
            detected_time_us: 9,
            ..alert
        };
        assert_eq!(
            revision(Table::Alerts, &again.to_row(), &["alert_state"]).identity,
            revised.identity
        );
    }
}
