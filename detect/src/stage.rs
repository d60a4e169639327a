//! The loop: announced files in, alerts out.
//!
//! ```text
//! [batches] ─▶ next, up to 500 ─▶ read the file ─▶ evaluate ─▶ publish [alerts], [signals] ─▶ … ─▶ commit
//!               one file in memory at a time; nothing is read ahead, and nothing is dropped here
//! [signals] ─▶ next ─▶ count ─▶ publish [alerts] ─▶ commit
//! ```
//! Delivery: at least once. A crash between publish and commit publishes the same alerts again, under the same
//! ids. The rows of a file that compaction has replaced are found where they stand now; a file that cannot be read is
//! written into the ledger and tried again, and what comes after it does not wait.

mod begin;
mod files;
mod gaps;
mod reload;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bus::retry::{ended, retry_or_stop};
use bus::{Bus, Consumer, Delivery, Polled, Position};
use lake::{Lake, LakeConfig};
use prost::Message as _;
use schemas::environment::Clock;
use schemas::fate::{Fate, chain};
use schemas::health::Health;
use schemas::invariants::{self, AnnouncementDone};
use schemas::tables::Table;
use schemas::topics::Topic;
use schemas::wire::{Alert, Batch};
use sigma::Ruleset;
use tokio_util::sync::CancellationToken;

use crate::announced::Announced;
use crate::catch_up::CatchUp;
use crate::config::DetectConfig;
use crate::count::Count;
use crate::domains::{self, Domains};
use crate::error::DetectError;
use crate::evaluate::tables;
use crate::missing::line_of_announcement;
use crate::published::Published;
use crate::rules::ruleset;
use crate::watch::{Files, Watch};
use gaps::Gaps;
use reload::Look;

/// Most announcements and signals taken at once; they are small, files are read one at a time.
///
/// Kafka gives a member's partitions away that does not ask for more within `max.poll.interval.ms`.
const TAKEN_MAX: usize = 500;

/// Longest that what was done with announcements stays uncommitted while others are worked at.
const COMMIT_WAIT_MAX: Duration = Duration::from_secs(5);

/// Longest that announcements are worked at before more are asked for; what is left is read again.
const WORK_MAX: Duration = Duration::from_mins(1);

/// Longest wait for an announcement, so that a stop is seen.
const WAIT_MAX: Duration = Duration::from_millis(500);

/// Runs until `stop`.
///
/// # Errors
/// [`DetectError`] if rules are refused in strict mode, or something failed that waiting does not mend.
pub async fn run(
    config: DetectConfig,
    bus: Bus,
    lake: LakeConfig,
    clock: Arc<dyn Clock>,
    health: Health,
    stop: CancellationToken,
) -> Result<(), DetectError> {
    let files = Files::of(&config);
    let lake = Lake::open(&lake)?;
    let domains = domains::of_lake(&lake).await?;
    let rules = Arc::new(ruleset(&domains::join(config.clone(), &domains))?);
    tracing::info!(rules = rules.rules().len(), "detect started");
    let mut consumer = bus
        .subscribe(&config.group, &[Topic::Batches, Topic::Signals])
        .await?;
    let mut stage = Stage {
        rules,
        watch: Watch::new(files),
        look: Look::begin(),
        domains,
        config,
        bus,
        lake,
        clock,
        health,
        published: Published::default(),
        counts: false,
        count: None,
        catch_up: None,
        gaps: Gaps::default(),
        of_day: HashMap::new(),
    };
    let outcome = stage.work(&mut consumer, &stop).await;
    tracing::info!("detect stopped");
    ended(outcome, &stop)
}

/// The part whose loop comes round.
const STAGE: &str = "detect";

/// The part that is in trouble while something is tried again.
const RETRIES: &str = "detect/retries";

struct Stage {
    rules: Arc<Ruleset>,
    config: DetectConfig,
    watch: Watch,
    /// How the files of rules are looked at.
    look: Look,
    /// What the lake says of domains.
    domains: Domains,
    bus: Bus,
    lake: Lake,
    clock: Arc<dyn Clock>,
    health: Health,
    published: Published,
    /// Whether the topic of signals is read by this process, and not by another of its group.
    counts: bool,
    /// The correlations; none before they are recalled, and after something failed half way.
    count: Option<Count>,
    /// Set while announcements are read from the beginning of a log.
    catch_up: Option<CatchUp>,
    /// Announced files that could not be read, to be looked at again.
    gaps: Gaps,
    /// The version of a table whose files of a tenant and day were evaluated because announced ones were gone.
    of_day: HashMap<(Table, String, String), i64>,
}

impl Stage {
    /// Notes that the stage is at work.
    fn comes_round(&self) {
        self.health.comes_round(STAGE, self.clock.now_us());
    }

