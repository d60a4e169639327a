//! What can go wrong in detect, and what happens then.

use datafusion::error::DataFusionError;
use schemas::fate::{Fate, HasFate};
use schemas::tables::Table;

/// What can go wrong while detect runs.
#[derive(Debug, thiserror::Error)]
pub enum DetectError {
    /// The bus failed.
    #[error("could not use the bus")]
    Bus(#[from] bus::BusError),
    /// The lake failed.
    #[error("could not read the lake")]
    Lake(#[from] lake::LakeError),
    /// Rows could not be read or evaluated.
    #[error("could not evaluate rules on table {table}")]
    Evaluate {
        /// The table.
        table: &'static str,
        /// Why.
        #[source]
        cause: DataFusionError,
    },
    /// The rows of an announced file are in no file of the table.
    #[error("announced file \"{path}\" of table {table} is gone, and no other has its rows")]
    Missing {
        /// The table.
        table: &'static str,
        /// The file, as announced.
        path: String,
    },
    /// A message on the topic is not of its type.
    #[error("cannot decode batch announcement at offset {offset}")]
    Announcement {
        /// Where it stands.
        offset: i64,
        /// Why.
        #[source]
        cause: prost::DecodeError,
    },
    /// An alert says what no alert can say.
    #[error("alert {alert_id} cannot be told: {why}")]
    Alert {
        /// Its id.
        alert_id: String,
        /// Why.
        why: String,
    },
    /// The machine stopped an evaluation.
    #[error("evaluation was interrupted")]
    Interrupted,
    /// Rules were refused, and the configuration asks to stop then.
    #[error("{count} rules were refused, first \"{first}\"")]
    Refused {
        /// How many.
        count: usize,
        /// File and reason of the first.
        first: String,
    },
}

impl HasFate for DetectError {
    fn fate(&self) -> Fate {
        self.fate()
    }
}

impl DetectError {
    /// Rows of `table` could not be read or evaluated.
    pub(crate) fn evaluate(table: Table, cause: impl Into<DataFusionError>) -> Self {
        Self::Evaluate {
            table: table.name(),
            cause: cause.into(),
        }
    }

    /// True if a file could not be read or evaluated; another try may do better, and other files do not wait for it.
    pub(crate) fn is_of_file(&self) -> bool {
        match self {
            Self::Evaluate { .. } | Self::Missing { .. } => true,
            Self::Lake(cause) => matches!(
                cause,
                lake::LakeError::ForeignPath { .. }
                    | lake::LakeError::Parquet { .. }
                    | lake::LakeError::Damaged { .. }
                    | lake::LakeError::File { .. }
            ),
            _ => false,
        }
    }

    /// What happens next.
    pub fn fate(&self) -> Fate {
        match self {
            Self::Bus(cause) => cause.fate(),
            // Neither a path outside the lake nor a damaged file gets better by waiting,
            // and the files after it must not wait for it.
            Self::Lake(lake::LakeError::ForeignPath { .. } | lake::LakeError::Parquet { .. })
            | Self::Evaluate { .. }
            | Self::Missing { .. }
            | Self::Announcement { .. }
            | Self::Alert { .. } => Fate::DeadLetter,
            Self::Lake(cause) => cause.fate(),
            Self::Interrupted | Self::Refused { .. } => Fate::Stop,
        }
    }
}
