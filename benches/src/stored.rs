//! Detection over stored events: the files of a lake, evaluated as a backtest does.
//!
//! All rules are asked of all files, as they are of all tables.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::thread;

use parquet::errors::ParquetError;
use sigma::mapping::Mapping;
use sigma::plan::chunk::row_group::{ParquetFile, RowGroup};
use sigma::plan::{Hits, Plan};

use crate::kit::{BenchError, file_error, load};

/// Asks all rules of the folder `rules` of all files of `folder`, and writes the counts per rule.
///
/// # Errors
/// [`BenchError`] if a file cannot be read.
pub fn detect(
    folder: &Path,
    rules: &Path,
    threads: usize,
    out: &mut dyn io::Write,
) -> Result<(), BenchError> {
    let rules = load(rules)?;
    let (plan, refused) = Plan::new(
        Mapping::Flat,
        rules.iter().map(|(_, rule)| rule).enumerate(),
    );
    let groups = Mutex::new(groups(folder)?);
    let next = || {
        groups
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front()
    };
    let work = || -> Result<Vec<Hits>, ParquetError> {
        let mut found = Vec::new();
        while let Some(mut group) = next() {
            found.extend(plan.evaluate(&mut group)?);
        }
        Ok(found)
    };
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let found: Vec<_> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .filter_map(|worker| worker.join().ok())
            .collect()
    });
    for hits in found {
        for hit in hits.map_err(BenchError::evaluate)? {
            *counts.entry(&rules[hit.rule].0).or_default() += hit.rows.len();
        }
    }
    let report = serde_json::json!({
        "covered": plan.rules(),
        "rejected": refused.iter().map(|(rule, reason)| (rules[*rule].0.clone(), reason.to_string())).collect::<BTreeMap<_, _>>(),
        "tests": plan.tests(),
        "matches": counts.values().sum::<usize>(),
        "counts": counts,
    });
    writeln!(out, "{report:#}").map_err(|cause| file_error(folder, cause))
}

fn groups(folder: &Path) -> Result<VecDeque<RowGroup>, BenchError> {
    let mut groups: Vec<(usize, RowGroup)> = Vec::new();
    for entry in fs::read_dir(folder)
        .map_err(|cause| file_error(folder, cause))?
        .flatten()
    {
        let path = entry.path();
        let file = fs::File::open(&path).map_err(|cause| file_error(&path, cause))?;
        groups.extend(
            ParquetFile::open(file)
                .map_err(BenchError::evaluate)?
                .row_groups()
                .enumerate(),
        );
    }
    // One of each file first, as in a backtest: the dearest must not be left for the end.
    groups.sort_by_key(|(turn, _)| *turn);
    Ok(groups.into_iter().map(|(_, group)| group).collect())
}
