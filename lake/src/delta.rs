//! One Delta table: its current files and positions in memory, and commits that cost the same however large it is.
//!
//! Protocol: reader 1, writer 2; <https://github.com/delta-io/delta/blob/master/PROTOCOL.md>.
//! A commit is one new numbered file of the log, published whole and only if nobody else took the number:
//! that one step makes rows and bus positions visible together, and it fences writers that were replaced.

mod advance;
pub(crate) mod file;
pub(crate) mod log;
pub(crate) mod mend;
mod proposal;

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bus::Fingerprint;
use deltalake::DeltaTable;
use futures::TryStreamExt as _;
use schemas::invariants::{self, CommittedRange};
use schemas::tables::Table;
use tokio::task::spawn_blocking;
use url::Url;

use crate::disk::Disk;
use crate::error::LakeError;
use advance::NO_FINGERPRINT;
pub(crate) use advance::{Advance, Partition, Reached};
use log::Entry;
use mend::Mended;
pub(crate) use proposal::{DataFile, Proposal};

/// Most versions that other writers may take before a commit gives up for now.
const COMMIT_TRIES_MAX: u32 = 1_000;

/// What a table holds at one version.
#[derive(Debug, Clone, Default)]
pub(crate) struct Snapshot {
    /// The version; none if the table does not exist yet.
    pub(crate) version: Option<i64>,
    /// The files by path.
    pub(crate) files: BTreeMap<String, Arc<DataFile>>,
    /// Latest version of each application's transactions, as far as seen by this process.
    transactions: HashMap<String, i64>,
}

/// How a commit ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is visible, at this version.
    Committed(i64),
    /// It was not made: other writers committed rows that were not looked at.
    Overtaken,
}

/// One table, followed through its log.
pub(crate) struct LiveTable {
    pub(crate) table: Table,
    root: PathBuf,
    disk: Arc<dyn Disk>,
    snapshot: Arc<Snapshot>,
    /// As loaded first: asked for transactions that are older than this process.
    loaded: Option<DeltaTable>,
    foreign_commits: u64,
    /// When files were removed that the log still remembers, in milliseconds since the Unix epoch, by path; none where
    /// the table is only read.
    removals: Option<BTreeMap<String, i64>>,
    /// True after an entry was written whose name may not survive a loss of power.
    is_unsynchronised: bool,
    /// What had to be taken out of the log because nobody could read it, and nobody has been told of yet.
    mended: Vec<Mended>,
}

impl LiveTable {
    /// A table that will be followed, which need not exist yet; nothing is read before [`Self::refresh`].
    pub(crate) fn new(location: &Path, table: Table, disk: Arc<dyn Disk>) -> Self {
        Self {
            table,
            root: location.join(table.name()),
            disk,
            snapshot: Arc::default(),
            loaded: None,
            foreign_commits: 0,
            removals: None,
            is_unsynchronised: false,
            mended: Vec::new(),
        }
    }

    /// Follows a table to keep it: what cannot be read in its log is mended.
    pub(crate) async fn keep(
        location: &Path,
        table: Table,
        disk: Arc<dyn Disk>,
    ) -> Result<Self, LakeError> {
        let mut live = Self::new(location, table, disk);
        live.removals = Some(BTreeMap::new());
        live.refresh().await?;
        Ok(live)
    }

    /// When files were removed that the log still remembers, in milliseconds since the Unix epoch, by path.
    pub(crate) fn removals(&mut self) -> &mut BTreeMap<String, i64> {
        self.removals.get_or_insert_default()
    }

    /// What was taken out of the log since this was asked last.
    pub(crate) fn take_mended(&mut self) -> Vec<Mended> {
        std::mem::take(&mut self.mended)
    }

    /// Creates the table unless somebody has, and adds the columns that it lacks.
    pub(crate) async fn create(&mut self, now_us: i64) -> Result<(), LakeError> {
        if self.snapshot.version.is_none() {
            match self.publish(0, log::creation(self.table, now_us)).await {
                Err(LakeError::File { cause, .. })
                    if cause.kind() == io::ErrorKind::AlreadyExists => {}
                other => other?,
            }
        }
        self.refresh().await?;
        self.add_columns(now_us).await
    }

    /// Adds the columns that this version of vedette knows and the table does not; rows that lack them read as null.
    async fn add_columns(&mut self, now_us: i64) -> Result<(), LakeError> {
        // A table that was created a moment ago has just been written by this version.
        let Some(loaded) = &self.loaded else {
            return Ok(());
        };
        let failed = |cause| LakeError::Log {
            table: self.table,
            cause: Box::new(cause),
        };
        let metadata = loaded.snapshot().map_err(failed)?.metadata();
        let known = serde_json::to_value(metadata).map_err(|cause| LakeError::Entry {
            table: self.table,
            version: 0,
            cause,
        })?;
        let Some(metadata) = log::with_all_columns(self.table, known) else {
            return Ok(());
        };
        tracing::info!(table = %self.table, "adding columns");
        let proposal = Proposal {
            metadata: Some(metadata),
            ..Proposal::default()
        };
        self.commit(&proposal, now_us).await?;
        self.load().await
    }

