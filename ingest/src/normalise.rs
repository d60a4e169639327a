//! Bytes to events: pure, never failing; what cannot become an event becomes a dead letter with its bytes.
//!
//! A record's table follows from its content, never from the hub, file or feed it came in.
//! `raw` is the record's bytes as received, or the record as `undress` put it together out of what a tool made of it;
//! columns are read from it by the lake.

mod azure_event;
mod dates;
mod describe;
pub(crate) mod directory;
mod entra_diagnostic;
mod graph_alert;
mod graph_log;
mod hunting;
pub(crate) mod layout;
mod log_analytics;
mod management_activity;
mod members;
mod origin;
mod other;
pub(crate) mod pages;
mod parse;
mod reading;
mod salvage;
mod shape;
mod shapes;
pub(crate) mod split;
mod undress;

use std::collections::BTreeMap;

use schemas::dead_letter::{Letter, Reason};
use schemas::invariants::{RecordsAccounted, check};
use schemas::provenance::Provenance;
use schemas::tables::Table;
use schemas::wire;
use serde_json::Value;

pub(crate) use crate::normalise::dates::may_hold_one as may_hold_date;
pub use crate::normalise::dates::{Dates, Shown};
pub(crate) use crate::normalise::describe::AMBIGUOUS;
use crate::normalise::layout::layout_of;
pub use crate::normalise::origin::{Origin, UNKNOWN_TENANT};
use crate::normalise::parse::read;
use crate::normalise::reading::Description;
use crate::normalise::salvage::salvage;
use crate::normalise::split::{Piece, Splitter};
use crate::normalise::undress::Undressed;

/// What became of some bytes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Normalised {
    /// Records.
    pub events: Vec<wire::Event>,
    /// What could not become one, in parts where large.
    pub dead_letters: Vec<wire::DeadLetter>,
    /// As what the records were recognised: how many, by what a person calls them.
    pub recognised: BTreeMap<String, u64>,
    /// What pages say of their own wholeness.
    pub notes: Vec<String>,
}

/// Most notes that are kept of one batch: the first tell what the others repeat.
const NOTES_MAX: usize = 20;

/// Reads all records of `bytes`; the record at index n stands at `{position}#{n}`, or at `position` if alone.
pub fn normalise(bytes: &[u8], position: &str, origin: &Origin<'_>) -> Normalised {
    let mut splitter = Splitter::new(layout_of(bytes));
    let mut pieces = Vec::new();
    splitter.push(bytes, &mut pieces);
    let notes = splitter.finish(&mut pieces);
    let mut normalised = Normalised::default();
    for (index, piece) in pieces.into_iter().enumerate() {
        normalised.add(piece, format!("{position}#{index}"), origin);
    }
    normalised.note(notes);
    normalised
}

impl Normalised {
    /// Adds what becomes of one piece.
    pub(crate) fn add(&mut self, piece: Piece, position: String, origin: &Origin<'_>) {
        let before = (self.events.len(), self.dead_letters.len());
        let records = self.add_piece(piece, position, origin);
        let since = |length: usize, before: usize| (length - before) as u64;
        check(&RecordsAccounted {
            records,
            events: since(self.events.len(), before.0),
            dead_letters: since(self.dead_letters.len(), before.1),
        });
    }

    /// Adds what pages say of themselves.
    pub(crate) fn note(&mut self, notes: Vec<String>) {
        for note in notes {
            if self.notes.len() < NOTES_MAX && !self.notes.contains(&note) {
                self.notes.push(note);
            }
        }
    }

    /// Adds all of another batch.
    pub(crate) fn append(&mut self, other: Self) {
        self.events.extend(other.events);
        self.dead_letters.extend(other.dead_letters);
        for (name, count) in other.recognised {
            *self.recognised.entry(name).or_default() += count;
        }
        self.note(other.notes);
    }

    /// Adds what becomes of one piece, and says how many records it held.
    fn add_piece(&mut self, piece: Piece, position: String, origin: &Origin<'_>) -> u64 {
        match piece {
            Piece::Bad(reason, raw) => return self.add_broken(reason, &raw, &position, origin),
            Piece::Row {
                row,
                object,
                reason,
            } => self.add_row(reason, &row, object, &position, origin),
            Piece::Object(raw) => {
                if let Some(page) = may_be_page(&raw).then(|| pages::open(&raw)).flatten() {
                    return self.add_page(page, &position, origin);
                }
                match read(&raw) {
                    Err((reason, detail)) => self.add_bad(reason, &detail, &raw, &position, origin),
                    Ok(record) => self.add_record(record, raw, position, origin),
                }
            }
        }
        1
    }

    /// Adds the records of a page that came in one piece.
    fn add_page(&mut self, page: pages::Opened, position: &str, origin: &Origin<'_>) -> u64 {
        self.note(page.notes);
        let records = page.records.len() as u64;
        for (index, raw) in page.records.into_iter().enumerate() {
            let position = format!("{position}.{index}");
            match read(&raw) {
                Err((reason, detail)) => self.add_bad(reason, &detail, &raw, &position, origin),
                Ok(record) => self.add_record(record, raw, position, origin),
            }
        }
        records
    }

