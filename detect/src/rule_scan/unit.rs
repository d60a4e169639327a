//! What a partition is made of: files, row groups, and batches in memory.

use std::sync::Arc;

use arrow::array::BooleanArray;
use arrow::buffer::BooleanBuffer;
use arrow::compute::filter_record_batch;
use arrow::record_batch::RecordBatch;
use columns::day_from_text;
use datafusion::common::Result;
use datafusion::error::DataFusionError;
use lake::{Lake, TableFile};
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;
use schemas::tables::Table;
use sigma::plan::chunk::Chunk as _;
use sigma::plan::chunk::row_group::{ParquetFile, RowGroup};

/// The file of some rows, whose path does not say what its table's folders do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanFile {
    /// Path inside the table's folder.
    pub path: String,
    /// The tenant of all its rows.
    pub tenant_id: String,
    /// The day of all its rows, in days since 1970-01-01; none if nobody says.
    pub day: Option<i32>,
}

impl From<&TableFile> for ScanFile {
    fn from(file: &TableFile) -> Self {
        Self {
            path: file.path.clone(),
            tenant_id: file.tenant_id.clone(),
            day: day_from_text(&file.day),
        }
    }
}

/// Rows that are evaluated one after another on one thread.
#[derive(Debug, Clone)]
pub struct ScanUnit {
    pub(super) file: Arc<ScanFile>,
    pub(super) rows: ScanRows,
}

/// Where rows are.
#[derive(Debug, Clone)]
pub(super) enum ScanRows {
    /// In all row groups of a file of so many bytes, opened when it is its turn: a lake has more files than a process may
    /// hold open.
    File { lake: Arc<Lake>, bytes: u64 },
    /// In a row group.
    RowGroup(RowGroup),
    /// In memory.
    Batch(RecordBatch),
}

impl ScanUnit {
    /// All row groups of a file of the lake.
    pub fn file(lake: &Arc<Lake>, file: &TableFile) -> Self {
        Self {
            file: Arc::new(file.into()),
            rows: ScanRows::File {
                lake: Arc::clone(lake),
                bytes: file.bytes,
            },
        }
    }

    /// The row groups of an open file, one by one.
    pub fn row_groups(file: ScanFile, opened: &ParquetFile) -> Vec<Self> {
        let file = Arc::new(file);
        let unit = |group| Self {
            file: Arc::clone(&file),
            rows: ScanRows::RowGroup(group),
        };
        opened.row_groups().map(unit).collect()
    }

    /// One row group of a file.
    pub fn row_group(file: ScanFile, group: RowGroup) -> Self {
        Self {
            file: Arc::new(file),
            rows: ScanRows::RowGroup(group),
        }
    }

    /// Rows in memory, which stand in the file from its first row on.
    pub fn batch(file: ScanFile, batch: RecordBatch) -> Self {
        Self {
            file: Arc::new(file),
            rows: ScanRows::Batch(batch),
        }
    }

    /// About how much there is to evaluate.
    pub(super) fn bytes(&self) -> u64 {
        match &self.rows {
            ScanRows::File { bytes, .. } => *bytes,
            ScanRows::RowGroup(group) => group.bytes(),
            ScanRows::Batch(batch) => batch.get_array_memory_size() as u64,
        }
    }

    /// A file as its row groups; what is no file as it is.
    ///
    /// # Errors
    /// If the file cannot be opened.
    pub(crate) fn opened(self, table: Table) -> Result<Vec<Self>> {
        let ScanRows::File { lake, .. } = &self.rows else {
            return Ok(vec![self]);
        };
        let opened = lake.open_file(table, &self.file.path);
        let opened = opened.map_err(|cause| DataFusionError::External(Box::new(cause)))?;
        let opened = ParquetFile::open(opened).map_err(|cause| {
            let path = &self.file.path;
            DataFusionError::from(cause)
                .context(format!("\"{path}\" of table {table} could not be opened"))
        })?;
        Ok(Self::row_groups(self.file.as_ref().clone(), &opened))
    }
}

impl ScanRows {
    /// How many there are; of a file nobody knows before it is opened.
    pub(super) fn count(&self) -> usize {
        match self {
            Self::File { .. } => 0,
            Self::RowGroup(group) => group.rows(),
            Self::Batch(batch) => batch.num_rows(),
        }
    }

    /// Rows of the file before these.
    pub(super) fn first_row(&self) -> u64 {
        match self {
            Self::RowGroup(group) => group.first_row(),
            Self::File { .. } | Self::Batch(_) => 0,
        }
    }

    /// Place of the row group in its file.
    pub(super) fn at(&self) -> usize {
        match self {
            Self::RowGroup(group) => group.at(),
            Self::File { .. } | Self::Batch(_) => 0,
        }
    }

    /// All columns of all rows.
    pub(super) fn read(&self) -> Result<RecordBatch> {
        match self {
            Self::RowGroup(group) => Ok(group.read(None)?),
            Self::Batch(batch) => Ok(batch.clone()),
            Self::File { .. } => Err(not_opened()),
        }
    }

    /// Some columns of the rows whose bit is set, of all if none are named, so many at a time.
    pub(super) fn batches(
        &self,
        columns: &[&str],
        wanted: Option<&BooleanBuffer>,
        batch_rows: usize,
    ) -> Result<RowBatches> {
        match self {
            Self::RowGroup(group) => {
                let reader = group.batches(columns, wanted, batch_rows)?;
                Ok(RowBatches::Read(Box::new(reader)))
            }
            Self::Batch(batch) => {
                let schema = batch.schema();
                let places = columns.iter().filter_map(|name| schema.index_of(name).ok());
                let batch = batch.project(&places.collect::<Vec<_>>())?;
                let rest = match wanted {
                    None => batch,
                    Some(wanted) => {
                        filter_record_batch(&batch, &BooleanArray::new(wanted.clone(), None))?
                    }
                };
                Ok(RowBatches::Cut { rest, batch_rows })
            }
            Self::File { .. } => Err(not_opened()),
        }
    }
}

fn not_opened() -> DataFusionError {
    DataFusionError::Internal("a file is evaluated by its row groups".to_owned())
}

/// Rows, some at a time.
pub(super) enum RowBatches {
    /// Out of a file.
    Read(Box<ParquetRecordBatchReader>),
    /// Out of memory.
    Cut {
        rest: RecordBatch,
        batch_rows: usize,
    },
}

impl Iterator for RowBatches {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Read(reader) => reader.next().map(|batch| Ok(batch?)),
            Self::Cut { rest, batch_rows } => {
                let rows = rest.num_rows().min(*batch_rows);
                if rows == 0 {
                    return None;
                }
                let next = rest.slice(0, rows);
                *rest = rest.slice(rows, rest.num_rows() - rows);
                Some(Ok(next))
            }
        }
    }
}
