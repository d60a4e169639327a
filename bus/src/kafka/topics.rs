//! Creates the topics that are missing, and asks for no other topic than ours.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::Client;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::MetadataPartition;
use rdkafka::util::Timeout;
use schemas::topics::Topic;
use tokio::task;

use super::context::Logging;
use super::settings::{self, BATCH_BYTES_MAX};
use crate::config::KafkaConfig;
use crate::error::BusError;

/// Longest wait for the brokers when the bus is opened.
pub(super) const OPEN_WAIT: Duration = Duration::from_secs(30);

/// How long messages stay on a topic that we create: a week bridges an outage over long holidays.
const RETENTION: Duration = Duration::from_hours(7 * 24);

/// Creates the topics that are missing; those that exist are left as they are.
pub(super) async fn ensure(config: &KafkaConfig) -> Result<(), BusError> {
    let names: Vec<(String, Topic)> = Topic::all()
        .into_iter()
        .map(|topic| (full_name(config, topic), topic))
        .collect();
    let admin: AdminClient<Logging> = settings::admin(config)?
        .create_with_context(Logging)
        .map_err(|cause| settings::refused("create a client", cause))?;
    let refused = create(&admin, config, &names).await?;
    // One who may not create topics, or a broker that cannot, is fine where they exist.
    task::spawn_blocking(move || {
        for (name, code) in refused {
            if !exists(admin.inner(), &name)? {
                return Err(BusError::TopicMissing { name, code });
            }
        }
        Ok(())
    })
    .await
    .map_err(|_| BusError::ThreadEnded {
        doing: "look for topics",
    })?
}

/// A topic's name on the cluster.
pub(super) fn full_name(config: &KafkaConfig, topic: Topic) -> String {
    format!("{}{}", config.prefix, topic.name())
}

/// Returns the topics that were not created and are not known to exist, each with the reason.
async fn create(
    admin: &AdminClient<Logging>,
    config: &KafkaConfig,
    names: &[(String, Topic)],
) -> Result<Vec<(String, RDKafkaErrorCode)>, BusError> {
    let bytes = BATCH_BYTES_MAX.to_string();
    let retention = RETENTION.as_millis().to_string();
    let wanted: Vec<NewTopic<'_>> = names
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
    match admin.create_topics(&wanted, &options).await {
        Ok(results) => Ok(results
            .into_iter()
            .filter_map(Result::err)
            .filter(|(_, code)| *code != RDKafkaErrorCode::TopicAlreadyExists)
            .collect()),
        // The whole request was refused: perhaps nothing is missing.
        Err(KafkaError::AdminOp(
            code @ (RDKafkaErrorCode::UnsupportedFeature
            | RDKafkaErrorCode::ClusterAuthorizationFailed
            | RDKafkaErrorCode::UnsupportedVersion),
        )) => Ok(names.iter().map(|(name, _)| (name.clone(), code)).collect()),
        Err(cause) => Err(BusError::Kafka {
            doing: "create topics",
            cause,
        }),
    }
}

fn exists(client: &Client<Logging>, name: &str) -> Result<bool, BusError> {
    Ok(partitions(client, name, OPEN_WAIT)?.is_some())
}

/// The partitions of a topic, or none if there is no such topic; blocks.
pub(super) fn partitions<C: rdkafka::ClientContext>(
    client: &Client<C>,
    name: &str,
    wait: impl Into<Timeout>,
) -> Result<Option<Vec<i32>>, BusError> {
    // One topic by name: a right on the named topics alone suffices.
    let metadata = client
        .fetch_metadata(Some(name), wait)
        .map_err(|cause| BusError::Kafka {
            doing: "ask for a topic",
            cause,
        })?;
    Ok(metadata
        .topics()
        .iter()
        .find(|topic| topic.name() == name && topic.error().is_none())
        .map(|topic| {
            topic
                .partitions()
                .iter()
                .map(MetadataPartition::id)
                .collect()
        }))
}
