//! The log is gone with announcements and signals that nobody had read: what the lake has is evaluated all the same.

#![expect(clippy::unwrap_used, reason = "test code")]

#[path = "lab/lab.rs"]
mod lab;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bus::config::LogConfig;
use bus::{Bus, BusConfig};
use detect::{DetectConfig, stage};
use lake::{Lake, LakeConfig};
use prost::Message as _;
use schemas::environment::{Clock as _, SystemClock};
use schemas::health::Health;
use schemas::tables::Table;
use schemas::topics::Topic;
use schemas::wire::Alert;
use serde_json::json;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Longest that anything here may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

struct Stages {
    stop: CancellationToken,
    lake: JoinHandle<Result<(), lake::LakeError>>,
    detect: Option<JoinHandle<Result<(), detect::DetectError>>>,
}

impl Stages {
    fn start(bus: &Bus, lake: &LakeConfig, with_detect: bool) -> Self {
        let stop = CancellationToken::new();
        let clock = Arc::new(SystemClock);
        let storing = lake::stage::run(
            lake.clone(),
            bus.clone(),
            clock.clone(),
            Health::default(),
            stop.clone(),
        );
        let detecting = stage::run(
            DetectConfig::default(),
            bus.clone(),
            lake.clone(),
            clock,
            Health::default(),
            stop.clone(),
        );
        Self {
            stop,
            lake: tokio::spawn(storing),
            detect: with_detect.then(|| tokio::spawn(detecting)),
        }
    }

    async fn end(self) {
        self.stop.cancel();
        self.lake.await.unwrap().unwrap();
        if let Some(detect) = self.detect {
            detect.await.unwrap().unwrap();
        }
    }
}

async fn open_another(folder: &Path) -> Bus {
    let log = LogConfig {
        path: folder.join("another.sqlite"),
        ..LogConfig::default()
    };
    Bus::open(&BusConfig::Log(log)).await.unwrap()
}

async fn alerts(bus: &Bus, reader: &str, count: usize) -> Vec<Alert> {
    let mut consumer = bus.subscribe(reader, &[Topic::Alerts]).await.unwrap();
    let mut alerts = Vec::new();
    let reading = async {
        while alerts.len() < count {
            let polled = consumer
                .next(100, Duration::from_millis(200))
                .await
                .unwrap();
            let decode = |record: &bus::Delivery| Alert::decode(record.payload.as_slice()).unwrap();
            alerts.extend(polled.records.iter().map(decode));
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.unwrap();
    alerts
}

async fn publish(bus: &Bus, id: &str) {
    let rule = json!({"Operation": "New-InboxRule", "UserId": "ada@contoso.test",
        "Parameters": [{"Name": "Name", "Value": "A rule"}, {"Name": "MoveToFolder", "Value": "RSS Feeds"}]});
    let event = lab::event(Table::M365Activity, id, SystemClock.now_us(), &rule);
    bus.publish(Topic::Events(Table::M365Activity), vec![event])
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_announced_on_a_log_that_is_gone_is_evaluated_once_and_the_new_one_too() {
    let folder = tempfile::tempdir().unwrap();
    let (bus, lake) = lab::open(folder.path()).await;
    publish(&bus, "first").await;
    let stages = Stages::start(&bus, &lake, false);
    let reader = Lake::open(&lake).unwrap();
    let stored = async {
        while reader.count(Table::M365Activity).await.unwrap() == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, stored).await.unwrap();
    stages.end().await;
    drop(bus);

    let bus = open_another(folder.path()).await;
    let stages = Stages::start(&bus, &lake, true);
    let of_gone = alerts(&bus, "first", 1).await;
    assert_eq!(of_gone[0].evidence[0].event_id, "first");
    publish(&bus, "second").await;
    let both = alerts(&bus, "second", 2).await;
    assert_eq!(both[1].evidence[0].event_id, "second");
    stages.end().await;

    // A restart on the log that is there now has a position on it.
    let stages = Stages::start(&bus, &lake, true);
    publish(&bus, "third").await;
    let all = alerts(&bus, "third", 3).await;
    assert_eq!(all[2].evidence[0].event_id, "third", "{all:#?}");
    stages.end().await;
}
