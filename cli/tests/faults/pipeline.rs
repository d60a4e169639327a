//! A simulated tenant and the processes of vedette, with what can be done to them.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::broker::Broker;
use crate::checks::{self, Checks};
use crate::configuration::{configuration, prefix};
use crate::inject::{Disk, clock_library};
use crate::profile::{Fault, Mode, Profile};
use crate::taken::Taken;

/// Longest that a pipeline may take to settle after the story.
const SETTLE_LIMIT: Duration = Duration::from_secs(400);
/// Simulated seconds per second: the day takes half a minute.
const SPEED: u32 = 1_000;
const HOUR_US: u128 = 3_600_000_000;
const DAY_US: u128 = 24 * HOUR_US;
/// A simulated day, and some room.
const STORY_US: u128 = 9 * HOUR_US;

/// What a round is about.
#[derive(Debug, Clone)]
pub(crate) struct Round {
    pub(crate) seed: u64,
    pub(crate) mode: Mode,
    /// The same in all runs of a seed, so that their days are the same.
    start_us: u128,
    /// Sets the topics of runs apart.
    pub(crate) turn: u32,
}

impl Round {
    pub(crate) fn new(seed: u64, mode: Mode) -> Self {
        let now_us = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_micros();
        // It ends before now, so that nothing lies ahead; it is young, so that its names still say who is meant; and it
        // does not cross midnight, UTC, where cases begin anew.
        let today_us = now_us / DAY_US * DAY_US;
        let start_us = if now_us - today_us >= STORY_US {
            now_us - STORY_US
        } else {
            today_us - STORY_US
        };
        Self {
            seed,
            mode,
            start_us,
            turn: 1,
        }
    }

    pub(crate) fn again(&mut self) -> &Self {
        self.turn += 1;
        self
    }
}

/// A child process that is killed with its value.
pub(crate) struct Process(pub(crate) Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A simulated tenant and the processes of vedette.
pub(crate) struct Pipeline {
    pub(crate) kills: usize,
    pub(crate) faults: usize,
    pub(crate) ends: usize,
    /// Checks of invariants that the processes have told of, and those that failed.
    pub(crate) checks: Checks,
    pub(crate) base_url: String,
    pub(crate) tenant_id: String,
    pub(crate) folder: tempfile::TempDir,
    /// What the names of this run's topics begin with.
    pub(crate) prefix: String,
    pub(crate) has_clock: bool,
    may_end: bool,
    /// Where what was taken from the pipeline is kept: logs that were moved aside, and files as they were.
    pub(crate) taken: Taken,
    names: &'static [&'static str],
    // In this order: whoever writes to the disk ends before it is unmounted.
    processes: Vec<Process>,
    pub(crate) traces: Vec<Process>,
    _simulator: Process,
    _disk: Option<Disk>,
}

pub(crate) fn vedette() -> Command {
    Command::new(env!("CARGO_BIN_EXE_vedette"))
}

pub(crate) fn must(command: &mut Command) {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
}

