//! The tenants that are watched, and the application registrations that watch and act.

use anyhow::Context as _;
use ingest::config::{EventHubsConfig, GraphAlertsConfig, ManagementActivityConfig};
use microsoft::{Cloud, Endpoints, Secret};
use serde::{Deserialize, Serialize};

use super::read_secret;

/// A tenant that is watched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tenant {
    /// Microsoft's tenant id.
    pub(crate) id: String,
    /// Which of Microsoft's clouds it is in: `worldwide`, `gcc`, `gcc_high`, `dod` or `china`.
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
    /// The Management Activity API; without this table it is not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) management_activity: Option<ManagementActivityConfig>,
    /// Microsoft's alerts; without this table they are not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) graph_alerts: Option<GraphAlertsConfig>,
    /// The hubs that Entra's diagnostic settings stream to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) event_hubs: Vec<EventHubsConfig>,
}

/// An application registration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Application {
    /// Its application (client) id.
    pub(crate) client_id: String,
    /// Reference to its secret: `env:NAME` or `file:PATH`.
    pub(crate) client_secret: String,
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
    /// The acting application's id and secret.
    pub(crate) act: Option<(String, Secret)>,
}

impl Tenant {
    /// Reads the secrets and checks the addresses.
    pub(super) fn resolve(&self) -> anyhow::Result<ResolvedTenant> {
        let endpoints = match &self.base_url {
            None => Endpoints::of_cloud(self.cloud),
            Some(base) => Endpoints::new(self.cloud, base, base, base),
        }
        .context("base_url")?;
        let act = self
            .act
            .as_ref()
            .map(|application| {
                let secret =
                    read_secret(&application.client_secret).context("act.client_secret")?;
                anyhow::Ok((application.client_id.clone(), secret))
            })
            .transpose()?;
        Ok(ResolvedTenant {
            tenant: self.clone(),
            endpoints,
            read_secret: read_secret(&self.read.client_secret).context("read.client_secret")?,
            act,
        })
    }
}
