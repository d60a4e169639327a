//! Where the bus is.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Which bus, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BusConfig {
    /// The embedded log, for all stages in one process.
    Log(LogConfig),
    /// Apache Kafka, for stages as services.
    Kafka(KafkaConfig),
}

/// The embedded log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// The SQLite file.
    pub path: PathBuf,
    /// Messages older than this are removed once every group has committed beyond them, in hours.
    pub retention_hours: u64,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            path: PathBuf::from("data/log.sqlite"),
            retention_hours: 72,
        }
    }
}

/// Apache Kafka.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KafkaConfig {
    /// Brokers to ask first, `host:port`, separated by commas.
    pub brokers: String,
    /// Put before every topic and group name, so that deployments can share a cluster.
    pub prefix: String,
    /// Replicas of topics that are created.
    pub replication_factor: i32,
    /// Further settings of librdkafka, for example `security.protocol`.
    pub settings: BTreeMap<String, String>,
}

impl Default for KafkaConfig {
    fn default() -> Self {
        Self {
            brokers: "localhost:9092".to_owned(),
            prefix: "vedette.".to_owned(),
            replication_factor: 1,
            settings: BTreeMap::new(),
        }
    }
}

impl Default for BusConfig {
    fn default() -> Self {
        Self::Log(LogConfig::default())
    }
}
