//! A simulated tenant and the four stages, each a process of its own.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::broker::Broker;

/// The stages, in the order of the flow.
pub(crate) const STAGES: [&str; 4] = ["ingest", "lake", "detect", "respond"];
/// Longest that a pipeline may take to settle after the story.
const SETTLE_LIMIT: Duration = Duration::from_secs(240);
/// Simulated seconds per second: the day takes half a minute.
const SPEED: u32 = 1_000;
const HOUR_US: u128 = 3_600_000_000;
const DAY_US: u128 = 24 * HOUR_US;

/// What a round is about.
#[derive(Debug, Clone)]
pub(crate) struct Round {
    pub(crate) seed: u64,
    pub(crate) respond: bool,
    /// The same in both runs of a seed, so that both days are the same.
    start_us: u128,
    turn: u32,
}

impl Round {
    pub(crate) fn new(seed: u64, respond: bool) -> Self {
        let now_us = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_micros();
        // Six in the morning of the day before, UTC: the story does not cross midnight, where cases begin anew.
        let start_us = now_us / DAY_US * DAY_US - DAY_US + 6 * HOUR_US;
        Self {
            seed,
            respond,
            start_us,
            turn: 1,
        }
    }

    pub(crate) fn again(&self) -> Self {
        Self {
            turn: self.turn + 1,
            ..self.clone()
        }
    }
}

/// A child process that is killed with its value.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A simulated tenant and the four stages.
pub(crate) struct Pipeline {
    pub(crate) kills: usize,
    pub(crate) base_url: String,
    pub(crate) tenant_id: String,
    folder: tempfile::TempDir,
    stages: Vec<Process>,
    _simulator: Process,
}

pub(crate) fn vedette() -> Command {
    Command::new(env!("CARGO_BIN_EXE_vedette"))
}

