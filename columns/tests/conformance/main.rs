//! The one-pass reading beside the old one, over real records, which stand outside of this repository.
//!
//! `make conformance CORPUS=DIR` runs it; without the folder every test fails.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "test code: it fails loudly and prints what it found"
)]

#[path = "../../src/changes.rs"]
mod changes;
#[path = "../../../schemas/tests/conformance/corpus.rs"]
mod corpus;
#[path = "../../src/tests/oracle.rs"]
mod oracle;
#[path = "../../src/tests/same.rs"]
mod same;

use std::fs;

use columns::{Cell, DAY_US, event_batch, event_row, position_of, record_batch};
use schemas::tables::Table;
use serde_json::Value;

use crate::corpus::corpus;
use crate::same::{event, same};

/// Each line or file, and whatever stands in its `event` and `raw`, as a record.
fn records_of(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in std::iter::once(text).chain(text.lines()) {
        found.push(line.to_owned());
        let Ok(value) = serde_json::from_str::<Value>(line) else {
            continue;
        };
        for inside in ["event", "raw", "properties", "AuditData"] {
            match value.get(inside) {
                Some(Value::String(text)) => found.push(text.clone()),
                Some(value) => found.push(value.to_string()),
                None => {}
            }
        }
        if let Value::Array(items) = &value {
            found.extend(items.iter().map(Value::to_string));
        }
        if let Some(Value::Array(items)) = value.get("records").or_else(|| value.get("value")) {
            found.extend(items.iter().map(Value::to_string));
        }
    }
    found
}

#[test]
fn real_records_read_as_before() {
    let mut texts = Vec::new();
    let archive = fs::File::open(corpus("invictus/audit.ndjson.zst")).unwrap();
    let bytes = zstd::decode_all(archive).unwrap();
    texts.extend(String::from_utf8(bytes).unwrap().lines().map(str::to_owned));
    for folder in ["samples", "splunk-datasources", "edge-cases", "entra-otrf"] {
        for entry in fs::read_dir(corpus(folder)).unwrap() {
            let text = fs::read_to_string(entry.unwrap().path()).unwrap();
            texts.extend(records_of(&text));
        }
    }
    let mut are_json = 0;
    for text in &texts {
        for table in Table::EVENTS {
            are_json += usize::from(same(*table, text));
        }
    }
    let tables = Table::EVENTS.len();
    println!(
        "{} texts as {tables} tables, {are_json} of them JSON",
        texts.len()
    );
    assert!(texts.len() > 11_000, "the corpora have more than that");
    let events: Vec<_> = texts.iter().take(500).map(|text| event(text)).collect();
    for table in Table::EVENTS {
        let rows: Vec<_> = events
            .iter()
            .map(|event| event_row(*table, event).unwrap())
            .collect();
        let expected = record_batch(*table, &rows.iter().collect::<Vec<_>>()).unwrap();
        assert_eq!(event_batch(*table, &events).unwrap(), expected, "{table}");
    }
}
