//! Creates the topics that are missing, looks at those that exist, and asks for no other topic than ours.

mod existing;

use std::collections::HashMap;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::admin::{
    AdminClient, AdminOptions, NewTopic, OwnedResourceSpecifier, ResourceSpecifier,
    TopicReplication,
};
use rdkafka::client::Client;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::MetadataPartition;
use rdkafka::types::RDKafkaRespErr;
use schemas::fate::chain;
use schemas::topics::Topic;
use tokio::task;

use self::existing::Existing;
use super::context::Logging;
use super::settings::{self, BATCH_BYTES_MAX};
use crate::config::KafkaConfig;
use crate::error::BusError;
use crate::message::Concern;

/// Longest wait for the brokers when the bus is opened.
const OPEN_WAIT: Duration = Duration::from_secs(30);

/// Wait before a topic that was created is looked for again.
const PAUSE: Duration = Duration::from_millis(50);

/// How long messages stay on a topic that we create: a week bridges an outage over long holidays.
const RETENTION: Duration = Duration::from_hours(7 * 24);

/// Fewest replicas of a topic whose messages outlive a disk, also while a broker is being replaced.
const SAFE_REPLICAS: i32 = 3;

/// Replicas that must have a message before it counts as kept.
const SAFE_IN_SYNC: i32 = 2;

/// What is being done, for errors.
const LOOK_AT_SETTINGS: &str = "look at the settings of topics";

/// Looks at topics and creates them.
pub(super) type Admin = AdminClient<Logging>;

/// The one client that a bus is opened with.
pub(super) fn admin(config: &KafkaConfig) -> Result<Admin, BusError> {
    settings::admin(config)?
        .create_with_context(Logging)
        .map_err(|cause| settings::refused("create a client", cause))
}

/// Creates the topics that are missing; of those that exist it tells how they differ and leaves them as they are.
///
/// It looks first, so that it needs no right to create where nothing is missing.
pub(super) async fn ensure(
    config: &KafkaConfig,
    admin: &Arc<Admin>,
) -> Result<Vec<Concern>, BusError> {
    if !config.development && config.replication_factor < SAFE_REPLICAS {
        return Err(BusError::Setting {
            key: "replication_factor".to_owned(),
            reason: format!(
                "below {SAFE_REPLICAS} an acknowledged message can be lost with one disk; fix: {SAFE_REPLICAS} or \
                 more, or development = true on a machine of your own"
            ),
        });
    }
    create_missing(config, admin).await?;
    if config.development {
        return Ok(Vec::new());
    }
    let mut concerns = match look_at_all(config, admin).await {
        Ok(all) => all.iter().flat_map(Existing::concerns).collect(),
        Err(error) => vec![Concern {
            part: "bus/topics".to_owned(),
            is_loss: false,
            why: format!(
                "the settings of the topics could not be looked at: {}",
                chain(&error)
            ),
        }],
    };
    concerns.sort_by(|one, other| one.part.cmp(&other.part));
    Ok(concerns)
}

