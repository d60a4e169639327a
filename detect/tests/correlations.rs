//! Correlations on the stream, beside a real log and lake: late records, duplicates, stops and kills in the middle.
//!
//! What is told in the end is what one evaluation of the whole lake finds.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "test code: seeds and counts are printed"
)]

#[path = "lab/lab.rs"]
mod lab;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bus::{Bus, Message};
use detect::backtest::evaluate_lake;
use detect::{DetectConfig, rules, stage};
use lake::{Lake, LakeConfig};
use prost::Message as _;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use schemas::environment::{Clock as _, SystemClock};
use schemas::health::Health;
use schemas::tables::Table;
use schemas::topics::Topic;
use schemas::wire::Alert;
use serde_json::json;
use sigma::plan::fields::text;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use lab::{event, open};

/// Longest that anything here may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(2);

const HOUR_US: i64 = 3_600_000_000;
const RECORDS: usize = 240;
const PARTS: usize = 8;

const RULES: &str = "
title: Reads
id: 11111111-0000-4000-8000-000000000000
name: reads
only_counted: true
logsource: {product: m365, service: audit}
detection: {one: {Operation: FileAccessed}, condition: one}
level: low
---
title: Shares
id: 22222222-0000-4000-8000-000000000000
name: shares
only_counted: true
logsource: {product: m365, service: audit}
detection: {one: {Operation: AnonymousLinkCreated}, condition: one}
level: low
---
title: Reads much
id: 33333333-0000-4000-8000-000000000000
name: much
correlation: {type: event_count, rules: [reads], group-by: [UserId], timespan: 2h, condition: {gte: 4}}
level: medium
---
title: Reads much and shares then
id: 44444444-0000-4000-8000-000000000000
correlation: {type: temporal_ordered, rules: [much, shares], generate: true, group-by: [UserId], timespan: 6h}
level: high
---
title: Shares what was not read
id: 55555555-0000-4000-8000-000000000000
absence: reads
correlation: {type: temporal_ordered, rules: [shares, reads], group-by: [UserId], timespan: 1h}
level: low
---
title: Shares from a new address
id: 66666666-0000-4000-8000-000000000000
logsource: {product: m365, service: audit}
detection: {one: {Operation: AnonymousLinkCreated}, condition: one}
first_seen: {field: ClientIP, by: [UserId], within: 2d, learn: 2h}
level: low
---
title: Opens a list
id: 77777777-0000-4000-8000-000000000000
logsource: {product: m365, service: audit}
detection: {one: {Operation: ListViewed}, condition: one}
suppress: {by: [UserId], for: 4h}
level: informational
";

