//! The stage: topics in, Delta commits and announcements out.
//!
//! Delivery: every message has its effect on the tables exactly once. The position of a partition is committed
//! with its rows, in its home table; the consumer group's offsets only follow.
//!
//! ```text
//! topic ──▶ batch of a table ──▶ files ─▶ commit ─▶ announce ─▶ group offsets
//!            N rows, B bytes or T ms; while a commit is retried nothing is read. Nothing is dropped here.
//! ```

mod damage;
mod decode;
mod flush;
mod partitions;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bus::retry::{ended, wait_or_stop};
use bus::{Bus, Consumer, Polled};
use futures::{StreamExt, TryStreamExt, stream};
use schemas::environment::Clock;
use schemas::fate::{Backoff, Fate, chain};
use schemas::health::Health;
use schemas::ids;
use schemas::limits::{BATCH_BYTES_MAX, BATCH_FILES_MAX, BATCH_ROWS_MAX};
use schemas::tables::Table;
use schemas::topics::Topic;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::config::LakeConfig;
use crate::delta::{LiveTable, Partition, Reached};
use crate::disk::{Disk, LocalDisk};
use crate::error::LakeError;
use crate::location::{home, location};
use crate::maintenance::Maintenance;
use crate::writer::TableWriter;
use columns::Row;
use partitions::Partitions;

/// Most messages taken from the bus at once.
const POLL_RECORDS_MAX: usize = 5_000;

/// Messages that one thread decodes, and how many threads do so at the same time.
const DECODE_RECORDS: usize = 1_000;
const DECODES_AT_ONCE: usize = 4;

/// Longest wait for messages while no batch is open.
const IDLE_WAIT: Duration = Duration::from_millis(500);

/// How long a table must be quiet before its log is told what has been announced.
const SETTLE_WAIT: Duration = Duration::from_secs(30);

/// Shortest and longest wait between two tries.
const BACKOFF: Backoff = Backoff {
    min: Duration::from_millis(200),
    max: Duration::from_secs(15),
};

/// The topics that the stage keeps.
pub fn topics() -> Vec<Topic> {
    let all = Topic::all().into_iter();
    all.filter(|topic| home(*topic).is_some()).collect()
}

/// Keeps what travels on the bus, until `stop`; what was taken by then is committed.
///
/// # Errors
/// [`LakeError`] whose fate is to stop: the location cannot be used, or the bus is lost for good.
pub async fn run(
    config: LakeConfig,
    bus: Bus,
    clock: Arc<dyn Clock>,
    health: Health,
    stop: CancellationToken,
) -> Result<(), LakeError> {
    run_on(config, bus, clock, Arc::new(LocalDisk), health, stop).await
}

/// Like [`run`], on another disk.
///
/// # Errors
/// As [`run`].
pub async fn run_on(
    config: LakeConfig,
    bus: Bus,
    clock: Arc<dyn Clock>,
    disk: Arc<dyn Disk>,
    health: Health,
    stop: CancellationToken,
) -> Result<(), LakeError> {
    let location = location(&config.location)?;
    let opened = Stage::open(config, location, bus, clock, disk, health, stop.clone()).await;
    let mut stage = match opened {
        Ok(stage) => stage,
        Err(error) => return ended(Err(error), &stop),
    };
    let maintenance = stage.maintenance.start(stop.clone());
    let outcome = ended(stage.keep().await, &stop);
    // A stage that failed takes its helper with it.
    stop.cancel();
    maintenance.await?;
    outcome
}

/// The part whose loop comes round.
const STAGE: &str = "lake";

/// The part that is in trouble while something is tried again.
const RETRIES: &str = "lake/retries";

/// What waits to be committed to one home table.
#[derive(Default)]
struct Open {
    rows: Vec<Arrived>,
    /// Rows of other tables that came with them.
    beside: Vec<(Table, Row, Partition)>,
    /// Where each partition stands after its last message.
    reached: HashMap<Partition, Reached>,
    bytes: usize,
    /// The tenants and days that they are of, as hashes: each becomes a file.
    days: HashSet<u128>,
    opened: Option<Instant>,
}