async fn create_missing(config: &KafkaConfig, admin: &Arc<Admin>) -> Result<(), BusError> {
    let names = Topic::all()
        .into_iter()
        .map(|topic| (full_name(config, topic), topic))
        .collect();
    let missing = look(admin, names, false).await?;
    if missing.is_empty() {
        return Ok(());
    }
    create(config, admin, &missing).await?;
    // The brokers tell each other; a consumer that came before that would not find them.
    let missing = look(admin, missing, true).await?;
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
    admin: &Arc<Admin>,
    names: Vec<(String, Topic)>,
    patient: bool,
) -> Result<Vec<(String, Topic)>, BusError> {
    let admin = Arc::clone(admin);
    task::spawn_blocking(move || {
        let deadline = Instant::now() + OPEN_WAIT;
        let mut missing = Vec::new();
        for (name, topic) in names {
            let exists = loop {
                let wait = deadline
                    .saturating_duration_since(Instant::now())
                    .max(PAUSE);
                let exists = partitions(admin.inner(), &name, wait)?.is_some();
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

async fn create(
    config: &KafkaConfig,
    admin: &Admin,
    missing: &[(String, Topic)],
) -> Result<(), BusError> {
    let bytes = BATCH_BYTES_MAX.to_string();
    let retention = RETENTION.as_millis().to_string();
    let (replicas, in_sync) = if config.development {
        (1, 1)
    } else {
        (config.replication_factor, SAFE_IN_SYNC)
    };
    let in_sync = in_sync.to_string();
    let wanted: Vec<NewTopic<'_>> = missing
        .iter()
        .map(|(name, topic)| {
            NewTopic::new(name, topic.partitions(), TopicReplication::Fixed(replicas))
                .set("cleanup.policy", "delete")
                .set("max.message.bytes", &bytes)
                .set("min.insync.replicas", &in_sync)
                .set("retention.ms", &retention)
                .set("unclean.leader.election.enable", "false")
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
    match refused {
        None => Ok(()),
        Some((name, code)) => Err(BusError::TopicMissing { name, code }),
    }
}

/// The settings of topics by their names, as the cluster has them.
async fn settings_of(
    admin: &Admin,
    names: impl Iterator<Item = &str>,
) -> Result<HashMap<String, HashMap<String, String>>, BusError> {
    let failed = |cause| BusError::Kafka {
        doing: LOOK_AT_SETTINGS,
        cause,
    };
    let asked: Vec<ResourceSpecifier<'_>> = names.map(ResourceSpecifier::Topic).collect();
    let options = AdminOptions::new().request_timeout(Some(OPEN_WAIT));
    let answers = admin
        .describe_configs(&asked, &options)
        .await
        .map_err(failed)?;
    let mut settings_of: HashMap<String, HashMap<String, String>> = HashMap::new();
    for answer in answers {
        let answer = answer.map_err(|code| failed(KafkaError::AdminOp(code)))?;
        if let OwnedResourceSpecifier::Topic(name) = answer.specifier {
            let entries = answer.entries.into_iter();
            let pairs = entries.filter_map(|entry| Some((entry.name, entry.value?)));
            settings_of.insert(name, pairs.collect());
        }
    }
    Ok(settings_of)
}

/// How long messages of a topic stay; none if for ever.
pub(super) async fn retention(admin: &Admin, name: &str) -> Result<Option<Duration>, BusError> {
    let settings = settings_of(admin, std::iter::once(name)).await?;
    let retention = settings
        .get(name)
        .and_then(|settings| settings.get("retention.ms"))
        .and_then(|value| value.parse::<i64>().ok());
    // Below zero it is for ever.
    Ok(retention
        .and_then(|ms| u64::try_from(ms).ok())
        .map(Duration::from_millis))
}

/// Every topic of ours as the cluster has it.
async fn look_at_all(config: &KafkaConfig, admin: &Arc<Admin>) -> Result<Vec<Existing>, BusError> {
    let failed = |cause| BusError::Kafka {
        doing: LOOK_AT_SETTINGS,
        cause,
    };
    let names: Vec<(String, Topic)> = Topic::all()
        .into_iter()
        .map(|topic| (full_name(config, topic), topic))
        .collect();
    let mut settings_of = settings_of(admin, names.iter().map(|(name, _)| name.as_str())).await?;
    let admin = Arc::clone(admin);
    task::spawn_blocking(move || {
        let mut all = Vec::new();
        for (name, topic) in names {
            let metadata = admin
                .inner()
                .fetch_metadata(Some(&name), OPEN_WAIT)
                .map_err(failed)?;
            let found = metadata.topics().iter().find(|found| found.name() == name);
            let partitions = found.map_or(&[][..], |found| found.partitions());
            let replicas = partitions.iter().map(|one| one.replicas().len()).min();
            all.push(Existing {
                topic,
                partitions: partitions.len(),
                replicas: replicas.unwrap_or(0),
                settings: settings_of.remove(&name).unwrap_or_default(),
                name,
            });
        }
        Ok(all)
    })
    .await
    .map_err(|_| BusError::ThreadEnded {
        doing: LOOK_AT_SETTINGS,
    })?
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
