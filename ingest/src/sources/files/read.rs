//! Cuts a file into records and normalises them, a bounded amount at a time.

use std::io::{self, BufRead, Cursor, Read};

use schemas::dead_letter::Reason;
use schemas::time::DateOrder;

use super::open::CHUNK_BYTES;
use super::sink::Sink;
use super::{answers, csv_rows, windows_1252};
use crate::normalise::layout::{LAYOUT_BYTES_MAX, Layout, layout_of};
use crate::normalise::split::{Piece, Splitter};
use crate::normalise::{Normalised, Origin, Shown, may_hold_date};

/// Records that are handed over at once, as a rule.
const BATCH_RECORDS: usize = 5_000;

/// Bytes of records that are handed over at once, as a rule.
const BATCH_BYTES: usize = 16 * 1024 * 1024;

/// Pieces in a row that are no records and become dead letters one by one; those that follow them go together.
///
/// A letter costs some 300 bytes beside its own, so a file of junk would fill the disk many times over.
const BAD_ALONE_MAX: u64 = 1_000;

/// Most bytes of pieces that go together.
const TOGETHER_BYTES_MAX: usize = 1024 * 1024;

/// Pieces in a row that are no records.
struct Junk {
    reason: Reason,
    first_row: u64,
    pieces: u64,
    bytes: Vec<u8>,
}

/// Gathers records and hands them over in batches.
pub(super) struct Batches<'a> {
    name: &'a str,
    origin: &'a Origin<'a>,
    hand_over: &'a mut dyn FnMut(Normalised) -> bool,
    batch: Normalised,
    bytes: usize,
    row: u64,
    bad_in_a_row: u64,
    junk: Option<Junk>,
    records_of_windows: u64,
}

impl Batches<'_> {
    /// Takes the next piece.
    ///
    /// # Errors
    /// `Interrupted` if nobody takes batches any more.
    pub(super) fn add(&mut self, piece: Piece) -> io::Result<()> {
        self.row += 1;
        self.bytes += match &piece {
            Piece::Object(raw) | Piece::Bad(_, raw) => raw.len(),
            Piece::Row { row, object, .. } => row.len() + object.len(),
        };
        let position = format!("{}#{}", self.name, self.row);
        let piece = match piece {
            Piece::Row {
                row,
                object,
                reason,
            } => {
                let mut trial = Normalised::default();
                let bytes = row.clone();
                trial.add(
                    Piece::Row {
                        row,
                        object,
                        reason,
                    },
                    position.clone(),
                    self.origin,
                );
                if trial.events.is_empty() {
                    Piece::Bad(reason, bytes)
                } else {
                    self.bad_in_a_row = 0;
                    self.end_junk();
                    self.batch.append(trial);
                    return self.flush_if_full();
                }
            }
            piece => piece,
        };
        let Some(piece) = self.put_together(piece) else {
            return Ok(());
        };
        self.add_piece(piece, position);
        self.flush_if_full()
    }

    /// Takes a piece that is nobody else's, as UTF-8 where it may be Windows-1252.
    fn add_piece(&mut self, piece: Piece, position: String) {
        let before = self.batch.events.len();
        let decoded = match &piece {
            Piece::Object(raw) if std::str::from_utf8(raw).is_err() => windows_1252::decode(raw),
            _ => None,
        };
        let is_decoded = decoded.is_some();
        let piece = decoded.map_or(piece, |text| Piece::Object(text.into_bytes()));
        self.batch.add(piece, position, self.origin);
        if is_decoded {
            self.records_of_windows += 1;
            for event in &mut self.batch.events[before..] {
                event.problems.push(OF_WINDOWS.to_owned());
            }
        }
    }

    fn flush_if_full(&mut self) -> io::Result<()> {
        let records = self.batch.events.len() + self.batch.dead_letters.len();
        if records >= BATCH_RECORDS || self.bytes >= BATCH_BYTES {
            return self.flush();
        }
        Ok(())
    }

    /// Takes a piece that is one of very many in a row that are no records; gives back any other.
    fn put_together(&mut self, piece: Piece) -> Option<Piece> {
        let (reason, bytes) = match piece {
            Piece::Bad(reason, bytes) if bytes.len() < TOGETHER_BYTES_MAX / 2 => (reason, bytes),
            other => {
                self.bad_in_a_row = 0;
                self.end_junk();
                return Some(other);
            }
        };
        self.bad_in_a_row += 1;
        if self.bad_in_a_row <= BAD_ALONE_MAX {
            return Some(Piece::Bad(reason, bytes));
        }
        let goes_on = self.junk.as_ref().is_some_and(|junk| {
            junk.reason == reason && junk.bytes.len() + bytes.len() < TOGETHER_BYTES_MAX
        });
        if !goes_on {
            self.end_junk();
        }
        let junk = self.junk.get_or_insert_with(|| Junk {
            reason,
            first_row: self.row,
            pieces: 0,
            bytes: Vec::new(),
        });
        if junk.pieces > 0 {
            junk.bytes.push(b'\n');
        }
        junk.bytes.extend(bytes);
        junk.pieces += 1;
        None
    }

    fn end_junk(&mut self) {
        if let Some(junk) = self.junk.take() {
            let detail = format!(
                "{} pieces that are no records, one a line, after {BAD_ALONE_MAX} others in a row",
                junk.pieces
            );
            let position = format!("{}#{}", self.name, junk.first_row);
            self.batch
                .add_bad(junk.reason, &detail, &junk.bytes, &position, self.origin);
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.end_junk();
        self.bytes = 0;
        let batch = std::mem::take(&mut self.batch);
        if batch == Normalised::default() {
            return Ok(());
        }
        if (self.hand_over)(batch) {
            Ok(())
        } else {
            Err(io::ErrorKind::Interrupted.into())
        }
    }
}

