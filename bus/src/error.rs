//! What can go wrong on the bus, and what happens then.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use schemas::fate::{Fate, HasFate};
use schemas::topics::Topic;

/// What can go wrong on the bus.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// A message is larger than topics take; none of its call was published.
    #[error("message {index} for topic \"{topic}\" has {bytes} bytes, limit is {limit}")]
    MessageTooLarge {
        /// The topic.
        topic: Topic,
        /// Which message of the call, from 0.
        index: usize,
        /// Bytes of its key and payload.
        bytes: usize,
        /// Most bytes of a key and payload.
        limit: usize,
    },
    /// A payload is not the wire type of its topic.
    #[error("cannot decode message {offset} of topic \"{topic}\", partition {partition}")]
    Decode {
        /// The topic.
        topic: Topic,
        /// The partition.
        partition: i32,
        /// The offset.
        offset: i64,
        /// What the decoder met.
        #[source]
        cause: prost::DecodeError,
    },
    /// The group already has a member on the topic, through this handle of the embedded log.
    #[error(
        "group \"{group}\" already reads topic \"{topic}\" here, and the embedded log has one partition a topic"
    )]
    GroupTaken {
        /// The group.
        group: String,
        /// The topic.
        topic: Topic,
    },
    /// A position names a partition that this consumer does not read.
    #[error("partition {partition} of topic \"{topic}\" is not assigned to this consumer")]
    NotAssigned {
        /// The topic.
        topic: Topic,
        /// The partition.
        partition: i32,
    },
    /// The disk under the embedded log is full; nothing was half-written.
    #[error("disk is full: could not write log file {path:?}")]
    LogFull {
        /// The file.
        path: PathBuf,
    },
    /// Another process held the embedded log for longer than we wait.
    #[error("could not lock log file {path:?} within {} s: another process holds it", waited.as_secs())]
    LogBusy {
        /// The file.
        path: PathBuf,
        /// How long we waited.
        waited: Duration,
    },
    /// The embedded log's file is damaged.
    #[error(
        "log file {path:?} is damaged; fix: stop vedette and restore the file from a backup, or move it and \
         its -wal file aside and start anew: either is read from its beginning, the ledger says so, and what no \
         stage had read yet is then only in the file moved aside"
    )]
    LogDamaged {
        /// The file.
        path: PathBuf,
        /// What SQLite met.
        #[source]
        cause: Arc<rusqlite::Error>,
    },
    /// The file is a database, and not an embedded log.
    #[error("file {path:?} is not an embedded log; fix: name another in the configuration")]
    LogForeign {
        /// The file.
        path: PathBuf,
    },
    /// The file was written by a later version.
    #[error(
        "log file {path:?} has format {found}, this version knows {known}; fix: use the later version"
    )]
    LogNewer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The newest format that we know.
        known: i64,
    },
    /// The folder or file of the embedded log could not be created.
    #[error("could not create log file {path:?}")]
    LogCreate {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: std::io::Error,
    },
    /// The embedded log failed in another way, a failed fsync included.
    #[error("could not use log file {path:?}")]
    Log {
        /// The file.
        path: PathBuf,
        /// What SQLite met.
        #[source]
        cause: Arc<rusqlite::Error>,
    },
    /// The embedded log's writer has ended after an earlier failure.
    #[error(
        "log file {path:?} is no longer written after an earlier failure; fix: mend its cause and restart"
    )]
    LogEnded {
        /// The file.
        path: PathBuf,
    },
    /// A setting is refused, or is one that the bus keeps to itself. Its value is not told: it may be secret.
    #[error("setting \"{key}\" of Kafka is refused: {reason}")]
    Setting {
        /// The setting.
        key: String,
        /// Why.
        reason: String,
    },
    /// Kafka refused something.
    #[error("could not {doing} on Kafka")]
    Kafka {
        /// What we were doing.
        doing: &'static str,
        /// What librdkafka said.
        #[source]
        cause: KafkaError,
    },
    /// Kafka did not take what we published.
    #[error("could not publish to topic \"{topic}\" on Kafka")]
    Refused {
        /// The topic.
        topic: Topic,
        /// What librdkafka said.
        #[source]
        cause: KafkaError,
    },
    /// A topic is not there for us and could not be created.
    #[error("could not find or create topic \"{name}\" on Kafka: {code}")]
    TopicMissing {
        /// The topic, with its prefix.
        name: String,
        /// What the broker said.
        code: RDKafkaErrorCode,
    },
    /// Kafka did not answer in time.
    #[error("could not {doing} on Kafka within {} s", waited.as_secs())]
    KafkaSlow {
        /// What we were doing.
        doing: &'static str,
        /// How long we waited.
        waited: Duration,
    },
    /// Another holds the lease, or may hold it: nothing may be done as its holder any more.
    #[error("the lease is lost: {why}")]
    LeaseLost {
        /// How it was noticed, for a person.
        why: String,
    },
    /// The file by which processes of one machine know who holds a lease cannot be used.
    #[error("could not use lease file {path:?}")]
    LeaseFile {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: std::io::Error,
    },
    /// A thread of the bus ended before its time: the runtime is going down, or it panicked.
    #[error("bus thread ended before it could {doing}")]
    ThreadEnded {
        /// What it was doing.
        doing: &'static str,
    },
}