/// A row, and where it came from.
struct Arrived {
    row: Row,
    partition: Partition,
}

struct Stage {
    config: LakeConfig,
    bus: Bus,
    consumer: Consumer,
    clock: Arc<dyn Clock>,
    health: Health,
    stop: CancellationToken,
    writers: HashMap<Table, TableWriter>,
    partitions: Partitions,
    open: HashMap<Table, Open>,
    maintenance: Maintenance,
    /// How often files could not be read.
    unreadable: HashMap<PathBuf, u32>,
    last_commit: Instant,
}

impl Stage {
    async fn open(
        config: LakeConfig,
        location: PathBuf,
        bus: Bus,
        clock: Arc<dyn Clock>,
        disk: Arc<dyn Disk>,
        health: Health,
        stop: CancellationToken,
    ) -> Result<Self, LakeError> {
        let mut writers = HashMap::new();
        let mut shared = Vec::new();
        for table in Table::ALL {
            let live = create(&location, *table, &disk, clock.as_ref(), &stop).await?;
            let live = Arc::new(Mutex::new(live));
            shared.push(Arc::clone(&live));
            writers.insert(*table, TableWriter::new(*table, live, config.identities));
        }
        let consumer = bus.subscribe(&config.group, &topics()).await?;
        let maintenance = Maintenance::new(shared, config.clone(), Arc::clone(&clock), bus.clone());
        Ok(Self {
            config,
            bus,
            consumer,
            clock,
            health,
            stop,
            writers,
            partitions: Partitions::default(),
            open: HashMap::new(),
            maintenance,
            unreadable: HashMap::new(),
            last_commit: Instant::now(),
        })
    }

    async fn keep(&mut self) -> Result<(), LakeError> {
        while !self.stop.is_cancelled() {
            self.comes_round();
            let wait = self.time_to_next_deadline();
            let stop = self.stop.clone();
            let polled = tokio::select! {
                () = stop.cancelled() => break,
                polled = self.consumer.next(POLL_RECORDS_MAX, wait) => polled,
            };
            match polled {
                Ok(polled) => {
                    self.take(polled).await?;
                    // Everything in it waits until it has succeeded.
                    self.health.well(RETRIES);
                }
                Err(error) => self.wait_after(error.into(), 0).await?,
            }
            self.flush_due().await?;
            self.tell_mended().await?;
            while let Some(error) = self.maintenance.damaged() {
                self.meet_unreadable(&error).await?;
            }
            if self.last_commit.elapsed() > SETTLE_WAIT {
                self.settle().await;
            }
        }
        self.drain().await
    }

    /// Notes that the stage is at work.
    fn comes_round(&self) {
        self.health.comes_round(STAGE, self.clock.now_us());
    }

    async fn drain(&mut self) -> Result<(), LakeError> {
        for table in self.open_tables() {
            self.flush(table).await?;
        }
        self.settle().await;
        Ok(())
    }

    async fn take(&mut self, polled: Polled) -> Result<(), LakeError> {
        if !polled.revoked.is_empty() {
            self.release(&polled.revoked);
        }
        if !polled.assigned.is_empty() {
            self.take_over(&polled.assigned).await?;
        }
        if !polled.replaced.is_empty() {
            let replaced = polled.replaced.iter().map(|at| (at.topic, at.partition));
            self.take_over(&replaced.collect::<Vec<_>>()).await?;
        }
        let mut accepted = self.partitions.accept(polled.records);
        if !accepted.behind.is_empty() {
            let behind: Vec<(Topic, i32)> =
                std::mem::take(&mut accepted.behind).into_iter().collect();
            accepted.leave(&behind);
            self.take_over(&behind).await?;
        }
        for lost in &accepted.lost {
            self.note_lost(lost);
        }
        if !accepted.seek.is_empty() {
            self.seek(&accepted.seek).await?;
        }
        if accepted.records.is_empty() {
            return Ok(());
        }
        let now_us = self.clock.now_us();
        let mut parts = Vec::new();
        let mut records = accepted.records.into_iter().peekable();
        while records.peek().is_some() {
            parts.push(records.by_ref().take(DECODE_RECORDS).collect::<Vec<_>>());
        }
        let decoded: Vec<Vec<decode::Decoded>> = stream::iter(parts)
            .map(|part| spawn_blocking(move || decode::decode(part, now_us)))
            .buffered(DECODES_AT_ONCE)
            .try_collect()
            .await?;
        for message in decoded.into_iter().flatten() {
            self.add(message);
        }
        Ok(())
    }

