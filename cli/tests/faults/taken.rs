//! What a fault took away from the pipeline, read from copies: only that may be missing in the end.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};

use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::RowAccessor as _;
use parquet::schema::types::Type;
use prost::Message as _;
use rusqlite::{Connection, OpenFlags};

/// The copies.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    /// Embedded logs that were moved aside.
    pub(crate) logs: Vec<PathBuf>,
    /// Data files of the lake as they were before they were damaged.
    pub(crate) files: Vec<PathBuf>,
}

impl Taken {
    /// Ids of the events in them that the lake need not have.
    pub(crate) fn ids(&self) -> BTreeSet<String> {
        let unread = self.logs.iter().flat_map(|log| unread(log));
        unread
            .chain(self.files.iter().flat_map(|file| rows(file)))
            .collect()
    }
}

/// Events of a log that the lake had not read from it.
fn unread(log: &Path) -> Vec<String> {
    // It is nobody's any more, and is brought up to its write-ahead log where it stands.
    let log = Connection::open_with_flags(log, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
    let mut messages = log
        .prepare(
            "SELECT m.payload FROM messages m JOIN topics t ON t.id = m.place >> 40
             LEFT JOIN positions p ON p.topic = t.id AND p.name = 'lake'
             WHERE t.name LIKE 'events.%' AND m.place & ((1 << 40) - 1) >= coalesce(p.next_offset, 0)",
        )
        .unwrap();
    messages
        .query_map([], |row| row.get::<_, Vec<u8>>(0))
        .unwrap()
        .map(|payload| {
            let event = schemas::wire::Event::decode(payload.unwrap().as_slice()).unwrap();
            event.event_id
        })
        .collect()
}

/// Events of a data file.
fn rows(file: &Path) -> Vec<String> {
    let reader = SerializedFileReader::new(File::open(file).unwrap()).unwrap();
    let whole = reader.metadata().file_metadata().schema().clone();
    let ids = whole
        .get_fields()
        .iter()
        .filter(|field| field.name() == "event_id")
        .cloned()
        .collect();
    let projection = Type::group_type_builder(whole.name())
        .with_fields(ids)
        .build()
        .unwrap();
    reader
        .get_row_iter(Some(projection))
        .unwrap()
        .map(|row| row.unwrap().get_string(0).unwrap().clone())
        .collect()
}
