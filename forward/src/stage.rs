//! The loop: each destination reads, delivers and commits by itself.
//!
//! ```text
//! [alerts], [cases], [audit], [coverage]
//!    └─ own group ─▶ routes ─▶ window, 1,000 notices or 16 MB ─▶ deliver ─▶ settled ─▶ commit
//!                     full: nothing more is read; the rest waits on its topic │
//!                                                       refused ─▶ [dead-letters]
//! ```
//!
//! Delivery: at least once. A position moves past a notice after whoever receives it has acknowledged it, or after its
//! dead letter is durable. A destination that is away stalls nothing but itself, in bounded memory; how long the bus
//! still has what waits is watched, and said before it is too late.

mod beginning;
mod deliver;
mod lane;
mod left_behind;
mod letters;
mod reader;
mod refusals;
mod standing;
mod watch;

use std::sync::Arc;

use bus::Bus;
use schemas::environment::Clock;
use schemas::health::Health;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::config::ForwardConfig;
use crate::error::ForwardError;
use crate::surroundings::Surroundings;

use self::lane::Lane;
use self::standing::{STAGE, Shared, Standing};

pub use self::left_behind::left_behind;
pub use self::letters::letter_source;

/// Runs until `stop`.
///
/// # Errors
/// [`ForwardError`] if the configuration cannot be used, or something failed that waiting does not mend. A destination
/// that fails is no such thing.
pub async fn run(
    config: ForwardConfig,
    with: Surroundings,
    bus: Bus,
    clock: Arc<dyn Clock>,
    health: Health,
    stop: CancellationToken,
) -> Result<(), ForwardError> {
    config.check()?;
    let shared = Shared {
        bus,
        clock,
        health: health.clone(),
        stop: stop.clone(),
    };
    let routes = Arc::new(config.routes());
    let mut tasks = JoinSet::new();
    let mut standings = Vec::new();
    for destination in &config.destinations {
        let standing = Arc::new(Standing::new(&destination.name, shared.clock.now_us()));
        standings.push(Arc::clone(&standing));
        let lane = Lane {
            config: destination.clone(),
            forward: config.clone(),
            routes: Arc::clone(&routes),
            with: with.clone(),
            shared: shared.clone(),
            standing,
        };
        tasks.spawn(lane.run());
    }
    tracing::info!(destinations = standings.len(), "forward runs");
    tasks.spawn(watch::run(standings, routes, config.destinations, shared));
    let mut failed = Ok(());
    while let Some(task) = tasks.join_next().await {
        let task = task.unwrap_or(Err(ForwardError::Task {
            task: "destination",
        }));
        if task.is_err() || !stop.is_cancelled() {
            // A task that ends by itself ends the stage: better none than one that misses a destination.
            stop.cancel();
            failed = failed.and(task);
        }
    }
    health.rests(STAGE);
    failed
}
