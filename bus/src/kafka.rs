//! The bus on Apache Kafka, for stages as services.
//!
//! Delivery: at least once. Publishing waits for `acks=all` of an idempotent producer; a group's positions
//! are committed by its members after the effect. Source: <https://kafka.apache.org/documentation/>.

mod consumer;
mod context;
mod groups;
mod lease;
mod leaving;
mod producer;
mod recognise;
mod settings;
mod topics;

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::consumer::Consumer as _;
use rdkafka::error::KafkaResult;
use rdkafka::producer::Producer as _;
use schemas::fate::{Fate, chain};
use schemas::limits::MESSAGE_BYTES_MAX;
use schemas::topics::Topic;
use tokio::sync::watch;
use tokio::task;
use tokio::time::sleep;

pub(crate) use self::consumer::KafkaConsumer;
use self::groups::{Asker, Groups};
pub(crate) use self::lease::KafkaLease;
use self::producer::{Publisher, dispose};
pub(crate) use self::settings::check;
use crate::config::KafkaConfig;
use crate::error::BusError;
use crate::lease::{Terms, Told};
use crate::message::{BusState, Concern, Message, Position, Recognised, check_sizes};

/// Longest wait for an answer about positions.
const ASK_WAIT: Duration = Duration::from_secs(15);

/// Time within which brokers that do not answer are asked again when the bus is opened.
const BROKERS_WAIT: Duration = Duration::from_secs(45);

/// Pause before they are.
const BROKERS_PAUSE: Duration = Duration::from_secs(1);

/// Wait before a question is asked again.
const ASK_PAUSE: Duration = Duration::from_millis(100);

/// Longest that the last handle waits for consumers to leave their groups, so that others replace them at once.
const CLOSE_WAIT: Duration = Duration::from_secs(3);

/// A handle of the bus on Kafka.
#[derive(Clone)]
pub struct KafkaBus {
    cluster: Arc<Cluster>,
}

/// What all handles share.
struct Cluster {
    config: KafkaConfig,
    publisher: Publisher,
    groups: Groups,
    /// Threads that close clients.
    closing: Mutex<Vec<JoinHandle<()>>>,
    /// Kept, so that those who watch it wait for ever.
    state: watch::Sender<BusState>,
    concerns: Vec<Concern>,
}

impl Cluster {
    fn config(&self) -> &KafkaConfig {
        &self.config
    }

    fn name(&self, topic: Topic) -> String {
        topics::full_name(&self.config, topic)
    }

    fn group(&self, group: &str) -> String {
        format!("{}{group}", self.config.prefix)
    }

