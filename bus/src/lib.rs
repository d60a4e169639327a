//! The only door between stages: publish, next, commit.
//!
//! Delivery: at least once. [`Bus::publish`] returns when every message is durable (Kafka: `acks=all`,
//! idempotent, no message timeout; embedded log: `synchronous=FULL`), and a consumer commits a position
//! only after the effect of everything before it is durable. So a crash repeats work and loses none.
//!
//! ```text
//! publish ──bounded queue──▶ topic ──▶ next ─▶ effect ─▶ commit
//!              full: publish waits; its source is not read meanwhile. Nothing is dropped here.
//! ```
//!
//! ```
//! use std::time::Duration;
//!
//! use bus::config::LogConfig;
//! use bus::{Bus, BusConfig, Message};
//! use schemas::topics::Topic;
//! use schemas::wire::Alert;
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let folder = tempfile::tempdir()?;
//! let bus = Bus::open(&BusConfig::Log(LogConfig {
//!     path: folder.path().join("log.sqlite"),
//!     ..LogConfig::default()
//! }))
//! .await?;
//!
//! let alert = Alert { alert_id: "f4993d4c".to_owned(), ..Alert::default() };
//! bus.publish(Topic::Alerts, vec![Message::of("f4993d4c", &alert)]).await?;
//!
//! let mut respond = bus.subscribe("respond", &[Topic::Alerts]).await?;
//! let mut seen = Vec::new();
//! while seen.is_empty() {
//!     for delivery in respond.next(100, Duration::from_secs(1)).await?.records {
//!         seen.push(delivery.decode::<Alert>()?);
//!         // After the effect is durable, never before.
//!         respond.commit(&[delivery.after()]).await?;
//!     }
//! }
//! assert_eq!(seen, [alert]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod config;
pub mod error;
mod kafka;
mod lease;
mod log;
mod message;
pub mod retry;
pub mod stored;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use schemas::environment::{Clock as _, SystemClock};
use schemas::topics::Topic;
use tokio::sync::watch;

pub use crate::config::BusConfig;
pub use crate::error::BusError;
pub use crate::lease::{Confirmed, Lease, Terms, Told, Waiting};
pub use crate::message::{
    BusState, Concern, Delivery, Fingerprint, Message, Polled, Position, Recognised, behind,
    has_passed,
};

/// The bus: Apache Kafka, or an embedded durable log in one SQLite file. Cheap to clone.
#[derive(Clone)]
pub enum Bus {
    /// Apache Kafka.
    Kafka(kafka::KafkaBus),
    /// The embedded log.
    Log(log::LogBus),
}

/// A member of a consumer group.
pub enum Consumer {
    /// On Apache Kafka.
    Kafka(kafka::KafkaConsumer),
    /// On the embedded log.
    Log(log::LogConsumer),
}

impl Bus {
    /// Opens the bus and creates the topics that are missing.
    ///
    /// # Errors
    /// [`BusError`] if the broker or file cannot be reached or is not ours.
    pub async fn open(config: &BusConfig) -> Result<Self, BusError> {
        match config {
            BusConfig::Kafka(config) => kafka::KafkaBus::open(config).await.map(Self::Kafka),
            BusConfig::Log(config) => log::LogBus::open(config).await.map(Self::Log),
        }
    }

    /// How the bus stands, for whoever runs the stages: once it has ended, so must the process.
    ///
    /// Kafka has brokers that come back; it only ever works.
    pub fn state(&self) -> watch::Receiver<BusState> {
        match self {
            Self::Kafka(bus) => bus.state(),
            Self::Log(bus) => bus.state(),
        }
    }

    /// What an administrator should change about the bus, as it was when it was opened.
    pub fn concerns(&self) -> &[Concern] {
        match self {
            Self::Kafka(bus) => bus.concerns(),
            Self::Log(_) => &[],
        }
    }

