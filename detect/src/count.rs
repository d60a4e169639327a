//! Correlations on the stream: signals in the order of their arrival, what they change as alerts.
//!
//! The state is what the lake has: after a restart the signals that were handled before are read from there, and those
//! that come again are handled again, with the same alerts. What is late by more than memory reaches back brings the
//! signals of its time along from the lake, so that lateness never changes an outcome.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use bus::{Bus, Delivery};
use columns::DAY_US;
use lake::{ArrivedSignal, Lake, RowError, literals};
use prost::Message as _;
use schemas::environment::Clock;
use schemas::topics::Topic;
use schemas::wire::{self, Alert};
use sigma::correlation::{Change, CorrelationTest, Signal};
use sigma::{Correlator, Ruleset};
use tokio_util::sync::CancellationToken;

use crate::alert;
use crate::error::DetectError;
use crate::lateness::Lateness;
use crate::signal::Words;
use crate::stretches::{join, missing, start_of_day};

/// Most signals between two looks at what can be forgotten.
const SWEEP_EVERY: usize = 100_000;

/// Signals in memory up to which an import of old records keeps what it has brought along: some 500 bytes each.
const SIGNALS_MAX: usize = 2_000_000;

/// Signals by their arrival that are read from the lake at once after a start.
const PART_ARRIVALS: i64 = 500_000;

/// How long we wait for the lake to have what was handled before.
const LAKE_WAIT: Duration = Duration::from_millis(300);

/// The correlations of a process.
pub(crate) struct Count {
    rules: Arc<Ruleset>,
    correlator: Correlator,
    words: Words,
    lateness: Lateness,
    since_sweep: usize,
    /// For each rule the old times of which memory has every signal, in microseconds since the Unix epoch, UTC.
    brought: HashMap<Arc<str>, Vec<(i64, i64)>>,
    /// True if signals of such times came since the last sweep.
    takes_old: bool,
    /// What the arrival of a signal is more than its offset: the lake has those of all logs that there were.
    base: i64,
    /// Arrival before which signals may be in the lake alone.
    forgotten: i64,
    /// Arrival after the last signal that was counted.
    counted: i64,
    /// Arrival before which signals are taken one by one: a crash may have cut what was taken together elsewhere, and
    /// what was told of a part must be taken back by the rest.
    alone_before: i64,
    /// Signals of the lake that cannot be read, and that nobody was told of yet.
    damaged: Vec<RowError>,
}

impl Count {
    /// The state after the signals that this group has committed; none if stopped while the lake is waited for.
    ///
    /// # Errors
    /// [`DetectError`] if bus or lake cannot be read.
    pub(crate) async fn recall(
        rules: Arc<Ruleset>,
        (bus, group): (&Bus, &str),
        lake: &Lake,
        clock: &Arc<dyn Clock>,
        taken_max: usize,
        stop: &CancellationToken,
    ) -> Result<Option<(Self, Vec<Alert>)>, DetectError> {
        let mut count = Self {
            correlator: Correlator::new(Arc::clone(rules.compiled_correlations()), i64::MIN),
            rules,
            words: Words::default(),
            lateness: Lateness::default(),
            since_sweep: 0,
            brought: HashMap::new(),
            takes_old: false,
            base: 0,
            forgotten: 0,
            counted: 0,
            alone_before: 0,
            damaged: Vec::new(),
        };
        if count.rules.compiled_correlations().is_empty() {
            return Ok(Some((count, Vec::new())));
        }
        let Some(base) = base(bus, group, lake, stop).await? else {
            return Ok(None);
        };
        let committed = committed(bus, group).await?;
        let done = base.saturating_add(committed.unwrap_or(0));
        count.base = base;
        count.forgotten = done;
        count.counted = done;
        count.alone_before = done.saturating_add(i64::try_from(taken_max).unwrap_or(i64::MAX));
        if !has(lake, done, stop).await? {
            return Ok(None);
        }
        let now_us = clock.now_us();
        // On a log that is gone we had a position that is gone too: what was told of these signals is told again.
        let is_told_again = committed.is_none() && base > 0;
        let again = count.remember(lake, done, now_us, is_told_again).await?;
        // An absence may have become certain while nobody looked.
        let certain = count.advance(now_us);
        let told = count.told(lake).await?;
        let mut fresh: Vec<Alert> = certain
            .into_iter()
            .filter(|alert| !told.contains(&alert.alert_id))
            .collect();
        fresh.extend(count.alerts(&again, now_us));
        Ok(Some((count, fresh)))
    }

