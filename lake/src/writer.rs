//! One table as this process writes it: rows in, files and commits out.
//!
//! Order of effects: data files durable, then the log entry durable and visible, then what is remembered here.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use schemas::invariants::{self, PartitionWritten};
use schemas::tables::Table;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;

use crate::deduplication::{Day, Identities, Sifted, Strays, differences};
use crate::delta::{Advance, DataFile, LiveTable, Outcome, Partition, Proposal, file};
use crate::error::LakeError;
use columns::{Cell, Row, record_batch};

/// Files of one commit that are encoded and written at the same time.
const FILES_AT_ONCE: usize = 4;

/// A table that several tasks of this process commit to.
pub(crate) type SharedTable = Arc<Mutex<LiveTable>>;

/// One table as this process writes it.
pub(crate) struct TableWriter {
    table: Table,
    live: SharedTable,
    identities: Identities,
    /// Offsets up to which this process knows commits to be announced, and the log does not say so yet.
    announced: HashMap<Partition, i64>,
    /// How many commits of others the identities may know of.
    foreign_commits: u64,
}

/// A commit that is visible.
#[derive(Debug, Clone)]
pub(crate) struct Committed {
    pub(crate) table: Table,
    pub(crate) version: i64,
    pub(crate) files: Vec<DataFile>,
}

impl TableWriter {
    pub(crate) fn new(table: Table, live: SharedTable, identities_max: usize) -> Self {
        Self {
            table,
            live,
            identities: Identities::new(table, identities_max),
            announced: HashMap::new(),
            foreign_commits: 0,
        }
    }

    pub(crate) fn live(&self) -> &SharedTable {
        &self.live
    }

    /// Forgets what was read from the lake of the rows that it has.
    pub(crate) fn forget_identities(&mut self) {
        self.identities.clear();
    }

    /// Forgets what was read from the lake: another writer may add to it from now on.
    pub(crate) fn forget(&mut self) {
        self.identities.clear();
        self.announced.clear();
    }

    /// Says what is new, what is a duplicate and what a revision; after it, `suspects` is empty.
    pub(crate) async fn sift(&mut self, rows: &[Row]) -> Result<Sifted, LakeError> {
        // What vedette itself writes has no time of an event, and comes again within days.
        if self.table.is_events() {
            let strays = {
                let live = self.live.lock().await;
                Strays::of(live.snapshot().files.values().map(AsRef::as_ref))
            };
            self.identities.know_strays(strays);
        }
        self.load_missing_days(rows).await?;
        let mut sifted = self.identities.sift(rows);
        let suspects = std::mem::take(&mut sifted.suspects);
        if suspects.is_empty() {
            return Ok(sifted);
        }
        let stored = self.stored_contents(rows, &suspects).await?;
        for (at, day) in suspects {
            let row = &rows[at];
            // A known identity whose row cannot be found: its file was replaced while we looked.
            let cells = stored
                .get(&(day.clone(), row.identity))
                .ok_or(LakeError::Replaced { table: self.table })?;
            let changed = differences(self.table, cells, row);
            if changed.is_empty() {
                sifted.duplicates += 1;
                self.identities.settle(&day, row);
            } else {
                sifted.revisions.push((at, day, changed));
            }
        }
        Ok(sifted)
    }

    async fn load_missing_days(&mut self, rows: &[Row]) -> Result<(), LakeError> {
        let missing = self.identities.missing(rows);
        if missing.is_empty() {
            return Ok(());
        }
        let files = self.files_of(&missing).await?;
        let table = self.table;
        let loaded = spawn_blocking(move || {
            files
                .into_iter()
                .map(|(day, path)| Ok((day, file::identities(table, &path)?)))
                .collect::<Result<Vec<_>, LakeError>>()
        })
        .await??;
        for day in missing {
            self.identities.load(day, std::iter::empty());
        }
        for (day, identities) in loaded {
            self.identities.load(day, identities.into_iter());
        }
        Ok(())
    }

