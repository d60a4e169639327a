//! What a run is disturbed by: a file of `profiles/`, and a seed that says in which order and when.

use std::path::{Path, PathBuf};

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde::Deserialize;

/// A kind of disturbance, and what it has taught.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Profile {
    /// Name of the file.
    #[serde(skip)]
    pub(crate) name: String,
    /// One sentence.
    pub(crate) about: String,
    /// Where the stages meet.
    pub(crate) log: Log,
    /// Each is a run of its own.
    pub(crate) runs: Vec<Mode>,
    /// Shortest and longest time between two faults.
    pub(crate) pause_ms: [u64; 2],
    /// What happens; the seed says in which order.
    pub(crate) faults: Vec<Faults>,
    /// Whether a process may end by a fault; it is started again then.
    #[serde(default)]
    pub(crate) may_end: bool,
    /// Whether respond runs on a second host too, with a data folder of its own: `respond@2`.
    #[serde(default)]
    pub(crate) second_host: bool,
    /// What once failed, reduced; run each time.
    #[serde(default)]
    pub(crate) regressions: Vec<Regression>,
}

/// Where the stages meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Log {
    /// Four processes on a real Apache Kafka.
    Kafka,
    /// One process on the embedded log.
    Embedded,
}

/// What response may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Mode {
    /// It plans; rows, alerts and plans are compared with those of an undisturbed run.
    DryRun,
    /// It acts; alerts are compared with a batch evaluation, actions with the calls that the tenant saw.
    Live,
}

/// Some faults of one kind.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Faults {
    pub(crate) times: usize,
    pub(crate) fault: Fault,
}

/// What is done to the processes or to what is around them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Fault {
    /// SIGKILL, and a new process at once.
    Kill { process: String },
    /// The same with the broker.
    KillBroker,
    /// A topic of events is deleted and made anew, once everything on it is read.
    ReplaceTopic { table: String },
    /// SIGSTOP, and SIGCONT later.
    Pause { process: String, for_ms: u64 },
    /// Microsoft does what it is asked, and its answer is lost.
    LoseReplies {
        method: String,
        path: String,
        times: u32,
    },
    /// Microsoft answers 503 for a while.
    Away { path: String, for_ms: u64 },
    /// One of the next system calls on a file fails with an error; the seed says which of them.
    FailCall {
        process: String,
        file: String,
        calls: String,
        error: String,
        nth_max: u32,
    },
    /// The disk is full, and is given room later.
    FillDisk { for_ms: u64 },
    /// The clock of the processes is ahead, or behind, for a while.
    ShiftClock { hours: i32, for_ms: u64 },
    /// The kill switch is set for a while.
    StopActions { for_ms: u64 },
    /// SIGTERM; the embedded log is moved aside, as one does with a damaged one; a new process at once.
    ReplaceLog,
    /// SIGKILL; bytes in the middle of a file are overwritten, and its end is cut off; a new process at once.
    Damage { what: Damaged },
}

/// A file that is damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Damaged {
    /// A data file of a table of events; the seed says which.
    Parquet,
    /// How far the sources have read.
    Cursors,
}

/// A seed with those of its faults that were needed to fail.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Regression {
    pub(crate) seed: u64,
    pub(crate) mode: Mode,
    pub(crate) keep: Vec<usize>,
    /// What failed.
    pub(crate) about: String,
}

/// A fault at its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Moment {
    /// Its place in the whole plan, which stays when others are left out.
    pub(crate) at: usize,
    /// Since the start.
    pub(crate) after_ms: u64,
    pub(crate) fault: Fault,
    /// A number for the fault to use.
    pub(crate) chance: u32,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/profiles")
}

impl Profile {
    /// Every profile, by name.
    pub(crate) fn all() -> Vec<Self> {
        let mut files: Vec<PathBuf> = std::fs::read_dir(folder())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        files.iter().map(|file| Self::read(file)).collect()
    }

