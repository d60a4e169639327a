//! The same rules over all that the lake holds: what the stream must have raised.
//!
//! Row groups are evaluated on all cores, each by itself, so memory is that of a few row groups and of the alerts.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::thread;

use lake::{Lake, TableFile};
use parquet::errors::ParquetError;
use schemas::tables::Table;
use schemas::wire::Alert;
use sigma::Ruleset;
use sigma::plan::chunk::row_group::{ParquetFile, RowGroup};

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