impl Pipeline {
    /// Starts the tenant, then the stages.
    pub(crate) fn start(broker: &Broker, round: &Round) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (simulator, ready) = simulate(round);
        let text = |key: &str| {
            ready[key]
                .as_str()
                .unwrap_or_else(|| panic!("{key} in {ready}"))
                .to_owned()
        };
        for (file, application) in [("read.secret", "reading"), ("act.secret", "acting")] {
            let secret = ready[application]["client_secret"].as_str().unwrap();
            std::fs::write(folder.path().join(file), secret).unwrap();
        }
        let mut pipeline = Self {
            kills: 0,
            base_url: text("http_url"),
            tenant_id: text("tenant_id"),
            folder,
            stages: Vec::new(),
            _simulator: simulator,
        };
        std::fs::write(
            pipeline.config(),
            configuration(&pipeline, broker, round, &ready),
        )
        .unwrap();
        for stage in 0..STAGES.len() {
            let process = pipeline.spawn(stage);
            pipeline.stages.push(process);
        }
        pipeline
    }

    /// The configuration file of all stages.
    pub(crate) fn config(&self) -> PathBuf {
        self.folder.path().join("vedette.toml")
    }

    fn spawn(&self, stage: usize) -> Process {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.folder.path().join(format!("{}.log", STAGES[stage])))
            .unwrap();
        let child = vedette()
            .arg(STAGES[stage])
            .arg("--config")
            .arg(self.config())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        Process(child)
    }

    /// SIGKILL, and a new process at once.
    pub(crate) fn kill_and_restart(&mut self, stage: usize) {
        self.stages[stage].0.kill().unwrap();
        self.stages[stage].0.wait().unwrap();
        self.kills += 1;
        self.stages[stage] = self.spawn(stage);
    }

    /// Waits until the tenant's day is over and nothing changes any more.
    pub(crate) fn wait_until_settled(&mut self) {
        let deadline = Instant::now() + SETTLE_LIMIT;
        let mut last = None;
        let mut unchanged = 0;
        loop {
            assert!(
                Instant::now() < deadline,
                "it did not settle: {last:?}\n{}",
                self.logs()
            );
            std::thread::sleep(Duration::from_secs(1));
            for (stage, process) in STAGES.iter().zip(&mut self.stages) {
                let ended = process.0.try_wait().unwrap();
                assert!(
                    ended.is_none(),
                    "{stage} ended with {ended:?}\n{}",
                    self.logs()
                );
            }
            let ledger = self.get("/simulator/ledger");
            if ledger["complete"] != Value::Bool(true) {
                continue;
            }
            let now = (self.sql(COUNTS), self.actions().len());
            unchanged = if last.as_ref() == Some(&now) {
                unchanged + 1
            } else {
                0
            };
            last = Some(now);
            if unchanged >= 5 && self.lag() == 0 {
                return;
            }
        }
    }

    /// Messages that a stage has not finished with.
    fn lag(&self) -> i64 {
        let output = vedette()
            .args(["lag", "--config"])
            .arg(self.config())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success(),
            "lag: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        text.lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter_map(|line| line["behind"].as_i64())
            .sum()
    }

    /// Asks the simulator's control plane.
    pub(crate) fn get(&self, path: &str) -> Value {
        let url = format!("{}{path}", self.base_url);
        let output = Command::new("curl")
            .args(["-sS", "--fail", &url])
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{url}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Asks the lake; one object a row.
    pub(crate) fn sql(&self, query: &str) -> Vec<Value> {
        self.lines(&["sql", "--output", "json", query])
    }

    /// Every action with its last state.
    pub(crate) fn actions(&self) -> Vec<Value> {
        self.lines(&["audit", "actions", "--output", "json"])
    }

    /// The alerts of a batch evaluation of the lake.
    pub(crate) fn backtest(&self) -> Vec<Value> {
        self.lines(&["rules", "backtest", "--alerts", "--output", "json"])
    }

    fn lines(&self, arguments: &[&str]) -> Vec<Value> {
        let output = vedette()
            .args(arguments)
            .arg("--config")
            .arg(self.config())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// The end of every stage's log.
    fn logs(&self) -> String {
        STAGES
            .iter()
            .map(|stage| {
                let path = self.folder.path().join(format!("{stage}.log"));
                let text = std::fs::read_to_string(path).unwrap_or_default();
                let tail: Vec<&str> = text.lines().rev().take(20).collect();
                format!(
                    "--- {stage}\n{}\n",
                    tail.into_iter().rev().collect::<Vec<_>>().join("\n")
                )
            })
            .collect()
    }
}

const COUNTS: &str = "SELECT \
    (SELECT count(*) FROM signins) AS signins, (SELECT count(*) FROM directory_audits) AS directory_audits, \
    (SELECT count(*) FROM risk_events) AS risk_events, (SELECT count(*) FROM m365_activity) AS m365_activity, \
    (SELECT count(*) FROM graph_alerts) AS graph_alerts, (SELECT count(*) FROM alerts_current) AS alerts, \
    (SELECT count(*) FROM actions) AS actions";

/// Starts the simulated tenant and reads the line that says where it is.
fn simulate(round: &Round) -> (Process, Value) {
    let mut child = vedette()
        .args(["simulate", "--seed", &round.seed.to_string()])
        .args(["--speed", &SPEED.to_string()])
        .args(["--start-us", &round.start_us.to_string()])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let ready =
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("the simulator says {line:?}"));
    (Process(child), ready)
}

fn configuration(pipeline: &Pipeline, broker: &Broker, round: &Round, ready: &Value) -> String {
    let folder = pipeline.folder.path().display();
    let text = |key: &str| ready[key].as_str().unwrap().to_owned();
    format!(
        r#"
data = "{folder}"

[health]
address = "127.0.0.1:0"

[bus.kafka]
brokers = "{brokers}"
prefix = "seed{seed}.{mode}.{turn}."

[lake]
batch_wait_ms = 200

[http]
requests_per_minute = 60000

[respond]
cool_down_s = 1
read_back_wait_ms = 200
dry_run = {dry_run}
automatic = ["block_sign_in", "revoke_sessions", "disable_inbox_rules"]

[[tenants]]
id = "{tenant}"
base_url = "{base}"

[tenants.read]
client_id = "{read_id}"
client_secret = "file:{folder}/read.secret"

[tenants.act]
client_id = "{act_id}"
client_secret = "file:{folder}/act.secret"

[tenants.management_activity]
poll_ms = 500

[tenants.graph_alerts]
poll_ms = 500

[[tenants.event_hubs]]
namespace = "{namespace}"
hub = "{hub}"
endpoint = "{amqp}"
"#,
        brokers = broker.address(),
        seed = round.seed,
        mode = if round.respond { "live" } else { "dry" },
        turn = round.turn,
        dry_run = !round.respond,
        tenant = pipeline.tenant_id,
        base = pipeline.base_url,
        read_id = ready["reading"]["client_id"].as_str().unwrap(),
        act_id = ready["acting"]["client_id"].as_str().unwrap(),
        namespace = text("hub_namespace"),
        hub = text("hub_name"),
        amqp = text("amqp_url"),
    )
}
