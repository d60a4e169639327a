//! Publishing on Kafka: every message is delivered, or the caller is told.
//!
//! Delivery: idempotent producer, `acks=all`, no message timeout. A producer that met a fatal error is
//! replaced and what it left is published again: readers know identities, so a repeat changes nothing.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::future_producer::{Delivery, DeliveryFuture};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer as _};
use rdkafka::{ClientConfig, Timestamp};
use schemas::topics::Topic;
use tokio::time::sleep;

use super::context::{Logging, published_us};
use super::settings;
use crate::error::BusError;
use crate::message::{Message, Position};

/// Most producers that one call of publish wears out before it gives up.
const REBUILDS_MAX: u32 = 5;

/// Wait before a producer is replaced, and before a full queue is tried again with nothing in flight.
const PAUSE: Duration = Duration::from_millis(100);

/// A producer that replaces itself.
pub(super) struct Publisher {
    settings: ClientConfig,
    /// The producer, and how many were before it.
    current: Mutex<(u64, FutureProducer<Logging>)>,
}

/// How far a try came.
struct Progress {
    /// Everything before this index is durable.
    durable: usize,
    /// What stopped it there.
    stopped: Option<KafkaError>,
}

/// By partition, the newest message that the brokers have taken: its index, and where and when they put it.
#[derive(Default)]
struct Placed(BTreeMap<i32, (usize, i64, Timestamp)>);

impl Placed {
    /// Notes a message; its offset is not known where the brokers had it already.
    fn note(&mut self, index: usize, delivery: &Delivery) {
        let is_newer = |(_, offset, _): &(usize, i64, Timestamp)| delivery.offset > *offset;
        if delivery.offset >= 0 && self.0.get(&delivery.partition).is_none_or(is_newer) {
            let place = (index, delivery.offset, delivery.timestamp);
            self.0.insert(delivery.partition, place);
        }
    }

    /// The position after the newest of each partition.
    fn positions(self, topic: Topic, messages: &[Message]) -> Vec<Position> {
        let position = |(partition, (index, offset, at)): (i32, (usize, i64, Timestamp))| {
            let place = (topic, partition, offset);
            let message: Option<&Message> = messages.get(index);
            message.map(|message| message.after(place, published_us(at)))
        };
        self.0.into_iter().filter_map(position).collect()
    }
}

impl Publisher {
    pub(super) fn new(settings: ClientConfig) -> Result<Self, BusError> {
        let producer = create(&settings)?;
        Ok(Self {
            settings,
            current: Mutex::new((0, producer)),
        })
    }

    /// The client, for questions about the cluster.
    pub(super) fn producer(&self) -> FutureProducer<Logging> {
        self.current
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .1
            .clone()
    }

    /// Publishes `messages` to `topic`, called `name` on the cluster, and waits for every acknowledgement.
    ///
    /// Gives the position after the newest of them in each partition that took some.
    pub(super) async fn publish(
        &self,
        topic: Topic,
        name: &str,
        messages: &[Message],
    ) -> Result<Vec<Position>, BusError> {
        let mut durable = 0;
        let mut placed = Placed::default();
        let mut rebuilds = 0;
        loop {
            let (generation, producer) = self
                .current
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone();
            // Everything after the first failure goes again, so that a key's order holds at the end.
            let progress = send(&producer, name, (messages, durable), &mut placed).await;
            durable += progress.durable;
            let Some(cause) = progress.stopped else {
                return Ok(placed.positions(topic, messages));
            };
            metrics::counter!("bus_publish_retries_total", "topic" => topic.name()).increment(1);
            let fatal = producer.client().fatal_error();
            if fatal.is_none() || rebuilds == REBUILDS_MAX {
                return Err(BusError::Refused { topic, cause });
            }
            rebuilds += 1;
            tracing::warn!(topic = %topic, error = ?fatal, "replacing a producer that met a fatal error");
            sleep(PAUSE).await;
            self.replace(generation)?;
        }
    }

    /// Replaces the producer of `generation`, unless another caller already has.
    fn replace(&self, generation: u64) -> Result<(), BusError> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.0 == generation {
            let old = std::mem::replace(&mut *current, (generation + 1, create(&self.settings)?));
            dispose(old);
        }
        Ok(())
    }
}

fn create(settings: &ClientConfig) -> Result<FutureProducer<Logging>, BusError> {
    settings
        .create_with_context(Logging)
        .map_err(|cause| settings::refused("create a producer", cause))
}

/// Drops `client` where it may block: librdkafka joins its threads, and has been seen to hang there.
pub(super) fn dispose<T: Send + 'static>(client: T) -> Option<thread::JoinHandle<()>> {
    thread::Builder::new()
        .name("bus-kafka-close".to_owned())
        .spawn(move || drop(client))
        .ok()
}

/// Hands all of `messages` from an index on to the producer and waits for the acknowledgements, oldest first.
async fn send(
    producer: &FutureProducer<Logging>,
    name: &str,
    (messages, from): (&[Message], usize),
    placed: &mut Placed,
) -> Progress {
    let mut progress = Progress {
        durable: 0,
        stopped: None,
    };
    let mut in_flight = VecDeque::new();
    for (index, message) in messages.iter().enumerate().skip(from) {
        loop {
            let record = FutureRecord::to(name)
                .key(message.key.as_bytes())
                .payload(message.payload.as_slice());
            match producer.send_result(record) {
                Ok(delivery) => {
                    in_flight.push_back((index, delivery));
                    break;
                }
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                    // Others may have filled it, so there is not always one of ours to wait for.
                    match in_flight.pop_front() {
                        Some(delivery) => acknowledge(delivery, &mut progress, placed).await,
                        None => sleep(PAUSE).await,
                    }
                    if progress.stopped.is_some() {
                        drain(in_flight, &mut progress, placed).await;
                        return progress;
                    }
                }
                Err((cause, _)) => {
                    drain(in_flight, &mut progress, placed).await;
                    progress.stopped.get_or_insert(cause);
                    return progress;
                }
            }
        }
    }
    drain(in_flight, &mut progress, placed).await;
    progress
}

/// A message by its index, and its way.
type InFlight = (usize, DeliveryFuture);

async fn drain(in_flight: VecDeque<InFlight>, progress: &mut Progress, placed: &mut Placed) {
    for delivery in in_flight {
        acknowledge(delivery, progress, placed).await;
    }
}

/// Waits for one acknowledgement; only what came before the first failure counts as done.
async fn acknowledge((index, delivery): InFlight, progress: &mut Progress, placed: &mut Placed) {
    match delivery.await {
        Ok(Ok(delivery)) => {
            placed.note(index, &delivery);
            progress.durable += usize::from(progress.stopped.is_none());
        }
        Ok(Err((cause, _))) => {
            progress.stopped.get_or_insert(cause);
        }
        Err(_) => {
            progress.stopped.get_or_insert(KafkaError::Canceled);
        }
    }
}