    /// The alerts that signals change, in the order of their arrival; none if stopped while the lake is waited for.
    ///
    /// `records` are of the topic of signals.
    ///
    /// # Errors
    /// [`DetectError::Lake`] if late signals need others that cannot be read.
    pub(crate) async fn take(
        &mut self,
        records: &[Delivery],
        lake: &Lake,
        clock: &Arc<dyn Clock>,
        stop: &CancellationToken,
    ) -> Result<Option<Vec<Alert>>, DetectError> {
        let now_us = clock.now_us();
        let mut signals = Vec::new();
        for record in records {
            if let Some(signal) = self.read_record(record) {
                self.lateness.add(signal.time_us, signal.accepted_time_us);
                signals.push((record.offset.saturating_add(self.base), signal));
            }
        }
        let wanted = self.neighbours(&signals, now_us);
        // As long as nothing was let go, memory has all that there is.
        if self.forgotten > 0 && !wanted.is_empty() {
            if !has(lake, self.forgotten, stop).await? {
                return Ok(None);
            }
            self.bring(wanted, lake).await?;
        }
        self.since_sweep += signals.len();
        let (alone, together): (Vec<_>, Vec<_>) = signals
            .into_iter()
            .partition(|(arrival, _)| *arrival < self.alone_before);
        let mut alerts = Vec::new();
        for (arrival, signal) in alone {
            self.counted = arrival + 1;
            let changes = self.correlator.add([signal]);
            alerts.extend(self.alerts(&changes, now_us));
        }
        if let Some((arrival, _)) = together.last() {
            self.counted = arrival + 1;
        }
        let together = together.into_iter().map(|(_, signal)| signal);
        let changes = self.correlator.add(together);
        alerts.extend(self.alerts(&changes, now_us));
        if self.since_sweep >= SWEEP_EVERY {
            self.sweep(now_us);
        }
        Ok(Some(alerts))
    }

    /// Who writes this topic is us; what cannot be read is kept by the lake as a dead letter.
    fn read_record(&mut self, record: &Delivery) -> Option<Signal> {
        let why = match wire::Signal::decode(record.payload.as_slice()) {
            Ok(signal) => match self.words.of_wire(&signal) {
                Ok(signal) => return Some(signal),
                Err(error) => error.to_string(),
            },
            Err(error) => error.to_string(),
        };
        metrics::counter!("detect_unreadable_signals_total").increment(1);
        tracing::error!(
            offset = record.offset,
            why,
            "a signal cannot be read and is not counted"
        );
        None
    }

    /// Signals of the lake that could not be read since this was asked last.
    pub(crate) fn take_damaged(&mut self) -> Vec<RowError> {
        std::mem::take(&mut self.damaged)
    }

    /// The alerts of what has become certain by now.
    pub(crate) fn advance(&mut self, now_us: i64) -> Vec<Alert> {
        let changes = self
            .correlator
            .advance(now_us.saturating_sub(micros(self.lateness.awaited())));
        self.alerts(&changes, now_us)
    }

    fn alerts(&self, changes: &[Change], now_us: i64) -> Vec<Alert> {
        let mut alerts = Vec::new();
        for change in changes {
            let id = &change.found.correlation;
            metrics::counter!("detect_outcomes_total", "state" => change.state.as_str())
                .increment(1);
            if self.rules.compiled_correlations().is_silent(id) {
                continue;
            }
            if let Some(statement) = self.rules.metadata_of(id) {
                let statement = statement.clone();
                let (found, state) = (&change.found, change.state);
                alerts.push(alert::of_found(
                    found,
                    statement,
                    state,
                    self.counted,
                    now_us,
                ));
            }
        }
        alerts
    }

