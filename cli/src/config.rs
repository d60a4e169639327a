//! One TOML file; an unknown key is an error with a suggestion, and a secret is a reference.
//!
//! The environment and secret files are read in `config/secrets.rs` and nowhere else.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ::forward::{DestinationConfig, ForwardConfig};
use anyhow::Context as _;
use bus::BusConfig;
use bus::config::LogConfig as EmbeddedLog;
use detect::DetectConfig;
use ingest::backlog::Downstream;
use ingest::{ImportConfig, IngestConfig, TenantConfig};
use lake::LakeConfig;
use microsoft::HttpConfig;
use respond::RespondConfig;
use schemas::limits::SETTING_BYTES_MAX;
use schemas::small_file;
use serde::{Deserialize, Serialize};

use crate::data_folder::{self, Readers};
use crate::output::exit::BadConfiguration;
use crate::telemetry::LogConfig;

pub(crate) mod check;
pub(crate) mod forward;
pub(crate) mod origin;
#[cfg(test)]
mod reference;
mod secrets;
mod tenants;

pub(crate) use origin::Origin;
pub(crate) use tenants::{ResolvedTenant, Tenant};

/// Everything that can be configured.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// Where all of this is from.
    #[serde(skip)]
    pub(crate) origin: Origin,
    /// Folder of what must survive a restart: the embedded log, cursors, the journal, the lake if it is local.
    pub(crate) data: PathBuf,
    /// Who may read what is stored: `owner`, or `group` for readers of the lake that run as other users.
    pub(crate) readers: Readers,
    /// How the process logs.
    pub(crate) log: LogConfig,
    /// Where it answers about its health.
    pub(crate) health: HealthConfig,
    /// The bus between stages; without it, the embedded log in the data folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bus: Option<BusConfig>,
    /// How Microsoft is reached, by every stage.
    pub(crate) http: HttpConfig,
    /// How the lake is kept.
    pub(crate) lake: LakeConfig,
    /// Which rules run.
    pub(crate) detect: DetectConfig,
    /// What may be done.
    pub(crate) respond: RespondConfig,
    /// What goes to which destination.
    pub(crate) forward: ForwardConfig,
    /// Where alerts and the like are sent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) destinations: Vec<DestinationConfig>,
    /// What an import of files may take.
    pub(crate) import: ImportConfig,
    /// The tenants that are watched.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) tenants: Vec<Tenant>,
}

/// Where the process answers about its health.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct HealthConfig {
    /// Address of `/livez`, `/readyz` and `/metrics`; port 0 takes a free one and logs it.
    pub(crate) address: SocketAddr,
    /// Less free space than this where records are kept makes the process unready, in megabytes; 0 for never.
    pub(crate) disk_reserve_megabytes: u64,
    /// A stage whose loop has not come round for so long makes the process unready, in seconds; 0 for never.
    pub(crate) standstill_s: u64,
}

impl HealthConfig {
    /// How long a loop may not come round before it stands still.
    pub(crate) fn still_max(&self) -> Duration {
        match self.standstill_s {
            0 => Duration::MAX,
            seconds => Duration::from_secs(seconds),
        }
    }
}

impl Default for HealthConfig {
    fn default() -> Self {
        Self {
            address: SocketAddr::from(([127, 0, 0, 1], 9464)),
            // Hours of a busy tenant's records: time to give it more room.
            disk_reserve_megabytes: 512,
            // Loops come round within seconds, also while they work; a slow disk under load takes some tens.
            standstill_s: 120,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            origin: Origin::default(),
            data: PathBuf::from("data"),
            readers: Readers::default(),
            log: LogConfig::default(),
            health: HealthConfig::default(),
            bus: None,
            http: HttpConfig::default(),
            lake: LakeConfig::default(),
            detect: DetectConfig::default(),
            respond: RespondConfig::default(),
            forward: ForwardConfig::default(),
            destinations: Vec::new(),
            import: ImportConfig::default(),
            tenants: Vec::new(),
        }
    }
}

