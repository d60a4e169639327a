//! Detection over newline-delimited events: all rules, one thread, counts per rule and processor time.
//!
//! The events carry `product` and `service`, which say whose rules they are for; a rule's field is the value at
//! exactly that path. Values on a path through a list are joined by blanks, as the kit's other engines have them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, BufRead};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, StringBuilder, StringDictionaryBuilder};
use arrow::datatypes::{DataType, Field, Int32Type, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use rsigma_parser::{Detection, Modifier, SigmaRule, SigmaValue, parse_sigma_yaml};
use serde_json::Value;
use sigma::Plan;
use sigma::mapping::Mapping;
use sigma::plan::chunk::Batch;

use crate::cpu::thread_time;

/// Rows of a batch: the row group that the kit's Parquet files have.
pub const BATCH_ROWS: usize = 131_072;

/// What stopped a measurement.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// A file could not be read.
    #[error("could not read \"{path}\"")]
    File {
        /// The file.
        path: String,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// An event is not JSON.
    #[error("cannot read event {line}")]
    Event {
        /// Its line, from 1.
        line: usize,
        /// Why.
        #[source]
        cause: serde_json::Error,
    },
    /// A batch could not be built or evaluated.
    #[error("could not evaluate a batch")]
    Evaluate(#[source] Box<dyn std::error::Error + Send + Sync>),
}

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

fn file_error(path: &Path, cause: io::Error) -> BenchError {
    BenchError::File {
        path: path.display().to_string(),
        cause,
    }
}

/// The rules of a folder by the names of their files, in order.
fn load(folder: &Path) -> Result<Vec<(String, SigmaRule)>, BenchError> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .map_err(|cause| file_error(folder, cause))?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yml"))
        .collect();
    files.sort();
    let mut rules = Vec::new();
    for path in files {
        let text = fs::read_to_string(&path).map_err(|cause| file_error(&path, cause))?;
        let name = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let parsed =
            parse_sigma_yaml(&text).map_err(|cause| BenchError::Evaluate(Box::new(cause)))?;
        rules.extend(parsed.rules.into_iter().map(|rule| (name.clone(), rule)));
    }
    Ok(rules)
}

/// The names of all fields that rules ask for.
fn fields(rules: &[(String, SigmaRule)]) -> Vec<String> {
    fn walk(detection: &Detection, found: &mut BTreeSet<String>) {
        match detection {
            Detection::AllOf(items) => {
                for item in items {
                    found.extend(item.field.name.clone());
                    if item.field.has_modifier(Modifier::FieldRef) {
                        found.extend(item.values.iter().map(SigmaValue::to_string));
                    }
                }
            }
            Detection::AnyOf(members) | Detection::And(members) => {
                for member in members {
                    walk(member, found);
                }
            }
            _ => {}
        }
    }
    let mut found = BTreeSet::from(["product".to_owned(), "service".to_owned()]);
    for (_, rule) in rules {
        rule.detection
            .named
            .values()
            .for_each(|detection| walk(detection, &mut found));
    }
    found.into_iter().collect()
}

fn schema(fields: &[String]) -> SchemaRef {
    let text = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let mut columns: Vec<Field> = fields
        .iter()
        .map(|name| Field::new(name, text.clone(), true))
        .collect();
    columns.push(Field::new("raw", DataType::Utf8, true));
    Arc::new(Schema::new(columns))
}

/// The columns of a batch while it is read.
struct Columns {
    fields: Vec<StringDictionaryBuilder<Int32Type>>,
    raw: StringBuilder,
    rows: usize,
}

impl Columns {
    fn new(fields: usize) -> Self {
        Self {
            fields: (0..fields)
                .map(|_| StringDictionaryBuilder::new())
                .collect(),
            raw: StringBuilder::new(),
            rows: 0,
        }
    }

    fn push(&mut self, event: &Value, line: &str, paths: &[Vec<&str>]) {
        for (column, path) in self.fields.iter_mut().zip(paths) {
            match at(event, path) {
                Some(text) => column.append_value(text),
                None => column.append_null(),
            }
        }
        self.raw.append_value(line);
        self.rows += 1;
    }

    fn finish(mut self, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
        let mut columns: Vec<ArrayRef> = self
            .fields
            .iter_mut()
            .map(|column| Arc::new(column.finish()) as ArrayRef)
            .collect();
        columns.push(Arc::new(self.raw.finish()));
        RecordBatch::try_new(Arc::clone(schema), columns)
    }
}

/// The text at a path; values of list members are joined by blanks.
fn at(value: &Value, path: &[&str]) -> Option<String> {
    match (path.split_first(), value) {
        (_, Value::Null) => None,
        (None, Value::String(text)) => Some(text.clone()),
        (None, other) => Some(other.to_string()),
        (Some((step, rest)), Value::Object(members)) => at(members.get(*step)?, rest),
        (Some(_), Value::Array(items)) => {
            let texts: Vec<String> = items
                .iter()
                .filter(|item| item.is_object())
                .filter_map(|item| at(item, path))
                .collect();
            (!texts.is_empty()).then(|| texts.join(" "))
        }
        _ => None,
    }
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