    /// Takes announcements and signals until `stop`.
    async fn work(
        &mut self,
        consumer: &mut Consumer,
        stop: &CancellationToken,
    ) -> Result<(), DetectError> {
        while !stop.is_cancelled() {
            self.comes_round();
            self.reload().await?;
            self.advance(stop).await?;
            if let Err(error) = self.fill_gaps(stop).await {
                self.retry(error, stop).await?;
            }
            let polled = tokio::select! {
                () = stop.cancelled() => break,
                polled = consumer.next(TAKEN_MAX, WAIT_MAX) => polled,
            };
            match polled {
                Ok(polled) => {
                    self.take(consumer, polled, stop).await?;
                    self.health.well(RETRIES);
                }
                Err(error) => self.retry(error.into(), stop).await?,
            }
        }
        Ok(())
    }

    /// As [`retry_or_stop`]; what is tried again is told as trouble, and is no standstill.
    async fn retry(&self, error: DetectError, stop: &CancellationToken) -> Result<(), DetectError> {
        if matches!(error.fate(), Fate::Retry { .. }) {
            self.comes_round();
            self.health
                .trouble(RETRIES, chain(&error), self.clock.now_us());
        }
        retry_or_stop(error, STAGE, stop).await
    }

    /// Tells what has become certain by the time.
    async fn advance(&mut self, stop: &CancellationToken) -> Result<(), DetectError> {
        if !self.counts {
            return Ok(());
        }
        while let Err(error) = self.advance_once(stop).await {
            self.count = None;
            self.retry(error, stop).await?;
        }
        Ok(())
    }

    async fn advance_once(&mut self, stop: &CancellationToken) -> Result<(), DetectError> {
        let Some(mut count) = self.recalled(stop).await? else {
            return Ok(());
        };
        let alerts = count.advance(self.clock.now_us());
        self.tell(&alerts).await?;
        self.count = Some(count);
        Ok(())
    }

    /// The correlations as they stand; none if stopped before that is known.
    async fn recalled(&mut self, stop: &CancellationToken) -> Result<Option<Count>, DetectError> {
        if let Some(count) = self.count.take() {
            return Ok(Some(count));
        }
        let rules = Arc::clone(&self.rules);
        let bus = (&self.bus, self.config.group.as_str());
        let recalled = Count::recall(rules, bus, &self.lake, &self.clock, TAKEN_MAX, stop).await?;
        let Some((mut count, certain)) = recalled else {
            return Ok(None);
        };
        self.note_damaged(&count.take_damaged()).await?;
        self.tell(&certain).await?;
        Ok(Some(count))
    }

    /// Publishes the alerts of all announcements and signals, then commits; stops between them when told to.
    async fn take(
        &mut self,
        consumer: &mut Consumer,
        polled: Polled,
        stop: &CancellationToken,
    ) -> Result<(), DetectError> {
        let is_signals = |(topic, _): &(Topic, i32)| *topic == Topic::Signals;
        let is_new = polled.assigned.iter().any(is_signals);
        if is_new || polled.revoked.iter().any(is_signals) {
            // Somebody else may have counted since.
            self.count = None;
            self.counts = is_new;
        }
        self.begin(consumer, &polled, stop).await?;
        let (signals, announcements): (Vec<Delivery>, Vec<Delivery>) = polled
            .records
            .into_iter()
            .partition(|record| record.topic == Topic::Signals);
        let mut done: BTreeMap<(Topic, i32), Position> = BTreeMap::new();
        let is_counted = self.count_all(&signals, stop).await?;
        if let (true, Some(last)) = (is_counted, signals.last()) {
            done.insert((last.topic, last.partition), last.after());
        }
        let taken = Instant::now();
        let mut begun = taken;
        let mut reached = None;
        let mut announcements = announcements.into_iter();
        for record in announcements.by_ref() {
            while let Err(error) = self.handle(&record).await {
                if error.fate() == Fate::DeadLetter {
                    leave_out(&error);
                    let now_us = self.clock.now_us();
                    let line = line_of_announcement(record.offset, &chain(&error), now_us);
                    self.note(&[line]).await?;
                    break;
                }
                let waited = self.retry(error, stop).await;
                if stop.is_cancelled() {
                    return self.pass(consumer, &mut done, stop).await;
                }
                waited?;
            }
            if let Some(catch_up) = &mut self.catch_up {
                catch_up.passed(&record);
            }
            done.insert((record.topic, record.partition), record.after());
            reached = Some(record.after());
            if stop.is_cancelled() {
                break;
            }
            // A backlog gets smaller whatever becomes of this process, or of its place in the group.
            if begun.elapsed() >= COMMIT_WAIT_MAX {
                self.pass(consumer, &mut done, stop).await?;
                begun = Instant::now();
            }
            if taken.elapsed() >= WORK_MAX {
                break;
            }
        }
        self.pass(consumer, &mut done, stop).await?;
        match reached {
            Some(reached) if announcements.len() > 0 && !stop.is_cancelled() => {
                read_on(consumer, reached).await
            }
            _ => Ok(()),
        }
    }

