//! Why the simulator could not start or go on.

use std::path::PathBuf;

use schemas::fate::Fate;

/// Why the simulator could not start or go on.
#[derive(Debug, thiserror::Error)]
pub enum SimulatorError {
    /// A key of the configuration is out of its bounds.
    #[error("cannot accept the value of simulator setting \"{key}\"")]
    Setting {
        /// The key.
        key: &'static str,
    },
    /// There is no story of a name.
    #[error("there is no story \"{name}\"; the stories are {}", known.join(", "))]
    Story {
        /// The name as given.
        name: String,
        /// The names that there are.
        known: Vec<String>,
    },
    /// A file of an export could not be written.
    #[error("could not write \"{}\": free space or choose another folder", path.display())]
    Export {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: std::io::Error,
    },
    /// An address could not be listened on.
    #[error("could not listen on \"{address}\" for {protocol}")]
    Listen {
        /// The address as configured.
        address: String,
        /// HTTP or AMQP.
        protocol: &'static str,
        /// What the system said.
        #[source]
        cause: std::io::Error,
    },
    /// A server ended although nobody asked it to.
    #[error("the {protocol} server ended early")]
    Served {
        /// HTTP or AMQP.
        protocol: &'static str,
        /// What the system said.
        #[source]
        cause: std::io::Error,
    },
    /// A task of the simulator panicked.
    #[error("a task of the simulator failed")]
    Task {
        /// What the runtime said.
        #[source]
        cause: tokio::task::JoinError,
    },
}

impl SimulatorError {
    /// What happens next: a simulator that cannot serve ends.
    pub const fn fate(&self) -> Fate {
        match self {
            Self::Setting { .. }
            | Self::Story { .. }
            | Self::Export { .. }
            | Self::Listen { .. }
            | Self::Served { .. }
            | Self::Task { .. } => Fate::Stop,
        }
    }
}
