//! The lake: events to Delta tables of Parquet, committed with their Kafka offsets; SQL over them.
//!
//! | module | what it does |
//! |---|---|
//! | [`stage`] | the loop: topics in, commits and announcements out |
//! | `derived`, `revision` | rows that the lake itself has to say something with (pure) |
//! | `deduplication` | what is new, known, or known with other content (pure) |
//! | `writer` | one table as this process writes it |
//! | `delta` | one Delta table: files and positions in memory, one log entry a commit |
//! | `announce` | which commits others have been told of |
//! | `maintenance` | checkpoints, compaction, removal |
//! | [`reader`] | the tables for readers: SQL, files, counts |
//! | `derived_rows` | rows of vedette's own tables, read back by [`Lake::rows`] |
//! | [`disk`] | the seam through which bytes reach the disk |
//!
//! ```
//! use lake::{Lake, LakeConfig};
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let folder = tempfile::tempdir()?;
//! let lake = Lake::open(&LakeConfig {
//!     location: folder.path().display().to_string(),
//!     ..LakeConfig::default()
//! })?;
//! // A table that is not there yet is empty, and so are the views of it.
//! let (schema, batches) = lake.query_all("SELECT label, title FROM alerts_current").await?;
//! assert_eq!(schema.field(0).name(), "label");
//! assert_eq!(batches.iter().map(|batch| batch.num_rows()).sum::<usize>(), 0);
//! // It is read-only.
//! assert!(lake.query_all("DROP TABLE alerts").await.is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod announce;
pub mod config;
mod deduplication;
mod delta;
mod derived;
mod derived_rows;
pub mod disk;
pub mod error;
mod location;
mod maintenance;
pub mod reader;
mod revision;
mod sql;
pub mod stage;
mod writer;

pub use columns::derived::{ArrivedSignal, DerivedRow, RowError, read_rows};
pub use config::LakeConfig;
pub use error::LakeError;
pub use reader::{Conditions, Lake, TableFile, Taken};
pub use sql::literals;
pub use sql::snapshot::TableSnapshot;