fn write_secret(path: &Path, text: &str) {
    let mut options = std::fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

impl Pipeline {
    /// Starts the tenant, then the processes.
    pub(crate) fn start(broker: Option<&Broker>, round: &Round, profile: &Profile) -> Self {
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
            write_secret(&folder.path().join(file), secret);
        }
        let data = folder.path().join("data");
        std::fs::DirBuilder::new()
            .mode(0o700)
            .create(&data)
            .unwrap();
        let fills_disk = profile.has(|fault| matches!(fault, Fault::FillDisk { .. }));
        let mut pipeline = Self {
            kills: 0,
            faults: 0,
            ends: 0,
            checks: Checks::default(),
            base_url: text("http_url"),
            prefix: prefix(round),
            tenant_id: text("tenant_id"),
            has_clock: profile.has(|fault| matches!(fault, Fault::ShiftClock { .. })),
            may_end: profile.may_end,
            taken: Taken::default(),
            names: profile.processes(),
            processes: Vec::new(),
            traces: Vec::new(),
            _simulator: simulator,
            _disk: fills_disk.then(|| Disk::mount(&data)),
            folder,
        };
        pipeline.set_clock("+0");
        let configuration = configuration(&pipeline, broker, round, &ready);
        if profile.second_host {
            let data = format!("{}/data", pipeline.folder.path().display());
            let second = configuration.replace(&data, &format!("{data}2"));
            std::fs::write(pipeline.config_of("2"), second).unwrap();
        }
        std::fs::write(pipeline.config(), configuration).unwrap();
        for name in pipeline.names {
            let process = pipeline.spawn(name);
            pipeline.processes.push(process);
        }
        pipeline
    }

    /// The configuration file of all processes.
    pub(crate) fn config(&self) -> PathBuf {
        self.folder.path().join("vedette.toml")
    }

    fn config_of(&self, host: &str) -> PathBuf {
        self.folder.path().join(format!("vedette{host}.toml"))
    }

    /// The folder of the lake.
    pub(crate) fn lake(&self) -> PathBuf {
        self.data().join("lake")
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn spawn(&self, name: &str) -> Process {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.folder.path().join(format!("{name}.log")))
            .unwrap();
        let mut command = vedette();
        if self.has_clock {
            command
                .env("LD_PRELOAD", clock_library())
                .env("FAKETIME_TIMESTAMP_FILE", self.folder.path().join("clock"))
                .env("FAKETIME_NO_CACHE", "1")
                .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
                .env("DONT_FAKE_MONOTONIC", "1");
        }
        let (stage, host) = name.split_once('@').unwrap_or((name, ""));
        let child = command
            .arg(stage)
            .arg("--config")
            .arg(self.config_of(host))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        Process(child)
    }

    pub(crate) fn process(&mut self, name: &str) -> &mut Process {
        let at = self.names.iter().position(|known| *known == name).unwrap();
        &mut self.processes[at]
    }

    /// SIGKILL, and a new process at once.
    pub(crate) fn kill_and_restart(&mut self, name: &str) {
        self.count_checks(name);
        let process = self.process(name);
        process.0.kill().unwrap();
        process.0.wait().unwrap();
        self.kills += 1;
        self.start_again(name);
    }

    /// A new process in the place of one that has ended.
    pub(crate) fn start_again(&mut self, name: &str) {
        *self.process(name) = self.spawn(name);
    }

    /// Starts what has ended by itself again, if the profile lets it end.
    pub(crate) fn revive(&mut self) {
        for name in self.names {
            let Some(ended) = self.process(name).0.try_wait().unwrap() else {
                continue;
            };
            assert!(self.may_end, "{name} ended with {ended:?}\n{}", self.logs());
            assert!(
                !ended.success(),
                "{name} ended as if all were well\n{}",
                self.logs()
            );
            self.ends += 1;
            *self.process(name) = self.spawn(name);
        }
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
            self.revive();
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
                for name in self.names {
                    self.count_checks(name);
                }
                return;
            }
        }
    }

    /// Messages that a stage has not finished with.
    pub(crate) fn lag(&self) -> i64 {
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

    /// Adds what a process has counted since its start; one that does not answer now has told nothing.
    fn count_checks(&mut self, name: &str) {
        let id = self.process(name).0.id();
        for port in checks::listens_on(id) {
            let url = format!("http://127.0.0.1:{port}/metrics");
            let curl = Command::new("curl")
                .args(["-sS", "--max-time", "2", &url])
                .output();
            let text = curl.map(|output| output.stdout).unwrap_or_default();
            self.checks.add(&String::from_utf8_lossy(&text));
        }
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
        let hosts = self.hosts_with_a_journal();
        hosts.flat_map(|host| self.actions_of(host)).collect()
    }

    fn actions_of(&self, host: &str) -> Vec<Value> {
        self.lines_of(host, &["audit", "actions", "--output", "json"])
    }

    /// A host that has only stood by has no journal.
    fn hosts_with_a_journal(&self) -> impl Iterator<Item = &'static str> {
        let hosts = ["", "2"].into_iter();
        let journal = |host: &str| format!("data{host}/respond.sqlite");
        hosts.filter(move |host| self.folder.path().join(journal(host)).exists())
    }

    /// The entries of the audit chain, as the lake has them.
    pub(crate) fn entries(&self) -> Vec<Value> {
        self.sql("SELECT * FROM actions ORDER BY chain_sequence")
    }

    /// The alerts of a batch evaluation of the lake.
    pub(crate) fn backtest(&self) -> Vec<Value> {
        self.lines(&["rules", "backtest", "--alerts", "--output", "json"])
    }

    fn lines(&self, arguments: &[&str]) -> Vec<Value> {
        self.lines_of("", arguments)
    }

    fn lines_of(&self, host: &str, arguments: &[&str]) -> Vec<Value> {
        let output = vedette()
            .args(arguments)
            .arg("--config")
            .arg(self.config_of(host))
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
    pub(crate) fn logs(&self) -> String {
        let tail = |name: &&str| {
            let path = self.folder.path().join(format!("{name}.log"));
            let text = std::fs::read_to_string(path).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            let last = &lines[lines.len().saturating_sub(20)..];
            format!("--- {name}\n{}\n", last.join("\n"))
        };
        self.names.iter().map(tail).collect::<Vec<_>>().concat()
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
