//! Tables as text: the audit search's CSV, and those of portals, Log Analytics, Splunk and people's scripts.
//!
//! The header tells that it is one, and what parts its columns; what a row is its shape decides, as of any object.
//! A row is held as it came, so that what is no record becomes a dead letter with its bytes, and within a bound, so
//! that a quote that is never closed does not take the rest of the file into memory.

mod header;
mod rows;

use std::io::{self, Read};

use schemas::dead_letter::Reason;
use serde_json::{Map, Value};

use self::header::{Header, is_comment, separator_of};
use self::rows::{Row, Rows, fields};
use super::sink::Sink;
use super::windows_1252;
use crate::normalise::layout::BYTE_ORDER_MARK;
use crate::normalise::split::Piece;

/// Most lines above a header.
const LINES_ABOVE_MAX: usize = 20;

/// What parts the columns of a table, told from its beginning; none if it is no table that is known.
pub(super) fn separator_in(start: &[u8]) -> Option<u8> {
    let start = start.strip_prefix(BYTE_ORDER_MARK).unwrap_or(start);
    let mut said = None;
    let lines = start.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    for line in lines.filter(|line| !line.is_empty()).take(LINES_ABOVE_MAX) {
        if matches!(line.first(), Some(b'{' | b'[')) {
            return None;
        }
        if let Some(separator) = separator_of(line) {
            said = Some(separator);
            continue;
        }
        let candidates: &[u8] = said.as_ref().map_or(b",;\t|", std::slice::from_ref);
        let mut known = candidates.iter().copied();
        if let Some(separator) = known.find(|one| Header::of(&fields(line, *one)).is_some()) {
            return Some(separator);
        }
    }
    None
}

/// Reads every row, and says what a person should know of the table.
///
/// # Errors
/// Of the input, once what came before is handed on.
pub(super) fn read(
    input: impl Read,
    separator: u8,
    sink: &mut Sink<'_>,
) -> io::Result<Vec<String>> {
    let mut rows = Rows::new(input, separator);
    let mut header: Option<Header> = None;
    let mut seen = Seen::default();
    let ended = loop {
        let (row, reason) = match rows.next() {
            Err(error) => break Err(error),
            Ok(None) => break Ok(()),
            Ok(Some(Row::Whole(row))) => (row, None),
            Ok(Some(Row::Bad(reason, row))) => (row, Some(reason)),
        };
        let row = seen.decode(row);
        let cells = fields(without_mark(&row), separator);
        // Where tables were joined, the next one's header stands among the rows.
        if let Some(found) = Header::of(&cells) {
            seen.headers += 1;
            header = Some(found);
            continue;
        }
        let Some(header) = &header else {
            seen.lines_above +=
                u64::from(!is_comment(without_mark(&row)) && separator_of(&row).is_none());
            continue;
        };
        seen.rows_beyond += u64::from(cells.len() > header.columns());
        sink(piece_of(header, &cells, row, reason))?;
    };
    ended.map(|()| seen.notes())
}

fn without_mark(row: &[u8]) -> &[u8] {
    row.strip_prefix(BYTE_ORDER_MARK).unwrap_or(row)
}

/// What a person should know of a table.
#[derive(Debug, Default)]
struct Seen {
    headers: u64,
    lines_above: u64,
    rows_beyond: u64,
    rows_of_windows: u64,
}

impl Seen {
    /// A row as UTF-8, where it may be Windows-1252.
    fn decode(&mut self, row: Vec<u8>) -> Vec<u8> {
        if std::str::from_utf8(&row).is_ok() {
            return row;
        }
        match windows_1252::decode(&row) {
            None => row,
            Some(text) => {
                self.rows_of_windows += 1;
                text.into_bytes()
            }
        }
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.lines_above > 0 {
            notes.push(format!(
                "{} lines above the header are no records",
                self.lines_above
            ));
        }
        if self.headers > 1 {
            notes.push(format!("{} tables were joined in it", self.headers));
        }
        if self.rows_beyond > 0 {
            notes.push(format!(
                "{} rows have more cells than the header has columns",
                self.rows_beyond
            ));
        }
        if self.rows_of_windows > 0 {
            notes.push(format!(
                "{} rows are no UTF-8 and were read as Windows-1252",
                self.rows_of_windows
            ));
        }
        notes
    }
}

fn piece_of(header: &Header, cells: &[Vec<u8>], row: Vec<u8>, reason: Option<Reason>) -> Piece {
    let reason = reason.unwrap_or_else(|| {
        // Excel cuts cells at 32,767 characters: a record that begins is one that is cut.
        let record = header.record_in(cells).unwrap_or_default();
        if record.trim_ascii().is_empty() {
            Reason::NotARecord
        } else {
            Reason::NotJson
        }
    });
    if header.is_empty_row(cells) {
        return Piece::Bad(reason, row);
    }
    match object_of(header, cells) {
        None => Piece::Bad(Reason::NotUtf8, row),
        Some(object) => Piece::Row {
            row,
            object: object.into_bytes(),
            reason,
        },
    }
}

