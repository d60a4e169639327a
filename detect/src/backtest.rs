//! The same rules over all that the lake holds: what the stream must have raised.
//!
//! Row groups are evaluated on all cores, each by itself, so memory is that of a few row groups and of the alerts.

pub mod figures;

use std::collections::{BTreeMap, VecDeque};
use std::num::NonZero;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::thread;
use std::time::Duration;

use datafusion::error::DataFusionError;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::ExecutionPlan as _;
use futures::StreamExt as _;
use futures::executor::block_on;
use lake::{Lake, TableFile};
use parquet::errors::ParquetError;
use schemas::alert::AlertState;
use schemas::tables::Table;
use schemas::wire::Alert;
use sigma::correlation::Signal;
use sigma::plan::chunk::Chunk as _;
use sigma::plan::chunk::row_group::{ParquetFile, RowGroup};
use sigma::{Correlator, Ruleset};

use self::figures::{Report, Tally, Window};
use crate::alert::{self, Origin};
use crate::error::DetectError;
use crate::evaluate::{Evaluation, Findings, tables};
use crate::rule_scan::{ComputeThread, RulePlans, RuleScanExec, ScanUnit};

/// The alerts of every row of every table, and of all correlations over them, by alert id; of several versions of one
/// alert, the first accepted.
///
/// # Errors
/// [`DetectError::Lake`] or [`DetectError::Evaluate`] if a table cannot be read.
pub async fn evaluate_lake(
    rules: &Ruleset,
    lake: &Lake,
    now_us: i64,
) -> Result<BTreeMap<String, Alert>, DetectError> {
    evaluate_files(rules, lake, |_| true, now_us).await
}

/// As [`evaluate_lake`], of the files that are wanted.
///
/// # Errors
/// As [`evaluate_lake`].
pub async fn evaluate_files(
    rules: &Ruleset,
    lake: &Lake,
    is_wanted: impl Fn(&TableFile) -> bool,
    now_us: i64,
) -> Result<BTreeMap<String, Alert>, DetectError> {
    let mut alerts: BTreeMap<String, Alert> = BTreeMap::new();
    let mut signals = Vec::new();
    for table in tables(rules) {
        let mut files = lake.files(table).await?;
        files.retain(&is_wanted);
        let work = row_groups(lake, table, &files)?;
        let context = lake.task_context();
        let evaluate = |work: Work| {
            let group = work.open(lake)?;
            work.evaluation(rules, now_us).row_group(group, &context)
        };
        // Evaluation is computing, not waiting: it must not hold up the tasks of others.
        let found = tokio::task::block_in_place(|| on_all_cores(work, evaluate))?;
        for findings in found {
            signals.extend(findings.signals);
            for alert in findings.alerts {
                let first = alerts
                    .entry(alert.alert_id.clone())
                    .or_insert_with(|| alert.clone());
                if alert.accepted_time_us < first.accepted_time_us {
                    *first = alert;
                }
            }
        }
    }
    let correlated = tokio::task::block_in_place(|| correlated(rules, signals, now_us));
    let correlated = correlated.into_iter();
    alerts.extend(correlated.map(|alert| (alert.alert_id.clone(), alert)));
    Ok(alerts)
}

/// The alerts of all correlations over all signals that there are.
pub fn correlated(rules: &Ruleset, mut signals: Vec<Signal>, now_us: i64) -> Vec<Alert> {
    // Of an event that is stored again the first accepted counts, as on the stream.
    signals.sort_by_key(|signal| (signal.id, signal.accepted_time_us));
    signals.dedup_by_key(|signal| signal.id);
    let counted = i64::try_from(signals.len()).unwrap_or(i64::MAX);
    let mut correlator = Correlator::new(Arc::clone(rules.compiled_correlations()), now_us);
    correlator.add(signals);
    let alerts = correlator.found().into_iter().filter_map(|found| {
        if rules.compiled_correlations().is_silent(&found.correlation) {
            return None;
        }
        let statement = rules.metadata_of(&found.correlation)?.clone();
        Some(alert::of_found(
            &found,
            statement,
            AlertState::Raised,
            counted,
            now_us,
        ))
    });
    alerts.collect()
}

/// A row group to evaluate, opened only then: a lake has more files than a process may hold open.
struct Work {
    table: Table,
    day: String,
    origin: Origin,
    /// Its place in the file.
    at: usize,
    /// Its place among those of the table.
    turn: usize,
}

impl Work {
    fn open(&self, lake: &Lake) -> Result<RowGroup, DetectError> {
        let file = open(lake, self.table, &self.origin.file)?;
        let group = file.row_groups().nth(self.at);
        group.ok_or_else(|| {
            let message = format!("{} has lost row group {}", self.origin.file, self.at);
            DetectError::evaluate(self.table, ParquetError::General(message))
        })
    }

    fn evaluation<'a>(&'a self, rules: &'a Ruleset, now_us: i64) -> Evaluation<'a> {
        Evaluation {
            rules,
            table: self.table,
            origin: &self.origin,
            now_us,
        }
    }
}

/// The row groups of some files of a table.
fn row_groups(lake: &Lake, table: Table, files: &[TableFile]) -> Result<Vec<Work>, DetectError> {
    let mut work = Vec::new();
    for file in files {
        let groups = open(lake, table, &file.path)?.row_groups().count();
        for at in 0..groups {
            work.push(Work {
                table,
                day: file.day.clone(),
                origin: origin(table, file),
                at,
                turn: work.len(),
            });
        }
    }
    Ok(work)
}

fn open(lake: &Lake, table: Table, path: &str) -> Result<ParquetFile, DetectError> {
    ParquetFile::open(lake.open_file(table, path)?)
        .map_err(|cause| DetectError::evaluate(table, cause))
}

