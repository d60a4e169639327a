//! Cuts a file into records and normalises them, a bounded amount at a time.

use std::io::{self, BufRead, Cursor, Read};

use super::csv_rows;
use super::open::CHUNK_BYTES;
use crate::normalise::shape::{SHAPE_BYTES_MAX, Shape, shape_of};
use crate::normalise::split::{Piece, Splitter};
use crate::normalise::{Normalised, Origin};

/// Records that are handed over at once, as a rule.
const BATCH_RECORDS: usize = 5_000;

/// Bytes of records that are handed over at once, as a rule.
const BATCH_BYTES: usize = 16 * 1024 * 1024;

/// Gathers records and hands them over in batches.
pub(super) struct Batches<'a> {
    name: &'a str,
    origin: &'a Origin<'a>,
    hand_over: &'a mut dyn FnMut(Normalised) -> bool,
    batch: Normalised,
    bytes: usize,
    row: u64,
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
        };
        self.batch
            .add(piece, format!("{}#{}", self.name, self.row), self.origin);
        let records = self.batch.events.len() + self.batch.dead_letters.len();
        if records >= BATCH_RECORDS || self.bytes >= BATCH_BYTES {
            return self.flush();
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.bytes = 0;
        let batch = std::mem::take(&mut self.batch);
        if batch.events.is_empty() && batch.dead_letters.is_empty() {
            return Ok(());
        }
        if (self.hand_over)(batch) {
            Ok(())
        } else {
            Err(io::ErrorKind::Interrupted.into())
        }
    }
}

/// Reads all records; what was read before an error has been handed over.
pub(super) fn read(
    mut reader: Box<dyn BufRead>,
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
    };
    let mut start = Vec::new();
    let peeked = reader
        .by_ref()
        .take(SHAPE_BYTES_MAX as u64)
        .read_to_end(&mut start);
    let is_csv = csv_rows::is_audit_search(&start);
    let shape = shape_of(&start);
    let rest: Box<dyn Read> = match peeked {
        Ok(_) => Box::new(reader),
        // What came before the error is still worth reading.
        Err(error) => Box::new(Failing(Some(error))),
    };
    let input = Cursor::new(start).chain(rest);
    let read = if is_csv {
        csv_rows::read(input, &mut batches)
    } else {
        read_json(input, shape, &mut batches)
    };
    let flushed = batches.flush();
    read.and(flushed)
}

fn read_json(mut input: impl Read, shape: Shape, batches: &mut Batches<'_>) -> io::Result<()> {
    let mut splitter = Splitter::new(shape);
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
            batches.add(piece)?;
        }
    };
    splitter.finish(&mut pieces);
    for piece in pieces {
        batches.add(piece)?;
    }
    ended
}

/// Fails once with the error that ended the file's beginning.
struct Failing(Option<io::Error>);

impl Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}