    fn sweep(&mut self, now_us: i64) {
        self.since_sweep = 0;
        // While an old export is read, its past is wanted again at once.
        if std::mem::take(&mut self.takes_old) && self.correlator.len() < SIGNALS_MAX {
            return;
        }
        self.brought.clear();
        self.forgotten = self.counted;
        let remembered = self.lateness.remembered();
        self.correlator.forget(now_us, micros(remembered));
        self.words.sweep();
        metrics::gauge!("detect_signals").set(f64::from(
            u32::try_from(self.correlator.len()).unwrap_or(u32::MAX),
        ));
        tracing::debug!(
            signals = self.correlator.len(),
            ?remembered,
            "old signals were let go"
        );
    }

    /// Takes in the signals that were handled before and that later ones may join; gives what they change if it `is_told`.
    ///
    /// In parts, for values first seen reach back to the beginning: what a part has that can not matter any more is
    /// let go before the next is read.
    async fn remember(
        &mut self,
        lake: &Lake,
        done: i64,
        now_us: i64,
        is_told: bool,
    ) -> Result<Vec<Change>, DetectError> {
        let remembered_us = micros(self.lateness.remembered());
        let mut clauses = Vec::new();
        for definition in self.rules.compiled_correlations().definitions() {
            let ids: Vec<&str> = definition
                .members
                .iter()
                .map(|member| &*member.id)
                .collect();
            let mut since = String::new();
            if !matches!(definition.test, CorrelationTest::FirstSeen { .. }) {
                let since_us = now_us.saturating_sub(definition.memory_us(remembered_us));
                since = format!(" AND event_time >= to_timestamp_micros({since_us})");
            }
            clauses.push(format!("(rule_id IN ({}){since})", literals(&ids)));
        }
        let (mut changes, mut read, mut from) = (Vec::new(), 0, 0);
        while from < done {
            let to = from.saturating_add(PART_ARRIVALS).min(done);
            let signals = self
                .read(
                    lake,
                    &format!(
                        "arrival >= {from} AND arrival < {to} AND ({})",
                        clauses.join(" OR ")
                    ),
                )
                .await?;
            read += signals.len();
            let of_part = self.correlator.add(signals);
            if is_told {
                changes.extend(of_part);
            }
            if to < done {
                self.correlator.forget(now_us, remembered_us);
                tracing::info!(arrival = to, of = done, "reading signals from the lake");
            }
            from = to;
        }
        tracing::info!(
            read,
            kept = self.correlator.len(),
            "signals were read from the lake"
        );
        Ok(changes)
    }

    /// The rules and times of signals that decide about some which are older than what is remembered, and that memory
    /// does not have.
    fn neighbours(
        &mut self,
        signals: &[(i64, Signal)],
        now_us: i64,
    ) -> BTreeSet<(Arc<str>, i64, i64)> {
        let old_us = now_us.saturating_sub(micros(self.lateness.remembered()));
        let old: Vec<&Signal> = signals
            .iter()
            .map(|(_, signal)| signal)
            .filter(|signal| signal.time_us < old_us)
            .collect();
        let mut wanted = BTreeSet::new();
        for definition in self.rules.compiled_correlations().definitions() {
            // Of those everything is remembered.
            if matches!(definition.test, CorrelationTest::FirstSeen { .. }) {
                continue;
            }
            let is_member = |signal: &&&Signal| {
                let mut members = definition.members.iter();
                members.any(|member| member.id == signal.rule_id)
            };
            let times = old.iter().filter(is_member).map(|signal| signal.time_us);
            let (Some(first_us), Some(last_us)) = (times.clone().min(), times.max()) else {
                continue;
            };
            self.takes_old = true;
            let reach_us = definition.memory_us(0);
            // Whole days, so that an export in the order of time asks once a day and not once a batch.
            let from_us = start_of_day(first_us.saturating_sub(reach_us));
            let to_us = start_of_day(last_us.saturating_add(reach_us)).saturating_add(DAY_US);
            for member in &definition.members {
                let brought = self.brought.get(&member.id).map_or(&[][..], Vec::as_slice);
                for (from_us, to_us) in missing(brought, from_us, to_us) {
                    wanted.insert((Arc::clone(&member.id), from_us, to_us));
                }
            }
        }
        wanted
    }

