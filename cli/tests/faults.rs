//! Disturbs vedette at work, as the profiles of `faults/profiles` say; nothing may be lost, doubled or given up.
//!
//! A run is the simulated day of a seed, with an attack; after it has settled, rows must be the simulator's distinct
//! records, and what is durable is replayed against the invariants. In dry-run, rows, alerts and planned actions
//! equal those of an undisturbed run; live, alerts are those of a batch evaluation of the final lake, and the attacker
//! is locked out by calls of which the tenant saw each once.
//!
//! `make faults SEEDS=10 PROFILE=kill` runs ten seeds of one profile, `FAULT_SEED_FIRST` chooses where they begin. What
//! fails is run again with fewer faults, and told as a line for the profile.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test harness: it fails loudly and reads its parameters from the environment"
)]

#[path = "faults/broker.rs"]
mod broker;
#[path = "faults/checks.rs"]
mod checks;
#[path = "faults/configuration.rs"]
mod configuration;
#[path = "faults/inject.rs"]
mod inject;
#[path = "faults/outcome.rs"]
mod outcome;
#[path = "faults/pipeline.rs"]
mod pipeline;
#[path = "faults/profile.rs"]
mod profile;
#[path = "faults/replay.rs"]
mod replay;
#[path = "faults/taken.rs"]
mod taken;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use broker::Broker;
use outcome::Outcome;
use pipeline::{Pipeline, Round};
use profile::{Log, Mode, Moment, Profile, reduce};

/// Runs that may be spent on making a failing plan smaller.
const REDUCING_RUNS_MAX: usize = 6;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

fn seeds() -> std::ops::Range<u64> {
    let first = number("FAULT_SEED_FIRST", 1);
    first..first + number("FAULT_SEEDS", 1)
}

/// The profiles that were asked for: all without a name.
fn chosen() -> Vec<Profile> {
    let name = std::env::var("FAULT_PROFILE").unwrap_or_default();
    let chosen: Vec<Profile> = Profile::all()
        .into_iter()
        .filter(|profile| name.is_empty() || profile.name == name)
        .collect();
    assert!(!chosen.is_empty(), "there is no profile {name:?}");
    chosen
}

fn run(broker: Option<&Broker>, round: &Round, profile: &Profile, plan: &[Moment]) -> Outcome {
    let started = Instant::now();
    let mut pipeline = Pipeline::start(broker, round, profile);
    inject::disturb(&mut pipeline, broker, plan);
    pipeline.wait_until_settled();
    assert_eq!(
        pipeline.checks.failed,
        0,
        "checks of invariants failed\n{}",
        pipeline.logs()
    );
    let outcome = Outcome::of(&mut pipeline);
    println!(
        "    {:>5} rows  {:>3} missing  {:>3} alerts  {:>2} actions  {:>2} faults  {:>2} kills  {:>2} failed calls  {:>2} ends  {:>7} checks  {:>5.1} s",
        outcome.rows(),
        outcome.missing(),
        outcome.alerts.len(),
        outcome.planned().len(),
        pipeline.faults,
        pipeline.kills,
        pipeline.failed_calls(),
        pipeline.ends,
        pipeline.checks.passed,
        started.elapsed().as_secs_f64(),
    );
    outcome
}

/// One disturbed run and what must hold of it.
fn hold(
    broker: Option<&Broker>,
    round: &mut Round,
    profile: &Profile,
    plan: &[Moment],
    expected: Option<&Outcome>,
) {
    let (seed, mode) = (round.seed, round.mode);
    let found = run(broker, round.again(), profile, plan);
    found.assert_complete(seed);
    found.assert_invariants(mode, seed);
    if mode == Mode::Live {
        found.assert_alerts_are_those_of_a_batch_evaluation(seed);
        found.assert_contained(seed);
    }
    let Some(expected) = expected else { return };
    assert_eq!(expected.events, found.events, "seed {seed}: rows differ");
    assert_eq!(expected.alerts, found.alerts, "seed {seed}: alerts differ");
    assert_eq!(
        expected.planned(),
        found.planned(),
        "seed {seed}: planned actions differ"
    );
    assert!(
        !found.planned().is_empty(),
        "seed {seed}: the story leads to planned actions"
    );
    assert!(found.calls.is_empty(), "seed {seed}: dry-run sends nothing");
}

/// Runs a plan; one that fails is made smaller, and told as a line for the profile.
fn hold_or_reduce(broker: Option<&Broker>, mut round: Round, profile: &Profile, plan: &[Moment]) {
    let expected = (round.mode == Mode::DryRun).then(|| {
        let undisturbed = run(broker, round.again(), profile, &[]);
        undisturbed.assert_complete(round.seed);
        undisturbed
    });
    let mut fails = |kept: &[usize]| {
        let fewer: Vec<Moment> = plan
            .iter()
            .filter(|moment| kept.contains(&moment.at))
            .cloned()
            .collect();
        let held =
            AssertUnwindSafe(|| hold(broker, &mut round, profile, &fewer, expected.as_ref()));
        catch_unwind(held).is_err()
    };
    let all: Vec<usize> = plan.iter().map(|moment| moment.at).collect();
    if !fails(&all) {
        return;
    }
    println!("    failed; looking for the faults that it needs");
    let kept = reduce(&all, REDUCING_RUNS_MAX, fails);
    panic!(
        "profile {}: add to its regressions\n    {{ seed = {}, mode = \"{}\", keep = {kept:?}, about = \"…\" }}",
        profile.name,
        round.seed,
        if round.mode == Mode::Live {
            "live"
        } else {
            "dry_run"
        },
    );
}

#[test]
fn every_profile_holds() {
    for profile in chosen() {
        println!("profile {}: {}", profile.name, profile.about);
        let broker = (profile.log == Log::Kafka).then(Broker::start);
        for regression in &profile.regressions {
            println!(
                "  regression, seed {}, {:?}: {}",
                regression.seed, regression.mode, regression.about
            );
            let mut plan = profile.plan(regression.seed);
            plan.retain(|moment| regression.keep.contains(&moment.at));
            let round = Round::new(regression.seed, regression.mode);
            hold_or_reduce(broker.as_ref(), round, &profile, &plan);
        }
        for seed in seeds() {
            for mode in &profile.runs {
                println!("  seed {seed}, {mode:?}");
                let plan = profile.plan(seed);
                hold_or_reduce(broker.as_ref(), Round::new(seed, *mode), &profile, &plan);
            }
        }
    }
}
