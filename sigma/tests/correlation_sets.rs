//! Outcomes are a function of the set of signals: shuffled by up to 72 hours, twice, across restarts.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "test code: seeds and counts are printed"
)]

#[path = "signals/signals.rs"]
mod signals;

use std::collections::BTreeMap;
use std::sync::Arc;

use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use schemas::alert::AlertState;
use schemas::provenance::Provenance;
use serde_json::{Value, json};
use sigma::Ruleset;
use sigma::correlation::{Change, Correlator, Found, Signal};

const SEEDS: u64 = 1_000;
const EVENTS: usize = 120;
const HOUR_S: i64 = 3_600;
const DAYS: i64 = 4;

/// 2026-03-02T00:00:00Z.
const BEGIN_S: i64 = 1_772_409_600;

/// Every type, every kind of window, a chain of three, and our own keys.
const RULES: &str = "
title: login
id: login
name: login
logsource: {product: test, service: all}
detection: {one: {kind: login}, condition: one}
level: low
---
title: mail
id: mail
name: mail
logsource: {product: test, service: all}
detection: {one: {kind: mail}, condition: one}
level: low
---
title: file
id: file
name: file
logsource: {product: test, service: all}
detection: {one: {kind: file}, condition: one}
level: low
---
title: new address
id: new
name: new
logsource: {product: test, service: all}
detection: {one: {kind: login}, condition: one}
first_seen: {field: ip, by: [user], within: 2d, learn: 6h}
level: low
---
title: too far
id: far
name: far
logsource: {product: test, service: all}
detection: {one: {kind: login}, condition: one}
travel: {by: [user], latitude: place.latitude, longitude: place.longitude, kmh: 900, km: 500, within: 12h}
level: low
---
title: count
id: count
correlation: {type: event_count, rules: [login], group-by: [user], timespan: 3h, condition: {gte: 3}}
---
title: count in the tenant
id: tenant
correlation: {type: event_count, rules: [login, mail], timespan: 1h, condition: {gte: 4, lt: 9}}
---
title: few
id: few
correlation: {type: event_count, rules: [file], group-by: [user], timespan: 2h, condition: {eq: 2}}
---
title: distinct
id: distinct
correlation: {type: value_count, rules: [login], group-by: [user], timespan: 5h, condition: {field: ip, gte: 3}}
---
title: sum
id: sum
correlation: {type: value_sum, rules: [file, mail], group-by: [user], timespan: 4h, condition: {field: size, gt: 20}}
---
title: mean
id: mean
correlation: {type: value_avg, rules: [file], group-by: [user], timespan: 4h, condition: {field: size, lt: 4}}
---
title: percentile
id: percentile
correlation: {type: value_percentile, rules: [file], group-by: [user], timespan: 30h, condition: {field: size, gte: 7, percentile: 75}}
---
title: tumbling
id: tumbling
correlation: {type: event_count, rules: [login], group-by: [user], timespan: 7h, window: tumbling, condition: {gte: 3}}
---
title: session
id: session
correlation: {type: event_count, rules: [login, file], group-by: [user], timespan: 9h, window: session, gap: 2h, condition: {gte: 3}}
---
title: together
id: together
correlation: {type: temporal, rules: [login, mail, file], group-by: [user], timespan: 2h}
---
title: without
id: without
correlation: {type: temporal, rules: [login, mail, file], group-by: [user], timespan: 3h, condition: login and file and not mail}
---
title: two of three
id: weak
name: weak
correlation: {type: temporal, rules: [login, mail, file], group-by: [user], timespan: 90m, condition: {gte: 2}}
---
title: in order
id: order
name: order
correlation: {type: temporal_ordered, rules: [mail, login, file], group-by: [user], timespan: 6h}
---
title: no file after mail
id: absent
absence: file
correlation: {type: temporal_ordered, rules: [mail, file], group-by: [user], timespan: 5h}
---
title: chain
id: chain
name: chain
correlation: {type: temporal_ordered, rules: [weak, order], group-by: [user], timespan: 12h}
---
title: much by one address
id: address
name: address
correlation: {type: event_count, rules: [mail, file], group-by: [ip], timespan: 3h, condition: {gte: 3}}
---
title: and then a login from there
id: from_there
name: from_there
correlation: {type: temporal_ordered, rules: [address, login], group-by: [ip], timespan: 8h}
---
title: chain of chains
id: chains
correlation: {type: event_count, rules: [chain, new], group-by: [user], timespan: 2d, condition: {gte: 2}}
";

