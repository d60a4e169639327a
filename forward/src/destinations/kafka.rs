//! `kafka` destination: a topic of an Apache Kafka of the receiver's, one message for each notice.
//!
//! Delivery: at least once. A notice counts as delivered when every replica in sync has it (`acks=all`, idempotent
//! producer). Idempotency: the header `idempotency-key`; the message's key is the notice's id, so that versions of one
//! alert stay in order, and a compacted topic keeps the newest. A message that the brokers will never take for its size is
//! a dead letter; a missing right or topic waits for whoever mends it.
//!
//! The topic is not created: whoever owns the cluster says how it is kept.
//! Source: <https://github.com/confluentinc/librdkafka/blob/v2.12.1/CONFIGURATION.md>

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{DeliveryFuture, FutureProducer, FutureRecord, Producer as _};
use schemas::ip::is_loopback;
use serde::{Deserialize, Serialize};

use crate::contract::Notice;
use crate::destination::{Answer, BatchLimits, Destination, Outcome, Reply, Retry, Validated};
use crate::error::ForwardError;
use crate::formats::Format;
use crate::said::Redaction;
use crate::surroundings::Surroundings;

/// Most notices of a batch.
const NOTICES_MAX: usize = 1_000;

/// Most bytes of them.
const BYTES_MAX: usize = 16 * 1024 * 1024;

/// Longest that the producer tries a message: less than the stage gives a batch.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(20);

/// Longest that the cluster is asked about the topic.
const ASK_WAIT: Duration = Duration::from_secs(10);

/// Settings that the delivery rests on.
const OURS: &[&str] = &[
    "acks",
    "request.required.acks",
    "allow.auto.create.topics",
    "bootstrap.servers",
    "metadata.broker.list",
    "enable.idempotence",
    "delivery.timeout.ms",
    "message.timeout.ms",
    "transactional.id",
];

/// A topic of Apache Kafka.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KafkaConfig {
    /// Brokers to ask first, `host:port`, separated by commas.
    pub brokers: String,
    /// The topic.
    pub topic: String,
    /// How a notice is written.
    #[serde(default)]
    pub format: Format,
    /// Further settings of librdkafka, for example `security.protocol`; a value that is a reference, `env:NAME` or
    /// `file:PATH`, is read from there.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
    /// Allows brokers on other machines without TLS: whoever is on the way reads and changes the alerts.
    #[serde(default)]
    pub insecure: bool,
}

impl KafkaConfig {
    /// Why what is sent could be read on the way.
    fn is_open(&self) -> Option<&'static str> {
        let protocol = self.settings.get("security.protocol");
        let is_tls = protocol
            .is_some_and(|name| ["ssl", "sasl_ssl"].contains(&name.to_ascii_lowercase().as_str()));
        let is_here = |broker: &str| {
            let broker = broker.trim();
            is_loopback(broker.rsplit_once(':').map_or(broker, |(host, _)| host))
        };
        if is_tls || self.insecure || self.brokers.split(',').all(is_here) {
            return None;
        }
        Some(
            "brokers on other machines are spoken to without TLS: whoever is on the way reads and changes the alerts; \
             fix: security.protocol = \"sasl_ssl\" or \"ssl\", or insecure = true",
        )
    }
}

/// Sends notices to a topic.
pub struct KafkaDestination {
    producer: FutureProducer,
    topic: String,
    format: Format,
    redaction: Redaction,
}

impl KafkaDestination {
    /// A destination; the brokers are asked when there is something to send.
    ///
    /// # Errors
    /// [`ForwardError::Setting`] if a setting cannot be used or a secret cannot be read.
    pub fn new(
        name: &str,
        config: &KafkaConfig,
        with: &Surroundings,
    ) -> Result<Self, ForwardError> {
        let fault = |why: String| ForwardError::Setting {
            name: name.to_owned(),
            key: "to.kafka.settings",
            why,
        };
        if let Some(why) = config.is_open() {
            return Err(fault(why.to_owned()));
        }
        let mut redaction = Redaction::default();
        let mut settings = ClientConfig::new();
        settings
            .set("bootstrap.servers", &config.brokers)
            .set("client.id", "vedette-forward")
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("allow.auto.create.topics", "false")
            .set(
                "message.timeout.ms",
                MESSAGE_TIMEOUT.as_millis().to_string(),
            )
            .set("linger.ms", "5")
            .set("compression.codec", "zstd")
            .set("partitioner", "murmur2_random")
            .set("queue.buffering.max.messages", NOTICES_MAX.to_string())
            // The contract's largest document with room; a broker that takes less says so.
            .set("message.max.bytes", BYTES_MAX.to_string())
            .set("log.connection.close", "false")
            .set("reconnect.backoff.max.ms", "2000")
            .set_log_level(RDKafkaLogLevel::Warning);
        for (key, value) in &config.settings {
            if OURS.contains(&key.as_str()) {
                return Err(fault(format!("\"{key}\" is set by vedette itself")));
            }
            let read = with
                .resolve(value)
                .map_err(|why| fault(format!("{key}: {why}")))?;
            if read.expose() != value {
                redaction.hide(&read);
            }
            settings.set(key, read.expose());
        }
        let producer = settings.create().map_err(|error| {
            // Its text has the value, which may be a secret.
            fault(redaction.said(&match error {
                KafkaError::ClientConfig(_, why, key, _) => format!("{key}: {why}"),
                other => other.to_string(),
            }))
        })?;
        Ok(Self {
            producer,
            topic: config.topic.clone(),
            format: config.format,
            redaction,
        })
    }

