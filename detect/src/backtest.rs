//! The same rules over all that the lake holds: what the stream must have raised.
//!
//! Rows are read as a stream of batches, so memory is that of one batch and of the alerts.

use std::collections::BTreeMap;

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::DataType;
use arrow::record_batch::RecordBatch;
use datafusion::error::DataFusionError;
use futures::StreamExt;
use lake::Lake;
use schemas::tables::Table;
use schemas::wire::Alert;

use crate::alert::Origin;
use crate::error::DetectError;
use crate::evaluate::Ruleset;

/// The alerts of every row of every table, by alert id; of several versions of one alert, the first accepted.
///
/// Shape: evidence names table and event id, not file and row, because rows are read through SQL.
///
/// # Errors
/// [`DetectError::Lake`] if a table cannot be read.
pub async fn evaluate_lake(
    rules: &Ruleset,
    lake: &Lake,
    now_us: i64,
) -> Result<BTreeMap<String, Alert>, DetectError> {
    let mut alerts = BTreeMap::new();
    for table in rules.tables() {
        evaluate_table(rules, lake, table, now_us, &mut alerts).await?;
    }
    Ok(alerts)
}

/// Adds the alerts of every row of `table` to `alerts`.
///
/// # Errors
/// [`DetectError::Lake`] if the table cannot be read.
pub async fn evaluate_table(
    rules: &Ruleset,
    lake: &Lake,
    table: Table,
    now_us: i64,
    alerts: &mut BTreeMap<String, Alert>,
) -> Result<(), DetectError> {
    // The name is one of a closed set, not a user's text.
    let (_, mut stream) = lake.query(&format!("SELECT * FROM {table}")).await?;
    let failed = |cause: DataFusionError| DetectError::Evaluate {
        table: table.name(),
        cause: Box::new(cause),
    };
    while let Some(batch) = stream.next().await {
        let batch = batch.map_err(failed)?;
        for (tenant_id, rows) in by_tenant(&batch).map_err(failed)? {
            let origin = Origin {
                table: table.name().to_owned(),
                tenant_id,
                file: String::new(),
                version: 0,
                first_row: 0,
            };
            for alert in rules.evaluate(table, &rows, &origin, now_us)? {
                let first = alerts
                    .entry(alert.alert_id.clone())
                    .or_insert_with(|| alert.clone());
                if alert.accepted_time_us < first.accepted_time_us {
                    *first = alert;
                }
            }
        }
    }
    Ok(())
}

/// The batch in runs of rows of one tenant; files hold one tenant each, so runs are few.
fn by_tenant(batch: &RecordBatch) -> Result<Vec<(String, RecordBatch)>, DataFusionError> {
    let Some(column) = batch.column_by_name("tenant_id") else {
        return datafusion::common::exec_err!("table has no column tenant_id");
    };
    let tenants = cast(column, &DataType::Utf8)?;
    let tenants = tenants.as_string::<i32>();
    let mut runs = Vec::new();
    let mut start = 0;
    for row in 1..=batch.num_rows() {
        if row == batch.num_rows() || tenants.value(row) != tenants.value(start) {
            runs.push((
                tenants.value(start).to_owned(),
                batch.slice(start, row - start),
            ));
            start = row;
        }
    }
    Ok(runs)
}
