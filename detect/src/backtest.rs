//! The same rules over all that the lake holds: what the stream must have raised.
//!
//! Row groups are evaluated on all cores, each by itself, so memory is that of a few row groups and of the alerts.

pub mod figures;

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::thread;
use std::time::Duration;

use lake::{Lake, TableFile};
use parquet::errors::ParquetError;
use schemas::tables::Table;
use schemas::wire::Alert;
use sigma::Ruleset;
use sigma::plan::chunk::Chunk as _;
use sigma::plan::chunk::row_group::{ParquetFile, RowGroup};

use self::figures::{Report, Tally, Window};
use crate::alert::Origin;
use crate::error::DetectError;
use crate::evaluate::{Evaluation, tables};

/// The alerts of every row of every table, by alert id; of several versions of one alert, the first accepted.
///
/// # Errors
/// [`DetectError::Lake`] or [`DetectError::Evaluate`] if a table cannot be read.
pub async fn evaluate_lake(
    rules: &Ruleset,
    lake: &Lake,
    now_us: i64,
) -> Result<BTreeMap<String, Alert>, DetectError> {
    let mut alerts = BTreeMap::new();
    for table in tables(rules) {
        evaluate_table(rules, lake, table, now_us, &mut alerts).await?;
    }
    Ok(alerts)
}

/// Adds the alerts of every row of `table` to `alerts`.
///
/// # Errors
/// As [`evaluate_lake`].
pub async fn evaluate_table(
    rules: &Ruleset,
    lake: &Lake,
    table: Table,
    now_us: i64,
    alerts: &mut BTreeMap<String, Alert>,
) -> Result<(), DetectError> {
    let mut groups = Vec::new();
    for file in lake.files(table).await? {
        let opened = lake.open_file(table, &file.path)?;
        let parquet = ParquetFile::open(opened).map_err(|cause| failed(table, cause))?;
        let origin = origin(table, &file);
        groups.extend(parquet.row_groups().map(|group| (origin.clone(), group)));
    }
    // Evaluation is computing, not waiting: it must not hold up the tasks of others.
    let found = tokio::task::block_in_place(|| evaluate_groups(rules, table, groups, now_us))?;
    for alert in found {
        let first = alerts
            .entry(alert.alert_id.clone())
            .or_insert_with(|| alert.clone());
        if alert.accepted_time_us < first.accepted_time_us {
            *first = alert;
        }
    }
    Ok(())
}

/// Evaluates row groups on all cores.
fn evaluate_groups(
    rules: &Ruleset,
    table: Table,
    groups: Vec<(Origin, RowGroup)>,
    now_us: i64,
) -> Result<Vec<Alert>, DetectError> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let queue = Mutex::new(groups);
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let work = || {
        let mut alerts = Vec::new();
        while let Some((origin, group)) = next() {
            let evaluation = Evaluation {
                rules,
                table,
                origin: &origin,
                now_us,
            };
            alerts.extend(evaluation.row_group(group)?);
        }
        Ok(alerts)
    };
    let found: Vec<Result<Vec<Alert>, DetectError>> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap_or(Err(DetectError::Interrupted)))
            .collect()
    });
    let mut alerts = Vec::new();
    for some in found {
        alerts.extend(some?);
    }
    Ok(alerts)
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
    let mut files = Vec::new();
    for table in tables {
        let of_table = lake.files(table).await?;
        files.extend(of_table.into_iter().map(|file| (table, file)));
    }
    let days = files.iter().map(|(_, file)| file.day.as_str());
    let window = Window::of(days, measurement.days);
    files.retain(|(_, file)| window.as_ref().is_some_and(|window| window.has(&file.day)));
    let mut work = Vec::new();
    for (table, file) in &files {
        let opened = lake.open_file(*table, &file.path)?;
        let parquet = ParquetFile::open(opened).map_err(|cause| failed(*table, cause))?;
        let origin = origin(*table, file);
        work.extend(parquet.row_groups().map(|group| Work {
            table: *table,
            day: file.day.clone(),
            origin: origin.clone(),
            group,
        }));
    }
    let mut tally = Tally::new(rules, window);
    tally.report.files = files.len();
    tally.report.row_groups = work.len();
    tokio::task::block_in_place(|| measure_groups(rules, work, measurement, tally))
}

/// A row group to evaluate.
struct Work {
    table: Table,
    day: String,
    origin: Origin,
    group: RowGroup,
}

/// Evaluates row groups on all cores: all rules together, then each alone.
fn measure_groups(
    rules: &Ruleset,
    work: Vec<Work>,
    measurement: &Measurement<'_>,
    tally: Tally,
) -> Result<Report, DetectError> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let total = work.len();
    let queue = Mutex::new(work);
    let tally = Mutex::new(tally);
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let run = || {
        while let Some(work) = next() {
            let measured = work.measure(rules, measurement)?;
            let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
            tally.add(&work.day, measured);
            (measurement.progress)(tally.groups_done(), total);
        }
        Ok(())
    };
    let ended: Vec<Result<(), DetectError>> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap_or(Err(DetectError::Interrupted)))
            .collect()
    });
    ended.into_iter().collect::<Result<(), DetectError>>()?;
    Ok(tally
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner)
        .finish())
}

/// What came out of one row group.
struct Measured {
    rows: u64,
    alerts: Vec<Alert>,
    together: Duration,
    /// Cost of each rule alone, by its number.
    alone: Vec<(usize, Duration)>,
}

impl Work {
    fn measure(
        &self,
        rules: &Ruleset,
        measurement: &Measurement<'_>,
    ) -> Result<Measured, DetectError> {
        let clock = measurement.thread_time;
        let evaluation = Evaluation {
            rules,
            table: self.table,
            origin: &self.origin,
            now_us: measurement.now_us,
        };
        let start = clock();
        let alerts = evaluation.row_group(self.group.clone())?;
        let together = clock().saturating_sub(start);
        let mut costs = Vec::new();
        for (number, rule) in measurement.alone.iter().enumerate() {
            let Some(plan) = rule.plan(self.table) else {
                continue;
            };
            let start = clock();
            plan.evaluate(&mut self.group.clone())
                .map_err(|cause| failed(self.table, cause))?;
            costs.push((number, clock().saturating_sub(start)));
        }
        Ok(Measured {
            rows: self.group.rows() as u64,
            alerts,
            together,
            alone: costs,
        })
    }
}

fn origin(table: Table, file: &TableFile) -> Origin {
    Origin {
        table: table.name().to_owned(),
        tenant_id: file.tenant_id.clone(),
        file: file.path.clone(),
        version: file.version,
    }
}

fn failed(table: Table, cause: ParquetError) -> DetectError {
    DetectError::Evaluate {
        table: table.name(),
        cause,
    }
}
