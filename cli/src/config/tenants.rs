//! The tenants that are watched, and the application registrations that watch and act.

use std::path::PathBuf;

use anyhow::Context as _;
use ingest::config::{
    DirectoryConfig, EventHubsConfig, GraphAlertsConfig, ManagementActivityConfig,
};
use microsoft::{Certificate, Cloud, Credential, Endpoints};
use serde::{Deserialize, Serialize};
use sigma::expression::Network;
use sigma::placeholders::{ACCEPTED_DOMAINS, EGRESS, PlaceholderValues};

use super::secrets::read_secret;

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
    /// Domains of its mail, beside those that its directory tells: forwarding to them stays inside.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) accepted_domains: Vec<Domain>,
    /// Networks through which its people reach the internet, as `address/bits`: offices, private networks, security
    /// services. Rules about places leave them out, because people behind them are elsewhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) egress: Vec<Egress>,
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
    /// The tenant's users, groups and domains; without this table they are not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) directory: Option<DirectoryConfig>,
    /// The hubs that Entra's diagnostic settings stream to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) event_hubs: Vec<EventHubsConfig>,
}

/// A mail domain, in lower case: letters of any script, digits, hyphens and dots.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Domain(String);

/// The text is no mail domain.
#[derive(Debug, thiserror::Error)]
#[error("\"{0}\" is not a domain: write what stands behind the @, such as contoso.com")]
pub(crate) struct NotADomain(String);

impl TryFrom<String> for Domain {
    type Error = NotADomain;

    fn try_from(text: String) -> Result<Self, NotADomain> {
        let is_name = |part: &str| {
            !part.is_empty()
                && part
                    .chars()
                    .all(|character| character.is_alphanumeric() || character == '-')
        };
        // A wildcard would make every domain the tenant's own.
        if text.contains('.') && text.split('.').all(is_name) {
            Ok(Self(text.to_lowercase()))
        } else {
            Err(NotADomain(text))
        }
    }
}

impl From<Domain> for String {
    fn from(domain: Domain) -> Self {
        domain.0
    }
}

/// A network as `address/bits`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Egress(String);

/// The text is no network.
#[derive(Debug, thiserror::Error)]
#[error("\"{0}\" is not a network: write address/bits, such as 203.0.113.0/24 or 2001:db8::/48")]
pub(crate) struct NotANetwork(String);

impl TryFrom<String> for Egress {
    type Error = NotANetwork;

    fn try_from(text: String) -> Result<Self, NotANetwork> {
        match Network::parse(&text) {
            Some(_) => Ok(Self(text)),
            None => Err(NotANetwork(text)),
        }
    }
}

impl From<Egress> for String {
    fn from(egress: Egress) -> Self {
        egress.0
    }
}

/// An application registration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Application {
    /// Its application (client) id.
    pub(crate) client_id: String,
    /// Reference to its secret: `env:NAME` or `file:PATH`. An application has this or one of the two below.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) client_secret: Option<String>,
    /// Reference to a PEM text with its certificate and private key, unencrypted: `env:NAME` or `file:PATH`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) client_certificate: Option<String>,
    /// File with a token of another identity provider, as `AZURE_FEDERATED_TOKEN_FILE` of workload identity names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) federated_token_file: Option<PathBuf>,
}

impl Application {
    /// Its references to what nobody else may read, by their keys.
    pub(super) fn references(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let secret = self.client_secret.as_deref();
        let certificate = self.client_certificate.as_deref();
        let secret = secret.map(|reference| ("client_secret", reference));
        let certificate = certificate.map(|reference| ("client_certificate", reference));
        secret.into_iter().chain(certificate)
    }

    /// The same, to be shown.
    pub(super) fn references_mut(&mut self) -> impl Iterator<Item = &mut String> {
        let secret = self.client_secret.as_mut();
        secret.into_iter().chain(self.client_certificate.as_mut())
    }

    /// How it proves who it is, with its secret read.
    fn credential(&self) -> anyhow::Result<Credential> {
        let (secret, certificate) = (&self.client_secret, &self.client_certificate);
        match (secret, certificate, &self.federated_token_file) {
            (Some(reference), None, None) => {
                Ok(read_secret(reference).context("client_secret")?.into())
            }
            (None, Some(reference), None) => {
                let pem = read_secret(reference).context("client_certificate")?;
                let certificate =
                    Certificate::from_pem(pem.expose().as_bytes()).context("client_certificate")?;
                Ok(Credential::Certificate(certificate))
            }
            (None, None, Some(path)) => {
                let path = path.clone();
                anyhow::ensure!(
                    path.is_file(),
                    "federated_token_file: {} is no file",
                    path.display()
                );
                Ok(Credential::FederatedTokenFile(path))
            }
            _ => anyhow::bail!(
                "an application has one of client_secret, client_certificate and federated_token_file"
            ),
        }
    }
}

/// A tenant with its secrets read.
#[derive(Debug, Clone)]
pub(crate) struct ResolvedTenant {
    /// As configured.
    pub(crate) tenant: Tenant,
    /// Where its APIs are.
    pub(crate) endpoints: Endpoints,
    /// How the reading application proves who it is.
    pub(crate) read: Credential,
    /// The acting application's id, and how it proves who it is.
    pub(crate) act: Option<(String, Credential)>,
}

impl Tenant {
    /// What stands for the names of placeholders in its rules.
    pub(super) fn placeholders(&self) -> PlaceholderValues {
        let domains = self.accepted_domains.iter().cloned().map(String::from);
        let egress = self.egress.iter().cloned().map(String::from);
        [
            (ACCEPTED_DOMAINS.to_owned(), domains.collect()),
            (EGRESS.to_owned(), egress.collect()),
        ]
        .into()
    }

    /// Where its APIs are.
    pub(super) fn endpoints(&self) -> anyhow::Result<Endpoints> {
        match &self.base_url {
            None => Endpoints::of_cloud(self.cloud),
            Some(base) => Endpoints::new(self.cloud, base, base, base),
        }
        .context("base_url")
    }

    /// Reads the secrets and checks the addresses.
    pub(super) fn resolve(&self) -> anyhow::Result<ResolvedTenant> {
        let endpoints = self.endpoints()?;
        for hub in &self.event_hubs {
            hub.check_endpoint()
                .map_err(anyhow::Error::msg)
                .with_context(|| format!("hub \"{}\"", hub.hub))?;
        }
        let act = self
            .act
            .as_ref()
            .map(|application| {
                let credential = application.credential().context("act")?;
                anyhow::Ok((application.client_id.clone(), credential))
            })
            .transpose()?;
        Ok(ResolvedTenant {
            tenant: self.clone(),
            endpoints,
            read: self.read.credential().context("read")?,
            act,
        })
    }
}
