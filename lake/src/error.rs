//! What can go wrong in the lake, and what happens then.

use std::io;
use std::path::{Path, PathBuf};

use bus::BusError;
use datafusion::error::DataFusionError;
use deltalake::DeltaTableError;
use parquet::errors::ParquetError;
use schemas::fate::{Fate, HasFate};
use schemas::tables::Table;
use schemas::topics::Topic;

/// What the system calls a sector that it cannot read.
const EIO: i32 = 5;

/// What can go wrong in the lake.
#[derive(Debug, thiserror::Error)]
pub enum LakeError {
    /// The location is not a folder of this machine.
    #[error("cannot keep the lake at \"{location}\"")]
    Location {
        /// The location, as configured.
        location: String,
    },
    /// The disk refused.
    #[error("could not {verb} \"{}\"", path.display())]
    File {
        /// What was tried: "write", "read", "remove".
        verb: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// The Delta log could not be read.
    #[error(
        "could not read the log of table \"{table}\"; a damaged entry is put aside by the lake's stage, in `vedette run` \
         or `vedette lake`"
    )]
    Log {
        /// The table.
        table: Table,
        /// What the library said.
        #[source]
        cause: Box<DeltaTableError>,
    },
    /// An entry of the Delta log is not what the protocol says.
    #[error("cannot read entry {version} in the log of table \"{table}\"")]
    Entry {
        /// The table.
        table: Table,
        /// The entry's version.
        version: i64,
        /// What the decoder said.
        #[source]
        cause: serde_json::Error,
    },
    /// Rows could not be written to or read from Parquet.
    #[error("could not convert rows of table \"{table}\"")]
    Parquet {
        /// The table.
        table: Table,
        /// What the library said.
        #[source]
        cause: ParquetError,
    },
    /// A data file is not what was written.
    #[error("cannot read file \"{}\" of table \"{table}\"", path.display())]
    Damaged {
        /// The table.
        table: Table,
        /// The file.
        path: PathBuf,
        /// What the library said.
        #[source]
        cause: ParquetError,
    },
    /// Another writer has taken over a partition; the batch is not ours to write.
    #[error("another writer has taken over partition {partition} of topic \"{topic}\"")]
    Fenced {
        /// The topic.
        topic: Topic,
        /// The partition.
        partition: i32,
    },
    /// Files that were to be replaced are gone.
    #[error("another writer has replaced the files of table \"{table}\"")]
    Replaced {
        /// The table.
        table: Table,
    },
    /// Somebody else's commits came first too often.
    #[error("could not commit to table \"{table}\" in {tries} tries")]
    Contended {
        /// The table.
        table: Table,
        /// How often it was tried.
        tries: u32,
    },
    /// The bus refused.
    #[error("could not use the bus")]
    Bus(#[from] BusError),
    /// A query could not be planned or run.
    #[error("cannot run the query")]
    Query(#[from] DataFusionError),
    /// A query has so many operators that planning it would overflow the stack.
    #[error(
        "the query has {operators} operators, at most {most} are taken; a long list belongs in IN (…)"
    )]
    QueryTooDeep {
        /// How many it has.
        operators: usize,
        /// How many it may have.
        most: usize,
    },
    /// An answer is too large to be held in memory.
    #[error(
        "the answer has more than {most} bytes; ask for fewer columns or rows, or for an aggregate"
    )]
    AnswerTooLarge {
        /// How many bytes it may have.
        most: usize,
    },
    /// A file's path leads out of its table.
    #[error("path \"{path}\" is not a file of table \"{table}\"")]
    ForeignPath {
        /// The table.
        table: Table,
        /// The path, as asked for.
        path: String,
    },
    /// A worker thread ended early.
    #[error("a worker thread ended early")]
    Worker(#[from] tokio::task::JoinError),
}

impl HasFate for LakeError {
    fn fate(&self) -> Fate {
        self.fate()
    }
}

impl LakeError {
    /// What the loop that met it does next.
    pub fn fate(&self) -> Fate {
        match self {
            Self::File { .. }
            | Self::Log { .. }
            | Self::Fenced { .. }
            | Self::Replaced { .. }
            | Self::Contended { .. }
            // Another writer may be half way through, and the one who keeps the table mends it.
            | Self::Entry { .. }
            // The one who keeps the table sets the file aside; a reader meets another version then.
            | Self::Damaged { .. }
            | Self::Query(_)
            | Self::QueryTooDeep { .. }
            | Self::AnswerTooLarge { .. }
            | Self::Worker(_) => Fate::SOON,
            Self::Bus(cause) => cause.fate(),
            Self::Location { .. }
            | Self::Parquet { .. }
            | Self::ForeignPath { .. } => Fate::Stop,
        }
    }

    /// The file that cannot be read, if it is the file that is at fault and not the machine.
    pub(crate) fn unreadable_file(&self) -> Option<&Path> {
        match self {
            Self::Damaged { path, .. } => Some(path),
            Self::File {
                verb: "read",
                path,
                cause,
            } if cause.kind() == io::ErrorKind::NotFound || cause.raw_os_error() == Some(EIO) => {
                Some(path)
            }
            _ => None,
        }
    }

    /// True if the disk has no room.
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Self::File { cause, .. }
            if matches!(cause.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded))
    }
}
