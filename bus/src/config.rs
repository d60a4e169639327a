//! Where the bus is.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::error::BusError;

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
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KafkaConfig {
    /// Brokers to ask first, `host:port`, separated by commas.
    pub brokers: String,
    /// Put before every topic and group name, so that deployments can share a cluster.
    pub prefix: String,
    /// Replicas of topics that are created; at least 3, so that an acknowledged message outlives a disk.
    pub replication_factor: i32,
    /// A cluster of one broker on a developer's machine: topics are created with one replica, and none is checked.
    pub development: bool,
    /// Allows brokers elsewhere without TLS or authentication: whoever reaches them can then forge events and alerts.
    pub insecure: bool,
    /// Further settings of librdkafka, for example `security.protocol`.
    pub settings: BTreeMap<String, String>,
}

impl KafkaConfig {
    /// Checks what can be checked without a broker.
    ///
    /// # Errors
    /// [`BusError::Setting`] with the key that cannot be used and why; what opens the bus refuses it too.
    pub fn check(&self) -> Result<(), BusError> {
        crate::kafka::check(self)
    }
}

impl Default for KafkaConfig {
    fn default() -> Self {
        Self {
            brokers: "localhost:9092".to_owned(),
            prefix: "vedette.".to_owned(),
            replication_factor: 3,
            development: false,
            insecure: false,
            settings: BTreeMap::new(),
        }
    }
}

impl fmt::Debug for KafkaConfig {
    /// Without the values of the settings: passwords are among them.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("KafkaConfig")
            .field("brokers", &self.brokers)
            .field("prefix", &self.prefix)
            .field("replication_factor", &self.replication_factor)
            .field("development", &self.development)
            .field("insecure", &self.insecure)
            .field("settings", &self.settings.keys())
            .finish()
    }
}

impl Default for BusConfig {
    fn default() -> Self {
        Self::Log(LogConfig::default())
    }
}

#[cfg(test)]
mod tests {
    use super::KafkaConfig;

    #[test]
    fn no_password_is_shown() {
        let settings = [("sasl.password".to_owned(), "hunter2".to_owned())].into();
        let shown = format!(
            "{:?}",
            KafkaConfig {
                settings,
                ..KafkaConfig::default()
            }
        );
        assert!(
            shown.contains("sasl.password") && !shown.contains("hunter2"),
            "{shown}"
        );
    }
}
