//! Detection over newline-delimited events: all rules, one thread, counts per rule and processor time.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use sigma::Plan;
use sigma::mapping::Mapping;
use sigma::plan::RAW;
use sigma::plan::chunk::Batch;

use crate::cpu::thread_time;
use crate::events;
use crate::kit::{BenchError, fields, file_error, load};
use crate::store::Store;

/// What a run found and what it cost.
#[derive(Debug, Default)]
pub struct Report {
    /// Events read.
    pub events: u64,
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
    /// Processor time for evaluating all rules over the columns.
    pub evaluate: Duration,
    /// Processor time for writing the files, if any.
    pub write: Duration,
    /// Processor time for everything.
    pub all: Duration,
    /// Bytes written.
    pub stored: u64,
}

/// Evaluates every rule of the folder `rules` over the events of the file `path`, and stores them if a folder is given.
///
/// # Errors
/// [`BenchError`] if a file cannot be read or written, or an event is not JSON.
pub fn run(path: &Path, rules: &Path, folder: Option<&Path>) -> Result<Report, BenchError> {
    let rules = load(rules)?;
    let names = fields(&rules);
    let mut report = Report {
        columns: names.len(),
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
    let now = || thread_time().map_err(|cause| file_error(path, cause));
    let mut files = folder.map(Store::create).transpose()?;
    let has_raw = files.is_some() || plan.columns().contains(&RAW);
    report.events = events::read(path, names, has_raw, |name, batch| {
        let start = now()?;
        let found = plan
            .evaluate(&mut Batch(batch))
            .map_err(BenchError::evaluate)?;
        for hits in found {
            *report.counts.entry(rules[hits.rule].0.clone()).or_default() += hits.rows.len();
        }
        let middle = now()?;
        if let Some(files) = &mut files {
            files.write(name, batch)?;
        }
        report.evaluate += middle.saturating_sub(start);
        report.write += now()?.saturating_sub(middle);
        Ok(())
    })?;
    report.stored = files.map(Store::close).transpose()?.unwrap_or_default();
    report.all = now()?;
    Ok(report)
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
        "stored_bytes": report.stored,
        "cpu_s_evaluate": report.evaluate.as_secs_f64(),
        "cpu_s_write": report.write.as_secs_f64(),
        "cpu_s": report.all.as_secs_f64(),
    })
}