    /// Commits what is done, once what is looked at beside it is.
    async fn pass(
        &mut self,
        consumer: &mut Consumer,
        done: &mut BTreeMap<(Topic, i32), Position>,
        stop: &CancellationToken,
    ) -> Result<(), DetectError> {
        self.catch_up(done, stop).await?;
        commit(consumer, done).await?;
        done.clear();
        Ok(())
    }

    /// Counts signals and publishes what they change; false if stopped before it was done.
    async fn count_all(
        &mut self,
        signals: &[Delivery],
        stop: &CancellationToken,
    ) -> Result<bool, DetectError> {
        while !signals.is_empty() {
            match self.count_once(signals, stop).await {
                Ok(is_done) => return Ok(is_done),
                Err(error) => {
                    // What was counted and not told is counted again from what the lake has.
                    self.count = None;
                    self.retry(error, stop).await?;
                }
            }
        }
        Ok(true)
    }

    async fn count_once(
        &mut self,
        signals: &[Delivery],
        stop: &CancellationToken,
    ) -> Result<bool, DetectError> {
        let Some(mut count) = self.recalled(stop).await? else {
            return Ok(false);
        };
        let taken = count.take(signals, &self.lake, &self.clock, stop).await?;
        self.note_damaged(&count.take_damaged()).await?;
        let Some(alerts) = taken else {
            return Ok(false);
        };
        self.tell(&alerts).await?;
        self.count = Some(count);
        Ok(true)
    }

    async fn handle(&mut self, record: &Delivery) -> Result<(), DetectError> {
        if record.payload.is_empty() {
            return Ok(());
        }
        let batch = Batch::decode(record.payload.as_slice()).map_err(|cause| {
            DetectError::Announcement {
                offset: record.offset,
                cause,
            }
        })?;
        let Some(table) = Table::of_name(&batch.table) else {
            // A newer vedette may announce tables that this one does not know.
            tracing::warn!(table = batch.table, "unknown table was announced");
            return Ok(());
        };
        metrics::counter!("detect_batches_total").increment(1);
        if table == Table::DirectoryDomains {
            self.learn_domains().await?;
        }
        if !tables(&self.rules).contains(&table) {
            return Ok(());
        }
        let mut done = AnnouncementDone {
            announced: batch.files.iter().map(|file| file.rows).sum(),
            evaluated: 0,
            in_ledger: 0,
        };
        for file in batch.files {
            let (rows, version) = (file.rows, batch.version);
            let announced = Announced {
                table,
                file,
                version,
            };
            match self.look_at(announced).await? {
                // A day that is looked at whole has rows of other files too.
                Some(seen) => done.evaluated += seen.min(rows),
                None => done.in_ledger += rows,
            }
        }
        invariants::check(&done);
        Ok(())
    }
}

/// Computes where it does not hold up the tasks of others.
async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, DetectError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| DetectError::Interrupted)
}

async fn commit(
    consumer: &mut Consumer,
    done: &BTreeMap<(Topic, i32), Position>,
) -> Result<(), DetectError> {
    let positions: Vec<Position> = done.values().copied().collect();
    if positions.is_empty() {
        return Ok(());
    }
    // Not committed is not lost: the same alerts are published again, under the same ids.
    if let Err(error) = consumer.commit(&positions).await {
        let error = DetectError::from(error);
        if error.fate() == Fate::Stop {
            return Err(error);
        }
        tracing::warn!(error = %chain(&error), "positions were not committed");
    }
    Ok(())
}

/// Reads on from here; a partition that is no longer ours is left to the next poll, which says so.
async fn read_on(consumer: &mut Consumer, position: Position) -> Result<(), DetectError> {
    match consumer.seek(&[position]).await {
        Err(bus::BusError::NotAssigned { .. }) => Ok(()),
        other => Ok(other?),
    }
}

/// Notes what cannot be evaluated now or later; what comes after it does not wait.
fn leave_out(error: &DetectError) {
    tracing::error!(error = %chain(error), "announced rows were not evaluated");
    metrics::counter!("detect_left_out_total").increment(1);
}

fn measure(alert: &Alert) {
    metrics::counter!("detect_alerts_total", "label" => alert.label.clone()).increment(1);
    let waited_us = u64::try_from(alert.detected_time_us - alert.accepted_time_us).unwrap_or(0);
    metrics::histogram!("detect_latency_seconds").record(Duration::from_micros(waited_us));
}
