//! Where a bus is for the time of one test, what is published on it, and the stage that runs on it.
#![expect(
    clippy::expect_used,
    reason = "a test ends where its footing is missing"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use bus::config::{KafkaConfig, LogConfig};
use bus::{Bus, BusConfig, Message};
use forward::destinations::Target;
use forward::destinations::file::FileConfig;
use forward::{DestinationConfig, ForwardConfig, ForwardError, Surroundings};
use schemas::environment::SystemClock;
use schemas::health::Health;
use schemas::topics::Topic;
use schemas::wire::Alert;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::broker::Broker;

/// Longest that a test waits for what must come; a rebalance takes seconds, a busy machine more.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);

/// A bus that can be opened again and again, and a folder for files.
pub(crate) struct Place {
    folder: TempDir,
    kafka: Option<(Arc<Broker>, String)>,
}

impl Place {
    pub(crate) fn log() -> Self {
        Self {
            folder: TempDir::new().expect("a temporary folder"),
            kafka: None,
        }
    }

    /// Topics of its own on the shared broker.
    pub(crate) fn kafka() -> Self {
        static TESTS: AtomicU32 = AtomicU32::new(0);
        let number = TESTS.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("f{}-{number}.", std::process::id());
        Self {
            kafka: Some((Broker::shared(), prefix)),
            ..Self::log()
        }
    }

    pub(crate) fn is_kafka(&self) -> bool {
        self.kafka.is_some()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// As `forward_until_killed` is told it.
    pub(crate) fn arguments(&self) -> [String; 3] {
        match &self.kafka {
            None => [
                "log".to_owned(),
                self.path("log.sqlite").display().to_string(),
                String::new(),
            ],
            Some((broker, prefix)) => [
                "kafka".to_owned(),
                broker.address().to_owned(),
                prefix.clone(),
            ],
        }
    }

    pub(crate) async fn open(&self) -> Bus {
        let config = match &self.kafka {
            None => BusConfig::Log(LogConfig {
                path: self.path("log.sqlite"),
                ..LogConfig::default()
            }),
            Some((broker, prefix)) => BusConfig::Kafka(KafkaConfig {
                brokers: broker.address().to_owned(),
                prefix: prefix.clone(),
                development: true,
                ..KafkaConfig::default()
            }),
        };
        Bus::open(&config).await.expect("the bus opens")
    }

    /// A destination that writes into a file of this place.
    pub(crate) fn file(&self, name: &str, path: &str) -> DestinationConfig {
        DestinationConfig {
            name: name.to_owned(),
            to: Target::File(FileConfig {
                path: self.path(path),
                ..FileConfig::default()
            }),
        }
    }
}

/// Runs one test on a runtime of its own, as a stage does.
pub(crate) fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(test);
}

/// A stage that runs.
pub(crate) struct Running {
    pub(crate) health: Health,
    stop: CancellationToken,
    task: JoinHandle<Result<(), ForwardError>>,
}

impl Running {
    pub(crate) fn start(bus: &Bus, destinations: Vec<DestinationConfig>) -> Self {
        let config = ForwardConfig {
            destinations,
            retry_wait_ms: 20,
            ..ForwardConfig::default()
        };
        Self::start_as(bus, config)
    }

    pub(crate) fn start_as(bus: &Bus, config: ForwardConfig) -> Self {
        let (health, stop) = (Health::default(), CancellationToken::new());
        let with = Surroundings {
            read_secret: Arc::new(|reference| Err(format!("no secret at {reference}"))),
        };
        let task = tokio::spawn(forward::stage::run(
            config,
            with,
            bus.clone(),
            Arc::new(SystemClock),
            health.clone(),
            stop.clone(),
        ));
        Self { health, stop, task }
    }

    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.task
            .await
            .expect("it does not panic")
            .expect("it ends as it should");
    }
}

pub(crate) fn alert(number: u32) -> Alert {
    Alert {
        alert_id: format!("{number:032x}"),
        tenant_id: "0b5c".to_owned(),
        label: "SAAS-M365-00001".to_owned(),
        severity: if number.is_multiple_of(2) {
            "high"
        } else {
            "low"
        }
        .to_owned(),
        state: "raised".to_owned(),
        title: format!("alert {number}"),
        ..Alert::default()
    }
}

pub(crate) async fn publish(bus: &Bus, numbers: std::ops::Range<u32>) {
    let messages: Vec<Message> = numbers
        .map(|number| {
            let alert = alert(number);
            Message::of(alert.alert_id.clone(), &alert)
        })
        .collect();
    for some in messages.chunks(5_000) {
        bus.publish(Topic::Alerts, some.to_vec())
            .await
            .expect("published");
    }
}

/// How often each alert, by its number, is in a file; none of it may be torn.
pub(crate) fn arrived(path: &Path) -> BTreeMap<u32, usize> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let mut arrived = BTreeMap::new();
    for line in text.lines() {
        let document: serde_json::Value = serde_json::from_str(line).expect("a whole line");
        if document["kind"] != "alert" {
            continue;
        }
        let id = document["id"].as_str().expect("an id");
        let number = u32::from_str_radix(id, 16).expect("a number");
        *arrived.entry(number).or_default() += 1;
    }
    arrived
}

/// Waits until something holds.
pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !holds().await {
        assert!(started.elapsed() < PATIENCE, "{what}: it did not come");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
