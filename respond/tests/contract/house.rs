//! A stage on the embedded log, with what outlives it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bus::config::LogConfig;
use bus::{Bus, BusConfig, Message};
use prost::Message as _;
use respond::action::ActionKind;
use respond::directory::Directory;
use respond::record::State;
use respond::review::Review;
use respond::stage::Directories;
use respond::{RespondConfig, RespondError, stage};
use schemas::environment::{Clock, SystemClock};
use schemas::health::Health;
use schemas::topics::Topic;
use schemas::wire::Alert;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::memory::{ACCOUNT, MemoryDirectory};
use crate::world::{T0, TENANT, alert};

pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// A clock that stands a second after the alerts of these tests as the house is made, and goes on from there.
struct Since(i64);

impl Clock for Since {
    fn now_us(&self) -> i64 {
        T0 + 1_000_000 + (SystemClock.now_us() - self.0)
    }
}

async fn log(folder: &TempDir, name: &str) -> Bus {
    let config = BusConfig::Log(LogConfig {
        path: folder.path().join(name),
        ..LogConfig::default()
    });
    Bus::open(&config).await.unwrap()
}

/// A bus, a journal and directories that outlive a stage.
pub(crate) struct House {
    pub(crate) folder: TempDir,
    pub(crate) bus: Bus,
    pub(crate) config: RespondConfig,
    pub(crate) directories: Directories,
    pub(crate) health: Health,
    pub(crate) clock: Arc<dyn Clock>,
}

impl House {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bus = log(&folder, "log").await;
        let config = RespondConfig {
            dry_run: false,
            never_act_none: true,
            automatic: ActionKind::ALL.to_vec(),
            journal: folder.path().join("journal"),
            kill_switch: folder.path().join("stop"),
            read_back_wait_ms: 1,
            retry_wait_ms: 1,
            ..RespondConfig::default()
        };
        Self {
            folder,
            bus,
            config,
            directories: Directories::new(),
            health: Health::default(),
            clock: Arc::new(Since(SystemClock.now_us())),
        }
    }

    /// One in which an account was contained, by a stage that has ended.
    pub(crate) async fn contained() -> Self {
        let mut house = Self::new().await;
        house.add(TENANT, Arc::new(MemoryDirectory::new()));
        let stage = house.start();
        house.publish(&[alert(TENANT, ACCOUNT, "a1")]).await;
        house.until("contained", all(State::Effective, 3)).await;
        stage.end().await;
        house
    }

    /// Somebody moves the log aside: the next stage makes another.
    pub(crate) async fn replace_the_log(&mut self) {
        self.bus = log(&self.folder, "another_log").await;
    }

    pub(crate) fn add(&mut self, tenant_id: &str, directory: Arc<dyn Directory>) {
        self.directories.insert(tenant_id.to_owned(), directory);
    }

    pub(crate) fn start(&self) -> Stage {
        let stop = CancellationToken::new();
        let running = tokio::spawn(stage::run_in(
            self.config.clone(),
            self.directories.clone(),
            self.bus.clone(),
            Arc::clone(&self.clock),
            self.health.clone(),
            stop.clone(),
        ));
        Stage { running, stop }
    }

    pub(crate) async fn publish(&self, alerts: &[Alert]) {
        let messages = alerts
            .iter()
            .map(|alert| Message {
                key: alert.alert_id.clone(),
                payload: alert.encode_to_vec(),
            })
            .collect();
        self.bus.publish(Topic::Alerts, messages).await.unwrap();
    }

    pub(crate) fn review(&self) -> Review {
        Review::open(&self.config.journal).unwrap()
    }

    /// Waits until the stage has made its journal and the actions are as asked for.
    pub(crate) async fn until(&self, what: &str, is_so: impl Fn(&BTreeMap<String, State>) -> bool) {
        let started = tokio::time::Instant::now();
        loop {
            let states = self.states();
            if states.as_ref().is_some_and(&is_so) {
                return;
            }
            assert!(started.elapsed() < PATIENCE, "{what}: {states:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// States of all actions, by tenant and action; none before the stage has made its journal.
    pub(crate) fn states(&self) -> Option<BTreeMap<String, State>> {
        let records = Review::open(&self.config.journal)
            .ok()?
            .actions(1_000)
            .unwrap();
        let named = records.into_iter().map(|record| {
            let tenant = &record.tenant_id[record.tenant_id.len() - 1..];
            (
                format!("{tenant} {} {}", record.action.kind(), record.round),
                record.state,
            )
        });
        Some(named.collect())
    }

    /// Everything on a topic, for a reader of its own.
    pub(crate) async fn read<T: prost::Message + Default>(&self, topic: Topic) -> Vec<T> {
        let end = self
            .bus
            .ends(topic)
            .await
            .unwrap()
            .iter()
            .map(|end| end.next_offset)
            .sum::<i64>();
        let group = format!(
            "test-{}",
            schemas::ids::hex(&[topic.name().as_bytes(), &end.to_le_bytes()])
        );
        let mut consumer = self.bus.subscribe(&group, &[topic]).await.unwrap();
        let mut found = Vec::new();
        while i64::try_from(found.len()).unwrap() < end {
            let polled = consumer.next(1_000, Duration::from_secs(1)).await.unwrap();
            found.extend(
                polled
                    .records
                    .iter()
                    .map(|record| T::decode(record.payload.as_slice()).unwrap()),
            );
        }
        found
    }
}

pub(crate) struct Stage {
    pub(crate) running: JoinHandle<Result<(), RespondError>>,
    pub(crate) stop: CancellationToken,
}

impl Stage {
    pub(crate) async fn end(self) {
        self.stop.cancel();
        tokio::time::timeout(PATIENCE, self.running)
            .await
            .expect("it drains")
            .unwrap()
            .unwrap();
    }

    /// As SIGKILL would: nothing is drained.
    pub(crate) async fn kill(self) {
        self.running.abort();
        assert!(self.running.await.is_err(), "it was killed");
    }
}

pub(crate) fn all(state: State, count: usize) -> impl Fn(&BTreeMap<String, State>) -> bool {
    move |states| states.len() == count && states.values().all(|now| *now == state)
}