    /// Hands a notice to the producer; the future says what became of it.
    fn send(&self, notice: &Notice) -> Result<DeliveryFuture, KafkaError> {
        let payload = self.format.render(notice);
        let key = notice.idempotency_key();
        let headers = [
            ("idempotency-key", key.as_str()),
            ("vedette-kind", notice.kind.as_str()),
            ("vedette-id", &notice.id),
            ("vedette-version", &notice.version),
        ];
        let mut sent = OwnedHeaders::new_with_capacity(headers.len());
        for (key, value) in headers {
            sent = sent.insert(Header {
                key,
                value: Some(value),
            });
        }
        let record = FutureRecord::to(&self.topic)
            .key(&notice.id)
            .payload(&payload)
            .headers(sent);
        self.producer
            .send_result(record)
            .map_err(|(error, _)| error)
    }

    fn outcome(&self, error: &KafkaError) -> Outcome {
        let said = self.redaction.said(&error.to_string());
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::MessageSizeTooLarge | RDKafkaErrorCode::InvalidMessageSize) => {
                Outcome::Refused {
                    why: format!(
                        "too large for the topic: {said}; fix: max.message.bytes of the topic"
                    ),
                }
            }
            Some(RDKafkaErrorCode::QueueFull) => Outcome::NotTried,
            code => Outcome::Retry(Retry::because(format!("{said}{}", fix(code)))),
        }
    }
}

/// What a person can do.
fn fix(code: Option<RDKafkaErrorCode>) -> &'static str {
    match code {
        Some(
            RDKafkaErrorCode::TopicAuthorizationFailed
            | RDKafkaErrorCode::ClusterAuthorizationFailed,
        ) => "; fix: let this user write to the topic",
        Some(
            RDKafkaErrorCode::UnknownTopic
            | RDKafkaErrorCode::UnknownTopicOrPartition
            | RDKafkaErrorCode::UnknownPartition,
        ) => "; fix: create the topic, or name another",
        Some(RDKafkaErrorCode::SaslAuthenticationFailed | RDKafkaErrorCode::SSL) => {
            "; fix: the credentials in settings"
        }
        Some(RDKafkaErrorCode::MessageTimedOut | RDKafkaErrorCode::AllBrokersDown) => {
            "; fix: see that the brokers can be reached from here"
        }
        _ => "",
    }
}

#[async_trait]
impl Destination for KafkaDestination {
    fn limits(&self) -> BatchLimits {
        BatchLimits {
            notices_max: NOTICES_MAX,
            bytes_max: BYTES_MAX,
        }
    }

    async fn deliver(&mut self, batch: &[Arc<Notice>]) -> Reply {
        let sent: Vec<_> = batch.iter().map(|notice| self.send(notice)).collect();
        let mut outcomes = Vec::with_capacity(batch.len());
        let mut said = String::new();
        for sending in sent {
            outcomes.push(match sending {
                Err(error) => {
                    said = self.redaction.said(&error.to_string());
                    self.outcome(&error)
                }
                Ok(sending) => match sending.await {
                    Ok(Ok(placed)) => {
                        said = format!(
                            "{}/{} offset {}",
                            self.topic, placed.partition, placed.offset
                        );
                        Outcome::Delivered
                    }
                    Ok(Err((error, _))) => {
                        said = self.redaction.said(&error.to_string());
                        self.outcome(&error)
                    }
                    Err(_) => Outcome::Retry(Retry::because("the producer ended")),
                },
            });
        }
        Reply {
            answer: Answer::Each(outcomes),
            said,
        }
    }

    async fn validate(&mut self) -> Vec<Validated> {
        let what = format!("topic \"{}\" is there", self.topic);
        let (producer, topic) = (self.producer.clone(), self.topic.clone());
        let asked = tokio::task::spawn_blocking(move || {
            let found = producer.client().fetch_metadata(Some(&topic), ASK_WAIT)?;
            let code = found
                .topics()
                .iter()
                .find(|found| found.name() == topic)
                .and_then(rdkafka::metadata::MetadataTopic::error);
            Ok::<_, KafkaError>(code.map(RDKafkaErrorCode::from))
        });
        vec![match asked.await {
            Ok(Ok(None)) => Validated::well(what),
            Ok(Ok(Some(code))) => {
                Validated::fault(what, format!("the cluster says {code}{}", fix(Some(code))))
            }
            Ok(Err(error)) => {
                let code = error.rdkafka_error_code();
                let said = self.redaction.said(&error.to_string());
                Validated::fault(what, format!("{said}{}", fix(code)))
            }
            Err(_) => Validated::fault(what, "the question was not answered"),
        }]
    }
}
