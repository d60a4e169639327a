//! An alert once more: its rule over the very rows that it names.
//!
//! An alert's id is a hash of its causes, so the same rule over the same row must give it again. Where compaction has
//! replaced the file, the row is found by the id of its event. What a correlation found is counted again over the files
//! of all days whose records can be in its window.

use std::io::ErrorKind;

use arrow::array::BooleanBufferBuilder;
use arrow::record_batch::RecordBatch;
use columns::retold::WORKLOAD;
use lake::{Lake, LakeError, TableFile, literals};
use parquet::errors::ParquetError;
use schemas::tables::Table;
use schemas::time;
use schemas::wire::{Alert, Event, Evidence};
use sigma::Ruleset;
use sigma::plan::chunk::Chunk as _;
use sigma::plan::chunk::row_group::ParquetFile;
use sigma::plan::fields::text;

use crate::alert::Origin;
use crate::backtest::{evaluate_files, evaluate_lake};
use crate::error::DetectError;
use crate::evaluate::{Evaluation, event, told_id};

/// Where the row of an evidence was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// In the file and row that the alert names.
    InFile,
    /// Elsewhere in the table, by the id of its event: compaction has moved it.
    Moved,
    /// Nowhere: the lake no longer has it.
    Nowhere,
}

/// What became of one evidence of an alert.
#[derive(Debug)]
pub struct Reproduction {
    /// The evidence as the alert has it.
    pub evidence: Evidence,
    /// Where its row was found.
    pub found: Found,
    /// The event in that row.
    pub event: Option<Event>,
    /// The alert of the same id that the rules raise from it now.
    pub alert: Option<Alert>,
}

/// The alert `alert_id` of a tenant again, by each of its evidences.
///
/// # Errors
/// [`DetectError::Lake`] or [`DetectError::Evaluate`] if a file or table cannot be read.
pub async fn reproduce(
    rules: &Ruleset,
    lake: &Lake,
    (alert_id, tenant_id): (&str, &str),
    evidence: Vec<Evidence>,
    now_us: i64,
) -> Result<Vec<Reproduction>, DetectError> {
    let mut all = Vec::new();
    for evidence in evidence {
        let Some(table) = Table::of_name(&evidence.table) else {
            all.push(nowhere(evidence));
            continue;
        };
        let (found, row) = match in_file(lake, table, &evidence)? {
            Some(row) => (Found::InFile, Some(row)),
            None => (Found::Moved, in_table(lake, table, &evidence).await?),
        };
        let Some(row) = row else {
            all.push(nowhere(evidence));
            continue;
        };
        let origin = Origin {
            table: table.name().to_owned(),
            tenant_id: tenant_id.to_owned(),
            file: evidence.file.clone(),
            version: evidence.version,
        };
        let evaluation = Evaluation {
            rules,
            table,
            origin: &origin,
            now_us,
        };
        let alerts = evaluation.batch(&row)?.alerts;
        all.push(Reproduction {
            found,
            event: Some(Event {
                tenant_id: tenant_id.to_owned(),
                ..event(&row, 0)
            }),
            alert: alerts.into_iter().find(|alert| alert.alert_id == alert_id),
            evidence,
        });
    }
    Ok(all)
}

/// The alert `alert_id` of a correlation again, out of the files of the days around its first event.
///
/// # Errors
/// As [`reproduce`].
pub async fn recount(
    rules: &Ruleset,
    lake: &Lake,
    alert_id: &str,
    first_event_time_us: i64,
    now_us: i64,
) -> Result<Option<Alert>, DetectError> {
    // What a correlation counts may be of correlations, each of which reaches as far again.
    let reach_us = rules.compiled_correlations().reach_us();
    let first = time::day(first_event_time_us.saturating_sub(reach_us));
    let last = time::day(first_event_time_us.saturating_add(reach_us));
    let is_near = |file: &TableFile| (first.as_str()..=last.as_str()).contains(&file.day.as_str());
    let mut alerts = evaluate_files(rules, lake, is_near, now_us).await?;
    if !alerts.contains_key(alert_id) {
        // What is new may be so because of a day long ago.
        alerts = evaluate_lake(rules, lake, now_us).await?;
    }
    Ok(alerts.remove(alert_id))
}

fn nowhere(evidence: Evidence) -> Reproduction {
    Reproduction {
        evidence,
        found: Found::Nowhere,
        event: None,
        alert: None,
    }
}

/// The row that the evidence names; none if the file is gone, or has another event there.
fn in_file(
    lake: &Lake,
    table: Table,
    evidence: &Evidence,
) -> Result<Option<RecordBatch>, DetectError> {
    let opened = match lake.open_file(table, &evidence.file) {
        Err(LakeError::File { cause, .. }) if cause.kind() == ErrorKind::NotFound => {
            return Ok(None);
        }
        opened => opened?,
    };
    let failed = |cause: ParquetError| DetectError::evaluate(table, cause);
    let file = ParquetFile::open(opened).map_err(failed)?;
    for group in file.row_groups() {
        let place = evidence.row.checked_sub(group.first_row());
        let Some(row) = place
            .and_then(|row| usize::try_from(row).ok())
            .filter(|row| *row < group.rows())
        else {
            continue;
        };
        let mut wanted = BooleanBufferBuilder::new(group.rows());
        wanted.append_n(group.rows(), false);
        wanted.set_bit(row, true);
        let batch = group.read(Some(&wanted.finish())).map_err(failed)?;
        let is_it = text(&batch, table.identity(), 0).is_some_and(|id| id == evidence.event_id)
            || text(&batch, "event_id", 0).is_some_and(|id| id == evidence.event_id)
            || told_id(&batch, 0).is_some_and(|id| id == evidence.event_id);
        return Ok(is_it.then_some(batch));
    }
    Ok(None)
}

/// The row of the evidence's event, wherever it stands now.
async fn in_table(
    lake: &Lake,
    table: Table,
    evidence: &Evidence,
) -> Result<Option<RecordBatch>, DetectError> {
    let id = literals([&evidence.event_id]);
    // What is told again is named by the id that it has in Entra's own log.
    let told = if table == Table::M365Activity {
        format!(" OR (workload = '{WORKLOAD}' AND strpos(raw, {id}) > 0)")
    } else {
        String::new()
    };
    let query = format!(
        "SELECT * FROM {} WHERE event_id = {id}{told} LIMIT 1",
        table.name()
    );
    let (_, batches) = lake.query_all(&query).await?;
    Ok(batches.into_iter().find(|batch| batch.num_rows() > 0))
}
