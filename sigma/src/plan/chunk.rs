//! Rows to evaluate, column by column: first what values there are, then, only if it matters, where they stand.

pub mod of_tenant;
pub mod row_group;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, StringArray, new_null_array};
use arrow::buffer::BooleanBuffer;
use arrow::compute::filter;
use arrow::datatypes::{DataType, Int32Type};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;

/// What is done with the columns of some rows, in the order in which they were asked for.
pub type Take<'a, E> = dyn FnMut(&[ArrayRef]) -> Result<(), E> + 'a;

/// Some rows of a table.
///
/// Implemented by a batch in memory, and by a row group of a Parquet file, which reads no more than is asked for.
pub trait Chunk {
    /// What can go wrong while a column is read.
    type Error: From<ArrowError>;

    /// Number of rows.
    fn rows(&self) -> usize;

    /// The distinct values of a column of text, if they can be told without reading its rows.
    ///
    /// # Errors
    /// If the column cannot be read.
    fn distinct(&mut self, column: &str) -> Result<Option<Distinct>, Self::Error>;

    /// The values of a column in all rows.
    ///
    /// # Errors
    /// If the column cannot be read.
    fn column(&mut self, column: &str) -> Result<ArrayRef, Self::Error>;

    /// Gives `take` the values of some columns in the rows whose bit is set, in all rows if none are named: in order,
    /// and perhaps some rows at a time, so that long values are never in memory together.
    ///
    /// # Errors
    /// If a column cannot be read, and whatever `take` returns.
    fn visit(
        &mut self,
        columns: &[&str],
        rows: Option<&BooleanBuffer>,
        take: &mut Take<'_, Self::Error>,
    ) -> Result<(), Self::Error>;
}

/// The distinct values of a column: at least those that its rows have.
#[derive(Debug, Clone)]
pub struct Distinct {
    /// The values; more than one row may have each, and a few may stand in no row.
    pub values: StringArray,
    /// True if a row may have no value.
    pub has_nulls: bool,
}

impl Distinct {
    /// Those of a column that has no value in any row.
    pub fn absent() -> Self {
        Self {
            values: StringArray::new_null(0),
            has_nulls: true,
        }
    }

    /// Those of a dictionary array; none of any other.
    pub fn of(array: &dyn Array) -> Option<Self> {
        let dictionary = array.as_dictionary_opt::<Int32Type>()?;
        let values = dictionary.values().as_string_opt::<i32>()?.clone();
        let has_nulls = dictionary.keys().null_count() > 0 || values.null_count() > 0;
        Some(Self { values, has_nulls })
    }
}

/// A batch in memory; a column that it lacks has no values.
#[derive(Debug)]
pub struct Batch<'a>(pub &'a RecordBatch);

impl Chunk for Batch<'_> {
    type Error = ArrowError;

    fn rows(&self) -> usize {
        self.0.num_rows()
    }

    fn distinct(&mut self, column: &str) -> Result<Option<Distinct>, ArrowError> {
        Ok(match self.0.column_by_name(column) {
            None => Some(Distinct::absent()),
            Some(array) => Distinct::of(array),
        })
    }

    fn column(&mut self, column: &str) -> Result<ArrayRef, ArrowError> {
        Ok(match self.0.column_by_name(column) {
            Some(array) => array.clone(),
            None => new_null_array(&DataType::Utf8, self.0.num_rows()),
        })
    }

    fn visit(
        &mut self,
        columns: &[&str],
        rows: Option<&BooleanBuffer>,
        take: &mut Take<'_, ArrowError>,
    ) -> Result<(), ArrowError> {
        let wanted = rows.map(|rows| BooleanArray::new(rows.clone(), None));
        let arrays = columns.iter().map(|column| {
            let array = self.column(column)?;
            match &wanted {
                None => Ok(array),
                Some(wanted) => filter(&array, wanted),
            }
        });
        take(&arrays.collect::<Result<Vec<_>, _>>()?)
    }
}
