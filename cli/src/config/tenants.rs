//! The tenants that are watched, and the application registrations that watch and act.

use anyhow::Context as _;
use microsoft::{Cloud, Endpoints, Secret};
use serde::{Deserialize, Serialize};

use super::read_secret;

/// A tenant that is watched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tenant {
    /// Microsoft's tenant id.
    pub(crate) id: String,
    /// Which of Microsoft's clouds it is in: "worldwide", "gcc", "gcc_high", "dod" or "china".
    #[serde(default)]
    pub(crate) cloud: Cloud,
    /// Base URL instead of Microsoft's, for a simulated tenant; plain http on loopback only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) base_url: Option<String>,
    /// The application that reads.
    pub(crate) read: Application,
    /// The application that acts, a separate registration with the rights of its actions; without it nothing is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) act: Option<Application>,
    /// The hub that Entra's diagnostic settings stream to; without it that source is not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) event_hub: Option<EventHub>,
    /// Whether the Management Activity API is read.
    #[serde(default = "yes")]
    pub(crate) management_activity: bool,
    /// Whether Microsoft's alerts are read.
    #[serde(default = "yes")]
    pub(crate) graph_alerts: bool,
}

/// An application registration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Application {
    /// Its application (client) id.
    pub(crate) client_id: String,
    /// Reference to its secret: env:NAME or file:PATH.
    pub(crate) client_secret: String,
}

/// A hub of Azure Event Hubs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventHub {
    /// Host of the namespace, for example contoso.servicebus.windows.net.
    pub(crate) namespace: String,
    /// Name of the hub.
    pub(crate) hub: String,
    /// Consumer group.
    #[serde(default = "default_group")]
    pub(crate) consumer_group: String,
    /// Other address to connect to, for a simulated hub: amqp://host:port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) endpoint: Option<String>,
}

const fn yes() -> bool {
    true
}

fn default_group() -> String {
    "$Default".to_owned()
}

/// A tenant with its secrets read.
#[derive(Debug, Clone)]
pub(crate) struct ResolvedTenant {
    /// As configured.
    pub(crate) tenant: Tenant,
    /// Where its APIs are.
    pub(crate) endpoints: Endpoints,
    /// The reading application's secret.
    pub(crate) read_secret: Secret,
    /// The acting application's secret.
    pub(crate) act_secret: Option<Secret>,
}

impl Tenant {
    /// Reads the secrets and checks the addresses.
    pub(super) fn resolve(&self) -> anyhow::Result<ResolvedTenant> {
        let endpoints = match &self.base_url {
            None => Endpoints::of_cloud(self.cloud),
            Some(base) => Endpoints::new(self.cloud, base, base, base),
        }
        .context("base_url")?;
        let act_secret = self
            .act
            .as_ref()
            .map(|application| read_secret(&application.client_secret).context("act.client_secret"))
            .transpose()?;
        Ok(ResolvedTenant {
            tenant: self.clone(),
            endpoints,
            read_secret: read_secret(&self.read.client_secret).context("read.client_secret")?,
            act_secret,
        })
    }
}
