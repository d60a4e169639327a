//! Correlations over signals of a day: all of them at once, and as they come, one in ten of them late by up to 72 h.

use std::path::Path;
use std::sync::Arc;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use schemas::provenance::Provenance;
use serde_json::{Value, json};
use sigma::collection::load_folder;
use sigma::correlation::{Evidence, Signal, Subject};
use sigma::{Correlator, RuleCollection, Ruleset};

use crate::cpu;

/// The day begins here: 2026-03-02T00:00:00Z, in microseconds.
const BEGIN_US: i64 = 1_772_409_600_000_000;
const DAY_US: i64 = 86_400_000_000;
const LATE_US_MAX: i64 = 3 * DAY_US;

/// Signals that are counted together, as by the stage.
const TAKEN: usize = 500;

/// Names of fields that tell people, addresses and sessions, and how many there are of each; of all others 200.
const DISTINCT: &[(&str, u32)] = &[
    ("user", 20_000),
    ("caller", 20_000),
    ("actor", 20_000),
    ("ip", 5_000),
    ("session", 30_000),
];
const DISTINCT_OTHERS: u32 = 200;

/// Counts `signals` signals of the rules in `folder` that correlations count, and tells what that took.
///
/// # Errors
/// Rules that are refused, or a kernel that does not tell processor time.
pub fn run(folder: &Path, signals: usize) -> Result<Value, Box<dyn std::error::Error>> {
    let mut collection = RuleCollection::default();
    load_folder(&mut collection, folder);
    let rules = Ruleset::compile(&mut collection);
    if let Some(refused) = collection.rejected.first() {
        return Err(refused.to_string().into());
    }
    let mut chance = ChaCha8Rng::seed_from_u64(20_261_121);
    let signals = made(&rules, signals, &mut chance);
    let started = cpu::thread_time()?;
    let mut at_once = Correlator::new(Arc::clone(rules.compiled_correlations()), i64::MAX);
    at_once.add(signals.iter().cloned());
    let batch = cpu::thread_time()?.saturating_sub(started);
    let arrivals = late(&signals, &mut chance);
    let started = cpu::thread_time()?;
    let mut streamed = Correlator::new(Arc::clone(rules.compiled_correlations()), i64::MAX);
    let mut changes = 0;
    for part in arrivals.chunks(TAKEN) {
        changes += streamed
            .add(part.iter().map(|at| signals[*at].clone()))
            .len();
    }
    let stream = cpu::thread_time()?.saturating_sub(started);
    let outcomes = at_once.found().len();
    if streamed.found() != at_once.found() {
        return Err("the order of arrival made a difference".into());
    }
    Ok(json!({
        "correlations": rules.compiled_correlations().definitions().len(),
        "signals": signals.len(),
        "at_once_s": batch.as_secs_f64(),
        "streamed_s": stream.as_secs_f64(),
        "changes": changes,
        "outcomes": outcomes,
    }))
}

fn made(rules: &Ruleset, count: usize, chance: &mut ChaCha8Rng) -> Vec<Signal> {
    let counted: Vec<_> = (0..rules.rules().len())
        .filter_map(|number| rules.counted(number))
        .filter_map(|counted| {
            Some((
                Arc::clone(&counted.signal),
                rules.compiled_correlations().fields(&counted.signal)?,
            ))
        })
        .collect();
    let mut signals = Vec::with_capacity(count);
    for number in 0..count {
        let (rule_id, names) = &counted[chance.random_range(0..counted.len())];
        let mut fields = Vec::with_capacity(names.len());
        for name in names {
            let lower = name.to_lowercase();
            let of = DISTINCT.iter().find(|(word, _)| lower.contains(word));
            let of = of.map_or(DISTINCT_OTHERS, |(_, of)| *of);
            // Few are seen often: the smaller of two numbers.
            let value = chance.random_range(0..of).min(chance.random_range(0..of));
            fields.push((Arc::clone(name), Arc::from(value.to_string())));
        }
        signals.push(Signal {
            id: number as u128,
            tenant_id: "t".into(),
            rule_id: Arc::clone(rule_id),
            time_us: BEGIN_US + chance.random_range(0..DAY_US),
            accepted_time_us: BEGIN_US,
            fields: fields.into(),
            subject: Subject::default(),
            evidence: Box::new([Evidence::default()]),
            provenance: Provenance::Live,
        });
    }
    signals
}

/// Places of the signals in the order of their arrival.
fn late(signals: &[Signal], chance: &mut ChaCha8Rng) -> Vec<usize> {
    let mut arrivals: Vec<(i64, usize)> = signals
        .iter()
        .enumerate()
        .map(|(at, signal)| {
            let late_us = if chance.random_bool(0.1) {
                chance.random_range(0..LATE_US_MAX)
            } else {
                chance.random_range(0..300_000_000)
            };
            (signal.time_us + late_us, at)
        })
        .collect();
    arrivals.sort_unstable();
    arrivals.into_iter().map(|(_, at)| at).collect()
}
