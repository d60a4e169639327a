//! What can end the stage.

use std::io;
use std::path::PathBuf;

use bus::BusError;
use microsoft::MicrosoftError;
use schemas::fate::{Fate, HasFate};

use crate::audit::signature::KeyError;
use crate::journal::JournalError;
use crate::playbook::PlaybookError;

/// What can end the stage.
#[derive(Debug, thiserror::Error)]
pub enum RespondError {
    /// The journal failed.
    #[error("the journal failed")]
    Journal(#[from] JournalError),
    /// The bus failed.
    #[error("the bus failed")]
    Bus(#[from] BusError),
    /// A playbook cannot be used.
    #[error("cannot use the playbooks")]
    Playbook(#[from] PlaybookError),
    /// The key of the audit chain cannot be used.
    #[error("cannot sign the audit chain")]
    AuditKey(#[from] KeyError),
    /// The client for Microsoft cannot be built.
    #[error("cannot build the client for microsoft")]
    Client(#[from] MicrosoftError),
    /// A file or folder cannot be used.
    #[error("cannot use {what} {path:?}")]
    File {
        /// What it is for.
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// Live mode, and nobody is protected.
    #[error(
        "respond.dry_run is false and respond.never_act names nobody: name your break-glass accounts, or say \
         respond.never_act_none = true"
    )]
    NobodyProtected,
    /// A task of the stage ended on its own.
    #[error("task \"{task}\" of the stage ended")]
    Task {
        /// The task.
        task: &'static str,
    },
}

impl HasFate for RespondError {
    fn fate(&self) -> Fate {
        self.fate()
    }
}

impl RespondError {
    /// What happens next.
    pub fn fate(&self) -> Fate {
        match self {
            Self::Journal(error) => error.fate(),
            Self::Bus(error) => error.fate(),
            Self::Client(error) => error.fate(),
            Self::Playbook(_)
            | Self::AuditKey(_)
            | Self::File { .. }
            | Self::NobodyProtected
            | Self::Task { .. } => Fate::Stop,
        }
    }
}

impl HasFate for JournalError {
    fn fate(&self) -> Fate {
        self.fate()
    }
}

impl JournalError {
    /// Whether it refuses what a person decided, and the journal itself is well.
    pub fn is_refusal(&self) -> bool {
        self.fate() == Fate::DeadLetter
    }

    /// What happens next.
    pub fn fate(&self) -> Fate {
        match self {
            // A full disk or a busy file may be mended; nothing was half-written.
            Self::Storage { .. } | Self::Create { .. } => Fate::SOON,
            Self::Damaged { .. }
            | Self::Version { .. }
            | Self::Row { .. }
            | Self::Entry { .. }
            | Self::Closed => Fate::Stop,
            Self::NoSuchAction { .. }
            | Self::NoSuchCase { .. }
            | Self::Conflict { .. }
            | Self::DryRun { .. }
            | Self::NothingToUndo { .. }
            | Self::CannotUndo { .. }
            | Self::NoAccount { .. }
            | Self::NoName(_) => Fate::DeadLetter,
        }
    }
}
