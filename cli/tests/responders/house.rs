//! A simulated tenant, a real Kafka, and hosts that run `vedette respond` on it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bus::config::KafkaConfig;
use bus::{Bus, BusConfig, Message};
use schemas::environment::{Clock as _, SystemClock};
use schemas::topics::Topic;
use schemas::wire::Alert;
use serde_json::Value;
use simulator::{Connection, Running, SimulatorConfig};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::broker::Broker;

/// Longest that a test waits for what must come.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);

/// Longest that a changing call may take here; so long does a successor wait.
const REQUEST_TIMEOUT_MS: u64 = 2_000;

const SETTINGS: [(&str, &str); 2] = [
    ("session.timeout.ms", "3000"),
    ("heartbeat.interval.ms", "500"),
];

/// What the hosts share.
pub(crate) struct House {
    pub(crate) broker: Broker,
    pub(crate) connection: Connection,
    people: Vec<(String, String)>,
    bus: Bus,
    folder: TempDir,
    stop: CancellationToken,
    _tenant: Running,
}

impl Drop for House {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// A process of `vedette respond`; killed with its value.
pub(crate) struct Host {
    child: Child,
    pub(crate) log: std::path::PathBuf,
}

impl Drop for Host {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Host {
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status();
        assert!(sent.unwrap().success());
    }

