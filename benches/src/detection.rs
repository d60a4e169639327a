//! Detection over newline-delimited events: all rules, one thread, counts per rule and processor time.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead};
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use sigma::Plan;
use sigma::mapping::Mapping;
use sigma::plan::chunk::Batch;

use crate::cpu::thread_time;
use crate::kit::{BATCH_ROWS, BenchError, Columns, fields, file_error, load, schema};

/// What a run found and what it cost.
#[derive(Debug, Default)]
pub struct Report {
    /// Events read.
    pub events: usize,
    /// Rules evaluated.
    pub rules: usize,
    /// Distinct tests that they share.
    pub tests: usize,
    /// Columns that they read.
    pub columns: usize,
    /// Rules that the engine refused, with the reason.
    pub refused: BTreeMap<String, String>,
    /// Matches of each rule that has any, by the name of its file.
    pub counts: BTreeMap<String, usize>,
    /// Processor time for reading JSON and building columns.
    pub read: Duration,
    /// Processor time for evaluating all rules over the columns.
    pub evaluate: Duration,
}

/// Evaluates every rule of the folder `rules` over the events of the file `events`.
///
/// # Errors
/// [`BenchError`] if a file cannot be read or an event is not JSON.
pub fn run(events: &Path, rules: &Path) -> Result<Report, BenchError> {
    let rules = load(rules)?;
    let fields = fields(&rules);
    let schema = schema(&fields);
    let mut report = Report {
        columns: fields.len(),
        ..Report::default()
    };
    let numbered = rules.iter().map(|(_, rule)| rule).enumerate();
    let (plan, refused) = Plan::new(Mapping::Flat, numbered);
    for (number, refusal) in refused {
        let (name, _) = &rules[number];
        report.refused.insert(name.clone(), refusal.to_string());
    }
    report.rules = plan.rules();
    report.tests = plan.tests();
    let paths: Vec<Vec<&str>> = fields
        .iter()
        .map(|field| field.split('.').collect())
        .collect();
    let file = fs::File::open(events).map_err(|cause| file_error(events, cause))?;
    let mut lines = io::BufReader::with_capacity(1 << 20, file).lines();
    loop {
        let start = now(events)?;
        let mut columns = Columns::new(paths.len());
        for line in lines.by_ref().take(BATCH_ROWS) {
            let line = line.map_err(|cause| file_error(events, cause))?;
            report.events += 1;
            let event: Value = serde_json::from_str(&line).map_err(|cause| BenchError::Event {
                line: report.events,
                cause,
            })?;
            columns.push(&event, &line, &paths);
        }
        let rows = columns.rows;
        let batch = columns
            .finish(&schema)
            .map_err(|cause| BenchError::Evaluate(Box::new(cause)))?;
        let middle = now(events)?;
        let found = plan
            .evaluate(&mut Batch(&batch))
            .map_err(|cause| BenchError::Evaluate(Box::new(cause)))?;
        for hits in found {
            *report.counts.entry(rules[hits.rule].0.clone()).or_default() += hits.rows.len();
        }
        report.read += middle.saturating_sub(start);
        report.evaluate += now(events)?.saturating_sub(middle);
        if rows < BATCH_ROWS {
            return Ok(report);
        }
    }
}

fn now(events: &Path) -> Result<Duration, BenchError> {
    thread_time().map_err(|cause| file_error(events, cause))
}

/// The report as JSON for a person or a script.
pub fn to_json(report: &Report) -> Value {
    serde_json::json!({
        "events": report.events,
        "covered": report.rules,
        "rejected": report.refused,
        "tests": report.tests,
        "columns": report.columns,
        "matches": report.counts.values().sum::<usize>(),
        "counts": report.counts,
        "cpu_s_read": report.read.as_secs_f64(),
        "cpu_s_evaluate": report.evaluate.as_secs_f64(),
    })
}
