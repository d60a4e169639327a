//! The audit search's CSV export: each row's `AuditData` is a record of the unified audit log.

use std::io::{self, Read};

use schemas::dead_letter::Reason;

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
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(input);
    let column = reader
        .byte_headers()?
        .iter()
        .position(|name| {
            let name = name.strip_prefix(BYTE_ORDER_MARK).unwrap_or(name);
            std::str::from_utf8(name).is_ok_and(is_column)
        })
        .unwrap_or(usize::MAX);
    let mut row = csv::ByteRecord::new();
    while reader.read_byte_record(&mut row)? {
        let data = row.get(column).unwrap_or_default().trim_ascii();
        let piece = match data.first() {
            Some(b'{') => Piece::Object(data.to_vec()),
            // Excel cuts cells at 32,767 characters; such rows are kept whole like all others that hold no record.
            Some(_) => Piece::Bad(Reason::NotJson, whole(&row)),
            None => Piece::Bad(Reason::NotARecord, whole(&row)),
        };
        batches.add(piece)?;
    }
    Ok(())
}

/// The row as CSV again: the reader keeps no bytes of it.
fn whole(row: &csv::ByteRecord) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    // Writing to memory cannot fail.
    if writer.write_byte_record(row).is_err() {
        return row.as_slice().to_vec();
    }
    writer
        .into_inner()
        .unwrap_or_else(|_| row.as_slice().to_vec())
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