    /// How many commits with rows other writers made while we watched.
    pub(crate) fn foreign_commits(&self) -> u64 {
        self.foreign_commits
    }

    /// The table's folder.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The disk that it is on.
    pub(crate) fn disk(&self) -> &Arc<dyn Disk> {
        &self.disk
    }

    /// What it held when last looked at.
    pub(crate) fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }

    /// Its address, as the Delta library wants it.
    pub(crate) fn url(&self) -> Result<Url, LakeError> {
        Url::from_directory_path(&self.root).map_err(|()| LakeError::Location {
            location: self.root.display().to_string(),
        })
    }

    /// Takes in what others have committed.
    pub(crate) async fn refresh(&mut self) -> Result<(), LakeError> {
        self.synchronise().await?;
        match self.refresh_once().await {
            Err(error @ (LakeError::Entry { .. } | LakeError::Log { .. }))
                if self.removals.is_some() =>
            {
                self.mend(error).await?;
                self.refresh_once().await
            }
            other => other,
        }
    }

    /// Makes the name of an entry durable whose folder could not be synchronised when it was written.
    async fn synchronise(&mut self) -> Result<(), LakeError> {
        if !self.is_unsynchronised {
            return Ok(());
        }
        let (disk, path) = (Arc::clone(&self.disk), self.root.join(log::LOG_FOLDER));
        let done = spawn_blocking(move || {
            disk.synchronise(&path).map_err(|cause| LakeError::File {
                verb: "synchronise",
                path,
                cause,
            })
        });
        done.await??;
        self.is_unsynchronised = false;
        Ok(())
    }

    async fn refresh_once(&mut self) -> Result<(), LakeError> {
        if self.snapshot.version.is_none() {
            return self.load().await;
        }
        while let Some(entry) = self.entry(self.next_version())? {
            if !entry.is_rearrangement {
                self.foreign_commits += 1;
            }
            self.apply(&entry);
        }
        // Entries may have been cleaned away before we came to read them; the checkpoint then stands beyond us.
        let checkpoint = log::last_checkpoint(&self.root);
        if checkpoint > self.snapshot.version {
            self.load().await?;
        }
        Ok(())
    }

    /// The version after the last one seen.
    fn next_version(&self) -> i64 {
        self.snapshot.version.map_or(0, |version| version + 1)
    }

    /// An entry of the log, if there is one.
    pub(crate) fn entry(&self, version: i64) -> Result<Option<Entry>, LakeError> {
        let path = log::entry_path(&self.root, version);
        match fs::read(&path) {
            Ok(bytes) => {
                Entry::decode(&bytes, version)
                    .map(Some)
                    .map_err(|cause| LakeError::Entry {
                        table: self.table,
                        version,
                        cause,
                    })
            }
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(LakeError::File {
                verb: "read",
                path,
                cause,
            }),
        }
    }

    async fn load(&mut self) -> Result<(), LakeError> {
        if !self.root.join(log::LOG_FOLDER).is_dir() {
            return Ok(());
        }
        let failed = |cause| LakeError::Log {
            table: self.table,
            cause: Box::new(cause),
        };
        let loaded = match deltalake::open_table(self.url()?).await {
            Ok(loaded) => loaded,
            // The folder is made a moment before its first entry.
            Err(deltalake::DeltaTableError::NotATable(_)) => return Ok(()),
            Err(cause) => return Err(failed(cause)),
        };
        let state = loaded.snapshot().map_err(failed)?;
        let mut snapshot = Snapshot {
            version: i64::try_from(state.version()).ok(),
            // What this process has seen stays true: transactions only move on.
            transactions: HashMap::new(),
            files: BTreeMap::new(),
        };
        if let Some(removals) = &mut self.removals {
            let mut all = state.all_tombstones(loaded.log_store().as_ref());
            while let Some(removal) = all.try_next().await.map_err(failed)? {
                let removed_ms = removal.deletion_timestamp().unwrap_or(0);
                removals.insert(removal.path().into_owned(), removed_ms);
            }
        }
        for view in state.log_data() {
            let file = log::data_file(
                view.path().into_owned(),
                &view.partition_values_map(),
                view.size(),
                view.modification_time(),
                view.stats().as_deref(),
            );
            snapshot.files.insert(file.path.clone(), Arc::new(file));
        }
        self.snapshot = Arc::new(snapshot);
        self.loaded = Some(loaded);
        self.foreign_commits += 1;
        Ok(())
    }

    /// Latest version of an application's transactions.
    pub(crate) async fn transaction(&mut self, id: &str) -> Result<Option<i64>, LakeError> {
        if let Some(version) = self.snapshot.transactions.get(id) {
            return Ok(Some(*version));
        }
        let Some(loaded) = &self.loaded else {
            return Ok(None);
        };
        let failed = |cause| LakeError::Log {
            table: self.table,
            cause: Box::new(cause),
        };
        let version = loaded
            .snapshot()
            .map_err(failed)?
            .transaction_version(loaded.log_store().as_ref(), id)
            .await
            .map_err(failed)?;
        if let Some(version) = version {
            Arc::make_mut(&mut self.snapshot)
                .transactions
                .insert(id.to_owned(), version);
        }
        Ok(version)
    }

    /// How far the table has taken a partition in.
    pub(crate) async fn reached(&mut self, partition: Partition) -> Result<Reached, LakeError> {
        let arrival = self.transaction(&partition.position_id()).await?;
        let Some(arrival) = arrival else {
            return Ok(Reached::default());
        };
        let last = self.transaction(&partition.last_id()).await?;
        Ok(Reached {
            arrival,
            base: self.transaction(&partition.base_id()).await?.unwrap_or(0),
            last: last
                .filter(|last| *last != NO_FINGERPRINT)
                .map(Fingerprint::of_i64),
        })
    }

    /// Makes the proposal visible, whole or not at all.
    ///
    /// # Errors
    /// [`LakeError::Fenced`] if a partition stands elsewhere than the proposal believes: another writer has it.
    /// [`LakeError::Replaced`] if a file to be removed is gone.
    pub(crate) async fn commit(
        &mut self,
        proposal: &Proposal,
        now_us: i64,
    ) -> Result<Outcome, LakeError> {
        self.synchronise().await?;
        for _ in 0..COMMIT_TRIES_MAX {
            self.check(proposal).await?;
            if proposal
                .after_foreign_commits
                .is_some_and(|seen| seen != self.foreign_commits)
            {
                return Ok(Outcome::Overtaken);
            }
            let version = self.next_version();
            let entry = Entry::of_proposal(proposal, version, now_us);
            match self
                .publish(version, entry.encode(self.table, now_us))
                .await
            {
                Ok(()) => {
                    self.apply(&entry);
                    return Ok(Outcome::Committed(version));
                }
                Err(LakeError::File { cause, .. })
                    if cause.kind() == io::ErrorKind::AlreadyExists => {}
                Err(other) => {
                    // It may be visible all the same: nothing is built on it before it is durable.
                    self.is_unsynchronised = true;
                    return Err(other);
                }
            }
            self.refresh().await?;
        }
        Err(LakeError::Contended {
            table: self.table,
            tries: COMMIT_TRIES_MAX,
        })
    }

    async fn check(&mut self, proposal: &Proposal) -> Result<(), LakeError> {
        for advance in &proposal.advances {
            let (stands, from, to) = (
                self.reached(advance.partition).await?,
                advance.from,
                advance.to,
            );
            // Who took the other log over first has moved the base, and perhaps nothing else.
            if (stands.arrival, stands.base) != (from.arrival, from.base) {
                let Partition { topic, partition } = advance.partition;
                return Err(LakeError::Fenced { topic, partition });
            }
            invariants::check(&CommittedRange {
                stood_at: stands.arrival,
                from: from.arrival,
                to: to.arrival,
                same_log: stands.base == to.base,
            });
        }
        if proposal
            .removed
            .iter()
            .any(|path| !self.snapshot.files.contains_key(path))
        {
            return Err(LakeError::Replaced { table: self.table });
        }
        Ok(())
    }

    async fn publish(&self, version: i64, bytes: Vec<u8>) -> Result<(), LakeError> {
        let path = log::entry_path(&self.root, version);
        let disk = Arc::clone(&self.disk);
        spawn_blocking(move || {
            disk.publish(&path, &bytes)
                .map_err(|cause| LakeError::File {
                    verb: "write",
                    path,
                    cause,
                })
        })
        .await?
    }

    fn apply(&mut self, entry: &Entry) {
        let snapshot = Arc::make_mut(&mut self.snapshot);
        snapshot.version = Some(entry.version);
        for (path, removed_ms) in &entry.removed {
            snapshot.files.remove(path);
            if let Some(removals) = &mut self.removals {
                removals.insert(path.clone(), *removed_ms);
            }
        }
        for file in &entry.added {
            snapshot
                .files
                .insert(file.path.clone(), Arc::new(file.clone()));
        }
        for (id, version) in &entry.transactions {
            snapshot.transactions.insert(id.clone(), *version);
        }
    }
}

#[cfg(test)]
mod tests;