/// Does all work, each thread taking the next that is left.
fn on_all_cores<T: Send>(
    mut work: Vec<Work>,
    each: impl Fn(Work) -> Result<T, DetectError> + Sync,
) -> Result<Vec<T>, DetectError> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    // One of each table first: tables differ in what they cost, and the dearest must not be left for the end.
    work.sort_by_key(|work| work.turn);
    let queue = Mutex::new(VecDeque::from(work));
    let next = || {
        let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.pop_front()
    };
    let run = || std::iter::from_fn(next).map(&each).collect();
    let done: Vec<Result<Vec<T>, DetectError>> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap_or(Err(DetectError::Interrupted)))
            .collect()
    });
    let mut all = Vec::new();
    for some in done {
        all.extend(some?);
    }
    Ok(all)
}

/// What a measured backtest looks at, and what it tells meanwhile.
pub struct Measurement<'a> {
    /// Days to look at, back from the newest day that the lake has; none for all.
    pub days: Option<u32>,
    /// For each rule, by its number, a set with no other, to tell what it costs; empty if nobody asks.
    pub alone: &'a [Ruleset],
    /// When, in microseconds since the Unix epoch, UTC.
    pub now_us: i64,
    /// Processor time that the calling thread has used.
    pub thread_time: fn() -> Duration,
    /// Called with the row groups that are done, and all there are.
    pub progress: &'a (dyn Fn(usize, usize) + Sync),
}

/// What each rule finds in the lake, day by day, and what it costs.
///
/// A rule's cost is that of a plan with no other rule over the same row groups.
///
/// # Errors
/// As [`evaluate_lake`].
pub async fn measure(
    rules: &Ruleset,
    lake: &Lake,
    measurement: &Measurement<'_>,
) -> Result<Report, DetectError> {
    let mut tables: Vec<Table> = rules.tables().collect();
    tables.push(Table::Revisions);
    let mut files: Vec<(Table, Vec<TableFile>)> = Vec::new();
    for table in tables {
        files.push((table, lake.files(table).await?));
    }
    let all_files = || files.iter().flat_map(|(_, files)| files);
    let window = Window::of(all_files().map(|file| file.day.as_str()), measurement.days);
    for (_, files) in &mut files {
        files.retain(|file| window.as_ref().is_some_and(|window| window.has(&file.day)));
    }
    let mut work = Vec::new();
    for (table, files) in &files {
        work.extend(row_groups(lake, *table, files)?);
    }
    let mut tally = Tally::new(rules, window);
    tally.report.files = files.iter().map(|(_, files)| files.len()).sum();
    tally.report.row_groups = work.len();
    let total = work.len();
    let context = lake.task_context();
    let tally = Mutex::new(tally);
    let each = |work: Work| {
        let measured = work.measure(rules, (lake, &context), measurement)?;
        let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
        let signals = tally.add(&work.day, measured);
        (measurement.progress)(tally.groups_done(), total);
        Ok(signals)
    };
    let signals = tokio::task::block_in_place(|| on_all_cores(work, each))?;
    let mut tally = tally.into_inner().unwrap_or_else(PoisonError::into_inner);
    let start = (measurement.thread_time)();
    let signals = signals.into_iter().flatten().collect();
    let alerts = tokio::task::block_in_place(|| correlated(rules, signals, measurement.now_us));
    let together = (measurement.thread_time)().saturating_sub(start);
    tally.add_correlated(&alerts, together);
    Ok(tally.finish())
}

/// What came out of one row group.
struct Measured {
    rows: u64,
    findings: Findings,
    together: Duration,
    /// Cost of each rule alone, by its number.
    alone: Vec<(usize, Duration)>,
}

impl Work {
    fn measure(
        &self,
        rules: &Ruleset,
        (lake, context): (&Lake, &Arc<TaskContext>),
        measurement: &Measurement<'_>,
    ) -> Result<Measured, DetectError> {
        let clock = measurement.thread_time;
        let group = self.open(lake)?;
        let start = clock();
        let findings = self
            .evaluation(rules, measurement.now_us)
            .row_group(group.clone(), context)?;
        let together = clock().saturating_sub(start);
        let mut costs = Vec::new();
        for (number, rule) in measurement.alone.iter().enumerate() {
            let is_asked =
                rule.plan(self.table).is_some() || rule.retold(self.table).next().is_some();
            if !is_asked {
                continue;
            }
            let start = clock();
            let rule = self.evaluation(rule, measurement.now_us);
            ask(&rule, group.clone(), context)
                .map_err(|cause| DetectError::evaluate(self.table, cause))?;
            costs.push((number, clock().saturating_sub(start)));
        }
        Ok(Measured {
            rows: group.rows() as u64,
            findings,
            together,
            alone: costs,
        })
    }
}

/// Asks rules of a row group, and of the rows that they match nothing.
fn ask(
    rules: &Evaluation<'_>,
    group: RowGroup,
    context: &Arc<TaskContext>,
) -> Result<(), DataFusionError> {
    let plans = RulePlans::of(rules.rules, rules.table);
    let units = vec![vec![ScanUnit::row_group(rules.file(), group)]];
    let scan = RuleScanExec::new(plans, units, &[])?.on_thread(ComputeThread::Caller);
    let mut hits = scan.execute(0, Arc::clone(context))?;
    while let Some(batch) = block_on(hits.next()) {
        batch?;
    }
    Ok(())
}

fn origin(table: Table, file: &TableFile) -> Origin {
    Origin {
        table: table.name().to_owned(),
        tenant_id: file.tenant_id.clone(),
        file: file.path.clone(),
        version: file.version,
    }
}
