//! Correlations beside another engine: random sequences against rsigma-eval.
//!
//! rsigma fires at every record at which a window holds, in the order of arrival; here outcomes are stretches of time
//! of a set of records. Compared are the moments at which the windows hold.
//!
//! Left out, because rsigma-eval 0.23 differs from the specification: `value_percentile` (it fires
//! at every record, whatever the bound), `2 of them` over names of rules (it never fires), records without a group
//! (it takes them as a group; here they are left out), and a `temporal` without condition (it fires at any one rule).

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "test code: seeds and counts are printed"
)]

#[path = "signals/signals.rs"]
mod signals;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rsigma_eval::event::JsonEvent;
use rsigma_eval::{CorrelationConfig, CorrelationEngine};
use rsigma_parser::parse_sigma_yaml;
use serde_json::{Value, json};

const SEED: u64 = 20_261_121;
const SEQUENCES: usize = 1_000;
const EVENTS: usize = 60;

/// Two rules over records with a kind, and a correlation of them.
fn random_rules(chance: &mut ChaCha8Rng) -> String {
    let mut text = String::new();
    for (id, kind) in [("a", "login"), ("b", "mail"), ("c", "file")] {
        writeln!(
            text,
            "title: rule {id}\nid: {id}\nname: {id}\nlogsource: {{product: test, service: all}}\ndetection:\n    \
             one: {{kind: {kind}}}\n    condition: one\nlevel: low\n---"
        )
        .unwrap();
    }
    let bound = chance.random_range(1..6);
    let number = chance.random_range(1..60);
    let operator = ["gte", "gt", "lte", "lt", "eq", "neq"]
        .choose(chance)
        .unwrap();
    let [kind, condition] = [
        ["event_count".to_owned(), format!("{{{operator}: {bound}}}")],
        [
            "event_count".to_owned(),
            format!("{{gte: {bound}, lt: {}}}", bound + 4),
        ],
        [
            "value_count".to_owned(),
            format!("{{field: ip, {operator}: {bound}}}"),
        ],
        [
            "value_sum".to_owned(),
            format!("{{field: size, {operator}: {number}}}"),
        ],
        [
            "value_avg".to_owned(),
            format!("{{field: size, {operator}: {}}}", 1 + number % 11),
        ],
        ["temporal".to_owned(), "a and b and c".to_owned()],
        ["temporal".to_owned(), "a and (b or c)".to_owned()],
        ["temporal".to_owned(), "a and not b".to_owned()],
        ["temporal".to_owned(), "b or (a and c)".to_owned()],
        [
            "temporal".to_owned(),
            format!("{{gte: {}}}", chance.random_range(2..4)),
        ],
        ["temporal_ordered".to_owned(), "a and b and c".to_owned()],
    ]
    .choose(chance)
    .unwrap()
    .clone();
    let group = ["user", "user, app"].choose(chance).unwrap();
    let span = chance.random_range(1..40);
    let window = ["sliding", "sliding", "tumbling", "session"]
        .choose(chance)
        .unwrap();
    let window = match *window {
        "session" => format!("session\n    gap: {}s", chance.random_range(1..=span)),
        "tumbling" if kind == "temporal_ordered" => "sliding".to_owned(),
        other => other.to_owned(),
    };
    writeln!(
        text,
        "title: together\nid: together\ncorrelation:\n    type: {kind}\n    rules: [a, b, c]\n    \
         group-by: [{group}]\n    timespan: {span}s\n    window: {window}\n    condition: {condition}\nlevel: high"
    )
    .unwrap();
    text
}

fn random_events(chance: &mut ChaCha8Rng) -> Vec<(i64, Value)> {
    let mut seconds = 1_000;
    (0..EVENTS)
        .map(|_| {
            // No two at once: the other engine sees them one after the other.
            seconds += chance.random_range(1..12);
            let mut one = |of: &[&'static str]| *of.choose(chance).unwrap();
            let (kind, user) = (
                one(&["login", "mail", "file", "other"]),
                one(&["ada", "ben"]),
            );
            let app = one(&["one", "two"]);
            let event = json!({
                "kind": kind,
                "user": user,
                "app": app,
                "ip": format!("192.0.2.{}", chance.random_range(0..8)),
                "size": chance.random_range(0..12),
            });
            (seconds, event)
        })
        .collect()
}

#[test]
fn random_sequences_hold_at_the_moments_at_which_rsigma_fires() {
    println!("seed {SEED}");
    let mut chance = ChaCha8Rng::seed_from_u64(SEED);
    let (mut moments, mut kinds) = (0, BTreeSet::new());
    for turn in 0..SEQUENCES {
        let text = random_rules(&mut chance);
        let events = random_events(&mut chance);
        let rules = signals::ruleset(&text);
        let found = signals::correlated(&rules, signals::signals(&rules, &events));
        let ours: Vec<i64> = found
            .moments("together")
            .iter()
            .map(|us| us / 1_000_000)
            .collect();
        let mut engine = CorrelationEngine::new(CorrelationConfig::default());
        engine
            .add_collection(&parse_sigma_yaml(&text).unwrap())
            .unwrap();
        let mut theirs = Vec::new();
        for (seconds, event) in &events {
            let results = engine.process_event_at(&JsonEvent::borrow(event), *seconds);
            if results
                .iter()
                .any(|result| result.header.rule_title == "together")
            {
                theirs.push(*seconds);
            }
        }
        assert_eq!(ours, theirs, "sequence {turn}:\n{text}\n{events:?}");
        moments += ours.len();
        kinds.insert(rules.correlations()[0].sigma.correlation_type.as_str());
    }
    println!("{SEQUENCES} sequences of {EVENTS} records, {moments} moments, none differs");
    assert_eq!(kinds.len(), 6);
    assert!(moments > 10_000, "{moments}");
}