    async fn files_of(&self, days: &HashSet<Day>) -> Result<Vec<(Day, PathBuf)>, LakeError> {
        let mut live = self.live.lock().await;
        live.refresh().await?;
        let root = live.root().to_owned();
        live.snapshot()
            .files
            .values()
            .map(|file| {
                (
                    Day {
                        tenant_id: file.tenant_id.clone(),
                        day: file.day,
                    },
                    file,
                )
            })
            .filter(|(day, _)| days.contains(day))
            .map(|(day, file)| Ok((day, file::absolute(&root, self.table, &file.path)?)))
            .collect()
    }

    async fn stored_contents(
        &self,
        rows: &[Row],
        suspects: &[(usize, Day)],
    ) -> Result<HashMap<(Day, u128), Vec<Cell>>, LakeError> {
        let mut wanted: HashMap<Day, HashSet<u128>> = HashMap::new();
        for (at, day) in suspects {
            wanted
                .entry(day.clone())
                .or_default()
                .insert(rows[*at].identity);
        }
        let files = self.files_of(&wanted.keys().cloned().collect()).await?;
        let table = self.table;
        spawn_blocking(move || {
            let mut found = HashMap::new();
            for (day, path) in files {
                let mut of_file = HashMap::new();
                let is_wanted =
                    |identity| wanted.get(&day).is_some_and(|ids| ids.contains(&identity));
                file::contents(table, &path, is_wanted, &mut of_file)?;
                found.extend(
                    of_file
                        .into_iter()
                        .map(|(identity, cells)| ((day.clone(), identity), cells)),
                );
            }
            Ok(found)
        })
        .await?
    }

    /// Writes the rows as files, one for each tenant and day; nobody sees them yet.
    async fn write_files(
        &self,
        rows: &Arc<[Row]>,
        new: &[usize],
        now_us: i64,
    ) -> Result<Vec<DataFile>, LakeError> {
        let (root, disk) = {
            let live = self.live.lock().await;
            (live.root().to_owned(), Arc::clone(live.disk()))
        };
        // Rows without a time have files of their own, so that the bounds of the others hold.
        let mut by_day: BTreeMap<(Day, bool), Vec<usize>> = BTreeMap::new();
        for at in new {
            let day = Day {
                tenant_id: rows[*at].tenant_id.clone(),
                day: rows[*at].day,
            };
            let has_time = rows[*at].event_day.is_some();
            by_day.entry((day, has_time)).or_default().push(*at);
        }
        let table = self.table;
        stream::iter(by_day.into_iter().map(|((day, _), places)| {
            let (root, disk, rows) = (root.clone(), Arc::clone(&disk), Arc::clone(rows));
            async move {
                spawn_blocking(move || {
                    let rows: Vec<&Row> = places.iter().map(|at| &rows[*at]).collect();
                    let is_of_day =
                        |row: &&&Row| row.tenant_id == day.tenant_id && row.day == day.day;
                    invariants::check(&PartitionWritten {
                        rows: rows.len() as u64,
                        of_partition: rows.iter().filter(is_of_day).count() as u64,
                    });
                    let described = file::describe(table, &day.tenant_id, day.day, &rows, now_us);
                    let batch = record_batch(table, &rows).map_err(|cause| LakeError::Parquet {
                        table,
                        cause: cause.into(),
                    });
                    file::write(
                        disk.as_ref(),
                        &root,
                        described,
                        table,
                        std::iter::once(batch),
                    )
                })
                .await?
            }
        }))
        .buffered(FILES_AT_ONCE)
        .try_collect()
        .await
    }

    /// Stores the new ones of `rows` and moves the partitions, in one commit.
    pub(crate) async fn commit(
        &mut self,
        rows: &Arc<[Row]>,
        new: &[usize],
        advances: &[Advance],
        now_us: i64,
    ) -> Result<Committed, LakeError> {
        let files = self.write_files(rows, new, now_us).await?;
        let proposal = Proposal {
            added: files.clone(),
            advances: advances.to_vec(),
            transactions: self.announced_transactions(),
            ..Proposal::default()
        };
        let outcome = self.live.lock().await.commit(&proposal, now_us).await;
        let version = match outcome {
            Ok(Outcome::Committed(version)) => version,
            // Only where `after_foreign_commits` is set.
            Ok(Outcome::Overtaken) => {
                return Err(LakeError::Contended {
                    table: self.table,
                    tries: 1,
                });
            }
            Err(error) => {
                self.discard(&files).await;
                return Err(error);
            }
        };
        self.after_commit(rows, new);
        Ok(Committed {
            table: self.table,
            version,
            files,
        })
    }

