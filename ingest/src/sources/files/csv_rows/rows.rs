//! Cuts CSV into rows and fields, as RFC 4180 has it and as lenient as it is met. Pure but for its input.

use std::io::{self, Read};

use schemas::dead_letter::Reason;

/// Most bytes of one row: a record of the largest size with every quote doubled, and the columns beside it.
pub(super) const ROW_BYTES_MAX: usize = 16 * 1024 * 1024;

/// How often one file is looked at again from the next line on, after a quote that was not closed.
///
/// Each time costs a scan of at most [`ROW_BYTES_MAX`]; afterwards all that is held goes at once.
const LOOKS_AGAIN_MAX: u32 = 16;

/// Bytes that are read at once.
const CHUNK_BYTES: usize = 256 * 1024;

/// What was cut out.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Row {
    /// A row, without its line end.
    Whole(Vec<u8>),
    /// Bytes without a row's end.
    Bad(Reason, Vec<u8>),
}

/// Where in a row a byte stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// At the start of a field.
    Start,
    /// In a field without quotes, or behind the quotes of one.
    Plain,
    /// Between quotes.
    Quoted,
    /// After a quote between quotes: the end of them, or the first of two.
    Closing,
}

impl Place {
    /// The place after `byte`; a line end outside of quotes ends the row.
    const fn after(self, byte: u8, separator: u8) -> Self {
        match (self, byte) {
            (Self::Quoted, b'"') => Self::Closing,
            (Self::Start | Self::Closing, b'"') | (Self::Quoted, _) => Self::Quoted,
            (_, b'\n') => Self::Start,
            _ if byte == separator => Self::Start,
            _ => Self::Plain,
        }
    }
}

/// The rows of an input.
pub(super) struct Rows<R> {
    input: R,
    /// What parts the fields.
    separator: u8,
    /// What was read and not handed on, from `start` on.
    held: Vec<u8>,
    start: usize,
    scanned: usize,
    place: Place,
    looks_again: u32,
    is_ended: bool,
    /// Why it ended before its end.
    failure: Option<io::Error>,
}

impl<R: Read> Rows<R> {
    pub(super) fn new(input: R, separator: u8) -> Self {
        Self {
            input,
            separator,
            held: Vec::new(),
            start: 0,
            scanned: 0,
            place: Place::Start,
            looks_again: 0,
            is_ended: false,
            failure: None,
        }
    }

    /// The next row that is not empty; none at the end.
    ///
    /// # Errors
    /// Of the input, once what came before is handed on.
    pub(super) fn next(&mut self) -> io::Result<Option<Row>> {
        loop {
            while self.scanned < self.held.len() {
                let byte = self.held[self.scanned];
                let was_quoted = self.place == Place::Quoted;
                self.place = self.place.after(byte, self.separator);
                self.scanned += 1;
                if byte == b'\n' && !was_quoted {
                    let row = self.take(self.scanned);
                    if !row.is_empty() {
                        return Ok(Some(Row::Whole(row)));
                    }
                }
            }
            if self.scanned - self.start >= ROW_BYTES_MAX {
                return Ok(Some(self.give_up(Reason::TooLarge)));
            }
            if !self.is_ended {
                self.read_on();
            } else if let Some(row) = self.last() {
                return Ok(Some(row));
            } else {
                return self.failure.take().map_or(Ok(None), Err);
            }
        }
    }

    /// What stands behind the last line end.
    fn last(&mut self) -> Option<Row> {
        if self.start == self.held.len() {
            return None;
        }
        if self.failure.is_some() {
            return Some(self.give_up(Reason::Truncated));
        }
        if self.place == Place::Quoted {
            return Some(self.give_up(Reason::Truncated));
        }
        let row = self.take(self.held.len());
        (!row.is_empty()).then_some(Row::Whole(row))
    }