    fn add(&mut self, message: decode::Decoded) {
        let Some(home) = home(message.partition.topic) else {
            return;
        };
        let open = self.open.entry(home).or_default();
        open.opened.get_or_insert_with(Instant::now);
        open.reached.insert(message.partition, message.reached);
        for (table, row) in message.rows {
            self.add_row(message.partition, table, row);
        }
    }

    fn add_row(&mut self, partition: Partition, table: Table, row: Row) {
        let Some(home) = home(partition.topic) else {
            return;
        };
        let open = self.open.entry(home).or_default();
        open.bytes += row.bytes();
        open.days.insert(ids::hash(&[
            table.name().as_bytes(),
            row.tenant_id.as_bytes(),
            &row.day.to_le_bytes(),
        ]));
        if table == home {
            open.rows.push(Arrived { row, partition });
        } else {
            open.beside.push((table, row, partition));
        }
    }

    fn time_to_next_deadline(&self) -> Duration {
        let wait = Duration::from_millis(self.config.batch_wait_ms);
        self.open
            .values()
            .filter_map(|open| open.opened)
            .map(|opened| wait.saturating_sub(opened.elapsed()))
            .min()
            .unwrap_or(IDLE_WAIT)
    }

    async fn flush_due(&mut self) -> Result<(), LakeError> {
        let wait = Duration::from_millis(self.config.batch_wait_ms);
        let rows_max = self.config.batch_rows.clamp(1, BATCH_ROWS_MAX);
        let due = self.open_tables().into_iter().filter(|table| {
            let open = &self.open[table];
            open.opened.is_some_and(|opened| opened.elapsed() >= wait)
                || open.rows.len() >= rows_max
                || open.bytes >= BATCH_BYTES_MAX
                || open.days.len() >= BATCH_FILES_MAX
        });
        for table in due.collect::<Vec<_>>() {
            self.flush(table).await?;
        }
        Ok(())
    }

    fn open_tables(&self) -> Vec<Table> {
        let mut tables: Vec<Table> = self
            .open
            .iter()
            .filter(|(_, open)| open.opened.is_some())
            .map(|(table, _)| *table)
            .collect();
        tables.sort();
        tables
    }

    /// Waits before another try; an error whose fate is to stop is returned instead. Who was told to stop meanwhile looks
    /// at that itself: what is open is still written.
    async fn wait_after(&self, error: LakeError, tries: u32) -> Result<(), LakeError> {
        if error.fate() == Fate::Stop {
            return Err(error);
        }
        // It is told as trouble, and is no standstill.
        self.comes_round();
        self.health
            .trouble(RETRIES, chain(&error), self.clock.now_us());
        let wait = BACKOFF.wait(error.fate(), tries.saturating_add(1));
        match wait_or_stop(error, STAGE, wait, &self.stop).await {
            Err(_) if self.stop.is_cancelled() => Ok(()),
            waited => waited,
        }
    }
}

async fn create(
    location: &Path,
    table: Table,
    disk: &Arc<dyn Disk>,
    clock: &dyn Clock,
    stop: &CancellationToken,
) -> Result<LiveTable, LakeError> {
    loop {
        let created = async {
            let mut live = LiveTable::keep(location, table, Arc::clone(disk)).await?;
            live.create(clock.now_us()).await?;
            Ok(live)
        };
        match created.await {
            Err(error @ LakeError::File { .. }) if error.is_disk_full() && !stop.is_cancelled() => {
                let task = format!("{STAGE}/{table}");
                wait_or_stop(error, &task, BACKOFF.max, stop).await?;
            }
            other => return other,
        }
    }
}