impl HasFate for BusError {
    fn fate(&self) -> Fate {
        self.fate()
    }
}

impl BusError {
    /// What happens next.
    pub fn fate(&self) -> Fate {
        match self {
            Self::MessageTooLarge { .. } | Self::Decode { .. } => Fate::DeadLetter,
            Self::LogFull { .. }
            | Self::LogBusy { .. }
            | Self::KafkaSlow { .. }
            // It can be had again.
            | Self::LeaseLost { .. } => Fate::SOON,
            Self::Kafka { cause, .. } | Self::Refused { cause, .. } => fate_of_kafka(cause),
            Self::TopicMissing { code, .. } => fate_of_code(*code),
            Self::GroupTaken { .. }
            | Self::NotAssigned { .. }
            | Self::LogDamaged { .. }
            | Self::LogForeign { .. }
            | Self::LogNewer { .. }
            | Self::LogCreate { .. }
            | Self::LeaseFile { .. }
            | Self::Log { .. }
            | Self::LogEnded { .. }
            | Self::Setting { .. }
            | Self::ThreadEnded { .. } => Fate::Stop,
        }
    }
}

fn fate_of_kafka(cause: &KafkaError) -> Fate {
    match cause {
        // librdkafka tells no code here; a configuration that it refuses stays refused.
        KafkaError::ClientConfig(..) | KafkaError::ClientCreation(_) | KafkaError::Nul(_) => {
            Fate::Stop
        }
        KafkaError::AdminOp(code) => fate_of_code(*code),
        other => other.rdkafka_error_code().map_or(Fate::SOON, fate_of_code),
    }
}

/// Only what an administrator must mend ends a stage; brokers come back.
fn fate_of_code(code: RDKafkaErrorCode) -> Fate {
    match code {
        RDKafkaErrorCode::TopicAuthorizationFailed
        | RDKafkaErrorCode::GroupAuthorizationFailed
        | RDKafkaErrorCode::ClusterAuthorizationFailed
        | RDKafkaErrorCode::TransactionalIdAuthorizationFailed
        | RDKafkaErrorCode::SaslAuthenticationFailed
        | RDKafkaErrorCode::UnsupportedSASLMechanism
        | RDKafkaErrorCode::PolicyViolation
        | RDKafkaErrorCode::InvalidReplicationFactor
        | RDKafkaErrorCode::InvalidTopic
        | RDKafkaErrorCode::InvalidGroupId
        | RDKafkaErrorCode::InvalidConfig
        // An existing topic that takes less than ours do.
        | RDKafkaErrorCode::MessageSizeTooLarge
        | RDKafkaErrorCode::InvalidRecord
        | RDKafkaErrorCode::SecurityDisabled => Fate::Stop,
        _ => Fate::SOON,
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use rdkafka::error::{KafkaError, RDKafkaErrorCode};
    use schemas::fate::Fate;
    use schemas::topics::Topic;

    use super::BusError;

    #[test]
    fn a_full_disk_and_an_absent_broker_are_tried_again() {
        let full = BusError::LogFull {
            path: PathBuf::from("log.sqlite"),
        };
        assert_eq!(full.fate(), Fate::SOON);
        let cause = KafkaError::MessageProduction(RDKafkaErrorCode::AllBrokersDown);
        assert_eq!(
            BusError::Refused {
                topic: Topic::Audit,
                cause
            }
            .fate(),
            Fate::SOON
        );
    }

    #[test]
    fn a_missing_right_ends_the_stage() {
        let cause = KafkaError::MessageProduction(RDKafkaErrorCode::TopicAuthorizationFailed);
        assert_eq!(
            BusError::Refused {
                topic: Topic::Audit,
                cause
            }
            .fate(),
            Fate::Stop
        );
    }
}
