//! What the operator costs over stored events, beside the engine that it runs (`bench stored`): all rules of a folder
//! over all files of another.
//!
//! `cargo run --release -p cli -p detect --example stored -- FOLDER RULES_FOLDER THREADS` prints counts per rule, and the
//! mean time from rules and rows to a stream that can be polled, as JSON. Exit code: 0 done, 2 could not run.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::{self, File};
use std::io::{Write as _, stderr, stdout};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use arrow::array::AsArray as _;
use arrow::datatypes::UInt32Type;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::ExecutionPlan as _;
use detect::rule_scan::{ComputeThread, RULE, RulePlans, RuleScanExec, ScanFile, ScanUnit};
use futures::StreamExt as _;
use futures::executor::block_on;
use rsigma_parser::{SigmaRule, parse_sigma_yaml};
use schemas::tables::Table;
use sigma::Plan;
use sigma::mapping::Mapping;
use sigma::plan::chunk::row_group::ParquetFile;

type Failed = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        [folder, rules, threads] => run(Path::new(folder), Path::new(rules), threads),
        _ => Err("usage: stored FOLDER RULES_FOLDER THREADS".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to do where even this cannot be written.
            drop(writeln!(stderr(), "stored: {error}"));
            ExitCode::from(2)
        }
    }
}

fn run(folder: &Path, rules: &Path, threads: &str) -> Result<(), Failed> {
    let rules = load(rules)?;
    let numbered = rules.iter().map(|(_, rule)| rule).enumerate();
    let (plan, refused) = Plan::new(Mapping::Flat, numbered);
    let (covered, tests) = (plan.rules(), plan.tests());
    let scans = Scans {
        // Of no table of the lake: nothing of the rows is asked but which rule they meet.
        plans: RulePlans::one(Table::OtherEvents, Arc::new(plan)),
        units: units(folder)?,
        next: AtomicUsize::new(0),
        planning_ns: AtomicU64::new(0),
    };
    let threads: usize = threads.parse()?;
    let found: Vec<Result<BTreeMap<u32, usize>, Failed>> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(|| scans.work())).collect();
        let done = workers.into_iter().map(thread::ScopedJoinHandle::join);
        done.map(|done| done.unwrap_or_else(|_| Err("a thread panicked".into())))
            .collect()
    });
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for hits in found {
        for (rule, hits) in hits? {
            *counts.entry(&rules[rule as usize].0).or_default() += hits;
        }
    }
    let planned = scans.units.len().max(1) as u64;
    let report = serde_json::json!({
        "covered": covered,
        "rejected": refused.iter().map(|(rule, reason)| (rules[*rule].0.clone(), reason.to_string())).collect::<BTreeMap<_, _>>(),
        "tests": tests,
        "matches": counts.values().sum::<usize>(),
        "counts": counts,
        "planning_us": scans.planning_ns.load(Ordering::Relaxed) / planned / 1_000,
    });
    writeln!(stdout(), "{report:#}")?;
    Ok(())
}

/// An operator for each row group, as the stage and a backtest build them.
struct Scans {
    plans: RulePlans,
    units: Vec<ScanUnit>,
    next: AtomicUsize,
    planning_ns: AtomicU64,
}

impl Scans {
    /// Takes the next row group until there is none: hits of each rule.
    fn work(&self) -> Result<BTreeMap<u32, usize>, Failed> {
        let context = Arc::new(TaskContext::default());
        let mut counts = BTreeMap::new();
        while let Some(unit) = self.units.get(self.next.fetch_add(1, Ordering::Relaxed)) {
            let start = Instant::now();
            let partitions = vec![vec![unit.clone()]];
            let scan = RuleScanExec::new(self.plans.clone(), partitions, &[RULE])?;
            let scan = scan.on_thread(ComputeThread::Caller);
            let mut hits = scan.execute(0, Arc::clone(&context))?;
            let spent = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
            self.planning_ns.fetch_add(spent, Ordering::Relaxed);
            while let Some(batch) = block_on(hits.next()) {
                let batch = batch?;
                for rule in batch.column(0).as_primitive::<UInt32Type>().values() {
                    *counts.entry(*rule).or_default() += 1;
                }
            }
        }
        Ok(counts)
    }
}

/// The row groups of all files, one of each file first: the dearest must not be left for the end.
fn units(folder: &Path) -> Result<Vec<ScanUnit>, Failed> {
    let mut units: Vec<(usize, ScanUnit)> = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let file = ScanFile {
            path: path.display().to_string(),
            tenant_id: String::new(),
            day: None,
        };
        let opened = ParquetFile::open(File::open(&path)?)?;
        units.extend(ScanUnit::row_groups(file, &opened).into_iter().enumerate());
    }
    units.sort_by_key(|(turn, _)| *turn);
    Ok(units.into_iter().map(|(_, unit)| unit).collect())
}

/// The rules of a folder by the names of their files, in order.
fn load(folder: &Path) -> Result<Vec<(String, SigmaRule)>, Failed> {
    let entries = fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    let mut files: Vec<_> = entries.iter().map(fs::DirEntry::path).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yml"));
    files.sort();
    let mut rules = Vec::new();
    for path in files {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let parsed = parse_sigma_yaml(&fs::read_to_string(&path)?)?;
        rules.extend(
            parsed
                .rules
                .into_iter()
                .map(|rule| (name.clone().into_owned(), rule)),
        );
    }
    Ok(rules)
}