    fn read_on(&mut self) {
        self.held.drain(..self.start);
        self.scanned -= self.start;
        self.start = 0;
        let length = self.held.len();
        self.held.resize(length + CHUNK_BYTES, 0);
        let read = loop {
            match self.input.read(&mut self.held[length..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        let taken = read.unwrap_or_else(|error| {
            self.failure = Some(error);
            0
        });
        self.held.truncate(length + taken);
        self.is_ended = taken == 0;
    }

    /// Hands on what is held up to `end`, without a line end.
    fn take(&mut self, end: usize) -> Vec<u8> {
        let row = &self.held[self.start..end];
        let row = row.strip_suffix(b"\n").unwrap_or(row);
        let row = row.strip_suffix(b"\r").unwrap_or(row).to_vec();
        self.start = end;
        row
    }

    /// Hands on what has no end, and goes on at the next line.
    fn give_up(&mut self, reason: Reason) -> Row {
        self.looks_again += 1;
        let held = &self.held[self.start..];
        let is_line_end = |byte: &u8| *byte == b'\n';
        let line_end = if self.looks_again <= LOOKS_AGAIN_MAX {
            held.iter().position(is_line_end)
        } else if reason == Reason::TooLarge {
            held.iter().rposition(is_line_end)
        } else {
            None
        };
        let end = line_end.map_or(self.held.len(), |at| self.start + at + 1);
        let bytes = self.take(end);
        self.scanned = end;
        self.place = Place::Start;
        Row::Bad(reason, bytes)
    }
}

/// The fields of a row.
pub(super) fn fields(row: &[u8], separator: u8) -> Vec<Vec<u8>> {
    let mut fields = vec![Vec::new()];
    let mut place = Place::Start;
    for byte in row {
        let next = place.after(*byte, separator);
        match (place, byte) {
            (Place::Quoted | Place::Start, b'"') => {}
            (Place::Start | Place::Plain | Place::Closing, byte) if *byte == separator => {
                fields.push(Vec::new());
            }
            (_, byte) => {
                if let Some(field) = fields.last_mut() {
                    field.push(*byte);
                }
            }
        }
        place = next;
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::{LOOKS_AGAIN_MAX, ROW_BYTES_MAX, Row, Rows, fields};
    use schemas::dead_letter::Reason;

    fn rows(text: &[u8]) -> Vec<Row> {
        let mut rows = Rows::new(text, b',');
        std::iter::from_fn(|| rows.next().unwrap()).collect()
    }

    fn whole(text: &str) -> Row {
        Row::Whole(text.as_bytes().to_vec())
    }

    #[test]
    fn a_row_ends_at_a_line_end_outside_of_quotes() {
        assert_eq!(
            rows(b"a,b\r\n\r\n1,\"x\n\"\"y\"\"\"\n2,\"z\"q,\"\n\"\n3"),
            [
                whole("a,b"),
                whole("1,\"x\n\"\"y\"\"\""),
                whole("2,\"z\"q,\"\n\""),
                whole("3"),
            ]
        );
        assert_eq!(rows(b""), []);
    }

    #[test]
    fn fields_lose_their_quotes_only() {
        for (row, expected) in [
            ("", vec![""]),
            ("a,b", vec!["a", "b"]),
            ("\"a,\"\"b\"\"\",,c\"d", vec!["a,\"b\"", "", "c\"d"]),
            ("\"a\"b,\"c", vec!["ab", "c"]),
            ("a,", vec!["a", ""]),
        ] {
            let expected: Vec<Vec<u8>> = expected
                .iter()
                .map(|text| text.as_bytes().to_vec())
                .collect();
            assert_eq!(fields(row.as_bytes(), b','), expected, "{row}");
        }
    }

    #[test]
    fn a_quote_that_is_not_closed_costs_its_line_only() {
        let text = b"1,a\n2,\"cut\n3,b\n4,c\n";
        let bad = Row::Bad(Reason::Truncated, b"2,\"cut".to_vec());
        assert_eq!(rows(text), [whole("1,a"), bad, whole("3,b"), whole("4,c")]);
    }

    #[test]
    fn what_has_no_end_is_handed_on_within_a_bound_and_with_every_byte() {
        // A line that is open at its end wherever it begins.
        let line = b"a\"b,\"c\n";
        let text: Vec<u8> = line.iter().copied().cycle().take(40 << 20).collect();
        let mut bytes = 0;
        let rows = rows(&text);
        assert!(rows.len() < LOOKS_AGAIN_MAX as usize + 10, "{}", rows.len());
        for row in rows {
            let (Row::Whole(row) | Row::Bad(_, row)) = row;
            assert!(row.len() <= ROW_BYTES_MAX + super::CHUNK_BYTES);
            bytes += row.len() + 1;
        }
        assert!(bytes.abs_diff(text.len()) <= 1, "{bytes}");
    }
}
