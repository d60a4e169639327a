//! Each account with a deciding record has an alert of its own, whatever arrives first, twice or late.

#![expect(clippy::unwrap_used, reason = "test code")]

#[path = "signals/signals.rs"]
mod signals;

use std::collections::BTreeMap;
use std::sync::Arc;

use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use schemas::alert::AlertState;
use serde_json::{Value, json};
use sigma::Ruleset;
use sigma::correlation::{Change, Correlator, Found, Signal};

const SEEDS: u64 = 300;

/// 2026-03-02T00:00:00Z.
const BEGIN_S: i64 = 1_772_409_600;

const RULES: &str = "
title: refused
id: refused
name: refused
only_counted: true
logsource: {product: test, service: all}
detection: {one: {kind: refused}, condition: one}
level: low
---
title: right
id: right
name: right
only_counted: true
logsource: {product: test, service: all}
detection: {one: {kind: right}, condition: one}
level: low
---
title: many refused from one address
id: spray
name: spray
correlation: {type: value_count, rules: [refused], group-by: [ip], timespan: 1h, condition: {field: user, gte: 5}}
---
title: right from there
id: found
name: found
correlation: {type: temporal_ordered, rules: [spray, right], group-by: [ip], timespan: 2h}
---
title: who was found
id: again
correlation: {type: event_count, rules: [found], group-by: [ip], timespan: 6h, condition: {gte: 3}}
";

fn event(minute: i64, kind: &str, user: &str, ip: &str) -> (i64, Value) {
    let event = json!({"kind": kind, "user": user, "user_id": format!("id of {user}"), "ip": ip});
    (BEGIN_S + minute * 60, event)
}

/// Twenty names that are refused, and then three accounts that are not.
fn spray() -> Vec<(i64, Value)> {
    let refused = (0..20).map(|at| event(at, "refused", &format!("user{at}"), "192.0.2.66"));
    let right = [(25, "farid"), (30, "greta"), (33, "hugo"), (34, "farid")];
    let right = right.map(|(at, user)| event(at, "right", user, "192.0.2.66"));
    refused.chain(right).collect()
}

/// Names and object ids of whom the alerts of a correlation are about.
fn people(found: &[Found], correlation: &str) -> Vec<String> {
    let mut people: Vec<String> = found
        .iter()
        .filter(|found| &*found.correlation == correlation)
        .map(|found| {
            let subject = found.subject();
            format!("{}, {}", subject.user, subject.user_id)
        })
        .collect();
    people.sort_unstable();
    people
}

fn people_at_once(rules: &Ruleset, events: &[(i64, Value)]) -> Vec<String> {
    let found = signals::correlated(rules, signals::signals(rules, events)).found();
    people(&found, "found")
}

#[test]
fn everybody_whose_password_was_found_has_an_alert() {
    let rules = signals::ruleset(RULES);
    let mut events = spray();
    let three = [
        "farid, id of farid",
        "greta, id of greta",
        "hugo, id of hugo",
    ];
    assert_eq!(people_at_once(&rules, &events), three);
    // One that was right before the address had tried so many is not one of them.
    events.push(event(2, "right", "early", "192.0.2.66"));
    events.push(event(40, "right", "elsewhere", "192.0.2.67"));
    assert_eq!(people_at_once(&rules, &events), three);
}

#[test]
fn a_late_record_of_another_account_takes_no_alert_away() {
    let rules = signals::ruleset(RULES);
    let events = spray();
    let late = event(21, "right", "iris", "192.0.2.66");
    let mut all = events.clone();
    all.push(late);
    // The number of an event is its identity: the late one comes last.
    let mut signals = signals::signals(&rules, &all);
    let at = signals
        .iter()
        .position(|signal| &*signal.subject.user == "iris")
        .unwrap();
    let late = signals.remove(at);
    let mut correlator = Correlator::new(Arc::clone(rules.compiled_correlations()), i64::MAX);
    correlator.add(signals);
    let before = correlator.found();
    let changes = correlator.add([late]);
    let of_found = |change: &&Change| &*change.found.correlation == "found";
    let told: Vec<(AlertState, String)> = changes
        .iter()
        .filter(of_found)
        .map(|change| (change.state, change.found.subject().user.to_string()))
        .collect();
    assert_eq!(told, [(AlertState::Raised, "iris".to_owned())]);
    assert_eq!(people(&before, "found").len(), 3);
    assert_eq!(people(&correlator.found(), "found").len(), 4);
}

#[test]
fn what_names_nobody_is_told_of_nobody() {
    let rules = signals::ruleset(RULES);
    let mut events: Vec<(i64, Value)> = (0..20)
        .map(|at| event(at, "refused", &format!("user{at}"), "192.0.2.66"))
        .collect();
    let unnamed = json!({"kind": "right", "ip": "192.0.2.66"});
    events.push((BEGIN_S + 1_500, unnamed));
    assert_eq!(people_at_once(&rules, &events), [", "]);
}

/// Any order, any of them twice, in batches: the same alerts about the same people, and none passes to another.
#[test]
fn any_order_and_any_doubles_give_the_same_alerts_about_the_same_people() {
    let rules = signals::ruleset(RULES);
    for seed in 0..SEEDS {
        let mut chance = ChaCha8Rng::seed_from_u64(seed);
        let mut any = |of: &[&'static str]| of[chance.random_range(0..of.len())];
        let mut events: Vec<(i64, Value)> = Vec::new();
        for _ in 0..60 {
            let users = [
                "ada",
                "BEN",
                "ben",
                "cleo",
                "dora",
                "emil",
                "fay",
                "\u{212a}im",
                "kim",
            ];
            let (kind, user) = (any(&["refused", "refused", "right"]), any(&users));
            let minute: i64 = any(&["0", "7", "13", "40", "41", "75", "100", "130", "200", "290"])
                .parse()
                .unwrap();
            events.push(event(
                minute,
                kind,
                user,
                any(&["192.0.2.66", "192.0.2.67"]),
            ));
        }
        let signals = signals::signals(&rules, &events);
        let expected = signals::correlated(&rules, signals.clone()).found();
        let mut arrivals: Vec<Signal> = signals.clone();
        arrivals.extend(signals.iter().filter(|_| chance.random_bool(0.3)).cloned());
        arrivals.shuffle(&mut chance);
        let mut correlator = Correlator::new(Arc::clone(rules.compiled_correlations()), i64::MAX);
        let mut told: BTreeMap<String, Found> = BTreeMap::new();
        let mut left = arrivals.as_slice();
        while !left.is_empty() {
            let (some, rest) = left.split_at(chance.random_range(1..6).min(left.len()));
            left = rest;
            for change in correlator.add(some.iter().cloned()) {
                let id = change.found.id.clone();
                if change.state == AlertState::Withdrawn {
                    told.remove(&id);
                    continue;
                }
                if let Some(known) = told.insert(id, change.found.clone()) {
                    let (before, now) = (known.subject(), change.found.subject());
                    assert!(before.user.eq_ignore_ascii_case(&now.user), "seed {seed}");
                    assert!(
                        before.user_id.eq_ignore_ascii_case(&now.user_id),
                        "seed {seed}"
                    );
                }
            }
        }
        let expected: BTreeMap<String, Found> = expected
            .into_iter()
            .map(|found| (found.id.clone(), found))
            .collect();
        assert_eq!(told, expected, "seed {seed}");
    }
}
