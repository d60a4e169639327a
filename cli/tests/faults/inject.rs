//! Does to a pipeline what a plan says, each fault from its time to its end.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use schemas::tables::Table;
use schemas::topics::Topic;

use crate::broker::Broker;
use crate::outcome::TABLES;
use crate::pipeline::{Pipeline, Process, must};
use crate::profile::{Damaged, Fault, Moment};

/// Room of the disk where a profile fills it, in MiB.
const DISK_MIB: u32 = 200;

/// Longest until a process is watched.
const TRACE_LIMIT: Duration = Duration::from_secs(20);

/// Longest until everything is read or a topic is gone.
const WAIT_LIMIT: Duration = Duration::from_mins(2);

/// A file system of limited room, gone with its value.
pub(crate) struct Disk(PathBuf);

impl Disk {
    pub(crate) fn mount(at: &Path) -> Self {
        must(
            Command::new("mount")
                .args([
                    "-t",
                    "tmpfs",
                    "-o",
                    &format!("size={DISK_MIB}m,mode=0700"),
                    "tmpfs",
                ])
                .arg(at),
        );
        Self(at.to_owned())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("--lazy").arg(&self.0).status());
    }
}

/// What makes a process believe in another clock.
pub(crate) fn clock_library() -> PathBuf {
    let libraries = std::fs::read_dir("/usr/lib").unwrap();
    libraries
        .map(|entry| entry.unwrap().path().join("faketime/libfaketimeMT.so.1"))
        .find(|path| path.exists())
        .expect("libfaketime is installed by `deploy/setup test`")
}

/// One end of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Edge {
    Begin,
    End,
}

impl Fault {
    /// How long it lasts, if it does.
    fn lasts_ms(&self) -> Option<u64> {
        match self {
            Self::Pause { for_ms, .. }
            | Self::Away { for_ms, .. }
            | Self::FillDisk { for_ms }
            | Self::ShiftClock { for_ms, .. }
            | Self::StopActions { for_ms } => Some(*for_ms),
            Self::Kill { .. }
            | Self::KillBroker
            | Self::ReplaceTopic { .. }
            | Self::ReplaceLog
            | Self::Damage { .. }
            | Self::LoseReplies { .. }
            | Self::FailCall { .. } => None,
        }
    }
}

/// Runs a plan to its end; everything that lasts is over then.
pub(crate) fn disturb(pipeline: &mut Pipeline, broker: Option<&Broker>, plan: &[Moment]) {
    let mut edges: Vec<(u64, Edge, &Moment)> = Vec::new();
    for moment in plan {
        edges.push((moment.after_ms, Edge::Begin, moment));
        if let Some(lasts_ms) = moment.fault.lasts_ms() {
            edges.push((moment.after_ms + lasts_ms, Edge::End, moment));
        }
    }
    edges.sort_by_key(|(at_ms, edge, moment)| (*at_ms, *edge, moment.at));
    let started = Instant::now();
    for (at_ms, edge, moment) in edges {
        let wait = Duration::from_millis(at_ms).saturating_sub(started.elapsed());
        std::thread::sleep(wait);
        pipeline.revive();
        match edge {
            Edge::Begin => begin(pipeline, broker, moment),
            Edge::End => end(pipeline, &moment.fault),
        }
    }
}

fn begin(pipeline: &mut Pipeline, broker: Option<&Broker>, moment: &Moment) {
    pipeline.faults += 1;
    match &moment.fault {
        Fault::Kill { process } => pipeline.kill_and_restart(process),
        Fault::KillBroker => {
            let broker = broker.expect("a profile of Kafka");
            broker.kill();
            broker.restart();
        }
        Fault::ReplaceTopic { table } => {
            pipeline.replace_topic(broker.expect("a profile of Kafka"), table);
        }
        Fault::Pause { process, .. } => pipeline.signal(process, "STOP"),
        Fault::LoseReplies {
            method,
            path,
            times,
        } => pipeline.script(&format!(
            r#"{{"path_contains":"{path}","method":"{method}","status":503,"after_effect":true,"times":{times}}}"#
        )),
        Fault::Away { path, .. } => pipeline.script(&format!(
            r#"{{"path_contains":"{path}","status":503,"times":1000000}}"#
        )),
        Fault::FailCall {
            process,
            file,
            calls,
            error,
            nth_max,
        } => {
            let inject = format!("inject={calls}:error={error}:when={}", 1 + moment.chance % nth_max);
            pipeline.trace(process, file, calls, &inject);
        }
        Fault::FillDisk { .. } => pipeline.fill_disk(),
        Fault::ShiftClock { hours, .. } => pipeline.set_clock(&format!("{hours:+}h")),
        Fault::StopActions { .. } => pipeline.set_kill_switch(true),
        Fault::ReplaceLog => pipeline.replace_log(),
        Fault::Damage { what } => pipeline.damage(*what, moment.chance),
    }
}

