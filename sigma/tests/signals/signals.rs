//! Events with times, as signals of the rules that match them.

use std::sync::Arc;

use schemas::tables::Table;
use schemas::wire::Event;
use serde_json::Value;
use sigma::correlation::{Evidence, Signal, Subject, matched};
use sigma::mapping::UserMapping;
use sigma::plan::chunk::Batch;
use sigma::{Correlator, RuleCollection, Ruleset};

/// Rules over records of any shape: every field is a path of the raw record.
pub(crate) fn ruleset(text: &str) -> Ruleset {
    let names = "other_events:\n    logsources:\n        - {products: [test], services: [all]}\n";
    let mut collection = RuleCollection::extended(UserMapping::parse("names.yml", names).unwrap());
    collection.add("rules.yml", text.as_bytes());
    let rules = Ruleset::compile(&mut collection);
    assert!(collection.rejected.is_empty(), "{}", collection.rejected[0]);
    rules
}

/// The signals of events at these seconds since the Unix epoch; an event's id is its place.
pub(crate) fn signals(rules: &Ruleset, events: &[(i64, Value)]) -> Vec<Signal> {
    let tenant: Arc<str> = "t".into();
    let events: Vec<Event> = events
        .iter()
        .enumerate()
        .map(|(at, (seconds, event))| Event {
            event_id: format!("{at:06}"),
            event_time_us: Some(seconds * 1_000_000),
            raw: event.to_string().into(),
            ..Event::default()
        })
        .collect();
    let batch = columns::event_batch(Table::OtherEvents, &events).unwrap();
    let Some(plan) = rules.plan(Table::OtherEvents) else {
        return Vec::new();
    };
    let mut signals = Vec::new();
    for hit in plan.evaluate(&mut Batch(&batch)).unwrap() {
        let Some(counted) = rules.counted(hit.rule) else {
            continue;
        };
        let evidence = |table: &str| Evidence {
            table: table.into(),
            ..Evidence::default()
        };
        signals.extend(hit.rows.iter().filter_map(|row| {
            let evidence = evidence("other_events");
            let subject = subject(&events[*row]);
            matched::signal(counted, &batch, *row, &tenant, subject, evidence)
        }));
    }
    signals
}

/// Whom an event names as its account and its address.
fn subject(event: &Event) -> Subject {
    let raw: Value = serde_json::from_slice(&event.raw).unwrap();
    let text = |name: &str| raw[name].as_str().unwrap_or_default().into();
    Subject {
        user: text("user"),
        user_id: text("user_id"),
        ip: text("ip"),
        session_id: Arc::default(),
    }
}

/// All of them at once.
pub(crate) fn correlated(rules: &Ruleset, signals: Vec<Signal>) -> Correlator {
    let mut correlator = Correlator::new(Arc::clone(rules.compiled_correlations()), i64::MAX);
    correlator.add(signals);
    correlator
}
