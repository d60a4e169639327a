//! Announcements of commits on the topic of batches.
//!
//! Delivery: at least once. Each commit tells up to where its partitions are known to be announced; whoever
//! takes a partition over announces again what came after.

use bus::Message;
use prost::Message as _;
use schemas::limits::ANNOUNCEMENT_BYTES_MAX;
use schemas::tables::Table;
use schemas::wire::{Batch, BatchFile};

use crate::delta::{DataFile, LiveTable, Partition};
use crate::error::LakeError;
use crate::writer::Committed;
use columns::day_text;

/// True for tables whose commits others act on.
pub(crate) fn is_announced(table: Table) -> bool {
    table.is_events() || table == Table::Revisions
}

/// The announcements of a commit, each at most about [`ANNOUNCEMENT_BYTES_MAX`]; none if nobody waits for it.
pub(crate) fn messages(commit: &Committed, now_us: i64) -> Vec<Message> {
    if !is_announced(commit.table) {
        return Vec::new();
    }
    let mut parts: Vec<(usize, Vec<BatchFile>)> = Vec::new();
    for file in commit.files.iter().map(batch_file) {
        let bytes = file.encoded_len();
        match parts.last_mut() {
            Some((sum, files)) if *sum + bytes <= ANNOUNCEMENT_BYTES_MAX => {
                *sum += bytes;
                files.push(file);
            }
            _ => parts.push((bytes, vec![file])),
        }
    }
    let message = |(_, files)| {
        let batch = Batch {
            table: commit.table.name().to_owned(),
            version: commit.version,
            files,
            committed_time_us: now_us,
        };
        Message {
            key: commit.table.name().to_owned(),
            payload: batch.encode_to_vec(),
        }
    };
    parts.into_iter().map(message).collect()
}

fn batch_file(file: &DataFile) -> BatchFile {
    BatchFile {
        path: file.path.clone(),
        tenant_id: file.tenant_id.clone(),
        day: day_text(file.day),
        rows: file.rows.unwrap_or(0),
        bytes: file.bytes,
    }
}

/// Announcements of a partition's commits that may not have been announced, oldest first, and the offset they reach.
pub(crate) async fn unannounced(
    live: &mut LiveTable,
    partition: Partition,
) -> Result<(Vec<Message>, Option<i64>), LakeError> {
    let reached = live.transaction(&partition.position_id()).await?;
    let announced = live
        .transaction(&partition.announced_id())
        .await?
        .unwrap_or(0);
    let mut messages = Vec::new();
    let mut version = live.snapshot().version;
    while reached.unwrap_or(0) > announced
        && let Some(at) = version.filter(|version| *version >= 0)
    {
        let Some(entry) = live.entry(at)? else {
            // Cleaned away: it is older than the log's retention.
            tracing::warn!(table = %live.table, %partition.topic, partition.partition, version = at,
                "could not look further back for commits to announce");
            break;
        };
        let offset = entry
            .transactions
            .iter()
            .find(|(id, _)| *id == partition.position_id());
        if let Some((_, offset)) = offset {
            if *offset <= announced {
                break;
            }
            let commit = Committed {
                table: live.table,
                version: at,
                files: entry.added,
            };
            messages.extend(self::messages(&commit, entry.time_us).into_iter().rev());
        }
        version = Some(at - 1);
    }
    messages.reverse();
    Ok((messages, reached))
}

#[cfg(test)]
mod tests {
    use super::messages;
    use crate::delta::DataFile;
    use crate::writer::Committed;
    use prost::Message as _;
    use schemas::limits::MESSAGE_BYTES_MAX;
    use schemas::tables::Table;
    use schemas::wire::Batch;

    #[test]
    fn a_commit_of_many_files_is_announced_in_messages_that_the_bus_takes() {
        let file = |at: usize| DataFile {
            path: format!("tenant_id={at:036}/day=2026-11-28/part-{at:036}.parquet"),
            tenant_id: format!("{at:036}"),
            day: 20_000,
            rows: Some(1),
            bytes: 1,
            event_times: None,
            modified_ms: 0,
        };
        let commit = Committed {
            table: Table::M365Activity,
            version: 3,
            files: (0..60_000).map(file).collect(),
        };
        let announced = messages(&commit, 7);
        let mut paths = Vec::new();
        for message in &announced {
            assert!(message.payload.len() < MESSAGE_BYTES_MAX / 4);
            let batch = Batch::decode(message.payload.as_slice()).unwrap();
            paths.extend(batch.files.into_iter().map(|file| file.path));
        }
        assert!(announced.len() > 5);
        assert!(paths.iter().eq(commit.files.iter().map(|file| &file.path)));
    }
}
