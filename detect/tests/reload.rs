//! Rules that change while events stream through: taken without a stop, and no event escapes the others.

#![expect(clippy::unwrap_used, reason = "test code")]

#[path = "lab/lab.rs"]
mod lab;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bus::{Bus, Consumer};
use detect::{DetectConfig, DetectError, stage};
use lake::{LakeConfig, LakeError};
use prost::Message as _;
use schemas::environment::SystemClock;
use schemas::health::Health;
use schemas::tables::Table;
use schemas::topics::Topic;
use schemas::wire::Alert;
use serde_json::json;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use lab::{event, open};

/// Longest that anything here may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

fn rule(id: char) -> String {
    let uuid = format!("{}-0000-4000-8000-000000000000", id.to_string().repeat(8));
    format!(
        "title: Rule {id}\nid: {uuid}\nstatus: test\nlevel: low\nlogsource:\n  product: m365\n  service: audit\n\
         detection:\n  selection:\n    Operation: FileAccessed\n  condition: selection\n"
    )
}

async fn publish(bus: &Bus, number: usize) {
    let id = format!("e{number}");
    let record = json!({"Operation": "FileAccessed", "Number": number});
    let message = event(Table::M365Activity, &id, 1_789_372_800_000_000, &record);
    bus.publish(Topic::Events(Table::M365Activity), vec![message])
        .await
        .unwrap();
}

/// The events that each rule raised an alert for.
#[derive(Default)]
struct Raised {
    first: BTreeSet<String>,
    second: BTreeSet<String>,
}

impl Raised {
    /// Reads alerts until `is_enough`.
    async fn until(
        &mut self,
        consumer: &mut Consumer,
        what: &str,
        is_enough: impl Fn(&Self) -> bool,
    ) {
        let reading = async {
            while !is_enough(self) {
                let polled = consumer
                    .next(100, Duration::from_millis(100))
                    .await
                    .unwrap();
                for record in &polled.records {
                    let alert = Alert::decode(record.payload.as_slice()).unwrap();
                    let events = if alert.rule_id.starts_with('1') {
                        &mut self.first
                    } else {
                        &mut self.second
                    };
                    assert!(
                        events.insert(alert.evidence[0].event_id.clone()),
                        "raised twice"
                    );
                }
            }
        };
        let waited = tokio::time::timeout(PATIENCE, reading).await;
        assert!(waited.is_ok(), "in vain waited for {what}");
    }

    /// True if the last events raised alerts of the first rule alone.
    fn ends_with_first_alone(&self) -> bool {
        let number = |events: &BTreeSet<String>| {
            events
                .iter()
                .filter_map(|id| id[1..].parse::<usize>().ok())
                .max()
        };
        number(&self.first) > number(&self.second).map(|last| last + 3)
    }
}

/// Sends an event every 20 ms, and counts them, until it is `enough`.
async fn send(bus: Bus, sent: Arc<AtomicUsize>, enough: CancellationToken) {
    while !enough.is_cancelled() {
        publish(&bus, sent.fetch_add(1, Ordering::Relaxed)).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Lake and detect.
type Stages = (
    JoinHandle<Result<(), LakeError>>,
    JoinHandle<Result<(), DetectError>>,
);

/// Lake and detect, until `stop`.
fn start(config: DetectConfig, bus: &Bus, lake: LakeConfig, stop: &CancellationToken) -> Stages {
    let clock = Arc::new(SystemClock);
    let storing = tokio::spawn(lake::stage::run(
        lake.clone(),
        bus.clone(),
        clock.clone(),
        Health::default(),
        stop.clone(),
    ));
    let detecting = tokio::spawn(stage::run(
        config,
        bus.clone(),
        lake,
        clock,
        Health::default(),
        stop.clone(),
    ));
    (storing, detecting)
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_rules_are_taken_while_events_stream_through() {
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("rules");
    std::fs::create_dir(&rules).unwrap();
    std::fs::write(rules.join("first.yml"), rule('1')).unwrap();
    let (bus, lake) = open(folder.path()).await;
    let config = DetectConfig {
        rules: vec![rules.clone()],
        builtin_rules: false,
        strict: true,
        reload_ms: 50,
        ..DetectConfig::default()
    };
    let stop = CancellationToken::new();
    let (storing, detecting) = start(config, &bus, lake, &stop);
    let (sent, enough) = (Arc::new(AtomicUsize::new(0)), CancellationToken::new());
    let sending = tokio::spawn(send(bus.clone(), Arc::clone(&sent), enough.clone()));
    let mut consumer = bus.subscribe("test", &[Topic::Alerts]).await.unwrap();
    let mut raised = Raised::default();
    raised
        .until(&mut consumer, "the first rule", |raised| {
            raised.first.len() > 2
        })
        .await;
    // Half a rule is refused, and strictness keeps the rules that run.
    std::fs::write(rules.join("second.yml"), &rule('2')[..60]).unwrap();
    let seen = raised.first.len();
    raised
        .until(&mut consumer, "alerts beside a broken rule", |raised| {
            raised.first.len() > seen + 20
        })
        .await;
    assert_eq!(raised.second.len(), 0);
    std::fs::write(rules.join("second.yml"), rule('2')).unwrap();
    raised
        .until(&mut consumer, "the second rule", |raised| {
            raised.second.len() > 2
        })
        .await;
    std::fs::remove_file(rules.join("second.yml")).unwrap();
    raised
        .until(
            &mut consumer,
            "the end of the second rule",
            Raised::ends_with_first_alone,
        )
        .await;
    enough.cancel();
    sending.await.unwrap();
    let count = sent.load(Ordering::Relaxed);
    raised
        .until(&mut consumer, "all alerts of the first rule", |raised| {
            raised.first.len() == count
        })
        .await;
    assert!(raised.second.len() < count);
    stop.cancel();
    storing.await.unwrap().unwrap();
    detecting.await.unwrap().unwrap();
}
