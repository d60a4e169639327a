//! Rows that the lake itself has to say something with: what it could not read, and what it no longer can.
//!
//! Pure.

use columns::Row;
use columns::derived::DerivedRow;
use schemas::dead_letter::{Letter, Reason};
use schemas::ids;
use schemas::wire::Coverage;

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
    let parts = letter.into_parts();
    parts.iter().map(DerivedRow::to_row).collect()
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
    .to_row()
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
    .to_row()
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
    use super::{Place, lost, replaced, unreadable};
    use columns::{Cell, position_of, record_batch};
    use schemas::dead_letter::Reason;
    use schemas::tables::Table;

    const PLACE: Place<'static> = Place {
        tenant_id: "unknown",
        topic: "events.signins",
        partition: 1,
        offset: 7,
        now_us: 9,
    };

    #[test]
    fn what_the_lake_says_itself_fits_the_ledger() {
        for row in [lost(&PLACE, 0, 9), replaced(&PLACE, 7, 0)] {
            record_batch(Table::Coverage, &[&row]).unwrap();
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
