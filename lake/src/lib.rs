//! The lake: events to Delta tables of Parquet, committed with their Kafka offsets; SQL over them.
//!
//! | module | what it does |
//! |---|---|
//! | [`stage`] | the loop: topics in, commits and announcements out |
//! | `derived`, `revision` | what travels on topics as rows (pure) |
//! | `deduplication` | what is new, known, or known with other content (pure) |
//! | `writer` | one table as this process writes it |
//! | `delta` | one Delta table: files and positions in memory, one log entry a commit |
//! | `announce` | which commits others have been told of |
//! | `maintenance` | checkpoints, compaction, removal |
//! | [`reader`] | the tables for readers: SQL, files, counts |
//! | [`disk`] | the seam through which bytes reach the disk |

mod announce;
pub mod config;
mod deduplication;
mod delta;
mod derived;
pub mod disk;
pub mod error;
mod maintenance;
pub mod reader;
mod revision;
mod sql;
pub mod stage;
mod writer;

use std::path::PathBuf;

pub use config::LakeConfig;
pub use error::LakeError;
pub use reader::{Lake, TableFile, Taken};
pub use sql::literals;
pub use sql::matches::Conditions;

/// The folder that a configured location means.
fn location(text: &str) -> Result<PathBuf, LakeError> {
    let unusable = || LakeError::Location {
        location: text.to_owned(),
    };
    let folder = match text.split_once("://") {
        None if !text.is_empty() => PathBuf::from(text),
        Some(("file", _)) => url::Url::parse(text)
            .ok()
            .and_then(|url| url.to_file_path().ok())
            .ok_or_else(unusable)?,
        _ => return Err(unusable()),
    };
    std::path::absolute(folder).map_err(|_| unusable())
}

#[cfg(test)]
mod tests {
    use super::location;

    #[test]
    fn a_location_is_a_folder_of_this_machine() {
        assert!(location("data/lake").unwrap().is_absolute());
        assert_eq!(
            location("file:///a/b").unwrap(),
            std::path::Path::new("/a/b")
        );
        for text in ["", "s3://bucket/lake", "file://elsewhere/a"] {
            assert!(location(text).is_err(), "{text}");
        }
    }
}