    /// Closes `client` on a thread of its own.
    fn close<T: Send + 'static>(&self, client: T) {
        self.close_by(dispose(client));
    }

    /// Waits at the end for a thread that closes a client.
    fn close_by(&self, thread: Option<JoinHandle<()>>) {
        let mut closing = self.closing.lock().unwrap_or_else(PoisonError::into_inner);
        closing.retain(|thread| !thread.is_finished());
        closing.extend(thread);
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for asker in self.groups.take() {
            self.close(asker);
        }
        let closing = self
            .closing
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        let deadline = Instant::now() + CLOSE_WAIT;
        while closing.iter().any(|thread| !thread.is_finished()) && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Asks again where brokers are being restarted: a stage that starts meanwhile waits for them, as one that runs does.
async fn ensure_topics(
    config: &KafkaConfig,
    admin: &Arc<topics::Admin>,
) -> Result<Vec<Concern>, BusError> {
    let deadline = Instant::now() + BROKERS_WAIT;
    loop {
        let error = match topics::ensure(config, admin).await {
            Err(error) if !matches!(error.fate(), Fate::Stop) && Instant::now() < deadline => error,
            done => return done,
        };
        tracing::warn!(
            brokers = config.brokers,
            error = chain(&error),
            "the brokers do not answer yet; they are asked again"
        );
        sleep(BROKERS_PAUSE).await;
    }
}

impl KafkaBus {
    pub(crate) async fn open(config: &KafkaConfig) -> Result<Self, BusError> {
        let mut cluster = Cluster {
            config: config.clone(),
            concerns: settings::check_security(config)?.into_iter().collect(),
            publisher: Publisher::new(settings::producer(config)?)?,
            groups: Groups::default(),
            closing: Mutex::new(Vec::new()),
            state: watch::channel(BusState::Works).0,
        };
        let admin = Arc::new(topics::admin(config)?);
        let ensured = ensure_topics(config, &admin).await;
        // Off the runtime, for it joins its threads; and before others make their clients.
        let closed = task::spawn_blocking(move || drop(admin)).await;
        cluster.concerns.extend(ensured?);
        closed.map_err(|_| BusError::ThreadEnded {
            doing: "close a client",
        })?;
        Ok(Self {
            cluster: Arc::new(cluster),
        })
    }

    pub(crate) fn concerns(&self) -> &[Concern] {
        &self.cluster.concerns
    }

    pub(crate) fn state(&self) -> watch::Receiver<BusState> {
        self.cluster.state.subscribe()
    }

    pub(crate) async fn publish(
        &self,
        topic: Topic,
        messages: Vec<Message>,
    ) -> Result<Vec<Position>, BusError> {
        check_sizes(topic, &messages, MESSAGE_BYTES_MAX)?;
        let name = self.cluster.name(topic);
        let publisher = &self.cluster.publisher;
        let placed = publisher.publish(topic, &name, &messages).await?;
        metrics::counter!("bus_published_total", "topic" => topic.name())
            .increment(messages.len() as u64);
        Ok(placed)
    }

    #[expect(
        clippy::unused_async,
        reason = "the same signature as on the embedded log, which waits"
    )]
    pub(crate) async fn subscribe(
        &self,
        group: &str,
        topics: &[Topic],
    ) -> Result<KafkaConsumer, BusError> {
        let names = topics
            .iter()
            .map(|topic| (self.cluster.name(*topic), *topic))
            .collect();
        KafkaConsumer::join(Arc::clone(&self.cluster), self.cluster.group(group), names)
    }

    pub(crate) async fn lease(
        &self,
        name: &str,
        terms: &Terms,
        told: Told<'_>,
    ) -> Result<KafkaLease, BusError> {
        KafkaLease::take(Arc::clone(&self.cluster), name, terms, told).await
    }

    pub(crate) async fn ends(&self, topic: Topic) -> Result<Vec<Position>, BusError> {
        let name = self.cluster.name(topic);
        let producer = self.cluster.publisher.producer();
        ask("ask for the ends of a topic", move || {
            let client = producer.client();
            let mut ends = Vec::new();
            for partition in topics::partitions(client, &name, ASK_WAIT)?.unwrap_or_default() {
                let (_, next_offset) = patiently("ask for the ends of a topic", || {
                    client.fetch_watermarks(&name, partition, ASK_WAIT)
                })?;
                ends.push(Position {
                    topic,
                    partition,
                    next_offset,
                    last: None,
                });
            }
            Ok(ends)
        })
        .await
    }

    pub(crate) async fn retention(&self, topic: Topic) -> Result<Option<Duration>, BusError> {
        let admin = topics::admin(self.cluster.config())?;
        let name = self.cluster.name(topic);
        let retention = topics::retention(&admin, &name).await;
        // Off the runtime, for it joins its threads.
        self.cluster.close(admin);
        retention
    }

    pub(crate) async fn committed(
        &self,
        group: &str,
        topic: Topic,
    ) -> Result<Vec<Position>, BusError> {
        let name = self.cluster.name(topic);
        let group = self.cluster.group(group);
        let cluster = Arc::clone(&self.cluster);
        ask("ask for a group's positions", move || {
            let asker = cluster.groups.asker(cluster.config(), &group)?;
            committed(&asker, topic, &name)
        })
        .await
    }

    pub(crate) async fn recognise(
        &self,
        group: &str,
        positions: &[Position],
    ) -> Result<Vec<Recognised>, BusError> {
        let cluster = Arc::clone(&self.cluster);
        let (group, positions) = (self.cluster.group(group), positions.to_vec());
        ask("look up positions", move || {
            recognise::recognise(&cluster, &group, &positions)
        })
        .await
    }
}

/// Asks a group's coordinator without joining the group; blocks.
fn committed(client: &Asker, topic: Topic, name: &str) -> Result<Vec<Position>, BusError> {
    let mut list = TopicPartitionList::new();
    for partition in topics::partitions(client.client(), name, ASK_WAIT)?.unwrap_or_default() {
        list.add_partition(name, partition);
    }
    let answer = patiently("ask for a group's positions", || {
        client.committed_offsets(list.clone(), ASK_WAIT)
    })?;
    let mut positions = Vec::new();
    for element in answer.elements() {
        let Some(position) = recognise::of_element(topic, &element) else {
            continue;
        };
        // Beyond the end it is of a topic that was replaced: Kafka keeps positions by name.
        let (_, end) = recognise::bounds_of(client, name, position.partition)?;
        if position.next_offset <= end {
            positions.push(position);
        }
    }
    Ok(positions)
}

/// Asks again while the cluster is rearranging itself, as just after a topic was created; blocks.
fn patiently<T>(doing: &'static str, question: impl Fn() -> KafkaResult<T>) -> Result<T, BusError> {
    let deadline = Instant::now() + ASK_WAIT;
    loop {
        match question() {
            Ok(answer) => return Ok(answer),
            Err(cause) => {
                let error = BusError::Kafka { doing, cause };
                if error.fate() == Fate::Stop || Instant::now() >= deadline {
                    return Err(error);
                }
            }
        }
        thread::sleep(ASK_PAUSE);
    }
}

/// Runs `question`, which blocks, off the runtime.
async fn ask<T: Send + 'static>(
    doing: &'static str,
    question: impl FnOnce() -> Result<T, BusError> + Send + 'static,
) -> Result<T, BusError> {
    task::spawn_blocking(question)
        .await
        .map_err(|_| BusError::ThreadEnded { doing })?
}
