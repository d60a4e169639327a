//! Our own records of Microsoft's real shape, each made for one public rule, and what rules find of them.
//!
//! Shape: NDJSON, one line for each record: the rule's file stem, its table, the record as Microsoft sends it.
//! Source: the shapes that Microsoft documents for diagnostic settings, the Management Activity API and Azure
//! Monitor; every id, name and address is invented.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "test code: what is found is printed"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use schemas::tables::Table;
use schemas::wire::Event;
use serde::Deserialize;
use serde_json::Value;
use sigma::plan::chunk::Batch;
use sigma::rule::load_folder;
use sigma::{Catalogue, Rule, Ruleset};

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

/// The rules of a folder of the shared data; none if it is absent.
pub(crate) fn rules(folder: &str) -> Option<Catalogue> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../shared/data")
        .join(folder);
    if !path.is_dir() {
        println!("skipped: ../shared/data/{folder} is absent");
        return None;
    }
    let mut catalogue = Catalogue::default();
    load_folder(&mut catalogue, &path);
    Some(catalogue)
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

/// What rules make of records that are made for them, and of each other's.
pub(crate) struct Outcome {
    /// Rules that find a record made for them.
    pub(crate) can_fire: BTreeSet<String>,
    /// Records that the rule they are made for does not find.
    pub(crate) missed: Vec<String>,
    /// For each rule, the rules whose records it finds too.
    pub(crate) also: BTreeMap<String, BTreeSet<String>>,
    /// Pairs of a rule and another's record of its table that it does not find.
    pub(crate) near_misses: usize,
}

/// Evaluates every record by every rule of its table.
pub(crate) fn outcome(rules: &Ruleset, records: &[Record]) -> Outcome {
    let mut outcome = Outcome {
        can_fire: BTreeSet::new(),
        missed: Vec::new(),
        also: BTreeMap::new(),
        near_misses: 0,
    };
    for record in records {
        let found = found(rules, &record.table, &record.event);
        let of_table = rules
            .rules()
            .iter()
            .filter(|rule| rule.table.name() == record.table);
        outcome.near_misses += of_table.filter(|rule| !found.contains(&stem(rule))).count();
        if !found.contains(&record.rule) {
            outcome.missed.push(record.rule.clone());
        }
        for rule in found {
            if rule == record.rule {
                outcome.can_fire.insert(rule);
            } else {
                outcome
                    .also
                    .entry(rule)
                    .or_default()
                    .insert(record.rule.clone());
            }
        }
    }
    outcome
}
