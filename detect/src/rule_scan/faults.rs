//! What an operator could not evaluate: an error, or left out and told.

use std::sync::{Mutex, PoisonError};

use datafusion::common::Result;
use datafusion::error::DataFusionError;

/// What was not evaluated.
#[derive(Debug)]
pub enum LeftOut {
    /// A row group that cannot be read.
    RowGroup {
        /// Path of its file.
        file: String,
        /// Its place in the file, from 0.
        at: usize,
        /// Its rows.
        rows: u64,
        /// Why.
        cause: DataFusionError,
    },
    /// A row at which a rule panicked.
    Row {
        /// Path of its file.
        file: String,
        /// Its place in the file, from 0.
        row: u64,
    },
}

impl LeftOut {
    /// As the error that it is where nothing may be left out.
    fn into_error(self) -> DataFusionError {
        match self {
            Self::RowGroup {
                file, at, cause, ..
            } => cause.context(format!(
                "row group {at} of \"{file}\" could not be evaluated; what it holds is not in the answer"
            )),
            Self::Row { file, row } => DataFusionError::Execution(format!(
                "a rule panicked at row {row} of \"{file}\"; this is a fault of vedette, and the row is not in the answer"
            )),
        }
    }
}

/// What becomes of faults, and what there was.
#[derive(Debug, Default)]
pub(super) struct Faults {
    is_left_out: bool,
    list: Mutex<Vec<LeftOut>>,
}

impl Faults {
    /// Faults that are told, and are no errors.
    pub(super) fn leaving_out() -> Self {
        Self {
            is_left_out: true,
            list: Mutex::default(),
        }
    }

    /// Notes a fault.
    ///
    /// # Errors
    /// The fault, where nothing may be left out.
    pub(super) fn note(&self, fault: LeftOut) -> Result<()> {
        if !self.is_left_out {
            return Err(fault.into_error());
        }
        self.list().push(fault);
        Ok(())
    }

    /// Those that were noted since.
    pub(super) fn take(&self) -> Vec<LeftOut> {
        std::mem::take(&mut self.list())
    }

    fn list(&self) -> std::sync::MutexGuard<'_, Vec<LeftOut>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
