//! Where things stand: the folder of the lake, and the table of a topic.

use std::path::PathBuf;

use schemas::tables::Table;
use schemas::topics::Topic;

use crate::error::LakeError;

/// The folder that a configured location means.
pub(crate) fn location(text: &str) -> Result<PathBuf, LakeError> {
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

/// The table that keeps a topic's rows and positions.
pub(crate) fn home(topic: Topic) -> Option<Table> {
    match topic {
        Topic::Events(table) => Some(table),
        Topic::DeadLetters => Some(Table::DeadLetters),
        Topic::Coverage => Some(Table::Coverage),
        Topic::Signals => Some(Table::Signals),
        Topic::Alerts => Some(Table::Alerts),
        Topic::Audit => Some(Table::Actions),
        Topic::Batches | Topic::Cases | Topic::Responder => None,
    }
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
