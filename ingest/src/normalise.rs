//! Bytes to events: pure, never failing; what cannot become an event becomes a dead letter with its bytes.
//!
//! A record's table follows from its content, never from the hub, file or feed it came in.
//! `raw` is the record's bytes as received; columns are read from it by the lake.

mod describe;
pub(crate) mod directory;
mod entra_diagnostic;
mod graph_alert;
mod graph_log;
mod management_activity;
mod other;
pub(crate) mod shape;
pub(crate) mod split;
mod unwrap;

use schemas::dead_letter::{Letter, Reason};
use schemas::invariants::{RecordsAccounted, check};
use schemas::limits::{JSON_DEPTH_MAX, RECORD_BYTES_MAX};
use schemas::provenance::Provenance;
use schemas::tables::Table;
use schemas::wire;
use serde_json::Value;

use crate::normalise::describe::Description;
use crate::normalise::shape::shape_of;
use crate::normalise::split::{Piece, Splitter};

/// Where bytes come from, as far as a record does not say itself.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// The tenant, where the source knows it; records of imports say it themselves.
    pub tenant_id: Option<&'a str>,
    /// [`Provenance::Live`] for a connector, which makes those that name another tenant [`Provenance::Foreign`];
    /// anything else is kept as it is.
    pub provenance: Provenance,
    /// The connector.
    pub source: &'static str,
    /// The feed's category for records that have none, for example `Audit.Exchange`.
    pub category: Option<&'a str>,
    /// When the bytes were accepted, in microseconds since the Unix epoch, UTC.
    pub ingest_time_us: i64,
}

/// Tenant of records that do not say theirs.
pub const UNKNOWN_TENANT: &str = "unknown";

/// What became of some bytes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Normalised {
    /// Records.
    pub events: Vec<wire::Event>,
    /// What could not become one, in parts where large.
    pub dead_letters: Vec<wire::DeadLetter>,
}

/// Reads all records of `bytes`; the record at index n stands at `{position}#{n}`, or at `position` if alone.
pub fn normalise(bytes: &[u8], position: &str, origin: &Origin<'_>) -> Normalised {
    let mut splitter = Splitter::new(shape_of(bytes));
    let mut pieces = Vec::new();
    splitter.push(bytes, &mut pieces);
    splitter.finish(&mut pieces);
    let mut normalised = Normalised::default();
    for (index, piece) in pieces.into_iter().enumerate() {
        normalised.add(piece, format!("{position}#{index}"), origin);
    }
    normalised
}

impl Normalised {
    /// Adds what becomes of one piece.
    pub(crate) fn add(&mut self, piece: Piece, position: String, origin: &Origin<'_>) {
        let before = (self.events.len(), self.dead_letters.len());
        self.add_piece(piece, position, origin);
        let since = |length: usize, before: usize| (length - before) as u64;
        check(&RecordsAccounted {
            records: 1,
            events: since(self.events.len(), before.0),
            dead_letters: since(self.dead_letters.len(), before.1),
        });
    }

    fn add_piece(&mut self, piece: Piece, position: String, origin: &Origin<'_>) {
        match piece {
            Piece::Bad(reason, raw) => self.add_bad(reason, "", &raw, &position, origin),
            Piece::Object(raw) => match read(&raw) {
                Err((reason, detail)) => self.add_bad(reason, &detail, &raw, &position, origin),
                Ok(record) => self.add_record(&record, raw, position, origin),
            },
        }
    }

    fn add_record(&mut self, record: &Value, raw: Vec<u8>, position: String, origin: &Origin<'_>) {
        match unwrap::unwrap(record, &raw) {
            unwrap::Unwrapped::Itself => self.add_described(record, raw, position, origin),
            unwrap::Unwrapped::Inner(inner) => match read(&inner) {
                Ok(record) => self.add_described(&record, inner, position, origin),
                Err((reason, detail)) => {
                    let detail = format!("the record inside it: {detail}");
                    self.add_bad(reason, &detail, &raw, &position, origin);
                }
            },
        }
    }

    fn add_described(
        &mut self,
        record: &Value,
        raw: Vec<u8>,
        position: String,
        origin: &Origin<'_>,
    ) {
        match describe::describe(record, origin) {
            Ok(description) => self.events.push(event(description, raw, position, origin)),
            Err(detail) => self.add_bad(Reason::NotARecord, detail, &raw, &position, origin),
        }
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
                explain(reason)
            } else {
                detail
            },
            ingest_time_us: origin.ingest_time_us,
            raw,
        };
        self.dead_letters.extend(letter.into_parts());
    }
}

/// Reads the bytes of a record, or says why they are none.
fn read(raw: &[u8]) -> Result<Value, (Reason, String)> {
    if raw.len() > RECORD_BYTES_MAX {
        let detail = format!("{} bytes, limit is {RECORD_BYTES_MAX}", raw.len());
        return Err((Reason::TooLarge, detail));
    }
    let depth = depth_of(raw);
    if depth > JSON_DEPTH_MAX {
        let detail = format!("{depth} levels, limit is {JSON_DEPTH_MAX}");
        return Err((Reason::TooDeep, detail));
    }
    let Ok(text) = std::str::from_utf8(raw) else {
        return Err((Reason::NotUtf8, String::new()));
    };
    match serde_json::from_str::<Value>(text) {
        Ok(record) if record.is_object() => Ok(record),
        Ok(_) => Err((Reason::NotARecord, String::new())),
        // The message holds a place and an expectation, never the record's own text.
        Err(error) => Err((Reason::NotJson, error.to_string())),
    }
}

/// The deepest nesting of brackets outside texts.
fn depth_of(raw: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0_usize);
    let (mut in_text, mut escaped) = (false, false);
    for byte in raw {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_text,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

fn event(
    description: Description,
    raw: Vec<u8>,
    position: String,
    origin: &Origin<'_>,
) -> wire::Event {
    let Description {
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

fn explain(reason: Reason) -> &'static str {
    match reason {
        Reason::NotJson => "bytes that are no JSON",
        Reason::Truncated => "the end is missing",
        Reason::NotUtf8 => "bytes that are no UTF-8",
        Reason::NotARecord => "no record where one is expected",
        Reason::TooLarge => "longer than a record may be",
        Reason::TooDeep => "nested deeper than a record may be",
        Reason::NotTheFormat => "a page or file of another format",
    }
}

#[cfg(test)]
mod tests;
