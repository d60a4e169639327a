//! Events of a file as batches, apart by log source: the lake keeps a table for each.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use arrow::buffer::Buffer;
use arrow::record_batch::RecordBatch;
use memchr::memchr;

use crate::flat::{Columns, Fields, Reader};
use crate::kit::{BenchError, file_error};

/// Bytes read at once, some thousand events: each log source makes a batch of its own of them.
const BLOCK_BYTES: usize = 8 * 1024 * 1024;

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
    let mut file = File::open(path).map_err(|cause| file_error(path, cause))?;
    let mut tables = Tables::new(fields, has_raw);
    let (mut rest, mut spare) = (Vec::new(), Vec::with_capacity(BLOCK_BYTES));
    loop {
        let mut block = std::mem::take(&mut spare);
        block.clear();
        block.append(&mut rest);
        let room = BLOCK_BYTES.max(2 * block.len()) - block.len();
        let read = file
            .by_ref()
            .take(room as u64)
            .read_to_end(&mut block)
            .map_err(|cause| file_error(path, cause))?;
        if block.is_empty() {
            return Ok(tables.events);
        }
        // What follows the last line end belongs to the next block; at the end of the file it is a line itself.
        if read > 0 {
            let whole = block.iter().rposition(|byte| *byte == b'\n');
            rest.extend_from_slice(&block[whole.map_or(0, |end| end + 1)..]);
            block.truncate(block.len() - rest.len());
        }
        let block = Buffer::from_vec(block);
        tables.read(&block)?;
        tables.hand_on(&mut take)?;
        spare = block.into_vec().unwrap_or_default();
    }
}

/// The columns of every log source.
struct Tables {
    fields: Arc<Fields>,
    reader: Reader,
    has_raw: bool,
    product: Option<usize>,
    service: Option<usize>,
    columns: BTreeMap<String, Columns>,
    events: u64,
}

impl Tables {
    fn new(fields: Vec<String>, has_raw: bool) -> Self {
        let place = |name: &str| fields.iter().position(|field| field == name);
        let (product, service) = (place("product"), place("service"));
        let fields = Arc::new(Fields::new(fields));
        Self {
            has_raw,
            product,
            service,
            reader: Reader::new(Arc::clone(&fields)),
            fields,
            columns: BTreeMap::new(),
            events: 0,
        }
    }

    /// Puts the events of a block into columns.
    fn read(&mut self, block: &Buffer) -> Result<(), BenchError> {
        let bytes = block.as_slice();
        let (mut start, mut name) = (0, String::new());
        while start < bytes.len() {
            let end = memchr(b'\n', &bytes[start..]).map_or(bytes.len(), |at| start + at);
            self.events += 1;
            let refused = BenchError::Event { line: self.events };
            let Ok(record) = std::str::from_utf8(&bytes[start..end]) else {
                return Err(refused);
            };
            let record = record.trim_end_matches('\r');
            let values = self.reader.read(record).map_err(|_| refused)?;
            let word = |field| {
                let found = values.iter().find(|(known, _)| Some(*known) == field);
                found.map_or("other", |(_, text)| text.as_ref())
            };
            name.clear();
            name.extend([word(self.product), "-", word(self.service)]);
            let columns = if let Some(columns) = self.columns.get_mut(&name) {
                columns
            } else {
                let new = self.fields.columns(self.has_raw);
                self.columns.entry(name.clone()).or_insert(new)
            };
            columns
                .push(&values, block, start, record.len())
                .map_err(BenchError::evaluate)?;
            start = end + 1;
        }
        Ok(())
    }

    fn hand_on(
        &mut self,
        take: &mut impl FnMut(&str, &RecordBatch) -> Result<(), BenchError>,
    ) -> Result<(), BenchError> {
        for (name, columns) in &mut self.columns {
            if columns.rows > 0 {
                take(name, &columns.take().map_err(BenchError::evaluate)?)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use arrow::array::{Array as _, AsArray as _};

    use super::{BLOCK_BYTES, read};

    /// Every line once and whole, wherever blocks end, and however long it is.
    #[test]
    fn lines_are_whole_wherever_a_block_ends() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let long = "x".repeat(BLOCK_BYTES);
        let mut expected = Vec::new();
        for number in 0..2_000 {
            let text = if number == 1_000 {
                &long
            } else {
                &long[..9_000 + number * 7 % 1_000]
            };
            let service = number % 3;
            let line =
                format!(r#"{{"product":"p","service":"{service}","n":{number},"t":"{text}"}}"#);
            writeln!(file, "{line}").unwrap();
            expected.push(line);
        }
        write!(file, "{}", expected[0]).unwrap();
        expected.push(expected[0].clone());
        let fields = ["n", "product", "service"].map(str::to_owned).to_vec();
        let mut found = Vec::new();
        let count = read(file.path(), fields, true, |_, batch| {
            let raw = batch.column_by_name("raw").unwrap().as_string_view();
            found.extend(raw.iter().map(|line| line.unwrap().to_owned()));
            assert_eq!(batch.column(0).null_count(), 0);
            Ok(())
        });
        assert_eq!(count.unwrap(), 2_001);
        found.sort_unstable();
        expected.sort_unstable();
        assert!(found == expected);
    }
}
