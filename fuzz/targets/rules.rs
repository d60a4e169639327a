//! A file of rules, filters, correlations and pipelines with anything in it: loaded, compiled, linted, explained and
//! asked of some records.

#![no_main]

use std::sync::LazyLock;

use arrow::record_batch::RecordBatch;
use libfuzzer_sys::fuzz_target;
use schemas::tables::Table;
use schemas::wire::Event;
use sigma::collection::cases::check_cases;
use sigma::plan::chunk::Batch;
use sigma::tools::explain::explain;
use sigma::tools::lint::Linter;
use sigma::{RuleCollection, Ruleset};

/// Records that have something of everything: lists, numbers as text, JSON in JSON, nothing at all.
const RECORDS: [&str; 4] = [
    r#"{"Operation":"New-InboxRule","UserId":"ada@contoso.test","ClientIP":"203.0.113.7:443","Parameters":[{"Name":"ForwardTo","Value":"x@mail.example"}]}"#,
    r#"{"operationName":"Consent to application.","properties":{"resultType":"0","riskDetail":null,"deviceDetail":{"isCompliant":false}},"n":[1,2.5,"3"]}"#,
    r#"{"ExtendedProperties":"[{\"Name\":\"a\",\"Value\":\"ÄÖ ß\"}]","Count":-7}"#,
    "{}",
];

static EVENTS: LazyLock<Vec<Event>> = LazyLock::new(|| {
    let event = |raw: &&str| Event {
        event_id: (*raw).to_owned(),
        raw: raw.as_bytes().to_vec().into(),
        ..Event::default()
    };
    RECORDS.iter().map(event).collect()
});

fn batch(table: Table) -> Option<RecordBatch> {
    columns::event_batch(table, &EVENTS).ok()
}

fuzz_target!(|bytes: &[u8]| {
    let mut linter = Linter::new();
    linter.file("fuzz.yml", bytes);
    drop(linter.finish());
    let mut collection = RuleCollection::default();
    collection.add("fuzz.yml", bytes);
    let rules = Ruleset::compile(&mut collection);
    for table in rules.tables() {
        let (Some(plan), Some(batch)) = (rules.plan(table), batch(table)) else {
            continue;
        };
        let hits = plan
            .evaluate(&mut Batch(&batch))
            .expect("records can be asked");
        for hit in hits {
            assert!(hit.rows.iter().all(|row| *row < RECORDS.len()));
        }
    }
    for rule in rules.rules() {
        check_cases(rule);
        drop(explain(rule, &collection.user_mapping, &EVENTS[0]));
    }
    for rejected in &collection.rejected {
        assert!(!rejected.to_string().is_empty());
    }
});
