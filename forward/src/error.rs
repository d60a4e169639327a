//! What can end the stage, or keep a destination from being made.

use bus::BusError;
use schemas::fate::Fate;

/// What can end the stage, or keep a destination from being made.
#[derive(Debug, thiserror::Error)]
pub enum ForwardError {
    /// The bus failed.
    #[error("the bus failed")]
    Bus(#[from] BusError),
    /// A setting of a destination cannot be used.
    #[error("cannot use setting \"{key}\" of destination \"{name}\": {why}")]
    Setting {
        /// The destination.
        name: String,
        /// The setting.
        key: &'static str,
        /// Why, and how to mend it.
        why: String,
    },
    /// A task of the stage ended on its own.
    #[error("task \"{task}\" of the stage ended")]
    Task {
        /// The task.
        task: &'static str,
    },
}

impl ForwardError {
    /// What happens next.
    pub fn fate(&self) -> Fate {
        match self {
            Self::Bus(error) => error.fate(),
            Self::Setting { .. } | Self::Task { .. } => Fate::Stop,
        }
    }
}
