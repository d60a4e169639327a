//! Row groups of a Parquet file as chunks: dictionary pages first, data pages only where they matter.
//!
//! A column whose data pages all refer to its dictionary tells its distinct values from that one page.
//! Source: Parquet format, "Dictionary Encoding".

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray, new_null_array};
use arrow::buffer::{BooleanBuffer, Buffer, OffsetBuffer, ScalarBuffer};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::record_batch::{RecordBatch, RecordBatchReader as _};
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder, RowSelection,
};
use parquet::basic::Encoding;
use parquet::column::page::{Page, PageReader as _};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, PageIndexPolicy};
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::serialized_reader::SerializedPageReader;
use parquet::file::statistics::Statistics;

use super::{Chunk, Distinct, Take};

/// Rows whose values are visited together: some megabytes of raw records.
const PART_ROWS: usize = 2_048;

/// A Parquet file; cheap to share between threads.
#[derive(Debug, Clone)]
pub struct ParquetFile {
    source: Source,
    /// Types as they were written.
    written: ArrowReaderMetadata,
    /// Text as dictionaries, whatever was written: read so where the pages are.
    dictionaries: ArrowReaderMetadata,
}

impl ParquetFile {
    /// Reads the footer of a file.
    ///
    /// # Errors
    /// [`ParquetError`] if it is not a Parquet file.
    pub fn open(file: File) -> Result<Self, ParquetError> {
        let bytes = file.metadata()?.len();
        let source = Source {
            file: Arc::new(file),
            bytes,
        };
        // Where pages start, so that those without a wanted row are skipped.
        let options = ArrowReaderOptions::new().with_offset_index_policy(PageIndexPolicy::Optional);
        let written = ArrowReaderMetadata::load(&source, options)?;
        let fields: Vec<Field> = written
            .schema()
            .fields()
            .iter()
            .map(|field| match field.data_type() {
                DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
                    field.as_ref().clone().with_data_type(text_dictionary())
                }
                _ => field.as_ref().clone(),
            })
            .collect();
        let options = ArrowReaderOptions::new().with_schema(Arc::new(Schema::new(fields)));
        let dictionaries = ArrowReaderMetadata::try_new(Arc::clone(written.metadata()), options)?;
        Ok(Self {
            source,
            written,
            dictionaries,
        })
    }

    /// Rows of all row groups.
    pub fn rows(&self) -> u64 {
        let groups = self.written.metadata().row_groups().iter();
        groups
            .map(|group| u64::try_from(group.num_rows()).unwrap_or(0))
            .sum()
    }

    /// The row groups, in order.
    pub fn row_groups(&self) -> impl Iterator<Item = RowGroup> + '_ {
        let mut first_row = 0;
        self.written
            .metadata()
            .row_groups()
            .iter()
            .enumerate()
            .map(move |(at, group)| {
                let rows = u64::try_from(group.num_rows()).unwrap_or(0);
                let group = RowGroup {
                    file: self.clone(),
                    at,
                    first_row,
                    rows: usize::try_from(rows).unwrap_or(0),
                };
                first_row += rows;
                group
            })
    }
}

fn text_dictionary() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}

/// A row group of a file.
#[derive(Debug, Clone)]
pub struct RowGroup {
    file: ParquetFile,
    at: usize,
    first_row: u64,
    rows: usize,
}

impl RowGroup {
    /// Rows of the file before this group.
    pub fn first_row(&self) -> u64 {
        self.first_row
    }

    /// All columns of the rows whose bit is set, in order, of all rows if none are named.
    ///
    /// # Errors
    /// [`ParquetError`] if the file cannot be read.
    pub fn read(&self, rows: Option<&BooleanBuffer>) -> Result<RecordBatch, ParquetError> {
        self.batch(&self.file.written, None, rows)
    }

