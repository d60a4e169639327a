//! The audit search's CSV export: each row's `AuditData` is a record of the unified audit log.
//!
//! A row is held as it came, so that what is no record becomes a dead letter with its bytes, and within a bound, so
//! that a quote that is never closed does not take the rest of the file into memory.

mod rows;

use std::io::{self, Read};

use schemas::dead_letter::Reason;

use self::rows::{Row, Rows, field, fields};
use super::read::Batches;
use crate::normalise::shape::BYTE_ORDER_MARK;
use crate::normalise::split::Piece;

const COLUMN: &str = "AuditData";

/// True if the first line of `start` is a CSV header with the column.
pub(super) fn is_audit_search(start: &[u8]) -> bool {
    let start = start.strip_prefix(BYTE_ORDER_MARK).unwrap_or(start);
    let header = start
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    if matches!(header.trim_ascii_start().first(), None | Some(b'{' | b'[')) {
        return false;
    }
    let Ok(header) = std::str::from_utf8(header) else {
        return false;
    };
    header.split(',').any(is_column)
}

fn is_column(name: &str) -> bool {
    name.trim().trim_matches('"').eq_ignore_ascii_case(COLUMN)
}

/// Reads every row.
pub(super) fn read(input: impl Read, batches: &mut Batches<'_>) -> io::Result<()> {
    let mut rows = Rows::new(input);
    let mut column = None;
    while let Some(row) = rows.next()? {
        let piece = match row {
            Row::Whole(row) => {
                let Some(column) = column else {
                    column = Some(column_of(&row));
                    continue;
                };
                piece_of(row, column)
            }
            // The header too, if it is one: then every row is kept as a letter.
            Row::Bad(reason, bytes) => Piece::Bad(reason, bytes),
        };
        batches.add(piece)?;
    }
    Ok(())
}

/// Where the column stands in the header.
fn column_of(header: &[u8]) -> usize {
    let header = header.strip_prefix(BYTE_ORDER_MARK).unwrap_or(header);
    let is_wanted = |name: &Vec<u8>| std::str::from_utf8(name).is_ok_and(is_column);
    fields(header)
        .iter()
        .position(is_wanted)
        .unwrap_or(usize::MAX)
}

fn piece_of(row: Vec<u8>, column: usize) -> Piece {
    let data = field(&row, column).unwrap_or_default();
    let data = data.trim_ascii();
    match data.first() {
        Some(b'{') => Piece::Object(data.to_vec()),
        // Excel cuts cells at 32,767 characters; such rows are kept whole like all others that hold no record.
        Some(_) => Piece::Bad(Reason::NotJson, row),
        None => Piece::Bad(Reason::NotARecord, row),
    }
}

#[cfg(test)]
mod tests {
    use super::is_audit_search;

    #[test]
    fn the_header_tells() {
        for (text, expected) in [
            (
                "RecordId,CreationDate,RecordType,Operation,UserId,AuditData\r\n1",
                true,
            ),
            ("\u{feff}\"PSComputerName\",\"auditdata\",\"x\"\n", true),
            ("CreationDate,UserIds\n", false),
            ("{\"AuditData\":1}\n", false),
            ("", false),
        ] {
            assert_eq!(is_audit_search(text.as_bytes()), expected, "{text:?}");
        }
    }
}
