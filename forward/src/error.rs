//! What can end the stage, or keep a destination from being made.

use std::time::Duration;

use bus::BusError;
use schemas::fate::{Fate, HasFate};

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
    /// The bus brings nothing, although more was there.
    #[error(
        "the bus brought nothing for {} s, and {missing} has not come; fix: see whether its brokers are well, and run it again",
        waited.as_secs()
    )]
    Silent {
        /// How long it was waited for.
        waited: Duration,
        /// What has not come, by partition.
        missing: String,
    },
    /// A task of the stage ended on its own.
    #[error("task \"{task}\" of the stage ended")]
    Task {
        /// The task.
        task: &'static str,
    },
}

impl HasFate for ForwardError {
    fn fate(&self) -> Fate {
        self.fate()
    }
}

impl ForwardError {
    /// What happens next.
    pub fn fate(&self) -> Fate {
        match self {
            Self::Bus(error) => error.fate(),
            Self::Setting { .. } | Self::Silent { .. } | Self::Task { .. } => Fate::Stop,
        }
    }
}
