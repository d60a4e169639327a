//! Announcements of commits on the topic of batches.
//!
//! Delivery: at least once. Each commit tells up to where its partitions are known to be announced; whoever
//! takes a partition over announces again what came after.

use bus::Message;
use prost::Message as _;
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

/// The announcement of a commit; none if nobody waits for it.
pub(crate) fn message(commit: &Committed, now_us: i64) -> Option<Message> {
    if commit.files.is_empty() || !is_announced(commit.table) {
        return None;
    }
    let batch = Batch {
        table: commit.table.name().to_owned(),
        version: commit.version,
        files: commit.files.iter().map(batch_file).collect(),
        committed_time_us: now_us,
    };
    Some(Message {
        key: commit.table.name().to_owned(),
        payload: batch.encode_to_vec(),
    })
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
            messages.extend(message(&commit, entry.time_us));
        }
        version = Some(at - 1);
    }
    messages.reverse();
    Ok((messages, reached))
}
