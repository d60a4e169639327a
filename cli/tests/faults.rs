//! Every stage is killed at random moments of the story, and the broker once; nothing may be lost or doubled.
//!
//! Two kinds of rounds, each on a real Apache Kafka with ingest, lake, detect and respond as four processes:
//! * response in dry-run: rows, alerts and planned actions equal those of an undisturbed run of the same seed;
//! * response on: rows are the simulator's distinct records, alerts are those of a batch evaluation of the final
//!   lake, and the simulator's own call log has each action once (promises P1, P2, P11, P14).
//!
//! `make faults SEEDS=10` runs ten seeds of each kind; `FAULT_SEED_FIRST` chooses where they begin.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test harness: it fails loudly and reads its parameters from the environment"
)]

#[path = "faults/broker.rs"]
mod broker;
#[path = "faults/outcome.rs"]
mod outcome;
#[path = "faults/pipeline.rs"]
mod pipeline;

use std::time::{Duration, Instant};

use broker::Broker;
use outcome::Outcome;
use pipeline::{Pipeline, Round};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

/// Kills of each stage in a round.
const KILLS: usize = 5;
/// Longest pause between two kills, in milliseconds: five of each of four stages fit into the story.
const PAUSE_MS_MAX: u64 = 1_600;

fn seeds() -> std::ops::Range<u64> {
    let number = |name: &str, default: u64| {
        std::env::var(name)
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or(default)
    };
    let first = number("FAULT_SEED_FIRST", 1);
    first..first + number("FAULT_SEEDS", 1)
}

/// Kills every stage [`KILLS`] times and the broker once, in an order and at moments that follow from the seed.
fn disturb(pipeline: &mut Pipeline, broker: &Broker, seed: u64) {
    let mut chance = StdRng::seed_from_u64(seed);
    let mut plan: Vec<Option<usize>> = (0..pipeline::STAGES.len())
        .flat_map(|stage| std::iter::repeat_n(Some(stage), KILLS))
        .collect();
    plan.push(None);
    for last in (1..plan.len()).rev() {
        plan.swap(last, chance.random_range(0..=last));
    }
    for victim in plan {
        std::thread::sleep(Duration::from_millis(chance.random_range(50..PAUSE_MS_MAX)));
        match victim {
            Some(stage) => pipeline.kill_and_restart(stage),
            None => broker.kill_and_restart(),
        }
    }
}

fn run(broker: &Broker, round: &Round, disturbed: bool) -> Outcome {
    let started = Instant::now();
    let mut pipeline = Pipeline::start(broker, round);
    if disturbed {
        disturb(&mut pipeline, broker, round.seed);
    }
    pipeline.wait_until_settled();
    let outcome = Outcome::of(&mut pipeline);
    println!(
        "  {:<11} {:>5} rows  {:>3} alerts  {:>2} actions  {:>2} kills  {:>5.1} s",
        if disturbed {
            "disturbed"
        } else {
            "undisturbed"
        },
        outcome.rows(),
        outcome.alerts.len(),
        outcome.actions.len(),
        pipeline.kills,
        started.elapsed().as_secs_f64(),
    );
    outcome
}

#[test]
fn dry_run_equals_the_undisturbed_run() {
    let broker = Broker::start();
    for seed in seeds() {
        println!("seed {seed}, response in dry-run");
        let round = Round::new(seed, false);
        let expected = run(&broker, &round, false);
        let found = run(&broker, &round.again(), true);
        expected.assert_complete(seed);
        found.assert_complete(seed);
        assert_eq!(expected.events, found.events, "seed {seed}: rows differ");
        assert_eq!(expected.alerts, found.alerts, "seed {seed}: alerts differ");
        assert_eq!(
            expected.actions, found.actions,
            "seed {seed}: planned actions differ"
        );
        assert!(
            !found.actions.is_empty(),
            "seed {seed}: the story leads to planned actions"
        );
        assert!(found.calls.is_empty(), "seed {seed}: dry-run sends nothing");
    }
}

#[test]
fn response_acts_once_however_often_it_is_killed() {
    let broker = Broker::start();
    for seed in seeds() {
        println!("seed {seed}, response on");
        let found = run(&broker, &Round::new(seed, true), true);
        found.assert_complete(seed);
        found.assert_alerts_are_those_of_a_batch_evaluation(seed);
        found.assert_each_action_once(seed);
    }
}
