//! Keeps tables quick to open and to read: checkpoints, compaction, and removal of what nobody reads any more.
//!
//! Runs beside the commits and never blocks them for longer than one commit of its own.
//! Compaction is conflict-safe: appends of others do not touch it, and if a file that it replaces is gone, it gives up.

mod compaction;
mod removal;

use std::collections::HashMap;
use std::sync::Arc;

use schemas::environment::Clock;
use schemas::tables::Table;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::LakeConfig;
use crate::error::LakeError;
use crate::stage::chain;
use crate::writer::SharedTable;

/// Commits that may wait to be counted; beyond it a commit is not counted, which only delays the next upkeep.
const COMMITS_WAITING_MAX: usize = 1_000;

/// What keeps the tables of one process.
pub(crate) struct Maintenance {
    tables: Vec<SharedTable>,
    config: LakeConfig,
    clock: Arc<dyn Clock>,
    commits: mpsc::Sender<Table>,
    waiting: Option<mpsc::Receiver<Table>>,
}

impl Maintenance {
    pub(crate) fn new(tables: Vec<SharedTable>, config: LakeConfig, clock: Arc<dyn Clock>) -> Self {
        let (commits, waiting) = mpsc::channel(COMMITS_WAITING_MAX);
        Self {
            tables,
            config,
            clock,
            commits,
            waiting: Some(waiting),
        }
    }

    /// Counts a commit.
    pub(crate) fn committed(&self, table: Table) {
        if self.commits.try_send(table).is_err() {
            tracing::debug!(%table, "upkeep is behind");
        }
    }

    /// Starts the upkeep in the background, until `stop`.
    pub(crate) fn start(&mut self, stop: CancellationToken) -> JoinHandle<()> {
        let mut waiting = self.waiting.take();
        let (tables, config, clock) = (
            self.tables.clone(),
            self.config.clone(),
            Arc::clone(&self.clock),
        );
        tokio::spawn(async move {
            let mut by_table = HashMap::new();
            for live in tables {
                let table = live.lock().await.table;
                by_table.insert(table, live);
            }
            let mut counts: HashMap<Table, u64> = HashMap::new();
            while let Some(waiting) = &mut waiting {
                let table = tokio::select! {
                    () = stop.cancelled() => break,
                    table = waiting.recv() => table,
                };
                let Some((table, live)) =
                    table.and_then(|table| Some((table, by_table.get(&table)?)))
                else {
                    break;
                };
                let count = counts.entry(table).or_default();
                *count += 1;
                if let Err(error) = keep(live, *count, &config, clock.as_ref()).await {
                    tracing::warn!(%table, error = chain(&error), "could not keep the table; the next turn tries again");
                }
            }
        })
    }
}

/// What is due after this many commits of the table.
async fn keep(
    live: &SharedTable,
    commits: u64,
    config: &LakeConfig,
    clock: &dyn Clock,
) -> Result<(), LakeError> {
    if commits.is_multiple_of(config.compaction_commits.max(1)) {
        compaction::compact(live, config, clock.now_us()).await?;
        removal::remove_unused(live, config, clock.now_us()).await?;
    }
    if commits.is_multiple_of(config.checkpoint_commits.max(1)) {
        checkpoint(live).await?;
    }
    Ok(())
}

/// Writes a checkpoint, and removes entries that it covers and that are older than the log's retention.
async fn checkpoint(live: &SharedTable) -> Result<(), LakeError> {
    let (table, url, version) = {
        let live = live.lock().await;
        (live.table, live.url()?, live.snapshot().version)
    };
    let Some(version) = version.and_then(|version| u64::try_from(version).ok()) else {
        return Ok(());
    };
    deltalake::checkpoints::create_checkpoint_from_table_url_and_cleanup(
        url,
        version,
        Some(true),
        None,
    )
    .await
    .map_err(|cause| LakeError::Log {
        table,
        cause: Box::new(cause),
    })?;
    metrics::counter!("lake_checkpoints_total", "table" => table.name()).increment(1);
    Ok(())
}