/// What is said of a record whose letters were not UTF-8.
const OF_WINDOWS: &str = "it was no UTF-8: read as Windows-1252";

/// Reads all records; what was read before an error has been handed over.
pub(super) fn read(
    reader: Box<dyn BufRead>,
    name: &str,
    origin: &Origin<'_>,
    hand_over: &mut dyn FnMut(Normalised) -> bool,
) -> io::Result<()> {
    let mut batches = Batches {
        name,
        origin,
        hand_over,
        batch: Normalised::default(),
        bytes: 0,
        row: 0,
        bad_in_a_row: 0,
        junk: None,
        records_of_windows: 0,
    };
    let cut = cut(reader, &mut |piece| batches.add(piece));
    let read = cut.map(|notes| batches.batch.note(notes));
    if batches.records_of_windows > 0 {
        let note = format!(
            "{} records are no UTF-8 and were read as Windows-1252",
            batches.records_of_windows
        );
        batches.batch.note(vec![note]);
    }
    let flushed = batches.flush();
    read.and(flushed)
}

/// Looks at the dates of a file for what their columns tell of the order of day and month.
///
/// What cannot be read is found by who reads the file after it. Most records have no date that proves anything, and are
/// not taken apart for it.
pub(super) fn look_at_dates(reader: Box<dyn BufRead>, told: DateOrder) -> Shown {
    let mut shown = Shown::told(told);
    let looked = cut(reader, &mut |piece| {
        match piece {
            Piece::Object(raw) | Piece::Row { object: raw, .. } if may_hold_date(&raw) => {
                shown.look_at(&raw);
            }
            Piece::Object(_) | Piece::Row { .. } | Piece::Bad(..) => {}
        }
        Ok(())
    });
    if let Err(error) = looked {
        tracing::debug!(%error, "a file's dates were looked at up to a fault");
    }
    shown
}

/// Cuts a file into its pieces, and gives what it says of its own wholeness.
fn cut(mut reader: Box<dyn BufRead>, sink: &mut Sink<'_>) -> io::Result<Vec<String>> {
    let mut start = Vec::new();
    let peeked = reader
        .by_ref()
        .take(LAYOUT_BYTES_MAX as u64)
        .read_to_end(&mut start);
    let separator = csv_rows::separator_in(&start);
    let layout = layout_of(&start);
    let is_answer = answers::is_answer(&start);
    let rest: Box<dyn Read> = match peeked {
        Ok(_) => Box::new(reader),
        // What came before the error is still worth reading.
        Err(error) => Box::new(Failing(Some(error))),
    };
    let input = Cursor::new(start).chain(rest);
    match separator {
        Some(separator) => csv_rows::read(input, separator, sink),
        None if is_answer => answers::read(input, sink),
        None => read_json(input, layout, sink),
    }
}

fn read_json(mut input: impl Read, layout: Layout, sink: &mut Sink<'_>) -> io::Result<Vec<String>> {
    let mut splitter = Splitter::new(layout);
    let mut pieces = Vec::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    let ended = loop {
        let read = match input.read(&mut chunk) {
            Ok(0) => break Ok(()),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => break Err(error),
        };
        splitter.push(&chunk[..read], &mut pieces);
        for piece in pieces.drain(..) {
            sink(piece)?;
        }
    };
    let notes = splitter.finish(&mut pieces);
    for piece in pieces {
        sink(piece)?;
    }
    ended.map(|()| notes)
}

/// Fails once with the error that ended the file's beginning.
struct Failing(Option<io::Error>);

impl Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use schemas::provenance::Provenance;

    use super::{BAD_ALONE_MAX, read};
    use crate::normalise::{Dates, Normalised, Origin};

    fn letters(text: String) -> Vec<(String, usize)> {
        let origin = Origin {
            tenant_id: Some("t"),
            provenance: Provenance::Imported,
            source: "files",
            category: None,
            ingest_time_us: 1,
            dates: Dates::OF_MICROSOFT,
        };
        let mut found = Vec::new();
        let mut hand_over = |batch: Normalised| {
            let letters = batch.dead_letters.into_iter();
            found.extend(letters.map(|letter| (letter.position, letter.raw.len())));
            true
        };
        read(
            Box::new(Cursor::new(text.into_bytes())),
            "f",
            &origin,
            &mut hand_over,
        )
        .unwrap();
        found
    }

    #[test]
    fn very_many_pieces_in_a_row_that_are_no_records_go_together_and_keep_their_bytes() {
        let alone = usize::try_from(BAD_ALONE_MAX).unwrap();
        let header = "CreationDate,AuditData\n";
        let junk = "x,y,z\n".repeat(alone + 400_000);
        let found = letters(format!("{header}{junk}"));
        assert!(found.len() < alone + 10, "{}", found.len());
        let bytes: usize = found.iter().map(|(_, bytes)| bytes).sum();
        assert!(bytes >= 5 * (alone + 400_000), "{bytes}");
        // What is a record between them is one, and what follows is told one by one again.
        let record = r#"{"Id":"1","CreationTime":"2026-03-01T10:00:00","Operation":"A","Workload":"B","RecordType":6}"#;
        let junk = "junk\n".repeat(alone + 2);
        let found = letters(format!("{junk}{record}\n{junk}"));
        assert_eq!(found.len(), 2 * (alone + 1));
    }
}
