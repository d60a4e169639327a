//! Where a bus is for the time of one test, and the few moves that every test makes.
#![expect(
    clippy::expect_used,
    reason = "a test ends where its footing is missing"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use bus::config::{KafkaConfig, LogConfig};
use bus::{Bus, BusConfig, Consumer, Delivery, Message, Polled, Position};
use schemas::topics::Topic;
use tempfile::TempDir;

use crate::broker::Broker;

/// Longest that a test waits for what must come; a rebalance takes seconds, a busy machine more.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// A bus that can be opened again and again.
pub(crate) enum Place {
    Log(TempDir),
    Kafka(Arc<Broker>, String),
}

impl Place {
    pub(crate) fn log() -> Self {
        Self::Log(TempDir::new().expect("a temporary folder"))
    }

    /// Topics of its own on the shared broker.
    pub(crate) fn kafka() -> Self {
        static TESTS: AtomicU32 = AtomicU32::new(0);
        let number = TESTS.fetch_add(1, Ordering::Relaxed);
        Self::Kafka(
            Broker::shared(),
            format!("t{}-{number}.", std::process::id()),
        )
    }

    pub(crate) fn config(&self) -> BusConfig {
        match self {
            Self::Log(folder) => BusConfig::Log(LogConfig {
                path: log_path(folder),
                ..LogConfig::default()
            }),
            Self::Kafka(broker, prefix) => BusConfig::Kafka(KafkaConfig {
                brokers: broker.address().to_owned(),
                prefix: prefix.clone(),
                development: true,
                ..KafkaConfig::default()
            }),
        }
    }

    pub(crate) async fn open(&self) -> Bus {
        Bus::open(&self.config()).await.expect("the bus opens")
    }
}

pub(crate) fn log_path(folder: &TempDir) -> PathBuf {
    folder.path().join("data/log.sqlite")
}

/// Runs one test on a runtime of its own, as a stage does.
pub(crate) fn ask(place: &Place, question: impl AsyncFnOnce(&Place)) {
    run(question(place));
}

pub(crate) fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(test);
}

/// A position in the first partition, of which nobody noted what was before it.
pub(crate) fn position(topic: Topic, next_offset: i64) -> Position {
    Position {
        topic,
        partition: 0,
        next_offset,
        last: None,
    }
}

/// `count` messages over `keys` keys; the payload is the number.
pub(crate) fn numbered(range: std::ops::Range<u32>, keys: u32) -> Vec<Message> {
    range
        .map(|number| Message {
            key: format!("key-{}", number % keys),
            payload: number.to_string().into_bytes(),
        })
        .collect()
}

pub(crate) fn number(delivery: &Delivery) -> u32 {
    String::from_utf8_lossy(&delivery.payload)
        .parse()
        .expect("a number that we published")
}

/// Reads until `enough` says so of all that came.
pub(crate) async fn read_until(
    consumer: &mut Consumer,
    enough: impl Fn(&[Delivery]) -> bool,
) -> Vec<Delivery> {
    let started = Instant::now();
    let mut all = Vec::new();
    while !enough(&all) {
        assert!(
            started.elapsed() < PATIENCE,
            "only {} messages came",
            all.len()
        );
        all.extend(next(consumer).await.records);
    }
    all
}

pub(crate) async fn read(consumer: &mut Consumer, count: usize) -> Vec<Delivery> {
    read_until(consumer, |all| all.len() >= count).await
}

pub(crate) async fn next(consumer: &mut Consumer) -> Polled {
    consumer
        .next(1000, Duration::from_millis(500))
        .await
        .expect("the bus is there")
}

/// Waits until the consumer has its partitions, without reading.
pub(crate) async fn assigned(consumer: &mut Consumer, count: usize) -> BTreeSet<(Topic, i32)> {
    let started = Instant::now();
    let mut assigned = BTreeSet::new();
    while assigned.len() < count {
        assert!(
            started.elapsed() < PATIENCE,
            "only {assigned:?} was assigned"
        );
        assigned.extend(next(consumer).await.assigned);
    }
    assigned
}

/// Checks that nothing more comes for a moment.
pub(crate) async fn silent(consumer: &mut Consumer) {
    let polled = consumer
        .next(1000, Duration::from_secs(1))
        .await
        .expect("the bus is there");
    assert!(
        polled.records.is_empty(),
        "{} more than expected",
        polled.records.len()
    );
}

/// Numbers by key, in the order of arrival.
pub(crate) fn by_key(records: &[Delivery]) -> BTreeMap<String, Vec<u32>> {
    let mut keys: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for record in records {
        keys.entry(record.key.clone())
            .or_default()
            .push(number(record));
    }
    keys
}
