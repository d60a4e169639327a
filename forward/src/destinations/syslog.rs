//! `syslog` destination: RFC 5424 messages over TCP or TLS, as CEF, LEEF, JSON, OCSF or ECS.
//!
//! Delivery: at least once as far as the receiver's machine. Syslog has no acknowledgement; a notice counts as delivered
//! when the receiver's TCP has acknowledged every byte of it and the connection still stands. What the receiver's
//! program then loses, nobody can tell; where that must not be, choose a destination that answers. Idempotency: the
//! structured data has `id` and `version`.
//!
//! Framing: octet counting (RFC 6587, RFC 5425), so that nothing in a message can end it; or line feeds, for receivers
//! that know nothing else.
//! Sources: RFC 5424, RFC 5425 (TLS), RFC 6587 (TCP).

mod connection;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use self::connection::{Connection, Connector};
use crate::contract::Notice;
use crate::destination::{BatchLimits, Destination, Reply, Validated};
use crate::error::ForwardError;
use crate::formats::{Format, syslog};
use crate::guard::Network;
use crate::said::Redaction;
use crate::surroundings::Surroundings;
use crate::tls::TlsConfig;

/// Most notices that are sent before their acknowledgement is waited for.
const NOTICES_MAX: usize = 500;

/// Most bytes of them.
const BYTES_MAX: usize = 4 * 1024 * 1024;

/// Longest time for a batch, whatever is configured.
const BATCH_MAX: Duration = Duration::from_secs(30);

/// How a message ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Framing {
    /// Its length stands before it.
    #[default]
    OctetCounting,
    /// A line feed stands after it; there is none in it.
    LineFeed,
}

/// A receiver of syslog.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SyslogConfig {
    /// Its host name or address.
    pub host: String,
    /// Its port; 6514 is that of syslog over TLS.
    #[serde(default = "SyslogConfig::port_default")]
    pub port: u16,
    /// Sends without TLS: whoever is on the way reads and changes the alerts.
    #[serde(default)]
    pub insecure: bool,
    /// Whom to trust, and who we are.
    #[serde(default)]
    pub tls: TlsConfig,
    /// Networks that may be reached although they are private; all others are refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow_networks: Vec<Network>,
    /// How a notice is written.
    #[serde(default)]
    pub format: Format,
    /// How a message ends.
    #[serde(default)]
    pub framing: Framing,
    /// The host name in the messages' header.
    #[serde(default = "SyslogConfig::sender_default")]
    pub sender: String,
    /// Longest time for a connection or a batch, in milliseconds; at most 30 s.
    #[serde(default = "SyslogConfig::timeout_default")]
    pub timeout_ms: u64,
}

impl SyslogConfig {
    const fn port_default() -> u16 {
        6514
    }

    fn sender_default() -> String {
        "vedette".to_owned()
    }

    const fn timeout_default() -> u64 {
        15_000
    }
}

/// Sends notices to a receiver of syslog.
pub struct SyslogDestination {
    connector: Connector,
    connection: Option<Connection>,
    format: Format,
    framing: Framing,
    sender: String,
    limit: Duration,
}

impl SyslogDestination {
    /// A destination; nothing is connected yet.
    ///
    /// # Errors
    /// [`ForwardError::Setting`] if a setting cannot be used or a key cannot be read.
    pub fn new(
        name: &str,
        config: &SyslogConfig,
        with: &Surroundings,
    ) -> Result<Self, ForwardError> {
        let connector =
            Connector::new(config, with).map_err(|(key, why)| ForwardError::Setting {
                name: name.to_owned(),
                key,
                why,
            })?;
        Ok(Self {
            connector,
            connection: None,
            format: config.format,
            framing: config.framing,
            sender: config.sender.clone(),
            limit: Duration::from_millis(config.timeout_ms).min(BATCH_MAX),
        })
    }

    fn message(&self, notice: &Notice) -> Vec<u8> {
        let text = self.format.render(notice);
        let message = syslog::message(notice, &self.sender, &text);
        match self.framing {
            Framing::OctetCounting => syslog::frame(&message),
            Framing::LineFeed => {
                let mut line = message.into_bytes();
                line.push(b'\n');
                line
            }
        }
    }

    /// Sends bytes on the connection that there is, or on a new one, and waits until they are acknowledged.
    async fn send(&mut self, bytes: &[u8]) -> Result<(), String> {
        // Taken out: after an error, and when the caller gives up, what is in it is in doubt.
        let standing = match self.connection.take() {
            Some(connection) if connection.stands() => Some(connection),
            _ => None,
        };
        let mut connection = match standing {
            Some(connection) => connection,
            None => self.connector.connect().await?,
        };
        connection.send(bytes).await?;
        self.connection = Some(connection);
        Ok(())
    }

    fn told(&self, why: &str) -> String {
        Redaction::default().said(&format!("{}: {why}", self.connector.address()))
    }
}

#[async_trait]
impl Destination for SyslogDestination {
    fn limits(&self) -> BatchLimits {
        BatchLimits {
            notices_max: NOTICES_MAX,
            bytes_max: BYTES_MAX,
        }
    }

    async fn deliver(&mut self, batch: &[Arc<Notice>]) -> Reply {
        let bytes: Vec<u8> = batch
            .iter()
            .flat_map(|notice| self.message(notice))
            .collect();
        let limit = self.limit;
        match timeout(limit, self.send(&bytes)).await {
            Ok(Ok(())) => Reply::delivered(
                batch.len(),
                self.told(&format!("TCP acknowledged {} bytes", bytes.len())),
            ),
            Ok(Err(why)) => Reply::later(self.told(&why)),
            Err(_) => {
                self.connection = None;
                Reply::later(self.told(&format!("it did not take them within {limit:?}")))
            }
        }
    }

    async fn validate(&mut self) -> Vec<Validated> {
        let what = format!("{} takes connections", self.connector.address());
        let limit = self.limit;
        vec![match timeout(limit, self.connector.connect()).await {
            Ok(Ok(connection)) => {
                self.connection = Some(connection);
                Validated::well(what)
            }
            Ok(Err(why)) => Validated::fault(what, self.told(&why)),
            Err(_) => Validated::fault(what, self.told(&format!("no answer within {limit:?}"))),
        }]
    }
}