    /// Some columns of the rows whose bit is set, in order, of all rows if none are named, so many rows at a time; columns
    /// that the file lacks are left out.
    ///
    /// # Errors
    /// [`ParquetError`] if the file cannot be read; so may each batch be.
    pub fn batches(
        &self,
        columns: &[&str],
        rows: Option<&BooleanBuffer>,
        batch_rows: usize,
    ) -> Result<ParquetRecordBatchReader, ParquetError> {
        let builder = self.reader(&self.file.written, rows);
        let leaves = columns.iter().filter_map(|name| self.leaf(name));
        let mask = ProjectionMask::leaves(builder.parquet_schema(), leaves);
        builder
            .with_projection(mask)
            .with_batch_size(batch_rows)
            .build()
    }

    /// Its place among the row groups of its file, from 0.
    pub fn at(&self) -> usize {
        self.at
    }

    /// Its bytes in the file.
    pub fn bytes(&self) -> u64 {
        let bytes = self
            .file
            .written
            .metadata()
            .row_group(self.at)
            .compressed_size();
        u64::try_from(bytes).unwrap_or(0)
    }

    fn reader(
        &self,
        metadata: &ArrowReaderMetadata,
        rows: Option<&BooleanBuffer>,
    ) -> ParquetRecordBatchReaderBuilder<Source> {
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(
            self.file.source.clone(),
            metadata.clone(),
        )
        .with_row_groups(vec![self.at]);
        match rows {
            Some(rows) => builder.with_row_selection(selection(rows)),
            None => builder,
        }
    }

    fn batch(
        &self,
        metadata: &ArrowReaderMetadata,
        column: Option<usize>,
        rows: Option<&BooleanBuffer>,
    ) -> Result<RecordBatch, ParquetError> {
        let mut builder = self.reader(metadata, rows).with_batch_size(self.rows);
        if let Some(column) = column {
            let mask = ProjectionMask::leaves(builder.parquet_schema(), [column]);
            builder = builder.with_projection(mask);
        }
        let reader = builder.build()?;
        let schema = reader.schema();
        let mut batches = reader.collect::<Result<Vec<RecordBatch>, _>>()?;
        Ok(match batches.len() {
            0 => RecordBatch::new_empty(schema),
            1 => batches.swap_remove(0),
            _ => concat_batches(&schema, &batches)?,
        })
    }

    /// The column of this name, if it is not nested.
    fn leaf(&self, column: &str) -> Option<usize> {
        let columns = self.file.written.metadata().file_metadata().schema_descr();
        columns
            .columns()
            .iter()
            .position(|leaf| leaf.path().parts() == [column])
    }

    fn chunk(&self, leaf: usize) -> &ColumnChunkMetaData {
        self.file.written.metadata().row_group(self.at).column(leaf)
    }

    fn is_text(&self, column: &str) -> bool {
        let field = self.file.dictionaries.schema().field_with_name(column);
        field.is_ok_and(|field| *field.data_type() == text_dictionary())
    }
}

impl Chunk for RowGroup {
    type Error = ParquetError;

    fn rows(&self) -> usize {
        self.rows
    }

    fn distinct(&mut self, column: &str) -> Result<Option<Distinct>, ParquetError> {
        let Some(leaf) = self.leaf(column) else {
            return Ok(Some(Distinct::absent()));
        };
        let chunk = self.chunk(leaf);
        let nulls = chunk.statistics().and_then(Statistics::null_count_opt);
        if nulls == Some(self.rows as u64) {
            return Ok(Some(Distinct::absent()));
        }
        if !self.is_text(column) || !is_all_dictionary(chunk) {
            return Ok(None);
        }
        let source = Arc::new(self.file.source.clone());
        let mut pages = SerializedPageReader::new(source, chunk, self.rows, None)?;
        let Some(Page::DictionaryPage {
            buf,
            num_values,
            encoding: Encoding::PLAIN | Encoding::PLAIN_DICTIONARY,
            ..
        }) = pages.get_next_page()?
        else {
            return Ok(None);
        };
        Ok(Some(Distinct {
            values: plain_texts(&buf, num_values)?,
            has_nulls: nulls != Some(0),
        }))
    }

    fn column(&mut self, column: &str) -> Result<ArrayRef, ParquetError> {
        let Some(leaf) = self.leaf(column) else {
            return Ok(new_null_array(&DataType::Utf8, self.rows));
        };
        // Read as a dictionary only what is one: to build another costs more than plain text.
        let metadata = if is_all_dictionary(self.chunk(leaf)) {
            &self.file.dictionaries
        } else {
            &self.file.written
        };
        let batch = self.batch(metadata, Some(leaf), None)?;
        Ok(Arc::clone(batch.column(0)))
    }

