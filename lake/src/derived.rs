//! Rows of the tables that vedette itself writes, from what travels on their topics.
//!
//! Pure.

use schemas::dead_letter::{Letter, Reason};
use schemas::ids;
use schemas::tables::Table;
use schemas::wire::{Alert, AuditRecord, Coverage, DeadLetter, Signal};
use serde_json::{Map, Value, json};

use columns::{Cell, Row, ingest_time};

/// A wire type that has a table of its own.
pub(crate) trait Derived {
    /// Its row.
    fn row(&self) -> Row;
}

fn text(value: &str) -> Cell {
    Cell::Text(value.to_owned())
}

fn list(values: &[String]) -> Cell {
    if values.is_empty() {
        Cell::Null
    } else {
        Cell::Text(json!(values).to_string())
    }
}

fn count(value: u64) -> Cell {
    Cell::Integer(i64::try_from(value).unwrap_or(i64::MAX))
}

/// A time of the wire; 0 means that there is none.
fn some_time(time_us: i64) -> Cell {
    if time_us == 0 {
        Cell::Null
    } else {
        Cell::time(time_us)
    }
}

impl Derived for Alert {
    fn row(&self) -> Row {
        let evidence: Vec<Value> = self
            .evidence
            .iter()
            .map(|event| {
                json!({"table": event.table, "event_id": event.event_id, "file": event.file,
                    "row": event.row, "version": event.version})
            })
            .collect();
        let cells = vec![
            Cell::Text(ids::alert_version(self)),
            text(&self.alert_id),
            some_time(self.first_event_time_us),
            some_time(self.accepted_time_us),
            ingest_time(self.detected_time_us),
            text(&self.label),
            text(&self.rule_id),
            text(&self.title),
            Cell::some_text(&self.description),
            text(&self.severity),
            Cell::some_text(&self.category),
            list(&self.techniques),
            list(&self.tactics),
            Cell::some_text(&self.user),
            Cell::some_text(&self.user_id),
            Cell::some_text(&self.ip),
            Cell::some_text(&self.session_id),
            Cell::some_text(&self.group_key),
            count(self.event_count),
            Cell::Integer(self.counted),
            text(&self.state),
            Cell::some_text(&self.url),
            Cell::Text(Value::Array(evidence).to_string()),
            Cell::some_text(&self.provenance),
        ];
        let event_time = Some(self.first_event_time_us).filter(|time| *time != 0);
        Row::new(
            Table::Alerts,
            &self.tenant_id,
            event_time,
            self.detected_time_us,
            cells,
        )
    }
}

/// A signal, and its place on the topic.
pub(crate) fn signal(signal: &Signal, arrival: i64) -> Row {
    let fields: Map<String, Value> = signal
        .fields
        .iter()
        .map(|field| (field.name.clone(), Value::from(field.value.as_str())))
        .collect();
    let cells = vec![
        text(&signal.signal_id),
        Cell::time(signal.event_time_us),
        ingest_time(signal.accepted_time_us),
        text(&signal.rule_id),
        text(&signal.event_table),
        text(&signal.event_id),
        Cell::Text(Value::Object(fields).to_string()),
        Cell::some_text(&signal.user),
        Cell::some_text(&signal.user_id),
        Cell::some_text(&signal.ip),
        Cell::some_text(&signal.session_id),
        text(&signal.file),
        count(signal.row),
        Cell::Integer(signal.version),
        Cell::Integer(arrival),
        Cell::some_text(&signal.provenance),
    ];
    Row::new(
        Table::Signals,
        &signal.tenant_id,
        Some(signal.event_time_us),
        signal.accepted_time_us,
        cells,
    )
}

impl Derived for AuditRecord {
    fn row(&self) -> Row {
        let cells = vec![
            text(&self.id),
            ingest_time(self.time_us),
            count(self.sequence),
            Cell::some_text(&self.previous_hash),
            text(&self.hash),
            text(&self.action_id),
            Cell::some_text(&self.case_id),
            text(&self.action),
            text(&self.target),
            text(&self.state),
            text(&self.requested_by),
            Cell::Boolean(self.dry_run),
            Cell::some_text(&self.detail),
        ];
        // The same entry may be published again with another time: it is looked for in the days before too.
        Row::new(Table::Actions, &self.tenant_id, None, self.time_us, cells)
    }
}

impl Derived for DeadLetter {
    fn row(&self) -> Row {
        let cells = vec![
            Cell::Text(format!("{}/{}", self.id, self.part)),
            ingest_time(self.ingest_time_us),
            text(&self.source),
            Cell::some_text(&self.position),
            text(&self.reason),
            Cell::some_text(&self.detail),
            count(u64::from(self.part)),
            count(u64::from(self.parts)),
            Cell::Bytes(self.raw.clone()),
        ];
        Row::new(
            Table::DeadLetters,
            &self.tenant_id,
            None,
            self.ingest_time_us,
            cells,
        )
    }
}