    /// SIGKILL.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and it drains.
    pub(crate) fn end(mut self) {
        self.signal("TERM");
        assert!(self.child.wait().unwrap().success(), "{}", self.log());
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits until its log has `words`.
    pub(crate) async fn says(&mut self, words: &str) {
        let started = Instant::now();
        while !self.log().contains(words) {
            let has_ended = self.child.try_wait().unwrap().is_some();
            let is_late = has_ended || started.elapsed() > PATIENCE;
            assert!(!is_late, "no {words}:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl House {
    pub(crate) async fn new() -> Self {
        let broker = tokio::task::block_in_place(Broker::start);
        let stop = CancellationToken::new();
        let config = SimulatorConfig {
            stories: Vec::new(),
            ordinary_events_per_hour: 1,
            speed: 1_000_000.0,
            ..SimulatorConfig::default()
        };
        let tenant = simulator::start(config, Arc::new(SystemClock), stop.clone());
        let tenant = tenant.await.unwrap();
        let connection = tenant.connection.clone();
        let people = people(&connection).await;
        let bus = Bus::open(&BusConfig::Kafka(kafka(&broker))).await.unwrap();
        Self {
            broker,
            connection,
            people,
            bus,
            folder: TempDir::new().unwrap(),
            stop,
            _tenant: tenant,
        }
    }

    /// Starts a host, which reaches the tenant at `url`; the same again on its data.
    pub(crate) fn start(&self, name: &str, url: &str) -> Host {
        let folder = self.folder.path().join(name);
        if !folder.exists() {
            fs::DirBuilder::new().mode(0o700).create(&folder).unwrap();
            let secret = folder.join("act.secret");
            fs::write(&secret, &self.connection.acting.client_secret).unwrap();
            fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
        }
        fs::write(folder.join("vedette.toml"), self.configuration(url)).unwrap();
        let log = self.folder.path().join(format!("{name}.log"));
        let written = fs::OpenOptions::new().create(true).append(true).open(&log);
        let child = Command::new(env!("CARGO_BIN_EXE_vedette"))
            .args(["respond", "--config", "vedette.toml"])
            .current_dir(&folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(written.unwrap())
            .spawn()
            .unwrap();
        Host { child, log }
    }

    fn configuration(&self, url: &str) -> String {
        let kafka = kafka(&self.broker);
        let settings = SETTINGS.map(|(key, value)| format!("\"{key}\" = \"{value}\""));
        let settings = settings.join("\n");
        format!(
            r#"
data = "data"
[health]
address = "127.0.0.1:0"
[bus.kafka]
development = true
brokers = "{brokers}"
prefix = "{prefix}"
[bus.kafka.settings]
{settings}
[http]
requests_per_minute = 60000
request_timeout_ms = {REQUEST_TIMEOUT_MS}
[respond]
dry_run = false
never_act_none = true
automatic = ["block_sign_in", "revoke_sessions", "disable_inbox_rules"]
targets_per_hour_max = 100
cool_down_s = 1
read_back_wait_ms = 100
[[tenants]]
id = "{tenant}"
base_url = "{url}"
[tenants.read]
client_id = "{reader}"
client_secret = "file:act.secret"
[tenants.act]
client_id = "{client}"
client_secret = "file:act.secret"
"#,
            brokers = kafka.brokers,
            prefix = kafka.prefix,
            tenant = self.connection.tenant_id,
            reader = self.connection.reading.client_id,
            client = self.connection.acting.client_id,
        )
    }

    /// Object id of somebody.
    pub(crate) fn person(&self, number: usize) -> &str {
        &self.people[number].0
    }

    /// Raises an alert on somebody, as detect would.
    pub(crate) async fn raise(&self, number: usize) {
        let (id, name) = &self.people[number];
        let now_us = SystemClock.now_us();
        let alert = Alert {
            alert_id: format!("alert-{number}"),
            tenant_id: self.connection.tenant_id.clone(),
            label: "SAAS-M365-00078".to_owned(),
            title: "One session used in two countries at once".to_owned(),
            severity: "high".to_owned(),
            user: name.clone(),
            user_id: id.clone(),
            first_event_time_us: now_us,
            accepted_time_us: now_us,
            state: "raised".to_owned(),
            provenance: "live".to_owned(),
            ..Alert::default()
        };
        let message = Message::of(alert.alert_id.clone(), &alert);
        self.bus
            .publish(Topic::Alerts, vec![message])
            .await
            .unwrap();
    }

    /// How often each change was sent, as the tenant saw it.
    pub(crate) async fn calls(&self) -> BTreeMap<String, usize> {
        let url = format!("{}/simulator/calls", self.connection.http_url);
        let answer: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
        let mut counts = BTreeMap::new();
        for call in answer["calls"].as_array().unwrap() {
            let text = |key: &str| call[key].as_str().unwrap_or_default().to_owned();
            let change = format!("{} {} {}", text("method"), text("path"), text("body"));
            *counts.entry(change).or_default() += 1;
        }
        counts
    }

    /// The changes that were sent about somebody.
    pub(crate) async fn calls_on(&self, number: usize) -> BTreeMap<String, usize> {
        let mut calls = self.calls().await;
        calls.retain(|call, _| call.contains(self.person(number)));
        calls
    }

    /// Waits until somebody is blocked and signed out.
    pub(crate) async fn contained(&self, number: usize, hosts: &[&Host]) {
        let started = Instant::now();
        while self.calls_on(number).await.len() < 2 {
            let logs = || hosts.iter().map(|host| host.log()).collect::<String>();
            assert!(started.elapsed() < PATIENCE, "{number}:\n{}", logs());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Nothing was sent twice.
    pub(crate) async fn assert_each_once(&self) {
        let calls = self.calls().await;
        assert!(calls.values().all(|times| *times == 1), "{calls:#?}");
    }
}

fn kafka(broker: &Broker) -> KafkaConfig {
    KafkaConfig {
        brokers: broker.address().to_owned(),
        prefix: "hosts.".to_owned(),
        development: true,
        ..KafkaConfig::default()
    }
}

/// Object id and name of everybody who holds no role.
async fn people(connection: &Connection) -> Vec<(String, String)> {
    let client = reqwest::Client::new();
    let url = &connection.http_url;
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", connection.acting.client_id.as_str()),
        ("client_secret", connection.acting.client_secret.as_str()),
        ("scope", "https://graph.microsoft.com/.default"),
    ];
    let token = client
        .post(format!("{url}/{}/oauth2/v2.0/token", connection.tenant_id))
        .form(&form)
        .send()
        .await
        .unwrap();
    let token: Value = token.json().await.unwrap();
    let listed = client
        .get(format!(
            "{url}/v1.0/users?$select=id,userPrincipalName,accountEnabled"
        ))
        .bearer_auth(token["access_token"].as_str().unwrap())
        .send()
        .await
        .unwrap();
    let listed: Value = listed.json().await.unwrap();
    let text = |user: &Value, key: &str| user[key].as_str().unwrap().to_owned();
    let users = listed["value"].as_array().unwrap();
    let mut people: Vec<(String, String)> = users
        .iter()
        .filter(|user| {
            let id = text(user, "id");
            user["accountEnabled"] == true && !connection.break_glass_ids.contains(&id)
        })
        .map(|user| (text(user, "id"), text(user, "userPrincipalName")))
        .collect();
    people.sort();
    people
}
