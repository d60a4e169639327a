//! A bus, a folder, and a run of ingest whose output a test reads.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bus::config::LogConfig;
use bus::{Bus, BusConfig, Consumer};
use ingest::{IngestConfig, IngestError, TenantConfig};
use microsoft::HttpConfig;
use prost::Message;
use schemas::environment::{Clock, SystemClock};
use schemas::health::Health;
use schemas::topics::Topic;
use schemas::wire::{Coverage, DeadLetter, Event};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Longest that a test waits for what must come.
const PATIENCE: Duration = Duration::from_mins(1);

/// What has arrived on the topics.
#[derive(Debug, Default)]
pub(crate) struct Arrived {
    pub(crate) events: Vec<Event>,
    pub(crate) dead_letters: Vec<DeadLetter>,
    pub(crate) coverage: Vec<Coverage>,
}

impl Arrived {
    /// The distinct ids in a table.
    pub(crate) fn ids(&self, table: &str) -> BTreeSet<String> {
        let in_table = self.events.iter().filter(|event| event.table == table);
        in_table.map(|event| event.event_id.clone()).collect()
    }

    /// How often an id came.
    pub(crate) fn times(&self, id: &str) -> usize {
        self.events
            .iter()
            .filter(|event| event.event_id == id)
            .count()
    }

    /// Lines of the ledger of a kind and state.
    pub(crate) fn lines(&self, kind: &str, state: &str) -> Vec<&Coverage> {
        let fits = |line: &&Coverage| line.kind == kind && line.state == state;
        self.coverage.iter().filter(fits).collect()
    }
}

/// A bus and a folder.
pub(crate) struct Lab {
    pub(crate) bus: Bus,
    pub(crate) arrived: Arrived,
    pub(crate) health: Health,
    consumer: Consumer,
    /// Name of its log's file.
    log: String,
    folder: TempDir,
}

/// A run of ingest.
pub(crate) struct Run {
    stop: CancellationToken,
    task: JoinHandle<Result<(), IngestError>>,
}

impl Lab {
    pub(crate) async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let config = LogConfig {
            path: folder.path().join("log.sqlite"),
            ..LogConfig::default()
        };
        let bus = Bus::open(&BusConfig::Log(config)).await.unwrap();
        let consumer = bus.subscribe("test", &Topic::all()).await.unwrap();
        Self {
            bus,
            arrived: Arrived::default(),
            health: Health::default(),
            consumer,
            log: "log.sqlite".to_owned(),
            folder,
        }
    }

    /// Keeps a copy of the log as it is now.
    pub(crate) fn copy_log(&self, name: &str) {
        for ending in ["", "-wal"] {
            let from = self.folder.path().join(format!("{}{ending}", self.log));
            if from.exists() {
                std::fs::copy(from, self.folder.path().join(format!("{name}{ending}"))).unwrap();
            }
        }
    }

    /// Goes on with another log, a new one where there is none of this name; what had arrived is forgotten.
    pub(crate) async fn on_log(&mut self, name: &str) {
        name.clone_into(&mut self.log);
        let config = LogConfig {
            path: self.folder.path().join(name),
            ..LogConfig::default()
        };
        self.bus = Bus::open(&BusConfig::Log(config)).await.unwrap();
        self.consumer = self.bus.subscribe("test", &Topic::all()).await.unwrap();
        self.arrived = Arrived::default();
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// The cursor store, as a file.
    pub(crate) fn cursors(&self) -> PathBuf {
        self.folder.path().join("ingest/ingest-cursors.sqlite")
    }

    /// Starts ingest for one tenant; cursors stay in the lab's folder from run to run.
    pub(crate) fn start(&self, tenant: TenantConfig) -> Run {
        self.start_at(tenant, Arc::new(SystemClock))
    }

    /// Starts ingest where another time is believed.
    pub(crate) fn start_at(&self, tenant: TenantConfig, clock: Arc<dyn Clock>) -> Run {
        let config = IngestConfig {
            data_dir: self.folder.path().join("ingest"),
            http: HttpConfig {
                retry_wait_ms: 10,
                requests_per_minute: 60_000,
                ..HttpConfig::default()
            },
            downstream: None,
            tenants: vec![tenant],
        };
        let stop = CancellationToken::new();
        let run = ingest::stage::run(
            config,
            self.bus.clone(),
            clock,
            self.health.clone(),
            stop.clone(),
        );
        Run {
            stop,
            task: tokio::spawn(run),
        }
    }

    /// Takes what has arrived since.
    pub(crate) async fn look(&mut self) {
        loop {
            let polled = self
                .consumer
                .next(10_000, Duration::from_millis(20))
                .await
                .unwrap();
            if polled.records.is_empty() && polled.assigned.is_empty() {
                return;
            }
            for record in polled.records {
                let payload = record.payload.as_slice();
                match record.topic {
                    Topic::Events(table) => {
                        let event = Event::decode(payload).unwrap();
                        assert_eq!(
                            (event.table.as_str(), &event.event_id),
                            (table.name(), &record.key)
                        );
                        self.arrived.events.push(event);
                    }
                    Topic::DeadLetters => self
                        .arrived
                        .dead_letters
                        .push(DeadLetter::decode(payload).unwrap()),
                    Topic::Coverage => self
                        .arrived
                        .coverage
                        .push(Coverage::decode(payload).unwrap()),
                    other => panic!("ingest wrote to {other}"),
                }
            }
        }
    }

    /// Looks until `is_enough`, and fails after a minute.
    pub(crate) async fn wait_for(
        &mut self,
        what: &str,
        mut is_enough: impl FnMut(&Arrived) -> bool,
    ) {
        let waited = tokio::time::Instant::now();
        loop {
            self.look().await;
            if is_enough(&self.arrived) {
                return;
            }
            assert!(
                waited.elapsed() < PATIENCE,
                "{what}: {:#?}",
                self.arrived.coverage
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Run {
    /// Stops as SIGTERM does.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        let ended = tokio::time::timeout(Duration::from_secs(10), self.task).await;
        ended.unwrap().unwrap().unwrap();
    }

    /// Waits until it ends by itself.
    pub(crate) async fn ended(self) -> Result<(), IngestError> {
        let ended = tokio::time::timeout(Duration::from_secs(30), self.task).await;
        ended.unwrap().unwrap()
    }

    /// Ends at any await, as SIGKILL does.
    pub(crate) async fn kill(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }
}