    fn read(file: &Path) -> Self {
        let text = std::fs::read_to_string(file).unwrap();
        let read = Self::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        Self {
            name: file.file_stem().unwrap().to_string_lossy().into_owned(),
            ..read
        }
    }

    /// Reads one; what it names must fit together.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let profile: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        let processes = profile.processes();
        for faults in &profile.faults {
            match &faults.fault {
                Fault::Kill { process }
                | Fault::Pause { process, .. }
                | Fault::FailCall { process, .. }
                    if !processes.contains(&process.as_str()) =>
                {
                    return Err(format!("no process {process}; there are {processes:?}"));
                }
                Fault::KillBroker | Fault::ReplaceTopic { .. } if profile.log == Log::Embedded => {
                    return Err("the embedded log has no broker".to_owned());
                }
                Fault::ReplaceLog | Fault::Damage { .. } if profile.log == Log::Kafka => {
                    return Err("only where one process runs, its files are known".to_owned());
                }
                _ => {}
            }
        }
        if profile.second_host && profile.log == Log::Embedded {
            return Err("a second host needs Kafka".to_owned());
        }
        if profile.pause_ms[0] >= profile.pause_ms[1] {
            return Err("pause_ms is the shortest and the longest pause".to_owned());
        }
        let known = profile.faults.iter().map(|faults| faults.times).sum();
        if profile.runs.is_empty() || known == 0 {
            return Err("nothing would happen".to_owned());
        }
        for regression in &profile.regressions {
            if regression.keep.iter().any(|at| *at >= known) {
                return Err(format!(
                    "a regression keeps a fault of {known} that is not there"
                ));
            }
        }
        Ok(profile)
    }

    /// The processes of vedette.
    pub(crate) fn processes(&self) -> &'static [&'static str] {
        match (self.log, self.second_host) {
            (Log::Kafka, false) => &["ingest", "lake", "detect", "respond"],
            (Log::Kafka, true) => &["ingest", "lake", "detect", "respond", "respond@2"],
            (Log::Embedded, _) => &["run"],
        }
    }

    /// Whether any of its faults is like this.
    pub(crate) fn has(&self, is_such: impl Fn(&Fault) -> bool) -> bool {
        self.faults.iter().any(|faults| is_such(&faults.fault))
    }

    /// The faults of a seed, in order.
    pub(crate) fn plan(&self, seed: u64) -> Vec<Moment> {
        let mut chance = StdRng::seed_from_u64(seed);
        let mut faults: Vec<&Fault> = self
            .faults
            .iter()
            .flat_map(|faults| std::iter::repeat_n(&faults.fault, faults.times))
            .collect();
        for last in (1..faults.len()).rev() {
            faults.swap(last, chance.random_range(0..=last));
        }
        let mut after_ms = 0;
        let mut moments = Vec::new();
        for (at, fault) in faults.into_iter().enumerate() {
            after_ms += chance.random_range(self.pause_ms[0]..self.pause_ms[1]);
            moments.push(Moment {
                at,
                after_ms,
                fault: fault.clone(),
                chance: chance.random(),
            });
        }
        moments
    }
}

/// The fewest of these faults that still fail, found within some runs: halves are left out first, then single ones.
pub(crate) fn reduce(
    all: &[usize],
    runs_max: usize,
    mut fails: impl FnMut(&[usize]) -> bool,
) -> Vec<usize> {
    let mut kept = all.to_vec();
    let mut part = kept.len().div_ceil(2);
    let mut runs = 0;
    while part > 0 && kept.len() > 1 {
        let mut from = 0;
        while from < kept.len() && kept.len() > 1 {
            if runs == runs_max {
                return kept;
            }
            runs += 1;
            let mut fewer = kept.clone();
            fewer.drain(from..(from + part).min(kept.len()));
            if fails(&fewer) {
                kept = fewer;
            } else {
                from += part;
            }
        }
        part = if part == 1 { 0 } else { part.div_ceil(2) };
    }
    kept
}
