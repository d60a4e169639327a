//! What can go wrong while records are read, and what happens next.

use std::path::PathBuf;
use std::time::Duration;

use bus::BusError;
use microsoft::MicrosoftError;
use schemas::fate::{Fate, HasFate};

/// Why a source could not go on.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The bus did not take the records.
    #[error("could not publish to \"{topic}\"")]
    Publish {
        /// Name of the topic.
        topic: String,
        /// Why.
        #[source]
        cause: BusError,
    },
    /// The bus did not say whether it has what it acknowledged.
    #[error("could not compare the log with what it had acknowledged")]
    Compare {
        /// Why.
        #[source]
        cause: BusError,
    },
    /// The cursor store cannot be used.
    #[error("could not use the cursor store while {doing}")]
    Cursor {
        /// What was being done.
        doing: &'static str,
        /// Why.
        #[source]
        cause: rusqlite::Error,
    },
    /// The folder of the cursor store cannot be made.
    #[error("cannot use folder \"{}\"", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// A file cannot be read.
    #[error("cannot read \"{}\"", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// Microsoft gave no answer that can be used.
    #[error("could not ask Microsoft")]
    Microsoft(#[source] MicrosoftError),
    /// Microsoft's answer has another shape than documented.
    #[error("cannot read the answer to {call}: {found}")]
    Answer {
        /// What was asked for.
        call: &'static str,
        /// What was found.
        found: String,
    },
    /// Event Hubs gave no answer that can be used.
    #[error("could not {call} on hub \"{hub}\": {reason}")]
    EventHubs {
        /// What was tried.
        call: &'static str,
        /// The hub.
        hub: String,
        /// What the client says.
        reason: String,
    },
    /// A call did not end in time.
    #[error("could not {call} within {} s", limit.as_secs())]
    TimedOut {
        /// What was tried.
        call: &'static str,
        /// The bound.
        limit: Duration,
    },
    /// A task of a source ended by a fault.
    #[error("a task of source \"{source_name}\" ended by a fault")]
    Task {
        /// The source.
        source_name: String,
    },
    /// The configuration names something twice or leaves something out.
    #[error("cannot use the configuration of tenant \"{tenant}\": {problem}")]
    Configuration {
        /// The tenant's name.
        tenant: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// The import was stopped before its end.
    #[error("stopped before the end")]
    Stopped,
}

impl From<MicrosoftError> for IngestError {
    fn from(cause: MicrosoftError) -> Self {
        Self::Microsoft(cause)
    }
}

impl HasFate for IngestError {
    fn fate(&self) -> Fate {
        self.fate()
    }
}

impl IngestError {
    /// It with its cause, on one line of the ledger.
    pub(crate) fn told(&self) -> String {
        match self {
            Self::Microsoft(cause) => format!("{self}: {cause}"),
            other => other.to_string(),
        }
    }

    /// True if no source can go on: the bus is gone for all of them.
    pub(crate) fn ends_all(&self) -> bool {
        matches!(self, Self::Publish { .. }) && self.fate() == Fate::Stop
    }

    /// What tells failures apart in a log: the same cause has the same, without ids and times.
    pub(crate) fn kind(&self) -> String {
        let variant = |text: &str| {
            let end = text.find([' ', '{', '(']).unwrap_or(text.len());
            text[..end].to_owned()
        };
        let own = variant(&format!("{self:?}"));
        match self {
            Self::Microsoft(cause) => {
                let code = cause.code().unwrap_or_default();
                let status = cause.status().unwrap_or_default();
                format!("{own} {} {status} {code}", variant(&format!("{cause:?}")))
            }
            Self::EventHubs { call, .. }
            | Self::TimedOut { call, .. }
            | Self::Answer { call, .. } => format!("{own} {call}"),
            _ => own,
        }
    }

    /// What happens next.
    pub fn fate(&self) -> Fate {
        match self {
            Self::Microsoft(cause) => match cause.fate() {
                // A source has no letter to set aside where there was no answer: it tries again.
                Fate::DeadLetter => Fate::SOON,
                fate => fate,
            },
            Self::Publish { cause, .. } | Self::Compare { cause } => cause.fate(),
            Self::Cursor { .. }
            | Self::Answer { .. }
            | Self::EventHubs { .. }
            | Self::TimedOut { .. }
            | Self::Task { .. } => Fate::SOON,
            Self::Folder { .. }
            | Self::File { .. }
            | Self::Configuration { .. }
            | Self::Stopped => Fate::Stop,
        }
    }
}