/// The row as an object by the names of its columns, in their order; none if it is no text.
///
/// A name with dots is a path, as tools write it that make columns of nested members.
fn object_of(header: &Header, cells: &[Vec<u8>]) -> Option<String> {
    let mut text = String::from("{");
    let mut nested = Map::new();
    let mut beyond = Vec::new();
    for (place, cell) in cells.iter().enumerate() {
        let cell = std::str::from_utf8(cell).ok()?;
        match header.name(place) {
            None if cell.is_empty() => {}
            None => beyond.push(Value::from(cell)),
            Some(name) if name.contains('.') => put(&mut nested, name, cell),
            Some(name) => append(&mut text, name, &cell.into()),
        }
    }
    for (name, value) in &nested {
        append(&mut text, name, value);
    }
    if !beyond.is_empty() {
        append(&mut text, "_beyond", &beyond.into());
    }
    text.push('}');
    Some(text)
}

fn append(text: &mut String, name: &str, value: &Value) {
    if text.len() > 1 {
        text.push(',');
    }
    text.push_str(&Value::from(name).to_string());
    text.push(':');
    text.push_str(&value.to_string());
}

fn put(members: &mut Map<String, Value>, path: &str, cell: &str) {
    match path.split_once('.') {
        None => {
            members.insert(path.to_owned(), cell.into());
        }
        Some((name, rest)) => {
            let inner = members
                .entry(name.to_owned())
                .or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(inner) = inner {
                put(inner, rest, cell);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{read, separator_in};
    use crate::normalise::split::Piece;

    fn objects(text: &[u8]) -> (Vec<String>, Vec<String>) {
        let mut found = Vec::new();
        let separator = separator_in(text).unwrap();
        let notes = read(text, separator, &mut |piece| {
            found.push(match piece {
                Piece::Row { object, .. } => String::from_utf8(object).unwrap(),
                Piece::Object(raw) | Piece::Bad(_, raw) => format!("{raw:?}"),
            });
            Ok(())
        });
        (found, notes.unwrap())
    }

    #[test]
    fn the_header_tells() {
        for (text, expected) in [
            (
                "RecordId,CreationDate,RecordType,Operation,UserId,AuditData\r\n1",
                Some(b','),
            ),
            (
                "\u{feff}\"PSComputerName\",\"auditdata\",\"x\"\n",
                Some(b','),
            ),
            ("#TYPE x.y\r\n\"CreationDate\",\"AuditData\"\n", Some(b',')),
            ("\r\n\r\nCreationDate;AuditData\n", Some(b';')),
            ("sep=;\nCreationDate;AuditData\n", Some(b';')),
            (
                "Export of 3 June, by Ada\n\nCreationDate\tAuditData\n",
                Some(b'\t'),
            ),
            ("CreationDate|Operation|UserId\n", Some(b'|')),
            ("CreationDate,UserIds\n", None),
            ("{\"AuditData\":1}\n", None),
            ("a log line, with AuditData, in it: {\n", None),
            ("", None),
        ] {
            assert_eq!(separator_in(text.as_bytes()), expected, "{text:?}");
        }
    }

    #[test]
    fn a_row_is_an_object_by_the_names_of_its_columns() {
        let (found, notes) = objects(
            b"A title\nTimeGenerated [UTC];Operation;Application  ID ;UserId;UserId;Status.errorCode\n1;a;\"b;\n\"\"c\"\"\";d;e;0;;f\n",
        );
        assert_eq!(
            found,
            [
                r#"{"TimeGenerated":"1","Operation":"a","Application ID":"b;\n\"c\"","UserId":"d","UserId (2)":"e","Status":{"errorCode":"0"},"_beyond":["f"]}"#
            ]
        );
        assert_eq!(
            notes,
            [
                "1 lines above the header are no records",
                "1 rows have more cells than the header has columns"
            ]
        );
    }

    #[test]
    fn joined_tables_and_letters_of_windows_are_read_and_told() {
        let (found, notes) = objects(
            b"Operation,UserId,AuditData\nZo\xeb,1,{}\n\xef\xbb\xbfAuditData,UserId,Operation\n{},2,x\n",
        );
        assert_eq!(
            found,
            [
                r#"{"Operation":"Zoë","UserId":"1","AuditData":"{}"}"#,
                r#"{"AuditData":"{}","UserId":"2","Operation":"x"}"#,
            ]
        );
        assert_eq!(
            notes,
            [
                "2 tables were joined in it",
                "1 rows are no UTF-8 and were read as Windows-1252"
            ]
        );
    }
}
