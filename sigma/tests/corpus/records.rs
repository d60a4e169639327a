//! Our own records of Microsoft's real shape, each made for one public rule, and which rules find one.
//!
//! Shape: NDJSON, one line for each record: the rule's file stem, its table, the record as Microsoft sends it.
//! Source: the shapes that Microsoft documents for diagnostic settings, the Management Activity API and Azure
//! Monitor; every id, name and address is invented.

#![expect(clippy::unwrap_used, reason = "test code: it fails loudly")]

use std::collections::BTreeSet;
use std::path::Path;

use schemas::tables::Table;
use schemas::wire::Event;
use serde::Deserialize;
use serde_json::Value;
use sigma::plan::chunk::Batch;
use sigma::{Rule, Ruleset};

/// A record, and the rule that it is made for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    /// The file stem of the rule.
    pub(crate) rule: String,
    /// The table that keeps it.
    pub(crate) table: String,
    /// The record as Microsoft sends it.
    pub(crate) event: Value,
}

/// The records of a file of this folder.
pub(crate) fn records(name: &str) -> Vec<Record> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/corpus")
        .join(name);
    let text = std::fs::read_to_string(file).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The file stem of a rule.
pub(crate) fn stem(rule: &Rule) -> String {
    let file = Path::new(&rule.file);
    file.file_stem().unwrap().to_str().unwrap().to_owned()
}

/// The stems of the rules that find `event` in `table`.
pub(crate) fn found(rules: &Ruleset, table: &str, event: &Value) -> BTreeSet<String> {
    let table = Table::of_name(table).unwrap();
    let Some(plan) = rules.plan(table) else {
        return BTreeSet::new();
    };
    let event = Event {
        event_id: "1".to_owned(),
        event_time_us: Some(1),
        ingest_time_us: 2,
        source: "t".to_owned(),
        raw: event.to_string().into(),
        ..Event::default()
    };
    let batch = columns::event_batch(table, &[event]).unwrap();
    let hits = plan.evaluate(&mut Batch(&batch)).unwrap();
    hits.iter()
        .map(|hit| stem(&rules.rules()[hit.rule]))
        .collect()
}
