//! The closed set of destinations; one file each, which opens with its delivery contract.

mod channel;
pub mod elasticsearch;
pub mod email;
pub mod file;
pub mod kafka;
mod one_by_one;
mod opening;
pub mod otlp;
pub mod sentinel;
pub mod slack;
pub mod splunk;
pub mod syslog;
pub mod teams;
pub mod webhook;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use self::elasticsearch::{ElasticsearchConfig, ElasticsearchDestination};
use self::email::{EmailConfig, EmailDestination};
use self::file::{FileConfig, FileDestination};
use self::kafka::{KafkaConfig, KafkaDestination};
use self::otlp::{OtlpConfig, OtlpDestination};
use self::sentinel::{SentinelConfig, SentinelDestination};
use self::slack::{SlackConfig, SlackDestination};
use self::splunk::{SplunkConfig, SplunkDestination};
use self::syslog::{SyslogConfig, SyslogDestination};
use self::teams::{TeamsConfig, TeamsDestination};
use self::webhook::{WebhookConfig, WebhookDestination};
use crate::destination::Destination;
use crate::error::ForwardError;
use crate::surroundings::Surroundings;

/// Where a destination is, by its kind: `to.file = { … }`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// Files of NDJSON, with rotation.
    File(FileConfig),
    /// A topic of Apache Kafka.
    Kafka(KafkaConfig),
    /// A receiver of syslog, over TCP or TLS.
    Syslog(SyslogConfig),
    /// A receiver of webhooks.
    Webhook(WebhookConfig),
    /// Splunk's HTTP Event Collector.
    Splunk(SplunkConfig),
    /// Elasticsearch or OpenSearch.
    Elasticsearch(ElasticsearchConfig),
    /// Microsoft Sentinel, by the Logs Ingestion API.
    Sentinel(SentinelConfig),
    /// Logs of OpenTelemetry.
    Otlp(OtlpConfig),
    /// A channel of Slack.
    Slack(SlackConfig),
    /// A channel or chat of Microsoft Teams.
    Teams(TeamsConfig),
    /// Mail.
    Email(EmailConfig),
}

impl Target {
    /// The kind's name, as the configuration has it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::File(_) => "file",
            Self::Kafka(_) => "kafka",
            Self::Syslog(_) => "syslog",
            Self::Webhook(_) => "webhook",
            Self::Splunk(_) => "splunk",
            Self::Elasticsearch(_) => "elasticsearch",
            Self::Sentinel(_) => "sentinel",
            Self::Otlp(_) => "otlp",
            Self::Slack(_) => "slack",
            Self::Teams(_) => "teams",
            Self::Email(_) => "email",
        }
    }

    /// Every path of files in it, for whoever makes them absolute.
    pub fn paths_mut(&mut self) -> Vec<&mut PathBuf> {
        match self {
            Self::File(file) => vec![&mut file.path],
            Self::Kafka(_) => Vec::new(),
            Self::Syslog(syslog) => syslog.tls.paths_mut().collect(),
            Self::Webhook(webhook) => webhook.http.paths_mut().collect(),
            Self::Splunk(splunk) => splunk.http.paths_mut().collect(),
            Self::Elasticsearch(elasticsearch) => elasticsearch.http.paths_mut().collect(),
            Self::Sentinel(sentinel) => sentinel.http.paths_mut().collect(),
            Self::Otlp(otlp) => otlp.http.paths_mut().collect(),
            Self::Slack(slack) => slack.http.paths_mut().collect(),
            Self::Teams(teams) => teams.http.paths_mut().collect(),
            Self::Email(email) if email.ca_file.as_os_str().is_empty() => Vec::new(),
            Self::Email(email) => vec![&mut email.ca_file],
        }
    }

    /// Names files and folders of vedette's own: a destination that would write there is refused.
    pub fn reserve(&mut self, own: &[PathBuf]) {
        if let Self::File(file) = self {
            file.reserved.extend_from_slice(own);
        }
    }

    /// Makes the destination; nothing is connected yet.
    ///
    /// # Errors
    /// [`ForwardError`] if a setting cannot be used or a secret cannot be read.
    pub fn open(
        &self,
        name: &str,
        with: &Surroundings,
    ) -> Result<Box<dyn Destination>, ForwardError> {
        Ok(match self {
            Self::File(config) => Box::new(FileDestination::new(name, config)?),
            Self::Kafka(config) => Box::new(KafkaDestination::new(name, config, with)?),
            Self::Syslog(config) => Box::new(SyslogDestination::new(name, config, with)?),
            Self::Webhook(config) => Box::new(WebhookDestination::new(name, config, with)?),
            Self::Splunk(config) => Box::new(SplunkDestination::new(name, config, with)?),
            Self::Elasticsearch(config) => {
                Box::new(ElasticsearchDestination::new(name, config, with)?)
            }
            Self::Sentinel(config) => Box::new(SentinelDestination::new(name, config, with)?),
            Self::Otlp(config) => Box::new(OtlpDestination::new(name, config, with)?),
            Self::Slack(config) => Box::new(SlackDestination::new(name, config, with)?),
            Self::Teams(config) => Box::new(TeamsDestination::new(name, config, with)?),
            Self::Email(config) => Box::new(EmailDestination::new(name, config, with)?),
        })
    }
}