    /// Publishes all of `messages`, in order within a key, and returns when all of them are durable.
    ///
    /// # Errors
    /// [`BusError`] if one of them may not be durable; publishing the same messages again is then safe.
    pub async fn publish(&self, topic: Topic, messages: Vec<Message>) -> Result<(), BusError> {
        self.publish_placed(topic, messages).await.map(drop)
    }

    /// The same, and says of each partition that took some of them the position after the last.
    ///
    /// Whoever stores these beside what the messages were made of can tell later, by [`Bus::recognise`], whether the bus
    /// still has what it acknowledged. A partition is absent where the broker did not say at which offset it took them.
    ///
    /// # Errors
    /// As [`Bus::publish`].
    pub async fn publish_placed(
        &self,
        topic: Topic,
        messages: Vec<Message>,
    ) -> Result<Vec<Position>, BusError> {
        match self {
            Self::Kafka(bus) => bus.publish(topic, messages).await,
            Self::Log(bus) => bus.publish(topic, messages).await,
        }
    }

    /// Joins the consumer group `group` on `topics`.
    ///
    /// It starts at the group's committed positions, and at the earliest message where there is none.
    ///
    /// # Errors
    /// [`BusError`] if the group cannot be joined.
    pub async fn subscribe(&self, group: &str, topics: &[Topic]) -> Result<Consumer, BusError> {
        match self {
            Self::Kafka(bus) => bus.subscribe(group, topics).await.map(Consumer::Kafka),
            Self::Log(bus) => bus.subscribe(group, topics).await.map(Consumer::Log),
        }
    }

    /// Reads `topics` from their earliest message, as nobody: nothing waits for it, and its positions are kept nowhere.
    ///
    /// For a look at what is there, by a command beside the stages.
    ///
    /// # Errors
    /// [`BusError`] if the broker or file cannot be reached.
    pub async fn browse(&self, topics: &[Topic]) -> Result<Consumer, BusError> {
        // On Kafka nobody reads without a group; one of which no position is stored is forgotten when it is empty.
        let group = nobody();
        match self {
            Self::Kafka(bus) => bus.subscribe(&group, topics).await.map(Consumer::Kafka),
            Self::Log(bus) => bus.browse(&group, topics).await.map(Consumer::Log),
        }
    }

    /// Waits until the lease `name` is this process's, and until nothing can be under way any more of whoever held it
    /// before. While it waits, `told` hears who holds it; safe to cancel.
    ///
    /// At most one process holds it, whatever stands still or is cut off: see [`Lease::confirm`].
    ///
    /// # Errors
    /// [`BusError`] if it can neither be had nor waited for.
    pub async fn lease(
        &self,
        name: &str,
        terms: &Terms,
        told: Told<'_>,
    ) -> Result<Lease, BusError> {
        match self {
            Self::Kafka(bus) => bus.lease(name, terms, told).await.map(Lease::Kafka),
            Self::Log(bus) => bus.lease(name, told).await.map(Lease::Log),
        }
    }

    /// The position after the last message of each partition of `topic`.
    ///
    /// # Errors
    /// [`BusError`] if the broker or file cannot be reached.
    pub async fn ends(&self, topic: Topic) -> Result<Vec<Position>, BusError> {
        match self {
            Self::Kafka(bus) => bus.ends(topic).await,
            Self::Log(bus) => bus.ends(topic).await,
        }
    }

    /// How long messages of `topic` stay although somebody has not read them; none if they wait for every group.
    ///
    /// # Errors
    /// [`BusError`] if the broker cannot be reached, or does not let its settings be seen.
    pub async fn retention(&self, topic: Topic) -> Result<Option<Duration>, BusError> {
        match self {
            Self::Kafka(bus) => bus.retention(topic).await,
            Self::Log(_) => Ok(None),
        }
    }

    /// The positions that `group` has committed on `topic`; partitions without one are absent, and so are positions
    /// beyond the end, which are of a log that was replaced.
    ///
    /// # Errors
    /// [`BusError`] if the broker or file cannot be reached.
    pub async fn committed(&self, group: &str, topic: Topic) -> Result<Vec<Position>, BusError> {
        match self {
            Self::Kafka(bus) => bus.committed(group, topic).await,
            Self::Log(bus) => bus.committed(group, topic).await,
        }
    }

