//! Publishing on Kafka: every message is delivered, or the caller is told.
//!
//! Delivery: idempotent producer, `acks=all`, no message timeout. A producer that met a fatal error is
//! replaced and what it left is published again: readers know identities, so a repeat changes nothing.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::future_producer::DeliveryFuture;
use rdkafka::producer::{FutureProducer, FutureRecord, Producer as _};
use schemas::topics::Topic;
use tokio::time::sleep;

use super::context::Logging;
use super::settings;
use crate::error::BusError;
use crate::message::Message;

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
    pub(super) async fn publish(
        &self,
        topic: Topic,
        name: &str,
        messages: &[Message],
    ) -> Result<(), BusError> {
        let mut durable = 0;
        let mut rebuilds = 0;
        loop {
            let (generation, producer) = self
                .current
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone();
            // Everything after the first failure goes again, so that a key's order holds at the end.
            let progress = send(&producer, name, &messages[durable..]).await;
            durable += progress.durable;
            let Some(cause) = progress.stopped else {
                return Ok(());
            };
            metrics::counter!("bus_publish_retries_total", "topic" => topic.name()).increment(1);
            let fatal = producer.client().fatal_error();
            if fatal.is_none() || rebuilds == REBUILDS_MAX {
                return Err(BusError::Kafka {
                    doing: "publish",
                    cause,
                });
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

/// Hands all of `messages` to the producer and waits for the acknowledgements, oldest first.
async fn send(producer: &FutureProducer<Logging>, name: &str, messages: &[Message]) -> Progress {
    let mut progress = Progress {
        durable: 0,
        stopped: None,
    };
    let mut in_flight = VecDeque::new();
    for message in messages {
        loop {
            let record = FutureRecord::to(name)
                .key(message.key.as_bytes())
                .payload(message.payload.as_slice());
            match producer.send_result(record) {
                Ok(delivery) => {
                    in_flight.push_back(delivery);
                    break;
                }
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                    // Others may have filled it, so there is not always one of ours to wait for.
                    match in_flight.pop_front() {
                        Some(delivery) => acknowledge(delivery, &mut progress).await,
                        None => sleep(PAUSE).await,
                    }
                    if progress.stopped.is_some() {
                        drain(in_flight, &mut progress).await;
                        return progress;
                    }
                }
                Err((cause, _)) => {
                    drain(in_flight, &mut progress).await;
                    progress.stopped.get_or_insert(cause);
                    return progress;
                }
            }
        }
    }
    drain(in_flight, &mut progress).await;
    progress
}

async fn drain(in_flight: VecDeque<DeliveryFuture>, progress: &mut Progress) {
    for delivery in in_flight {
        acknowledge(delivery, progress).await;
    }
}

/// Waits for one acknowledgement; only what came before the first failure counts as done.
async fn acknowledge(delivery: DeliveryFuture, progress: &mut Progress) {
    match delivery.await {
        Ok(Ok(_)) if progress.stopped.is_none() => progress.durable += 1,
        Ok(Ok(_)) => {}
        Ok(Err((cause, _))) => {
            progress.stopped.get_or_insert(cause);
        }
        Err(_) => {
            progress.stopped.get_or_insert(KafkaError::Canceled);
        }
    }
}