    /// Adds what is left of a record that was cut, if a person handed it over and it still tells what happened.
    ///
    /// A connector reads again what was cut on its way.
    fn add_broken(
        &mut self,
        reason: Reason,
        raw: &[u8],
        position: &str,
        origin: &Origin<'_>,
    ) -> u64 {
        if reason == Reason::NotARecord
            && let Some(page) = pages::open(raw).filter(|page| !page.records.is_empty())
        {
            return self.add_page(page, position, origin);
        }
        let text = std::str::from_utf8(raw).unwrap_or_default();
        let is_ours = reason == Reason::Truncated && origin.provenance == Provenance::Imported;
        let left = is_ours.then(|| salvage(text)).flatten();
        if let Some((left, end)) = left
            && let Ok(record) = read(left.as_bytes())
        {
            let rest = text.get(end..).unwrap_or_default();
            // What came behind the last whole part is kept too.
            let joined = format!(
                "{},\"_cut\":{}}}",
                left.trim_end().strip_suffix('}').unwrap_or(&left),
                Value::from(rest)
            );
            let mut undressed = Undressed::new(record, joined.into_bytes());
            undressed.is_cut = true;
            undressed.problems.push("its end is missing".to_owned());
            if self.add_undressed(undressed, position, origin) {
                return 1;
            }
        }
        self.add_bad(reason, "", raw, position, origin);
        1
    }

    /// Adds a row of a table, or a letter with the row's own bytes if it is nothing known.
    fn add_row(
        &mut self,
        reason: Reason,
        row: &[u8],
        object: Vec<u8>,
        position: &str,
        origin: &Origin<'_>,
    ) {
        let is_added = read(&object).is_ok_and(|record| {
            let mut undressed = Undressed::new(record, object);
            if reason == Reason::Truncated {
                undressed.problems.push("its row is cut".to_owned());
            }
            self.add_undressed(undressed, position, origin)
        });
        if !is_added {
            self.add_bad(reason, "", row, position, origin);
        }
    }

    fn add_record(&mut self, record: Value, raw: Vec<u8>, position: String, origin: &Origin<'_>) {
        match Undressed::new(record, raw).undress(origin) {
            Err(fault) => self.add_bad(fault.reason, &fault.detail, &fault.raw, &position, origin),
            Ok(mut undressed) if undressed.uncut.is_some() => {
                let before = undressed.uncut.take().unwrap_or_default();
                if !self.add_known(undressed, &position, origin) {
                    let detail = "the record inside it is cut, and what is left tells nothing";
                    self.add_bad(Reason::NotJson, detail, &before, &position, origin);
                }
            }
            Ok(undressed) => self.add_described(undressed, position, origin),
        }
    }

    /// Adds what is left of a record; false if it is nothing known.
    fn add_undressed(&mut self, undressed: Undressed, position: &str, origin: &Origin<'_>) -> bool {
        let undressed = undressed.undress(origin);
        undressed.is_ok_and(|undressed| self.add_known(undressed, position, origin))
    }

    fn add_known(&mut self, undressed: Undressed, position: &str, origin: &Origin<'_>) -> bool {
        let described = describe::describe(&undressed.record, origin, &undressed.columns);
        let Ok(description) = described else {
            return false;
        };
        let is_known = description.table != Table::OtherEvents || !description.category.is_empty();
        if is_known {
            self.add_event(description, undressed, position.to_owned(), origin);
        }
        is_known
    }

    fn add_described(&mut self, undressed: Undressed, position: String, origin: &Origin<'_>) {
        match describe::describe(&undressed.record, origin, &undressed.columns) {
            Ok(description) => self.add_event(description, undressed, position, origin),
            Err(detail) => {
                self.add_bad(
                    Reason::NotARecord,
                    detail,
                    &undressed.raw,
                    &position,
                    origin,
                );
            }
        }
    }

    fn add_event(
        &mut self,
        mut description: Description,
        undressed: Undressed,
        position: String,
        origin: &Origin<'_>,
    ) {
        let mut name = description.name.to_owned();
        for shape in undressed.shapes.iter().rev() {
            name.push_str(" in ");
            name.push_str(shape);
        }
        *self.recognised.entry(name).or_default() += 1;
        description.problems.splice(0..0, undressed.problems);
        self.events
            .push(event(description, undressed.raw, position, origin));
    }

    /// Adds a dead letter.
    pub(crate) fn add_bad(
        &mut self,
        reason: Reason,
        detail: &str,
        raw: &[u8],
        position: &str,
        origin: &Origin<'_>,
    ) {
        let letter = Letter {
            tenant_id: origin.tenant_id.unwrap_or(UNKNOWN_TENANT),
            source: origin.source,
            position,
            reason,
            detail: if detail.is_empty() {
                reason.explain()
            } else {
                detail
            },
            ingest_time_us: origin.ingest_time_us,
            raw,
        };
        self.dead_letters.extend(letter.into_parts());
    }
}

/// True if an object may be a page of records: its first member is one that stands around records.
///
/// Looked at before the object is read, because a page may be longer than any record.
fn may_be_page(raw: &[u8]) -> bool {
    let inside = raw
        .trim_ascii_start()
        .strip_prefix(b"{")
        .unwrap_or_default();
    let name = inside
        .trim_ascii_start()
        .strip_prefix(b"\"")
        .unwrap_or_default();
    let end = name.iter().position(|byte| *byte == b'"').unwrap_or(0);
    pages::is_of_page(&name[..end])
}

fn event(
    description: Description,
    raw: Vec<u8>,
    position: String,
    origin: &Origin<'_>,
) -> wire::Event {
    let Description {
        name: _,
        table,
        tenant_id,
        event_id,
        event_time_us,
        category,
        provenance,
        problems,
    } = description;
    wire::Event {
        tenant_id,
        table: table.name().to_owned(),
        event_id,
        event_time_us,
        ingest_time_us: origin.ingest_time_us,
        source: origin.source.to_owned(),
        category,
        position,
        problems,
        raw: raw.into(),
        provenance: provenance.to_string(),
    }
}

/// The table that an event names; an unknown name, which ingest never writes, is kept with the others.
pub(crate) fn table_of(event: &wire::Event) -> Table {
    Table::of_name(&event.table).unwrap_or(Table::OtherEvents)
}

#[cfg(test)]
mod tests;
