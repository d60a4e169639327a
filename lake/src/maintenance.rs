//! Keeps tables quick to open and to read: checkpoints, compaction, and removal of what nobody reads any more.
//!
//! Runs beside the commits and never blocks them for longer than one commit of its own.
//! Compaction is conflict-safe: appends of others do not touch it, and if a file that it replaces is gone, it gives up.

mod compaction;
mod inspection;
mod removal;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use bus::Bus;
use schemas::environment::Clock;
use schemas::fate::chain;
use schemas::tables::Table;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::LakeConfig;
use crate::error::LakeError;
use crate::writer::SharedTable;
use removal::Reading;

/// Commits that may wait to be counted; beyond it a commit is not counted, which only delays the next upkeep.
const COMMITS_WAITING_MAX: usize = 1_000;

/// Damaged files that may wait to be set aside; others are met again.
const DAMAGED_WAITING_MAX: usize = 16;

/// What keeps the tables of one process.
pub(crate) struct Maintenance {
    tables: Vec<SharedTable>,
    config: LakeConfig,
    clock: Arc<dyn Clock>,
    bus: Bus,
    commits: mpsc::Sender<Table>,
    waiting: Option<mpsc::Receiver<Table>>,
    found: mpsc::Sender<LakeError>,
    damaged: mpsc::Receiver<LakeError>,
}

impl Maintenance {
    pub(crate) fn new(
        tables: Vec<SharedTable>,
        config: LakeConfig,
        clock: Arc<dyn Clock>,
        bus: Bus,
    ) -> Self {
        let (commits, waiting) = mpsc::channel(COMMITS_WAITING_MAX);
        let (found, damaged) = mpsc::channel(DAMAGED_WAITING_MAX);
        Self {
            tables,
            config,
            clock,
            bus,
            commits,
            waiting: Some(waiting),
            found,
            damaged,
        }
    }

    /// A file that could not be read, if one was met.
    pub(crate) fn damaged(&mut self) -> Option<LakeError> {
        self.damaged.try_recv().ok()
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
        let tables = self.tables.clone();
        let found = self.found.clone();
        let mut keeper = Keeper {
            reading: Reading::new(self.bus.clone(), self.config.announced_to.clone()),
            config: self.config.clone(),
            clock: Arc::clone(&self.clock),
            counts: HashMap::new(),
            noticed: HashMap::new(),
        };
        let (inspected, told, ends) = (tables.clone(), found.clone(), stop.clone());
        let keeping = async move {
            let mut by_table = HashMap::new();
            for live in tables {
                let table = live.lock().await.table;
                by_table.insert(table, live);
            }
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
                if let Err(error) = keeper.keep(table, live).await {
                    tracing::warn!(%table, error = chain(&error), "could not keep the table; the next turn tries again");
                    if error.unreadable_file().is_some() && found.try_send(error).is_err() {
                        tracing::debug!(%table, "other damaged files wait already");
                    }
                }
            }
        };
        tokio::spawn(async move {
            tokio::join!(keeping, inspection::run(&inspected, &told, &ends));
        })
    }
}

/// What keeps tables, and what it remembers between two turns.
struct Keeper {
    config: LakeConfig,
    clock: Arc<dyn Clock>,
    reading: Reading,
    /// Commits by table.
    counts: HashMap<Table, u64>,
    /// When files of each table that nobody holds were seen first.
    noticed: HashMap<Table, HashMap<PathBuf, i64>>,
}

impl Keeper {
    /// Does what is due after one more commit of the table; what fails does not keep the rest from being done.
    async fn keep(&mut self, table: Table, live: &SharedTable) -> Result<(), LakeError> {
        let commits = self.counts.entry(table).or_default();
        *commits += 1;
        let (now_us, config) = (self.clock.now_us(), &self.config);
        let mut outcome = Ok(());
        if commits.is_multiple_of(config.compaction_commits.max(1)) {
            outcome = compaction::compact(live, config, now_us).await;
            let noticed = self.noticed.entry(table).or_default();
            let removed =
                removal::remove_unused(live, config, &mut self.reading, noticed, now_us).await;
            outcome = outcome.and(removed);
        }
        if commits.is_multiple_of(config.checkpoint_commits.max(1)) {
            outcome = outcome.and(checkpoint(live).await);
        }
        outcome
    }
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