    /// The groups for which messages are kept, with each topic that they are kept of: those of the embedded log. On Kafka
    /// nothing is kept for a group, and one that is empty is forgotten by the brokers.
    ///
    /// # Errors
    /// [`BusError`] if the file cannot be read.
    pub async fn groups(&self) -> Result<Vec<(String, Topic)>, BusError> {
        match self {
            Self::Kafka(_) => Ok(Vec::new()),
            Self::Log(bus) => bus.groups().await,
        }
    }

    /// Removes the positions of a group, so that no message is kept for it any more; a member of it that still reads makes
    /// it known again. On Kafka it does nothing: see [`Bus::groups`].
    ///
    /// # Errors
    /// [`BusError`] if that may not be durable.
    pub async fn forget(&self, group: &str) -> Result<(), BusError> {
        match self {
            Self::Kafka(_) => Ok(()),
            Self::Log(bus) => bus.forget(group).await,
        }
    }

    /// Says of each position, as `group` or somebody for it has stored it, whether it is of the log that is there now.
    ///
    /// # Errors
    /// [`BusError`] if the broker or file cannot be reached.
    pub async fn recognise(
        &self,
        group: &str,
        positions: &[Position],
    ) -> Result<Vec<Recognised>, BusError> {
        match self {
            Self::Kafka(bus) => bus.recognise(group, positions).await,
            Self::Log(bus) => bus.recognise(positions).await,
        }
    }
}

/// The name of a group that no other reader has.
fn nobody() -> String {
    static READERS: AtomicU64 = AtomicU64::new(0);
    let number = READERS.fetch_add(1, Ordering::Relaxed);
    format!(
        "browse.{}.{number}.{}",
        std::process::id(),
        SystemClock.now_us()
    )
}

impl Consumer {
    /// Waits up to `wait_max` for the first message, then takes what is there, up to `records_max`.
    ///
    /// Safe to cancel: what was not returned is returned by the next call.
    ///
    /// # Errors
    /// [`BusError`] if the connection is lost in a way that the client does not mend itself.
    pub async fn next(
        &mut self,
        records_max: usize,
        wait_max: Duration,
    ) -> Result<Polled, BusError> {
        match self {
            Self::Kafka(consumer) => consumer.next(records_max, wait_max).await,
            Self::Log(consumer) => consumer.next(records_max, wait_max).await,
        }
    }

    /// Moves the group's positions, durably; call it after the effect.
    ///
    /// # Errors
    /// [`BusError`] if the positions may not be stored; the work since them is then repeated some day.
    pub async fn commit(&mut self, positions: &[Position]) -> Result<(), BusError> {
        match self {
            Self::Kafka(consumer) => consumer.commit(positions).await,
            Self::Log(consumer) => consumer.commit(positions).await,
        }
    }

    /// Reads newly assigned or replaced partitions on from where the group stands, and those of which the log was
    /// replaced from their beginning: these it returns. For a reader without positions of its own.
    ///
    /// # Errors
    /// [`BusError`] if the broker or file cannot be reached.
    pub async fn resume(
        &mut self,
        partitions: &[(Topic, i32)],
    ) -> Result<Vec<Recognised>, BusError> {
        match self {
            Self::Kafka(consumer) => consumer.resume(partitions).await,
            Self::Log(consumer) => consumer.resume(partitions).await,
        }
    }

    /// Reads on from other positions than the group's, for a reader that keeps its own.
    ///
    /// It does not look whether they are of this log: see [`Bus::recognise`].
    ///
    /// # Errors
    /// [`BusError`] if a partition is not assigned to this consumer.
    pub async fn seek(&mut self, positions: &[Position]) -> Result<(), BusError> {
        match self {
            Self::Kafka(consumer) => consumer.seek(positions).await,
            Self::Log(consumer) => consumer.seek(positions).await,
        }
    }
}