    /// Forgets what was read from the lake if others have added to it since; the number of their commits.
    async fn forget_if_overtaken(&mut self) -> Result<u64, LakeError> {
        let mut live = self.live.lock().await;
        live.refresh().await?;
        let now = live.foreign_commits();
        drop(live);
        if now != self.foreign_commits {
            self.identities.clear();
            self.foreign_commits = now;
        }
        Ok(now)
    }

    /// Stores those of `rows` that the table does not hold yet, from partitions that have their home elsewhere.
    ///
    /// Two writers may want to store the same row, so nothing is committed on top of what was not looked at.
    pub(crate) async fn commit_beside(
        &mut self,
        rows: &Arc<[Row]>,
        advances: &[Advance],
        now_us: i64,
    ) -> Result<Option<Committed>, LakeError> {
        loop {
            let foreign_commits = self.forget_if_overtaken().await?;
            let sifted = self.sift(rows).await?;
            if sifted.new.is_empty() {
                return Ok(None);
            }
            let files = self.write_files(rows, &sifted.new, now_us).await?;
            let mut transactions = self.announced_transactions();
            transactions.extend(
                advances
                    .iter()
                    .map(|advance| (advance.partition.position_id(), advance.to.arrival)),
            );
            let proposal = Proposal {
                added: files.clone(),
                transactions,
                after_foreign_commits: Some(foreign_commits),
                ..Proposal::default()
            };
            let outcome = self.live.lock().await.commit(&proposal, now_us).await;
            match outcome {
                Ok(Outcome::Committed(version)) => {
                    self.after_commit(rows, &sifted.new);
                    return Ok(Some(Committed {
                        table: self.table,
                        version,
                        files,
                    }));
                }
                Ok(Outcome::Overtaken) => self.discard(&files).await,
                Err(error) => {
                    self.discard(&files).await;
                    return Err(error);
                }
            }
        }
    }

    fn after_commit(&mut self, rows: &Arc<[Row]>, new: &[usize]) {
        self.identities.check_added(new.iter().map(|at| &rows[*at]));
        self.announced.clear();
        self.identities.stored(new.iter().map(|at| &rows[*at]));
        self.identities.evict();
    }

    /// Removes files whose commit failed, unless it turns out to be visible after all.
    async fn discard(&self, files: &[DataFile]) {
        let mut live = self.live.lock().await;
        // A commit can be visible and yet fail: its folder could not be synchronised.
        if live.refresh().await.is_err() {
            return;
        }
        for file in files
            .iter()
            .filter(|file| !live.snapshot().files.contains_key(&file.path))
        {
            if let Err(error) = live.disk().remove(&live.root().join(&file.path)) {
                tracing::warn!(table = %self.table, path = file.path, %error, "could not remove an unused file");
            }
        }
    }

    fn announced_transactions(&self) -> Vec<(String, i64)> {
        self.announced
            .iter()
            .map(|(partition, offset)| (partition.announced_id(), *offset))
            .collect()
    }

    /// Remembers that everything of a partition below `offset` is announced; the next commit tells the log.
    pub(crate) fn announced(&mut self, partition: Partition, offset: i64) {
        self.announced.insert(partition, offset);
    }

    /// Tells the log now what is announced, so that a restart need not announce it again.
    pub(crate) async fn settle(&mut self, now_us: i64) -> Result<(), LakeError> {
        if self.announced.is_empty() {
            return Ok(());
        }
        let proposal = Proposal {
            transactions: self.announced_transactions(),
            ..Proposal::default()
        };
        self.live.lock().await.commit(&proposal, now_us).await?;
        self.announced.clear();
        Ok(())
    }

    /// Remembers that a revision of a stored row is kept.
    pub(crate) fn revised(&mut self, day: &Day, row: &Row) {
        self.identities.settle(day, row);
    }
}