impl Derived for Coverage {
    fn row(&self) -> Row {
        let cells = vec![
            text(&self.id),
            ingest_time(self.observed_time_us),
            text(&self.source),
            text(&self.kind),
            Cell::some_text(&self.subject),
            Cell::Integer(self.from),
            Cell::Integer(self.to),
            text(&self.state),
            count(self.records),
            count(self.dead_letters),
            Cell::some_text(&self.detail),
        ];
        Row::new(
            Table::Coverage,
            &self.tenant_id,
            None,
            self.observed_time_us,
            cells,
        )
    }
}

/// Rows of a message that the lake itself could not read, with all of its bytes.
pub(crate) fn unreadable(place: &Place<'_>, reason: Reason, detail: &str, raw: &[u8]) -> Vec<Row> {
    let letter = Letter {
        tenant_id: place.tenant_id,
        source: "lake",
        position: &place.to_string(),
        reason,
        detail,
        ingest_time_us: place.now_us,
        raw,
    };
    letter.into_parts().iter().map(Derived::row).collect()
}

/// Row that says that messages of the bus were gone before the lake had read them.
pub(crate) fn lost(place: &Place<'_>, base: i64, to: i64) -> Row {
    let subject = format!("{}/{}", place.topic, place.partition);
    Coverage {
        id: ids::hex(&[
            b"lake",
            b"lost",
            subject.as_bytes(),
            // Arrivals: the same offsets may be lost again of another log.
            &(place.offset + base).to_le_bytes(),
            &(to + base).to_le_bytes(),
        ]),
        tenant_id: place.tenant_id.to_owned(),
        source: "lake".to_owned(),
        kind: "range".to_owned(),
        subject,
        from: place.offset,
        to,
        state: "lost".to_owned(),
        detail: "the bus no longer had these messages when the lake came to read them".to_owned(),
        observed_time_us: place.now_us,
        ..Coverage::default()
    }
    .row()
}

/// Row that says that a partition had another log than the one that the lake had read up to `place`, and what the lake
/// read on from; what of the one before it had not read is out of reach.
pub(crate) fn replaced(place: &Place<'_>, arrival: i64, first_offset: i64) -> Row {
    let subject = format!("{}/{}", place.topic, place.partition);
    Coverage {
        id: ids::hex(&[
            b"lake",
            b"replaced",
            subject.as_bytes(),
            &place.offset.to_le_bytes(),
            &arrival.to_le_bytes(),
        ]),
        tenant_id: place.tenant_id.to_owned(),
        source: "lake".to_owned(),
        kind: "range".to_owned(),
        subject,
        from: place.offset,
        to: place.offset,
        state: "lost".to_owned(),
        detail: format!(
            "the log was replaced or cut: what it had from offset {} on and was not read is lost; the log that is \
             there now is read from its beginning, offset {first_offset}, and what is known of it is left out",
            place.offset
        ),
        observed_time_us: place.now_us,
        ..Coverage::default()
    }
    .row()
}

/// Where on the bus something was found, and when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    /// The tenant, or "unknown".
    pub(crate) tenant_id: &'a str,
    /// The topic's name.
    pub(crate) topic: &'a str,
    /// The partition.
    pub(crate) partition: i32,
    /// The offset.
    pub(crate) offset: i64,
    /// The time, in microseconds since the Unix epoch, UTC.
    pub(crate) now_us: i64,
}

impl std::fmt::Display for Place<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "{}/{}@{}",
            self.topic, self.partition, self.offset
        )
    }
}

#[cfg(test)]
mod tests {
    use super::{Derived, Place, lost, replaced, signal, unreadable};
    use columns::{Cell, position_of, record_batch};
    use schemas::dead_letter::Reason;
    use schemas::tables::Table;
    use schemas::wire::{Alert, AuditRecord, Coverage, DeadLetter, Evidence, Signal};

    const PLACE: Place<'static> = Place {
        tenant_id: "unknown",
        topic: "events.signins",
        partition: 1,
        offset: 7,
        now_us: 9,
    };

    #[test]
    fn every_derived_row_fits_its_table() {
        let alert = Alert {
            evidence: vec![Evidence::default()],
            ..Alert::default()
        };
        for (table, row) in [
            (Table::Alerts, alert.row()),
            (Table::Signals, signal(&Signal::default(), 7)),
            (Table::Actions, AuditRecord::default().row()),
            (Table::DeadLetters, DeadLetter::default().row()),
            (Table::Coverage, Coverage::default().row()),
            (Table::Coverage, lost(&PLACE, 0, 9)),
            (Table::Coverage, replaced(&PLACE, 7, 0)),
        ] {
            assert_eq!(row.cells.len(), table.columns().len(), "{table}");
            record_batch(table, &[&row]).unwrap();
        }
    }

    #[test]
    fn an_unreadable_message_keeps_its_bytes_and_its_place() {
        let rows = unreadable(&PLACE, Reason::NotTheFormat, "no envelope", b"\xff\x00");
        let cell = |name| rows[0].cells[position_of(Table::DeadLetters, name).unwrap()].clone();
        assert_eq!(
            cell("raw_bytes"),
            Cell::Bytes(b"\xff\x00".as_slice().into())
        );
        assert_eq!(cell("position"), Cell::Text("events.signins/1@7".into()));
    }
}