fn end(pipeline: &mut Pipeline, fault: &Fault) {
    match fault {
        Fault::Pause { process, .. } => pipeline.signal(process, "CONT"),
        Fault::Away { .. } => pipeline.clear_script(),
        Fault::FillDisk { .. } => pipeline.free_disk(),
        Fault::ShiftClock { .. } => pipeline.set_clock("+0"),
        Fault::StopActions { .. } => pipeline.set_kill_switch(false),
        Fault::Kill { .. }
        | Fault::KillBroker
        | Fault::ReplaceTopic { .. }
        | Fault::ReplaceLog
        | Fault::Damage { .. }
        | Fault::LoseReplies { .. }
        | Fault::FailCall { .. } => {}
    }
}

impl Pipeline {
    /// Sends a signal that a process need not end by.
    pub(crate) fn signal(&mut self, name: &str, signal: &str) {
        let id = self.process(name).0.id();
        must(Command::new("kill").args(["-s", signal, &id.to_string()]));
    }

    /// Watches system calls of a process on a file of the data folder, and lets one fail.
    pub(crate) fn trace(&mut self, name: &str, file: &str, calls: &str, inject: &str) {
        let id = self.process(name).0.id();
        let out = self
            .folder
            .path()
            .join(format!("trace.{}", self.traces.len()));
        let trace = Command::new("strace")
            .args([
                "-f",
                "-qq",
                "-p",
                &id.to_string(),
                "-e",
                &format!("trace={calls}"),
                "-e",
                inject,
            ])
            .arg("-P")
            .arg(self.data().join(file))
            .arg("-o")
            .arg(out)
            .stderr(Stdio::null())
            .spawn()
            .expect("strace is installed by `deploy/setup test`");
        self.traces.push(Process(trace));
        let watched = || {
            let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
            status
                .lines()
                .any(|line| line.starts_with("TracerPid:") && !line.ends_with("\t0"))
        };
        let started = Instant::now();
        while !watched() {
            assert!(
                started.elapsed() < TRACE_LIMIT,
                "strace did not take hold of {name}"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// System calls that were made to fail so far.
    pub(crate) fn failed_calls(&self) -> usize {
        let read = |at| std::fs::read_to_string(self.folder.path().join(format!("trace.{at}")));
        (0..self.traces.len())
            .filter_map(|at| read(at).ok())
            .map(|text| text.matches("(INJECTED)").count())
            .sum()
    }

    /// Leaves no room on the disk.
    pub(crate) fn fill_disk(&self) {
        let mut file = std::fs::File::create(self.data().join("ballast")).unwrap();
        let block = vec![0; 64 * 1024];
        while file.write_all(&block).is_ok() {}
    }

    /// Gives the room back.
    pub(crate) fn free_disk(&self) {
        std::fs::remove_file(self.data().join("ballast")).unwrap();
    }

    /// Moves the clock of the processes, by what libfaketime calls it.
    pub(crate) fn set_clock(&self, shift: &str) {
        let path = self.folder.path().join("clock");
        std::fs::write(path.with_extension("new"), shift).unwrap();
        std::fs::rename(path.with_extension("new"), path).unwrap();
    }

    /// Sets or lifts the kill switch.
    pub(crate) fn set_kill_switch(&self, set: bool) {
        let path = self.data().join("respond.stop");
        if set {
            std::fs::write(path, "").unwrap();
        } else if path.exists() {
            std::fs::remove_file(path).unwrap();
        }
    }

    /// Tells the simulator what to do wrong.
    pub(crate) fn script(&self, fault: &str) {
        let url = format!("{}/simulator/faults", self.base_url);
        must(Command::new("curl").args(["-sS", "--fail", "-X", "POST", "-d", fault, &url]));
    }

    /// The simulator does nothing wrong any more.
    pub(crate) fn clear_script(&self) {
        let url = format!("{}/simulator/faults", self.base_url);
        must(Command::new("curl").args(["-sS", "--fail", "-X", "DELETE", &url]));
    }

    /// Stops the process, moves its log aside, and starts it again.
    pub(crate) fn replace_log(&mut self) {
        self.signal("run", "TERM");
        let ended = self.process("run").0.wait().unwrap();
        assert!(ended.success(), "a stop is {ended:?}\n{}", self.logs());
        let aside = self.aside();
        for suffix in ["", "-wal", "-shm"] {
            let name = format!("log.sqlite{suffix}");
            // The others exist only beside an open log.
            drop(std::fs::rename(self.data().join(&name), aside.join(&name)));
        }
        self.taken.logs.push(aside.join("log.sqlite"));
        self.start_again("run");
    }

    /// Deletes a topic of events that nobody has anything to read from any more, and makes it anew.
    pub(crate) fn replace_topic(&mut self, broker: &Broker, table: &str) {
        let table = Table::ALL.iter().find(|known| known.name() == table);
        let topic = Topic::Events(*table.expect("a table of events"));
        let name = format!("{}{topic}", self.prefix);
        self.signal("ingest", "STOP");
        self.wait_until("all is read", |pipeline| pipeline.lag() == 0);
        broker.topics(&["--delete", "--topic", &name]);
        self.wait_until("the topic is gone", |_| {
            !broker
                .topics(&["--list"])
                .lines()
                .any(|known| known == name)
        });
        let partitions = topic.partitions().to_string();
        broker.topics(&["--create", "--topic", &name, "--partitions", &partitions]);
        self.signal("ingest", "CONT");
    }

    fn wait_until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let started = Instant::now();
        while !is_so(self) {
            assert!(
                started.elapsed() < WAIT_LIMIT,
                "not so: {what}\n{}",
                self.logs()
            );
            std::thread::sleep(Duration::from_millis(200));
            self.revive();
        }
    }

    fn aside(&self) -> PathBuf {
        let aside = self.folder.path().join(format!("aside.{}", self.faults));
        std::fs::create_dir(&aside).unwrap();
        aside
    }

    /// Kills the process, damages a file, and starts it again.
    pub(crate) fn damage(&mut self, what: Damaged, chance: u32) {
        let process = self.process("run");
        process.0.kill().unwrap();
        process.0.wait().unwrap();
        self.kills += 1;
        let file = match what {
            Damaged::Cursors => Some(self.data().join("ingest-cursors.sqlite")),
            Damaged::Parquet => {
                let files = data_files(&self.lake());
                let at = chance as usize % files.len().max(1);
                files.get(at).cloned()
            }
        };
        // Early in the story there may be none yet.
        if let Some(file) = file.filter(|file| file.exists()) {
            let mut bytes = std::fs::read(&file).unwrap();
            if what == Damaged::Parquet {
                let whole = self.aside().join("whole.parquet");
                std::fs::write(&whole, &bytes).unwrap();
                self.taken.files.push(whole);
            }
            let middle = bytes.len() / 2;
            let reach = (bytes.len() / 8).max(1);
            bytes[middle..middle + reach].fill(0x5a);
            bytes.truncate(bytes.len() - reach);
            std::fs::write(&file, bytes).unwrap();
        }
        self.start_again("run");
    }
}

/// Data files of the tables of events, in order.
fn data_files(lake: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = TABLES.iter().map(|table| lake.join(table)).collect();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path
                .extension()
                .is_some_and(|extension| extension == "parquet")
            {
                found.push(path);
            }
        }
    }
    found.retain(|file| {
        !file
            .components()
            .any(|part| part.as_os_str() == "_delta_log")
    });
    found.sort();
    found
}
