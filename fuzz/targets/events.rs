//! A record with anything in it, in any table: made a row and a batch, and asked by every rule that comes with vedette.

#![no_main]

use std::path::Path;
use std::sync::LazyLock;

use columns::{cell_at, event_batch, event_row};
use libfuzzer_sys::fuzz_target;
use schemas::tables::Table;
use schemas::wire::Event;
use sigma::collection::load_folder;
use sigma::plan::chunk::Batch;
use sigma::{RuleCollection, Ruleset};

/// Rules that ask in every way there is.
const EVERY_WAY: &str = r"
title: Every way
id: 5d0fbe1c-3c1b-4b9a-8b6e-0a3c1c7a6f10
status: test
level: low
logsource: { product: m365, service: audit }
detection:
  fields:
    Operation|re|i: '^(new|set)-.*rule$'
    ClientIP|cidr: [203.0.113.0/24, '2001:db8::/32']
    Size|gte: 10
    UserId|fieldref: MailboxOwnerUPN
    Deep.er.field|contains: needle
    Count|exists: true
    Command|base64offset|contains: 'http'
    Text|windash|contains: ' -enc '
    Time|hour|lt: 6
  words:
    - 'needle'
    - '*hay?stack*'
  nothing:
    Owner: null
    Word|cased: Exact
  condition: 1 of them or not nothing
";

static RULES: LazyLock<Ruleset> = LazyLock::new(|| {
    let mut collection = RuleCollection::default();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../detect/rules");
    load_folder(&mut collection, &folder);
    collection.add("every_way.yml", EVERY_WAY.as_bytes());
    let rules = Ruleset::compile(&mut collection);
    assert!(collection.rejected.is_empty(), "{}", collection.rejected[0]);
    rules
});

fuzz_target!(|bytes: &[u8]| {
    let Some((first, record)) = bytes.split_first() else {
        return;
    };
    let tables: Vec<Table> = Table::ALL
        .iter()
        .copied()
        .filter(|table| table.is_events())
        .collect();
    let table = tables[usize::from(*first) % tables.len()];
    let event = Event {
        event_id: if first & 0x80 == 0 {
            "e1".to_owned()
        } else {
            String::new()
        },
        event_time_us: Some(1_789_372_800_000_000),
        ingest_time_us: 1_789_372_900_000_000,
        raw: record.to_vec().into(),
        ..Event::default()
    };
    let batch = event_batch(table, std::slice::from_ref(&event)).expect("any record is a row");
    // Both ways to the lake say the same.
    if let Ok(row) = event_row(table, &event) {
        for ((column, array), cell) in table.columns().iter().zip(batch.columns()).zip(&row.cells) {
            let found = cell_at(column.kind, array, 0);
            assert!(
                found == *cell || column.required,
                "{}: {found:?} is not {cell:?}",
                column.name
            );
        }
    }
    // What is no JSON for others is none for us.
    if let Ok(text) = std::str::from_utf8(record) {
        let is_ours = columns::json::scan(text, &mut Vec::new()).is_ok();
        assert_eq!(
            is_ours,
            serde_json::from_str::<serde_json::Value>(text).is_ok(),
            "{text}"
        );
    }
    if let Some(plan) = RULES.plan(table) {
        plan.evaluate(&mut Batch(&batch))
            .expect("a row can be asked");
    }
});
