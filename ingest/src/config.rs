//! Which tenants are read, and how.

use std::path::PathBuf;

use microsoft::{HttpConfig, Tenant, Url};
use schemas::ip::is_loopback;
use serde::{Deserialize, Serialize};

use crate::backlog::Downstream;

/// What ingest reads; put together by the command line, which has read the secrets.
#[derive(Debug, Clone)]
pub struct IngestConfig {
    /// Folder of the cursor store; one ingest process at a time uses it.
    pub data_dir: PathBuf,
    /// How Microsoft is reached.
    pub http: HttpConfig,
    /// The stages behind, so that no tenant fills the queue of all; none to never wait for them.
    pub downstream: Option<Downstream>,
    /// The tenants.
    pub tenants: Vec<TenantConfig>,
}

/// What an import of files may take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ImportConfig {
    /// Most times its own size that a compressed file may expand to; 64 MiB are allowed to any.
    pub expansion_max: u64,
    /// Most bytes that the compressed files of one import may expand to together.
    pub expanded_bytes_max: u64,
}

impl Default for ImportConfig {
    fn default() -> Self {
        Self {
            // Audit logs shrink to a tenth, the most even of them to a fiftieth; a bomb to less than a thousandth.
            expansion_max: 200,
            expanded_bytes_max: 1024 * 1024 * 1024 * 1024,
        }
    }
}

/// One tenant, the app registration that reads it, and what is read.
#[derive(Debug, Clone)]
pub struct TenantConfig {
    /// The tenant and the app registration that reads it.
    pub tenant: Tenant,
    /// Event Hubs that diagnostic settings write to.
    pub event_hubs: Vec<EventHubsConfig>,
    /// The Management Activity API; absent if it is not read.
    pub management_activity: Option<ManagementActivityConfig>,
    /// Microsoft's alerts; absent if they are not read.
    pub graph_alerts: Option<GraphAlertsConfig>,
    /// The tenant's users, groups and domains; absent if they are not read.
    pub directory: Option<DirectoryConfig>,
}

/// One event hub.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EventHubsConfig {
    /// Fully qualified namespace, for example `contoso.servicebus.windows.net`.
    pub namespace: String,
    /// Name of the hub.
    pub hub: String,
    /// Consumer group.
    pub consumer_group: String,
    /// Another place to connect to, for example `amqp://127.0.0.1:5672`; empty for the namespace itself.
    pub endpoint: String,
    /// Messages that are asked for ahead.
    pub prefetch: u32,
    /// Most messages that are published at once.
    pub batch_messages_max: usize,
    /// Longest wait before a partial batch is published, in milliseconds.
    pub batch_wait_ms: u64,
    /// Time without a message after which the partition is asked whether it has some, in milliseconds.
    pub idle_ms: u64,
    /// Longest time for one call, in milliseconds.
    pub call_timeout_ms: u64,
    /// Wait between two looks at which partitions the hub has, in milliseconds: hubs can grow.
    pub partitions_ms: u64,
}

impl Default for EventHubsConfig {
    fn default() -> Self {
        Self {
            namespace: String::new(),
            hub: String::new(),
            consumer_group: "$Default".to_owned(),
            endpoint: String::new(),
            prefetch: 1_000,
            batch_messages_max: 500,
            batch_wait_ms: 200,
            // Azure drops idle connections after 4 minutes.
            idle_ms: 60_000,
            call_timeout_ms: 30_000,
            partitions_ms: 300_000,
        }
    }
}

impl EventHubsConfig {
    /// Refuses an endpoint that a token would travel to in the clear; plain AMQP is for a simulated hub on this machine.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check_endpoint(&self) -> Result<(), &'static str> {
        if self.endpoint.is_empty() {
            return Ok(());
        }
        let Ok(url) = Url::parse(&self.endpoint) else {
            return Err("the endpoint of an event hub is no URL");
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err("the endpoint of an event hub has a name or password in it");
        }
        match (url.scheme(), url.host_str()) {
            ("amqps", Some(_)) => Ok(()),
            ("amqp", Some(host)) if is_loopback(host) => Ok(()),
            ("amqp", _) => {
                Err("the endpoint of an event hub is plain amqp elsewhere than here: use amqps")
            }
            _ => Err("the endpoint of an event hub is neither amqps nor amqp"),
        }
    }
}

/// The Management Activity API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ManagementActivityConfig {
    /// Content types that are subscribed to.
    pub content_types: Vec<String>,
    /// Tenant id of the publisher, for the publisher's own quota; empty for the tenant itself.
    pub publisher_id: String,
    /// Wait between two polls, in milliseconds.
    pub poll_ms: u64,
    /// How far back the first poll looks, in hours; at most 7 days.
    pub first_hours: u32,
    /// Most blobs that are fetched at once.
    pub concurrent_blobs: usize,
    /// Shortest time between two lines of the ledger for a window in which nothing came, in milliseconds.
    pub quiet_window_ms: u64,
}

impl Default for ManagementActivityConfig {
    fn default() -> Self {
        let names = [
            "Audit.AzureActiveDirectory",
            "Audit.Exchange",
            "Audit.SharePoint",
            "Audit.General",
        ];
        Self {
            content_types: names.map(str::to_owned).to_vec(),
            publisher_id: String::new(),
            poll_ms: 60_000,
            first_hours: 168,
            concurrent_blobs: 8,
            quiet_window_ms: 300_000,
        }
    }
}

/// Microsoft's alerts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GraphAlertsConfig {
    /// Wait between two polls, in milliseconds.
    pub poll_ms: u64,
    /// How far back the first poll looks, in days.
    pub first_days: u32,
    /// How far before the newest known change each poll looks again, in seconds.
    pub overlap_s: u32,
    /// Alerts on one page; Microsoft gives at most 1,000.
    pub page_alerts: u32,
}

impl Default for GraphAlertsConfig {
    fn default() -> Self {
        Self {
            poll_ms: 60_000,
            first_days: 30,
            overlap_s: 3_600,
            page_alerts: 1_000,
        }
    }
}

/// The tenant's users, groups and domains.
///
/// The application needs User.Read.All, GroupMember.Read.All (or Group.Read.All) and Domain.Read.All; what it may
/// not read is a gap in the ledger and keeps nothing else from being read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DirectoryConfig {
    /// Wait between two polls, in milliseconds.
    pub poll_ms: u64,
    /// Objects on one page, as far as Microsoft does not give fewer; at most 999.
    pub page_objects: u32,
}

impl Default for DirectoryConfig {
    fn default() -> Self {
        Self {
            poll_ms: 900_000,
            page_objects: 999,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::EventHubsConfig;

    #[test]
    fn a_token_travels_in_the_clear_on_this_machine_only() {
        for (endpoint, is_fine) in [
            ("", true),
            ("amqps://hub.contoso.example:5671", true),
            ("amqp://127.0.0.1:5672", true),
            ("amqp://[::1]:5672", true),
            ("amqp://localhost:5672", true),
            ("amqp://192.0.2.2:5672", false),
            ("amqp://hub.contoso.example", false),
            ("amqp://localhost.evil.example", false),
            ("amqp://127.0.0.1@evil.example", false),
            ("http://127.0.0.1:5672", false),
            ("127.0.0.1:5672", false),
        ] {
            let config = EventHubsConfig {
                endpoint: endpoint.to_owned(),
                ..EventHubsConfig::default()
            };
            assert_eq!(config.check_endpoint().is_ok(), is_fine, "{endpoint}");
        }
    }
}
