//! Where the announcements of a log that is gone may not have been read: the recent files of the lake that no
//! announcement of the present log names. Pure.
//!
//! A group without a position cannot know what was evaluated before it, so it reads what the log has from its beginning
//! and then takes those files. Evaluated twice they change nothing: signals and alerts have the ids of their causes.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use bus::{Delivery, Position};
use lake::TableFile;
use schemas::wire::{Batch, BatchFile};

/// How old a file may be that is taken without an announcement: a stage that reads at all is seconds behind, and
/// `vedette rules backtest` evaluates what is older.
const FILE_AGE_MAX: Duration = Duration::from_hours(24);

/// A reading of the topic of batches from its beginning.
#[derive(Debug)]
pub(crate) struct CatchUp {
    /// Offset up to which each partition has yet to be read.
    ends: BTreeMap<i32, i64>,
    /// Partitions without a message.
    empty: Vec<Position>,
    /// Files written before this time are left out, in microseconds since the Unix epoch, UTC.
    since_us: i64,
    /// Recent files that were announced: at most those of [`FILE_AGE_MAX`].
    announced: HashSet<String>,
}

impl CatchUp {
    /// A reading up to `ends`, that begins now.
    pub(crate) fn to(ends: &[Position], now_us: i64) -> Self {
        let age_us = i64::try_from(FILE_AGE_MAX.as_micros()).unwrap_or(i64::MAX);
        Self {
            ends: ends
                .iter()
                .filter(|end| end.next_offset > 0)
                .map(|end| (end.partition, end.next_offset))
                .collect(),
            empty: ends
                .iter()
                .filter(|end| end.next_offset == 0)
                .copied()
                .collect(),
            since_us: now_us.saturating_sub(age_us),
            announced: HashSet::new(),
        }
    }

    /// Notes an announcement that was handled.
    pub(crate) fn passed(&mut self, record: &Delivery) {
        if let Ok(batch) = record.decode::<Batch>()
            && batch.committed_time_us >= self.since_us
        {
            let paths = batch.files.into_iter().map(|file| file.path);
            self.announced.extend(paths);
        }
        self.ends
            .retain(|partition, end| *partition != record.partition || record.offset + 1 < *end);
    }

    /// Whether all is read that was there when it began.
    pub(crate) fn is_over(&self) -> bool {
        self.ends.is_empty()
    }

    /// The positions of partitions that had no message.
    pub(crate) fn empty(&self) -> &[Position] {
        &self.empty
    }

    /// Those of a table's files that are recent and were not announced, as announcements name them.
    pub(crate) fn unannounced(&self, files: Vec<TableFile>) -> Vec<(BatchFile, i64)> {
        files
            .into_iter()
            .filter(|file| file.written_ms.saturating_mul(1000) >= self.since_us)
            .filter(|file| !self.announced.contains(&file.path))
            .map(|file| {
                let named = BatchFile {
                    path: file.path,
                    tenant_id: file.tenant_id,
                    day: file.day,
                    rows: file.rows.unwrap_or(0),
                    bytes: file.bytes,
                };
                (named, file.version)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use bus::{Delivery, Position};
    use lake::TableFile;
    use prost::Message as _;
    use schemas::topics::Topic;
    use schemas::wire::{Batch, BatchFile};

    use super::CatchUp;

    const NOW_US: i64 = 1_789_372_800_000_000;

    fn announcement(offset: i64, path: &str) -> Delivery {
        let file = BatchFile {
            path: path.to_owned(),
            ..BatchFile::default()
        };
        let batch = Batch {
            files: vec![file],
            committed_time_us: NOW_US,
            ..Batch::default()
        };
        Delivery {
            topic: Topic::Batches,
            partition: 0,
            offset,
            key: String::new(),
            payload: batch.encode_to_vec(),
            published_us: 0,
        }
    }

    fn file(path: &str, age_hours: i64) -> TableFile {
        TableFile {
            path: path.to_owned(),
            tenant_id: "t".to_owned(),
            day: "2026-09-14".to_owned(),
            rows: Some(1),
            bytes: 1,
            written_ms: NOW_US / 1000 - age_hours * 3_600_000,
            version: 7,
        }
    }

    #[test]
    fn recent_files_that_nobody_announces_are_found_once_the_log_is_read() {
        let end = Position {
            topic: Topic::Batches,
            partition: 0,
            next_offset: 2,
            last: None,
        };
        let mut catch_up = CatchUp::to(&[end], NOW_US);
        catch_up.passed(&announcement(0, "a"));
        assert!(!catch_up.is_over());
        catch_up.passed(&announcement(1, "b"));
        assert!(catch_up.is_over());
        let files = vec![file("a", 1), file("c", 23), file("d", 25)];
        let found = catch_up.unannounced(files);
        let paths: Vec<&str> = found.iter().map(|(file, _)| file.path.as_str()).collect();
        assert_eq!(paths, ["c"]);
    }

    #[test]
    fn an_empty_log_is_read_at_once() {
        assert!(CatchUp::to(&[], NOW_US).is_over());
    }
}
