//! Events as Parquet files, one for each log source, with the writer's settings that the lake has.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use sigma::plan::RAW;

use crate::events;
use crate::kit::{BenchError, fields, file_error, load};

/// Rows of a row group, as in the lake.
const ROW_GROUP_ROWS: usize = 131_072;

/// Largest dictionary of a column, in bytes, as in the lake.
const DICTIONARY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Files that are being written, by log source.
#[derive(Debug)]
pub(crate) struct Store {
    folder: PathBuf,
    writers: BTreeMap<String, ArrowWriter<fs::File>>,
}

impl Store {
    pub(crate) fn create(folder: &Path) -> Result<Self, BenchError> {
        fs::create_dir_all(folder).map_err(|cause| file_error(folder, cause))?;
        Ok(Self {
            folder: folder.to_owned(),
            writers: BTreeMap::new(),
        })
    }

    pub(crate) fn write(&mut self, name: &str, batch: &RecordBatch) -> Result<(), BenchError> {
        if !self.writers.contains_key(name) {
            let path = self.folder.join(format!("{name}.parquet"));
            let file = fs::File::create(&path).map_err(|cause| file_error(&path, cause))?;
            let writer = ArrowWriter::try_new(file, batch.schema(), Some(properties()?));
            self.writers
                .insert(name.to_owned(), writer.map_err(BenchError::evaluate)?);
        }
        match self.writers.get_mut(name) {
            Some(writer) => writer.write(batch).map_err(BenchError::evaluate),
            None => Ok(()),
        }
    }

    /// Ends the files; returns their bytes.
    pub(crate) fn close(self) -> Result<u64, BenchError> {
        let mut bytes = 0;
        for mut writer in self.writers.into_values() {
            writer.finish().map_err(BenchError::evaluate)?;
            bytes += writer.bytes_written() as u64;
        }
        Ok(bytes)
    }
}

fn properties() -> Result<WriterProperties, BenchError> {
    let level = ZstdLevel::try_new(1).map_err(BenchError::evaluate)?;
    let raw = || ColumnPath::from(RAW);
    Ok(WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_dictionary_page_size_limit(DICTIONARY_BYTES_MAX)
        .set_column_dictionary_enabled(raw(), false)
        .set_column_statistics_enabled(raw(), EnabledStatistics::None)
        .build())
}

/// Stores the events of the file `path` with the columns that the rules of the folder `rules` read; returns the bytes.
///
/// # Errors
/// [`BenchError`] if a file cannot be read or written, or an event is not JSON.
pub fn store(path: &Path, rules: &Path, folder: &Path) -> Result<u64, BenchError> {
    let mut files = Store::create(folder)?;
    events::read(path, fields(&load(rules)?), true, |name, batch| {
        files.write(name, batch)
    })?;
    files.close()
}