    fn visit(
        &mut self,
        columns: &[&str],
        rows: Option<&BooleanBuffer>,
        take: &mut Take<'_, ParquetError>,
    ) -> Result<(), ParquetError> {
        let leaves: Vec<usize> = columns.iter().filter_map(|name| self.leaf(name)).collect();
        if leaves.is_empty() {
            let count = rows.map_or(self.rows, BooleanBuffer::count_set_bits);
            let absent = new_null_array(&DataType::Utf8, count);
            return take(&vec![absent; columns.len()]);
        }
        let builder = self.reader(&self.file.written, rows);
        let mask = ProjectionMask::leaves(builder.parquet_schema(), leaves);
        let reader = builder
            .with_projection(mask)
            .with_batch_size(PART_ROWS)
            .build()?;
        for batch in reader {
            let batch = batch?;
            let absent = || new_null_array(&DataType::Utf8, batch.num_rows());
            let arrays: Vec<ArrayRef> = columns
                .iter()
                .map(|name| batch.column_by_name(name).cloned().unwrap_or_else(absent))
                .collect();
            take(&arrays)?;
        }
        Ok(())
    }
}

/// True if every data page refers to the column's dictionary.
fn is_all_dictionary(chunk: &ColumnChunkMetaData) -> bool {
    chunk.dictionary_page_offset().is_some()
        && chunk.page_encoding_stats_mask().is_some_and(|mask| {
            mask.is_only(Encoding::PLAIN_DICTIONARY) || mask.is_only(Encoding::RLE_DICTIONARY)
        })
}

/// Texts in plain encoding: each its length in four bytes, then its bytes.
///
/// Source: Parquet format, "Plain: (PLAIN = 0)".
fn plain_texts(page: &Bytes, count: u32) -> Result<StringArray, ParquetError> {
    let cut = || ParquetError::General("a dictionary page ends early".to_owned());
    let count = usize::try_from(count).map_err(|_| cut())?;
    let mut offsets: Vec<i32> = Vec::with_capacity(count.min(page.len()) + 1);
    let mut bytes: Vec<u8> = Vec::with_capacity(page.len());
    let mut rest: &[u8] = page;
    offsets.push(0);
    for _ in 0..count {
        let (length, after) = rest.split_first_chunk::<4>().ok_or_else(cut)?;
        let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| cut())?;
        let (text, after) = after.split_at_checked(length).ok_or_else(cut)?;
        bytes.extend_from_slice(text);
        offsets.push(i32::try_from(bytes.len()).map_err(|_| cut())?);
        rest = after;
    }
    let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
    Ok(StringArray::try_new(
        offsets,
        Buffer::from_vec(bytes),
        None,
    )?)
}

/// The set bits as runs of rows to read and to skip.
fn selection(rows: &BooleanBuffer) -> RowSelection {
    RowSelection::from_consecutive_ranges(rows.set_slices().map(|(from, to)| from..to), rows.len())
}

/// A file that threads read side by side, because no read moves a position.
#[derive(Debug, Clone)]
struct Source {
    file: Arc<File>,
    bytes: u64,
}

impl Length for Source {
    fn len(&self) -> u64 {
        self.bytes
    }
}

impl ChunkReader for Source {
    type T = BufReader<At>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(BufReader::new(At {
            file: Arc::clone(&self.file),
            offset: start,
        }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        if start
            .checked_add(length as u64)
            .is_none_or(|end| end > self.bytes)
        {
            return Err(ParquetError::EOF(
                "a page lies beyond the end of the file".to_owned(),
            ));
        }
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, start)?;
        Ok(bytes.into())
    }
}

/// A place in a file, with a position of its own.
#[derive(Debug)]
struct At {
    file: Arc<File>,
    offset: u64,
}

impl Read for At {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(into, self.offset)?;
        self.offset += read as u64;
        Ok(read)
    }
}
