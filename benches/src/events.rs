//! Events of a file as batches, apart by log source: the lake keeps a table for each.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use arrow::record_batch::RecordBatch;

use crate::flat::{Columns, Fields, Reader};
use crate::kit::{BenchError, file_error};

/// Rows of a batch.
const BATCH_ROWS: usize = 8_192;

/// Reads newline-delimited events and hands them on, with the name of their log source; returns how many there were.
///
/// # Errors
/// [`BenchError`] if the file cannot be read or an event is not JSON, and whatever `take` returns.
pub(crate) fn read(
    path: &Path,
    fields: Vec<String>,
    has_raw: bool,
    mut take: impl FnMut(&str, &RecordBatch) -> Result<(), BenchError>,
) -> Result<u64, BenchError> {
    let place = |name: &str| fields.iter().position(|field| field == name);
    let (product, service, count) = (place("product"), place("service"), fields.len());
    let fields = Fields::new(fields);
    let schema = fields.schema(has_raw);
    let mut reader = Reader::new(fields);
    let mut tables: BTreeMap<String, Columns> = BTreeMap::new();
    let file = File::open(path).map_err(|cause| file_error(path, cause))?;
    let mut lines = BufReader::with_capacity(1 << 20, file);
    let (mut line, mut name, mut events) = (String::new(), String::new(), 0);
    loop {
        line.clear();
        let read = lines
            .read_line(&mut line)
            .map_err(|cause| file_error(path, cause))?;
        if read == 0 {
            break;
        }
        events += 1;
        let record = line.trim_end_matches(['\r', '\n']);
        let values = reader
            .read(record)
            .map_err(|_| BenchError::Event { line: events })?;
        let word = |field| {
            let found = values.iter().find(|(known, _)| Some(*known) == field);
            found.map_or("other", |(_, text)| text.as_ref())
        };
        name.clear();
        name.extend([word(product), "-", word(service)]);
        if !tables.contains_key(&name) {
            tables.insert(
                name.clone(),
                Columns::new(schema.clone(), count, BATCH_ROWS),
            );
        }
        let Some(table) = tables.get_mut(&name) else {
            continue;
        };
        table.push(&values, record);
        if table.rows == BATCH_ROWS {
            take(&name, &table.take().map_err(BenchError::evaluate)?)?;
        }
    }
    for (name, mut table) in tables {
        take(&name, &table.take().map_err(BenchError::evaluate)?)?;
    }
    Ok(events)
}