    /// Brings signals of these rules and times along from the lake.
    async fn bring(
        &mut self,
        wanted: BTreeSet<(Arc<str>, i64, i64)>,
        lake: &Lake,
    ) -> Result<(), DetectError> {
        let clauses: Vec<String> = wanted
            .iter()
            .map(|(rule, from_us, to_us)| {
                format!(
                    "(rule_id IN ({}) AND event_time >= to_timestamp_micros({from_us}) \
                     AND event_time <= to_timestamp_micros({to_us}))",
                    literals([rule])
                )
            })
            .collect();
        // What came later is in memory.
        let until = self.forgotten;
        let condition = format!("arrival < {until} AND ({})", clauses.join(" OR "));
        let neighbours = self.read(lake, &condition).await?;
        // What was told of them was told when they came.
        self.correlator.add(neighbours);
        for (rule, from_us, to_us) in wanted {
            join(self.brought.entry(rule).or_default(), from_us, to_us);
        }
        Ok(())
    }

    async fn read(&mut self, lake: &Lake, condition: &str) -> Result<Vec<Signal>, DetectError> {
        let query = format!("SELECT * FROM signals WHERE {condition} ORDER BY arrival");
        let (rows, damaged) = lake.rows::<ArrivedSignal>(&query).await?;
        self.damaged.extend(damaged);
        let mut signals = Vec::with_capacity(rows.len());
        for row in rows {
            match self.words.of_wire(&row.signal) {
                Ok(signal) => signals.push(signal),
                Err(error) => self.damaged.push(error),
            }
        }
        for signal in &signals {
            self.lateness.add(signal.time_us, signal.accepted_time_us);
        }
        Ok(signals)
    }

    /// Ids of the alerts of absences that the lake has.
    async fn told(&self, lake: &Lake) -> Result<HashSet<String>, DetectError> {
        let absences = self.rules.compiled_correlations().definitions().iter();
        let absences = absences.filter(|definition| definition.test == CorrelationTest::Absence);
        let ids: Vec<&str> = absences.map(|definition| &*definition.id).collect();
        if ids.is_empty() {
            return Ok(HashSet::new());
        }
        let query = format!(
            "SELECT alert_id FROM alerts WHERE rule_id IN ({})",
            literals(&ids)
        );
        let (_, batches) = lake.query_all(&query).await?;
        let rows = batches.iter().flat_map(|batch| {
            (0..batch.num_rows())
                .filter_map(|row| sigma::plan::fields::text(batch, "alert_id", row))
        });
        Ok(rows.collect())
    }
}

/// Offset up to which this group has counted on the log that is there now; none if it has not.
async fn committed(bus: &Bus, group: &str) -> Result<Option<i64>, DetectError> {
    let committed = bus.committed(group, Topic::Signals).await?;
    let recognised = bus.recognise(group, &committed).await?;
    let ours = recognised.iter().filter(|found| found.is_same_log);
    Ok(ours.map(|found| found.position.next_offset).max())
}

/// What arrivals of signals are more than offsets, once the lake reads the log that is there now; none if stopped
/// before.
async fn base(
    bus: &Bus,
    group: &str,
    lake: &Lake,
    stop: &CancellationToken,
) -> Result<Option<i64>, DetectError> {
    loop {
        let taken = lake.taken(Topic::Signals, 0).await?;
        let recognised = bus.recognise(group, &[taken.position]).await?;
        if recognised.iter().all(|found| found.is_same_log) {
            return Ok(Some(taken.base()));
        }
        tracing::info!(
            "waiting for the lake to read the log of signals that took the place of another"
        );
        tokio::select! {
            () = stop.cancelled() => return Ok(None),
            () = tokio::time::sleep(LAKE_WAIT) => {}
        }
    }
}

/// Waits until the lake has the signals before an arrival; false if stopped before.
async fn has(lake: &Lake, arrival: i64, stop: &CancellationToken) -> Result<bool, DetectError> {
    while lake.taken(Topic::Signals, 0).await?.arrival < arrival {
        tracing::info!(
            arrival,
            "waiting for the lake to have the signals that were counted before"
        );
        tokio::select! {
            () = stop.cancelled() => return Ok(false),
            () = tokio::time::sleep(LAKE_WAIT) => {}
        }
    }
    Ok(true)
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