/// A signal, and when it arrives, in seconds.
type Arrival = (i64, Signal);

fn arrivals(rules: &Ruleset, chance: &mut ChaCha8Rng) -> Vec<Arrival> {
    let events: Vec<(i64, Value)> = (0..EVENTS)
        .map(|_| {
            let seconds = BEGIN_S + chance.random_range(0..DAYS * 24 * HOUR_S);
            let mut one = |of: &[&'static str]| *of.choose(chance).unwrap();
            let (kind, user) = (one(&["login", "mail", "file"]), one(&["ada", "BEN", "ben"]));
            let place = one(&["52.1 4.3", "40.7 -74.0", "0 0"]);
            let (latitude, longitude) = place.split_once(' ').unwrap();
            let event = json!({
                "kind": kind,
                "user": user,
                "ip": format!("192.0.2.{}", chance.random_range(0..6)),
                "size": chance.random_range(0..12),
                "place": {"latitude": latitude, "longitude": longitude},
            });
            (seconds, event)
        })
        .collect();
    let mut arrivals = Vec::new();
    for signal in signals::signals(rules, &events) {
        for _ in 0..if chance.random_bool(0.05) { 2 } else { 1 } {
            let late_s = if chance.random_bool(0.7) {
                chance.random_range(0..600)
            } else {
                chance.random_range(0..72 * HOUR_S)
            };
            arrivals.push((signal.time_us / 1_000_000 + late_s, signal.clone()));
        }
    }
    arrivals.sort_by_key(|(seconds, _)| *seconds);
    arrivals
}

/// What somebody has who was told of every change.
#[derive(Default)]
struct Receiver {
    alerts: BTreeMap<String, Found>,
    told: [usize; 3],
}

impl Receiver {
    fn take(&mut self, changes: Vec<Change>) {
        for change in changes {
            let id = change.found.id.clone();
            let known = self.alerts.get(&id).cloned();
            // After a restart the same may be said again.
            match change.state {
                AlertState::Raised => self.alerts.insert(id, change.found),
                AlertState::Amended => {
                    assert_eq!(known, change.before, "amended from what was told");
                    let accounts = known.map(|known| account(&known));
                    assert_eq!(
                        accounts,
                        Some(account(&change.found)),
                        "of the same account"
                    );
                    self.alerts.insert(id, change.found)
                }
                AlertState::Withdrawn => {
                    assert_eq!(known, change.before, "withdrawn from what was told");
                    self.alerts.remove(&id)
                }
            };
            self.told[change.state as usize] += 1;
        }
    }
}

/// Name and object id of whom an alert is about.
fn account(found: &Found) -> [String; 2] {
    let subject = found.subject();
    [subject.user, subject.user_id].map(|text| text.to_ascii_lowercase())
}

fn by_id(found: Vec<Found>) -> BTreeMap<String, Found> {
    let all = found.len();
    let by_id: BTreeMap<String, Found> = found
        .into_iter()
        .map(|found| (found.id.clone(), found))
        .collect();
    assert_eq!(by_id.len(), all, "ids are distinct");
    by_id
}

/// Says what differs, not what all of them are.
fn check(seed: u64, told: &BTreeMap<String, Found>, expected: &BTreeMap<String, Found>) {
    for id in told.keys().chain(expected.keys()) {
        assert_eq!(told.get(id), expected.get(id), "seed {seed}");
    }
}

#[test]
fn late_signals_duplicates_and_restarts_change_nothing_in_the_end() {
    let rules = signals::ruleset(RULES);
    let mut told = [0; 3];
    let mut of_kind: BTreeMap<Arc<str>, usize> = BTreeMap::new();
    for seed in 0..SEEDS {
        let mut chance = ChaCha8Rng::seed_from_u64(seed);
        let arrivals = arrivals(&rules, &mut chance);
        let mut batch: Vec<Signal> = arrivals.iter().map(|(_, signal)| signal.clone()).collect();
        batch.sort_by_key(|signal| (signal.time_us, signal.id));
        let expected = by_id(signals::correlated(&rules, batch).found());
        let mut receiver = Receiver::default();
        let mut correlator = Correlator::new(Arc::clone(rules.compiled_correlations()), 0);
        let mut done = 0;
        while done < arrivals.len() {
            let some = chance.random_range(1..8).min(arrivals.len() - done);
            let chunk = &arrivals[done..done + some];
            let now_us = chunk[some - 1].0 * 1_000_000;
            if chance.random_bool(0.1) {
                // A restart: all that was handled is read again, what it says was said before.
                correlator = Correlator::new(Arc::clone(rules.compiled_correlations()), 0);
                correlator.add(arrivals[..done].iter().map(|(_, signal)| signal.clone()));
                receiver.take(correlator.advance(now_us - 1));
            }
            receiver.take(correlator.advance(now_us));
            receiver.take(correlator.add(chunk.iter().map(|(_, signal)| signal.clone())));
            if chance.random_bool(0.1) {
                correlator.forget(now_us, 73 * HOUR_S * 1_000_000);
            }
            done += some;
        }
        receiver.take(correlator.advance(i64::MAX));
        check(seed, &receiver.alerts, &expected);
        for found in expected.values() {
            *of_kind.entry(Arc::clone(&found.correlation)).or_default() += 1;
        }
        for (all, one) in told.iter_mut().zip(receiver.told) {
            *all += one;
        }
    }
    println!(
        "seeds 0 to {}: {} raised, {} amended, {} withdrawn",
        SEEDS - 1,
        told[0],
        told[1],
        told[2]
    );
    println!("alerts in the end: {of_kind:?}");
    assert_eq!(
        of_kind.len(),
        rules.compiled_correlations().definitions().len()
    );
    assert!(told.iter().all(|count| *count > 1_000), "{told:?}");
}

fn at(seconds: i64, kind: &str, user: &str) -> (i64, Value) {
    (
        BEGIN_S + seconds,
        json!({"kind": kind, "user": user, "ip": "192.0.2.1"}),
    )
}

#[test]
fn poisoned_times_stay_in_their_own_windows() {
    let rules = signals::ruleset(RULES);
    let good = [
        at(60, "login", "ada"),
        at(120, "login", "ada"),
        at(180, "login", "ada"),
    ];
    let one = signals::correlated(&rules, signals::signals(&rules, &good));
    let expected = by_id(one.found());
    assert!(
        expected
            .values()
            .any(|found| &*found.correlation == "count")
    );
    let mut poisoned = Correlator::new(Arc::clone(rules.compiled_correlations()), i64::MAX);
    // The year 9999, before 1970, and the ends of what a number holds.
    for seconds in [
        253_402_300_799,
        -86_400,
        i64::MAX / 1_000_000,
        i64::MIN / 1_000_000,
    ] {
        let event = json!({"kind": "login", "user": "ada", "ip": "192.0.2.9"});
        let mut signals = signals::signals(&rules, &[(seconds, event)]);
        for signal in &mut signals {
            signal.id ^= 1 << 100;
            signal.id = signal.id.wrapping_add(seconds.unsigned_abs().into());
        }
        poisoned.add(signals);
    }
    poisoned.add(signals::signals(&rules, &good));
    let found = by_id(poisoned.found());
    for (id, one) in expected
        .iter()
        .filter(|(_, one)| &*one.correlation == "count")
    {
        assert_eq!(found.get(id), Some(one));
    }
}

#[test]
fn a_record_whose_time_is_not_known_is_counted_in_no_window() {
    let rules = signals::ruleset(RULES);
    let event = json!({"kind": "login", "user": "ada", "ip": "192.0.2.9"});
    assert!(!signals::signals(&rules, &[(BEGIN_S, event.clone())]).is_empty());
    // No time that can be kept: what stands in the row is null, as of a record that says none.
    let unknown = [(i64::MAX / 1_000_000, event)];
    assert!(signals::signals(&rules, &unknown).is_empty());
}

#[test]
fn a_user_with_a_million_records_in_a_window_is_told_once_and_again_at_doublings() {
    let rules = signals::ruleset(
        "title: login\nid: login\nlogsource: {product: test, service: all}\ndetection: {one: {kind: login}, condition: \
         one}\nlevel: low\n---\ntitle: many\nid: many\ncorrelation: {type: event_count, rules: [login], group-by: \
         [user], timespan: 1h, condition: {gte: 10}}\n",
    );
    let template = signals::signals(&rules, &[at(0, "login", "ada")]).remove(0);
    let mut correlator = Correlator::new(Arc::clone(rules.compiled_correlations()), 0);
    let mut told = 0;
    for part in 0..20_u64 {
        let signals = (0..50_000_u64).map(|at| {
            let number = part * 50_000 + at;
            Signal {
                id: u128::from(number),
                time_us: template.time_us + i64::try_from(number).unwrap() * 3_000,
                ..template.clone()
            }
        });
        told += correlator.add(signals).len();
    }
    let found = correlator.found();
    assert_eq!(found.len(), 1);
    assert!(found[0].outcome.count > 500_000 && found[0].outcome.signals.len() <= 50);
    assert!(told <= 20, "told {told} times");
}

#[test]
fn records_without_a_group_or_a_value_are_left_out() {
    let rules = signals::ruleset(RULES);
    let nobody = json!({"kind": "login", "ip": "192.0.2.1", "size": null});
    let events: Vec<(i64, Value)> = (0..5).map(|at| (BEGIN_S + at, nobody.clone())).collect();
    let found = signals::correlated(&rules, signals::signals(&rules, &events)).found();
    let of: Vec<&str> = found.iter().map(|found| &*found.correlation).collect();
    assert_eq!(of, ["tenant"], "only what has no group counts them");
}

#[test]
fn what_is_counted_is_no_better_than_the_weakest_of_all_that_is_counted() {
    let rules = signals::ruleset(
        "title: login\nid: login\nlogsource: {product: test, service: all}\ndetection: {one: {kind: login}, condition: \
         one}\nlevel: low\n---\ntitle: many\nid: many\nname: many\ncorrelation: {type: event_count, rules: [login], \
         group-by: [user], timespan: 1h, condition: {gte: 200}}\n---\ntitle: again\nid: again\ncorrelation: {type: \
         event_count, rules: [many], group-by: [user], timespan: 1h, condition: {gte: 1}}\n",
    );
    let template = signals::signals(&rules, &[at(0, "login", "ada")]).remove(0);
    let found = |of: fn(u64) -> Provenance| {
        let signals = (0..200_u64).map(|number| Signal {
            id: u128::from(number),
            time_us: template.time_us + i64::try_from(number).unwrap() * 1_000_000,
            provenance: of(number),
            ..template.clone()
        });
        let mut correlator = Correlator::new(Arc::clone(rules.compiled_correlations()), 0);
        correlator.add(signals);
        let found = correlator.found();
        assert_eq!(found.len(), 2, "the count, and what refers to it");
        assert_eq!(found[0].outcome.provenance, found[1].outcome.provenance);
        found[0].outcome.provenance
    };
    assert_eq!(found(|_| Provenance::Live), Provenance::Live);
    // In the middle, where no signal is kept as evidence.
    let middle = |number| [Provenance::Live, Provenance::Imported][usize::from(number == 100)];
    assert_eq!(found(middle), Provenance::Imported);
}