impl Config {
    /// Reads the file that is named, or else the one in this folder, or takes the defaults where there is none.
    pub(crate) fn load(named: Option<&Path>) -> anyhow::Result<Self> {
        let origin = Origin::of(named)?;
        let Some(path) = origin.file() else {
            return Ok(Self::default());
        };
        let text = small_file::read_text(path, SETTING_BYTES_MAX)
            .with_context(|| format!("cannot read {}", path.display()))
            .context(BadConfiguration)?;
        let mut config = Self::parse(&text)
            .with_context(|| path.display().to_string())
            .context(BadConfiguration)?;
        config.origin = origin;
        Ok(config)
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

    /// The configuration as TOML, with every default; references to secrets stay so, and what should be one is not shown.
    pub(crate) fn to_toml(&self) -> anyhow::Result<String> {
        let mut shown = self.clone();
        shown.http.proxy = secrets::without_user_info(&shown.http.proxy);
        if let Some(BusConfig::Kafka(kafka)) = &mut shown.bus {
            for (name, value) in &mut kafka.settings {
                *value = secrets::shown(name, value);
            }
        }
        for tenant in &mut shown.tenants {
            for application in std::iter::once(&mut tenant.read).chain(&mut tenant.act) {
                for secret in application.references_mut() {
                    *secret = secrets::shown("client_secret", secret);
                }
            }
        }
        let destinations = self.destinations.iter().map(forward::shown);
        shown.destinations = destinations.collect::<anyhow::Result<_>>()?;
        toml::to_string(&shown).context("could not write the configuration as TOML")
    }

    /// The configuration with the secrets of its settings read, for whoever connects with them.
    ///
    /// # Errors
    /// If a reference leads to nothing, or a setting holds its secret itself; the error never has the secret.
    pub(crate) fn with_settings_read(mut self) -> anyhow::Result<Self> {
        if secrets::is_reference(&self.http.proxy) {
            let proxy = secrets::read_secret(&self.http.proxy).context("http.proxy");
            let proxy = proxy.context(BadConfiguration)?;
            proxy.expose().clone_into(&mut self.http.proxy);
        }
        if let Some(BusConfig::Kafka(kafka)) = &mut self.bus {
            for (name, value) in &mut kafka.settings {
                if secrets::is_secret(name) {
                    let secret = secrets::read_secret(value)
                        .with_context(|| format!("bus.kafka.settings.{name}"));
                    secret.context(BadConfiguration)?.expose().clone_into(value);
                }
            }
        }
        Ok(self)
    }

    /// The bus: as configured, or the embedded log in the data folder.
    pub(crate) fn bus(&self) -> BusConfig {
        self.bus.clone().unwrap_or_else(|| {
            BusConfig::Log(EmbeddedLog {
                path: self.data.join("log.sqlite"),
                ..EmbeddedLog::default()
            })
        })
    }

    /// Refuses a configuration with a fault in its settings, and logs what somebody should know of the rest.
    ///
    /// # Errors
    /// With every fault: what, where, why and how to mend it.
    pub(crate) fn refuse_faults(&self) -> anyhow::Result<()> {
        let findings = self.check_settings();
        let mut told = Vec::new();
        for finding in &findings {
            match finding.weight {
                check::Weight::Fault => told.push(finding.to_string()),
                check::Weight::Note => tracing::warn!(
                    at = finding.at,
                    what = finding.what,
                    why = finding.why,
                    fix = finding.fix,
                    "the configuration can be used, and somebody should know this"
                ),
            }
        }
        if told.is_empty() {
            return Ok(());
        }
        Err(anyhow::anyhow!("\n{}", told.join("\n")).context(BadConfiguration))
    }

    /// Makes the folders of what is stored, closed to everybody who is not meant to read it.
    ///
    /// # Errors
    /// If that cannot be; the error says how to mend it.
    pub(crate) fn open_folders(&self) -> anyhow::Result<()> {
        for (_, folder) in crate::health::watch::folders(self) {
            data_folder::open(&folder, self.readers)?;
        }
        let log = match self.bus() {
            BusConfig::Log(log) => Some(log.path),
            BusConfig::Kafka(_) => None,
        };
        let cursors = self.data.join(ingest::CURSOR_FILE);
        for path in log.into_iter().chain([self.journal(), cursors]) {
            data_folder::close_file(&path);
        }
        Ok(())
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

/// Puts configured values together with what the stages want.
impl Config {
    /// What ingest reads.
    pub(crate) fn ingest(&self) -> anyhow::Result<IngestConfig> {
        let tenants = self
            .resolve_tenants()?
            .into_iter()
            .map(|resolved| TenantConfig {
                tenant: microsoft::Tenant {
                    tenant_id: resolved.tenant.id,
                    client_id: resolved.tenant.read.client_id,
                    credential: resolved.read,
                    endpoints: resolved.endpoints,
                },
                event_hubs: resolved.tenant.event_hubs,
                management_activity: resolved.tenant.management_activity,
                graph_alerts: resolved.tenant.graph_alerts,
                directory: resolved.tenant.directory,
            });
        Ok(IngestConfig {
            data_dir: self.data.clone(),
            http: self.http.clone(),
            downstream: Some(self.downstream()),
            tenants: tenants.collect(),
        })
    }

    /// The stages behind ingest.
    pub(crate) fn downstream(&self) -> Downstream {
        Downstream {
            lake_group: self.lake.group.clone(),
            detect_group: self.detect.group.clone(),
        }
    }

    /// How the lake is kept.
    pub(crate) fn lake(&self) -> LakeConfig {
        let mut lake = self.lake.clone();
        lake.announced_to.clone_from(&self.detect.group);
        if !lake.location.contains("://") {
            lake.location = self.data.join(&lake.location).display().to_string();
        }
        lake
    }

    /// Which rules run, and what they know of each tenant.
    pub(crate) fn detect(&self) -> DetectConfig {
        let of_tenant = |tenant: &Tenant| (tenant.id.to_ascii_lowercase(), tenant.placeholders());
        DetectConfig {
            tenants: self.tenants.iter().map(of_tenant).collect(),
            ..self.detect.clone()
        }
    }

    /// What goes where; paths that are relative begin in the data folder.
    pub(crate) fn forward(&self) -> ForwardConfig {
        let mut forward = self.forward.clone();
        forward.destinations.clone_from(&self.destinations);
        for destination in &mut forward.destinations {
            for path in destination.to.paths_mut() {
                *path = self.data.join(&*path);
            }
            destination.to.reserve(&self.own_paths());
        }
        forward
    }

    /// The files and folders of our own, which no destination may write.
    fn own_paths(&self) -> Vec<PathBuf> {
        let mut own = vec![
            self.journal(),
            self.data.join(ingest::CURSOR_FILE),
            self.data.join(data_folder::LOCK_FILE),
        ];
        if let BusConfig::Log(log) = self.bus() {
            own.push(log.path);
        }
        let lake = self.lake().location;
        let lake = PathBuf::from(lake.strip_prefix("file://").unwrap_or(&lake));
        // A lake around the data folder leaves no other place for the files of destinations.
        if !self.data.starts_with(&lake) {
            own.push(lake);
        }
        own
    }

    /// What may be done, and in which tenants.
    pub(crate) fn respond(&self) -> anyhow::Result<RespondConfig> {
        let tenants = self.resolve_tenants()?.into_iter().filter_map(|resolved| {
            let (client_id, credential) = resolved.act?;
            Some(microsoft::Tenant {
                tenant_id: resolved.tenant.id,
                client_id,
                credential,
                endpoints: resolved.endpoints,
            })
        });
        let mut respond = RespondConfig {
            http: self.http.clone(),
            tenants: tenants.collect(),
            ..self.respond_files()
        };
        if !respond.playbooks.as_os_str().is_empty() {
            respond.playbooks = self.data.join(&respond.playbooks);
        }
        Ok(respond)
    }

    /// Where respond's files are, for commands that need no secrets.
    pub(crate) fn respond_files(&self) -> RespondConfig {
        RespondConfig {
            journal: self.journal(),
            kill_switch: self.data.join(&self.respond.kill_switch),
            ..self.respond.clone()
        }
    }

    /// The file of cases, actions and the audit chain.
    pub(crate) fn journal(&self) -> PathBuf {
        self.data.join(&self.respond.journal)
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

#[cfg(test)]
mod tests {
    use super::Config;

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
        let again = Config::parse(&text).expect("it reads");
        assert_eq!(again.to_toml().expect("TOML"), text);
    }

    /// A wildcard would make every domain the tenant's own, and a network that cannot be read would be forgotten.
    #[test]
    fn what_is_a_tenants_own_is_checked_and_reaches_its_rules() {
        let tenant = |keys: &str| {
            format!(
                "[[tenants]]\nid = \"0B5C-AA\"\n{keys}\n\
                 [tenants.read]\nclient_id = \"c\"\nclient_secret = \"env:S\"\n"
            )
        };
        for domain in ["*.com", "com", "a@b.com", "b..com", ""] {
            let fault = fault(&tenant(&format!("accepted_domains = [{domain:?}]")));
            assert!(fault.contains("is not a domain"), "{fault}");
        }
        let fault = fault(&tenant("egress = [\"203.0.113.0/33\"]"));
        assert!(fault.contains("is not a network"), "{fault}");
        let own = "accepted_domains = [\"Contoso.COM\"]\negress = [\"2001:db8::/48\"]";
        let detect = Config::parse(&tenant(own)).expect("it reads").detect();
        let values = &detect.tenants["0b5c-aa"];
        assert_eq!(values["accepted_domains"], ["contoso.com"]);
        assert_eq!(values["egress"], ["2001:db8::/48"]);
    }

    /// The example is a file that can be used, and what it does not say is the default.
    #[test]
    fn the_example_is_read_and_names_its_secrets() {
        let example = Config::parse(include_str!("../../deploy/example.toml")).expect("it reads");
        assert_eq!(example.tenants.len(), 1);
        assert!(example.respond.dry_run, "nobody acts by copying an example");
        let error = example
            .resolve_tenants()
            .expect_err("its secrets are not here");
        assert!(
            format!("{error:#}").contains("/run/secrets/vedette-act"),
            "{error:#}"
        );
    }
}
