//! One TOML file; an unknown key is an error with a suggestion, and a secret is a reference.
//!
//! The environment and secret files are read here and nowhere else.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use bus::BusConfig;
use bus::config::LogConfig as EmbeddedLog;
use microsoft::Secret;
use serde::{Deserialize, Serialize};

use crate::exit::BadConfiguration;
use crate::telemetry::LogConfig;

mod stages;
mod tenants;

pub(crate) use tenants::{Application, EventHub, ResolvedTenant, Tenant};

/// Everything that can be configured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// Folder of what must survive a restart: the embedded log, cursors, the journal, the lake if it is local.
    pub(crate) data: PathBuf,
    /// How the process logs.
    pub(crate) log: LogConfig,
    /// Where it answers about its health.
    pub(crate) health: Health,
    /// The bus between stages; without it, the embedded log in the data folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bus: Option<BusConfig>,
    /// How sources are read.
    pub(crate) ingest: stages::Ingest,
    /// How the lake is kept.
    pub(crate) lake: stages::Lake,
    /// Which rules run.
    pub(crate) detect: stages::Detect,
    /// What may be done.
    pub(crate) respond: stages::Respond,
    /// The tenants that are watched.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) tenants: Vec<Tenant>,
}

/// Where the process answers about its health.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Health {
    /// Address of `/livez`, `/readyz` and `/metrics`; port 0 takes a free one and logs it.
    pub(crate) address: SocketAddr,
}

impl Default for Health {
    fn default() -> Self {
        Self { address: SocketAddr::from(([127, 0, 0, 1], 9464)) }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data: PathBuf::from("data"),
            log: LogConfig::default(),
            health: Health::default(),
            bus: None,
            ingest: stages::Ingest::default(),
            lake: stages::Lake::default(),
            detect: stages::Detect::default(),
            respond: stages::Respond::default(),
            tenants: Vec::new(),
        }
    }
}

impl Config {
    /// Reads the file, or takes the defaults where none is named.
    pub(crate) fn load(path: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = path else {
            return Ok(Self::default());
        };
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}", path.display()))
            .context(BadConfiguration)?;
        Self::parse(&text)
            .with_context(|| path.display().to_string())
            .context(BadConfiguration)
    }

    /// Reads TOML.
    pub(crate) fn parse(text: &str) -> anyhow::Result<Self> {
        toml::from_str(text).map_err(|error| {
            let message = error.to_string();
            match suggestion(error.message()) {
                Some(name) => anyhow::anyhow!("{message}did you mean `{name}`?"),
                None => anyhow::anyhow!(message),
            }
        })
    }

    /// The configuration as TOML, with every default; secrets are references and stay so.
    pub(crate) fn to_toml(&self) -> anyhow::Result<String> {
        toml::to_string(self).context("could not write the configuration as TOML")
    }

    /// The bus: as configured, or the embedded log in the data folder.
    pub(crate) fn bus(&self) -> BusConfig {
        self.bus.clone().unwrap_or_else(|| {
            BusConfig::Log(EmbeddedLog { path: self.data.join("log.sqlite"), ..EmbeddedLog::default() })
        })
    }

    /// The tenants with their secrets read.
    ///
    /// # Errors
    /// If a reference leads to nothing; the error names the reference, never the secret.
    pub(crate) fn resolve_tenants(&self) -> anyhow::Result<Vec<ResolvedTenant>> {
        self.tenants
            .iter()
            .map(|tenant| {
                tenant
                    .resolve()
                    .with_context(|| format!("tenant {}", tenant.id))
                    .context(BadConfiguration)
            })
            .collect()
    }
}

/// The nearest of the names that the parser expected to the one it found.
fn suggestion(message: &str) -> Option<&str> {
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let (found, expected) = quoted.split_first()?;
    expected
        .iter()
        .map(|name| (strsim::damerau_levenshtein(found, name), *name))
        .filter(|(distance, name)| *distance <= name.len().max(found.len()) / 2)
        .min()
        .map(|(_, name)| name)
}

/// Reads a secret by its reference, `env:NAME` or `file:PATH`.
fn read_secret(reference: &str) -> anyhow::Result<Secret> {
    let text = match reference.split_once(':') {
        Some(("env", name)) => environment(name)?,
        Some(("file", path)) => std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the secret file {path}"))?,
        _ => anyhow::bail!(
            "a secret must be a reference, env:NAME or file:PATH, so that the configuration can be shared"
        ),
    };
    let text = text.trim_end_matches(['\r', '\n']);
    anyhow::ensure!(!text.is_empty(), "the secret at {reference} is empty");
    Ok(Secret::new(text))
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
fn environment(name: &str) -> anyhow::Result<String> {
    std::env::var(name).with_context(|| format!("the environment variable {name} is not set"))
}

#[cfg(test)]
mod tests {
    use super::{Config, read_secret};

    fn fault(text: &str) -> String {
        format!("{:#}", Config::parse(text).expect_err("it has a fault"))
    }

    #[test]
    fn an_unknown_key_is_an_error_with_its_line_and_a_suggestion() {
        let fault = fault("data = \"x\"\n[lake]\nbatch_wait_mss = 5\n");
        assert!(fault.contains("line 3"), "{fault}");
        assert!(fault.contains("did you mean `batch_wait_ms`?"), "{fault}");
    }

    #[test]
    fn a_key_like_no_other_gets_no_suggestion() {
        assert!(!fault("zzzzzzzzzzzz = 1").contains("did you mean"));
    }

    #[test]
    fn what_is_shown_can_be_read_again() {
        let config = Config::default();
        let text = config.to_toml().expect("defaults are TOML");
        assert_eq!(Config::parse(&text).expect("it reads"), config);
    }

    #[test]
    fn a_secret_in_the_file_itself_is_refused_and_not_repeated() {
        let error = read_secret("hunter2-canary").expect_err("no reference");
        assert!(!format!("{error:#}").contains("hunter2"), "{error:#}");
    }
}