/// Records of two days in the order of their arrival, some of them twice.
fn arrivals(chance: &mut ChaCha8Rng, begin_us: i64) -> Vec<Message> {
    let mut arrivals = Vec::new();
    for number in 0..RECORDS {
        let time_us = begin_us + chance.random_range(0..48 * HOUR_US);
        let mut one = |of: &[&'static str]| of[chance.random_range(0..of.len())];
        let operation = one(&[
            "FileAccessed",
            "FileAccessed",
            "AnonymousLinkCreated",
            "ListViewed",
        ]);
        let user = one(&["ada@contoso.test", "Ben@contoso.test", "ben@contoso.test"]);
        let record = json!({"Operation": operation, "UserId": user,
            "ClientIP": format!("192.0.2.{}", chance.random_range(1..5))});
        let message = event(Table::M365Activity, &format!("e{number}"), time_us, &record);
        for _ in 0..=usize::from(chance.random_bool(0.1)) {
            let late_us = match chance.random_range(0..10) {
                0..7 => chance.random_range(0..HOUR_US),
                _ => chance.random_range(0..72 * HOUR_US),
            };
            arrivals.push((time_us + late_us, message.clone()));
        }
    }
    arrivals.sort_by_key(|(at_us, _)| *at_us);
    arrivals.into_iter().map(|(_, message)| message).collect()
}

struct Running {
    stop: CancellationToken,
    task: JoinHandle<Result<(), detect::DetectError>>,
}

impl Running {
    fn start(config: &DetectConfig, bus: &Bus, lake: &LakeConfig) -> Self {
        let stop = CancellationToken::new();
        let clock = Arc::new(SystemClock);
        let run = stage::run(
            config.clone(),
            bus.clone(),
            lake.clone(),
            clock,
            Health::default(),
            stop.clone(),
        );
        let task = tokio::spawn(run);
        Self { stop, task }
    }

    /// Stops as it should, or in the middle of whatever it does.
    async fn end(self, is_killed: bool) {
        if is_killed {
            self.task.abort();
            assert!(self.task.await.is_err_and(|error| error.is_cancelled()));
        } else {
            self.stop.cancel();
            self.task.await.unwrap().unwrap();
        }
    }
}

/// Waits until both stages have finished with everything, so that nothing new can come.
async fn quiet(bus: &Bus, groups: [&str; 2]) {
    let behind = async |group: &str, topic: Topic| {
        let ends = bus.ends(topic).await.unwrap();
        let done = bus.committed(group, topic).await.unwrap();
        let end: i64 = ends.iter().map(|position| position.next_offset).sum();
        let done: i64 = done.iter().map(|position| position.next_offset).sum();
        end - done
    };
    let waiting = async {
        // Twice in a row: what one stage has finished with, the other may not have seen yet.
        let mut quiet = 0;
        while quiet < 3 {
            let mut left = 0;
            for topic in lake::stage::topics() {
                left += behind(groups[0], topic).await;
            }
            for topic in [Topic::Batches, Topic::Signals] {
                left += behind(groups[1], topic).await;
            }
            quiet = if left == 0 { quiet + 1 } else { 0 };
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap();
}

/// What somebody has who was told of every change: ids with the events behind them.
type Told = BTreeMap<String, (String, u64, BTreeSet<String>)>;

fn said(alert: &Alert) -> (String, u64, BTreeSet<String>) {
    let events = alert.evidence.iter().map(|one| one.event_id.clone());
    (alert.rule_id.clone(), alert.event_count, events.collect())
}

async fn told(bus: &Bus) -> (Told, BTreeMap<String, usize>) {
    let mut consumer = bus.subscribe("reader", &[Topic::Alerts]).await.unwrap();
    let (mut told, mut states) = (Told::new(), BTreeMap::new());
    let end = bus.ends(Topic::Alerts).await.unwrap()[0].next_offset;
    let mut next = 0;
    while next < end {
        let polled = consumer
            .next(1_000, Duration::from_millis(300))
            .await
            .unwrap();
        for record in &polled.records {
            next = record.offset + 1;
            let alert = Alert::decode(record.payload.as_slice()).unwrap();
            *states.entry(alert.state.clone()).or_default() += 1;
            if alert.state == "withdrawn" {
                told.remove(&alert.alert_id);
            } else {
                told.insert(alert.alert_id.clone(), said(&alert));
            }
        }
    }
    (told, states)
}

async fn check(seed: u64, begin_us: i64) {
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("rules");
    std::fs::create_dir(&rules).unwrap();
    std::fs::write(rules.join("rules.yml"), RULES).unwrap();
    let config = DetectConfig {
        rules: vec![rules],
        builtin_rules: false,
        strict: true,
        ..DetectConfig::default()
    };
    let (bus, lake) = open(folder.path()).await;
    let stop = CancellationToken::new();
    let clock = Arc::new(SystemClock);
    let storing = tokio::spawn(lake::stage::run(
        lake.clone(),
        bus.clone(),
        clock,
        Health::default(),
        stop.clone(),
    ));
    let mut chance = ChaCha8Rng::seed_from_u64(seed);
    let arrivals = arrivals(&mut chance, begin_us);
    let mut running = Running::start(&config, &bus, &lake);
    for part in arrivals.chunks(arrivals.len().div_ceil(PARTS)) {
        bus.publish(Topic::Events(Table::M365Activity), part.to_vec())
            .await
            .unwrap();
        tokio::time::sleep(Duration::from_millis(chance.random_range(20..400))).await;
        running.end(chance.random_bool(0.6)).await;
        running = Running::start(&config, &bus, &lake);
    }
    quiet(&bus, [&lake.group, &config.group]).await;
    running.end(false).await;
    stop.cancel();
    storing.await.unwrap().unwrap();
    let reader = Lake::open(&lake).unwrap();
    let rules = rules::ruleset(&config).unwrap();
    let batch = evaluate_lake(&rules, &reader, SystemClock.now_us())
        .await
        .unwrap();
    let expected: Told = batch
        .iter()
        .map(|(id, alert)| (id.clone(), said(alert)))
        .collect();
    let (found, states) = told(&bus).await;
    for id in found.keys().chain(expected.keys()) {
        assert_eq!(found.get(id), expected.get(id), "seed {seed}, alert {id}");
    }
    let of_rules: BTreeSet<&str> = expected.values().map(|(rule, ..)| rule.as_str()).collect();
    assert_eq!(of_rules.len(), 5, "{of_rules:?}");
    println!(
        "seed {seed}: {} alerts in the end, told {states:?}",
        expected.len()
    );
    in_the_lake(&reader, &expected).await;
}

/// The view of the lake says the same as the stream.
async fn in_the_lake(reader: &Lake, expected: &Told) {
    let query = "SELECT alert_id FROM alerts_current WHERE alert_state <> 'withdrawn'";
    let (_, batches) = reader.query_all(query).await.unwrap();
    let rows = batches.iter().flat_map(|batch| {
        (0..batch.num_rows()).filter_map(move |row| text(batch, "alert_id", row))
    });
    let stored: BTreeSet<String> = rows.collect();
    assert_eq!(stored, expected.keys().cloned().collect());
}

#[tokio::test(flavor = "multi_thread")]
async fn late_records_stops_and_kills_lead_to_what_the_whole_lake_says() {
    let now_us = SystemClock.now_us();
    for seed in [1, 2] {
        check(seed, now_us - 120 * HOUR_US).await;
    }
}

/// An export of last year: everything is older than what is remembered, and finds its neighbours in the lake.
#[tokio::test(flavor = "multi_thread")]
async fn records_older_than_memory_bring_their_neighbours_along() {
    check(3, 1_750_000_000_000_000).await;
}

/// What does not come is told when its time is over, though no other record comes and nothing is started again.
#[tokio::test(flavor = "multi_thread")]
async fn an_absence_is_told_when_it_is_certain() {
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("rules");
    std::fs::create_dir(&rules).unwrap();
    std::fs::write(rules.join("rules.yml"), RULES).unwrap();
    let config = DetectConfig {
        rules: vec![rules],
        builtin_rules: false,
        ..DetectConfig::default()
    };
    let (bus, lake) = open(folder.path()).await;
    let stop = CancellationToken::new();
    let clock = Arc::new(SystemClock);
    let storing = tokio::spawn(lake::stage::run(
        lake.clone(),
        bus.clone(),
        clock,
        Health::default(),
        stop.clone(),
    ));
    let running = Running::start(&config, &bus, &lake);
    // The span of an hour, and the day that is waited at most, are over in some seconds.
    let certain_us = SystemClock.now_us() + 8_000_000;
    let record = json!({"Operation": "AnonymousLinkCreated", "UserId": "ada@contoso.test"});
    let message = event(
        Table::M365Activity,
        "e1",
        certain_us - 25 * HOUR_US,
        &record,
    );
    bus.publish(Topic::Events(Table::M365Activity), vec![message])
        .await
        .unwrap();
    let mut consumer = bus.subscribe("reader", &[Topic::Alerts]).await.unwrap();
    let waiting = async {
        loop {
            let polled = consumer.next(10, Duration::from_millis(200)).await.unwrap();
            if let Some(record) = polled.records.first() {
                return Alert::decode(record.payload.as_slice()).unwrap();
            }
        }
    };
    let alert = tokio::time::timeout(PATIENCE, waiting).await.unwrap();
    assert_eq!(
        (alert.rule_id.as_str(), alert.state.as_str()),
        ("55555555-0000-4000-8000-000000000000", "raised")
    );
    assert!(alert.detected_time_us >= certain_us);
    running.end(false).await;
    stop.cancel();
    storing.await.unwrap().unwrap();
}
