//! Creates the topics that are missing, and asks for no other topic than ours.

use std::thread;
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::Client;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::metadata::MetadataPartition;
use rdkafka::types::RDKafkaRespErr;
use schemas::topics::Topic;
use tokio::task;

use super::context::Logging;
use super::settings::{self, BATCH_BYTES_MAX};
use crate::config::KafkaConfig;
use crate::error::BusError;

/// Longest wait for the brokers when the bus is opened.
const OPEN_WAIT: Duration = Duration::from_secs(30);

/// Wait before a topic that was created is looked for again.
const PAUSE: Duration = Duration::from_millis(50);

/// How long messages stay on a topic that we create: a week bridges an outage over long holidays.
const RETENTION: Duration = Duration::from_hours(7 * 24);

/// Creates the topics that are missing; those that exist are left as they are.
///
/// It looks first, so that it needs no right to create where nothing is missing.
pub(super) async fn ensure(config: &KafkaConfig) -> Result<(), BusError> {
    let names = Topic::all()
        .into_iter()
        .map(|topic| (full_name(config, topic), topic))
        .collect();
    let missing = look(config, names, false).await?;
    if missing.is_empty() {
        return Ok(());
    }
    create(config, &missing).await?;
    // The brokers tell each other; a consumer that came before that would not find them.
    let missing = look(config, missing, true).await?;
    match missing.into_iter().next() {
        None => Ok(()),
        Some((name, _)) => {
            let code = RDKafkaErrorCode::UnknownTopicOrPartition;
            Err(BusError::TopicMissing { name, code })
        }
    }
}

/// A topic's name on the cluster.
pub(super) fn full_name(config: &KafkaConfig, topic: Topic) -> String {
    format!("{}{}", config.prefix, topic.name())
}

/// Returns the topics that do not exist; where `patient`, it waits for them.
async fn look(
    config: &KafkaConfig,
    names: Vec<(String, Topic)>,
    patient: bool,
) -> Result<Vec<(String, Topic)>, BusError> {
    // A consumer: a producer's question would create the topic on brokers that allow it.
    let client: BaseConsumer<Logging> = settings::admin(config)?
        .create_with_context(Logging)
        .map_err(|cause| settings::refused("create a client", cause))?;
    task::spawn_blocking(move || {
        let deadline = Instant::now() + OPEN_WAIT;
        let mut missing = Vec::new();
        for (name, topic) in names {
            let exists = loop {
                let wait = deadline
                    .saturating_duration_since(Instant::now())
                    .max(PAUSE);
                let exists = partitions(client.client(), &name, wait)?.is_some();
                if exists || !patient || Instant::now() >= deadline {
                    break exists;
                }
                thread::sleep(PAUSE);
            };
            if !exists {
                missing.push((name, topic));
            }
        }
        Ok(missing)
    })
    .await
    .map_err(|_| BusError::ThreadEnded {
        doing: "look for topics",
    })?
}

async fn create(config: &KafkaConfig, missing: &[(String, Topic)]) -> Result<(), BusError> {
    let admin: AdminClient<Logging> = settings::admin(config)?
        .create_with_context(Logging)
        .map_err(|cause| settings::refused("create a client", cause))?;
    let bytes = BATCH_BYTES_MAX.to_string();
    let retention = RETENTION.as_millis().to_string();
    let wanted: Vec<NewTopic<'_>> = missing
        .iter()
        .map(|(name, topic)| {
            NewTopic::new(
                name,
                topic.partitions(),
                TopicReplication::Fixed(config.replication_factor),
            )
            .set("max.message.bytes", &bytes)
            .set("retention.ms", &retention)
        })
        .collect();
    let options = AdminOptions::new()
        .request_timeout(Some(OPEN_WAIT))
        .operation_timeout(Some(OPEN_WAIT));
    let results = admin
        .create_topics(&wanted, &options)
        .await
        .map_err(|cause| BusError::Kafka {
            doing: "create topics",
            cause,
        })?;
    // Another process may have been quicker.
    let refused = results
        .into_iter()
        .filter_map(Result::err)
        .find(|(_, code)| *code != RDKafkaErrorCode::TopicAlreadyExists);
    // Off the runtime: it joins its threads.
    task::spawn_blocking(move || drop(admin))
        .await
        .map_err(|_| BusError::ThreadEnded {
            doing: "create topics",
        })?;
    match refused {
        None => Ok(()),
        Some((name, code)) => Err(BusError::TopicMissing { name, code }),
    }
}

/// The partitions of a topic, or none if there is no such topic; blocks.
pub(super) fn partitions<C: ClientContext>(
    client: &Client<C>,
    name: &str,
    wait: Duration,
) -> Result<Option<Vec<i32>>, BusError> {
    const DOING: &str = "ask for a topic";
    // One topic by name: a right on the named topics alone suffices.
    let metadata = client
        .fetch_metadata(Some(name), wait)
        .map_err(|cause| BusError::Kafka {
            doing: DOING,
            cause,
        })?;
    let Some(topic) = metadata.topics().iter().find(|topic| topic.name() == name) else {
        return Ok(None);
    };
    match topic.error() {
        Some(
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART
            | RDKafkaRespErr::RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC,
        ) => Ok(None),
        Some(RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED) => {
            let code = RDKafkaErrorCode::TopicAuthorizationFailed;
            Err(BusError::TopicMissing {
                name: name.to_owned(),
                code,
            })
        }
        // Without a leader for a moment, it exists all the same.
        _ => Ok(Some(
            topic
                .partitions()
                .iter()
                .map(MetadataPartition::id)
                .collect(),
        )),
    }
}
