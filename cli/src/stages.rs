//! The stages of the pipeline: starts them, watches them, and lets them drain.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bus::{Bus, BusState, Concern};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use schemas::environment::{Clock, SystemClock};
use schemas::health::Health;
use schemas::limits::DRAIN_WAIT;
use schemas::topics::Topic;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::config::forward::surroundings;
use crate::health::{Readiness, Standing};
use crate::output::exit;

pub(crate) mod progress;

/// How often what is wrong with the bus's configuration is said again.
const REMIND_EVERY: Duration = Duration::from_hours(1);

/// A stage of the pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Reads sources.
    Ingest,
    /// Keeps tables.
    Lake,
    /// Runs rules.
    Detect,
    /// Acts.
    Respond,
    /// Sends what was found to where people look.
    Forward,
}

impl Stage {
    /// Every stage, in the order of the flow.
    pub(crate) const ALL: [Self; 5] = [
        Self::Ingest,
        Self::Lake,
        Self::Detect,
        Self::Respond,
        Self::Forward,
    ];

    /// Its name, as commands and logs have it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Lake => "lake",
            Self::Detect => "detect",
            Self::Respond => "respond",
            Self::Forward => "forward",
        }
    }

    /// The consumer group that it reads as; ingest reads nothing, and each destination of forward as its own.
    pub(crate) fn group(self, config: &Config) -> &str {
        match self {
            Self::Ingest | Self::Forward => self.name(),
            Self::Lake => &config.lake.group,
            Self::Detect => &config.detect.group,
            Self::Respond => respond::stage::GROUP,
        }
    }

    /// The topics that it reads as its group; each destination of forward has its own, and one that is away holds up nobody.
    pub(crate) fn reads(self) -> Vec<Topic> {
        match self {
            Self::Ingest | Self::Forward => Vec::new(),
            Self::Lake => lake::stage::topics(),
            Self::Detect => vec![Topic::Batches, Topic::Signals],
            Self::Respond => vec![Topic::Alerts],
        }
    }
}

/// How much later the stages' own limit is than that of the signals, whose exit code says more.
const AFTER_SIGNALS: Duration = Duration::from_secs(5);

/// Runs `stages` on the configured bus until `stop`, or until one of them fails.
///
/// A stage that ends stops the others, which have some more than [`DRAIN_WAIT`] to finish what they hold: a pipeline with a missing
/// stage looks healthy and is not.
pub(crate) async fn run_stages(
    config: &Config,
    stages: &[Stage],
    readiness: Readiness,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let bus = Bus::open(&config.bus())
        .await
        .context("could not open the bus")?;
    for concern in bus.concerns().iter().filter(|concern| concern.is_loss) {
        let now_us = clock.now_us();
        readiness
            .health
            .trouble(&concern.part, &concern.why, now_us);
    }
    let mut remind = tokio::time::interval(REMIND_EVERY);
    let mut running = spawn(config, stages, &bus, &clock, &readiness, &stop)?;
    let mut failure = None;
    let mut draining = false;
    let bus_ended = follow_bus(bus.state(), &readiness.health, clock.as_ref());
    tokio::pin!(bus_ended);
    let drained = async {
        stop.cancelled().await;
        tokio::time::sleep(DRAIN_WAIT + AFTER_SIGNALS).await;
    };
    tokio::pin!(drained);
    loop {
        tokio::select! {
            error = &mut bus_ended => {
                // At once: nothing that the stages still hold can be made durable, and a restart reads it again.
                tracing::error!(error = exit::chain(&error), "the bus has failed");
                stop.cancel();
                return Err(error);
            }
            _ = remind.tick() => tell(bus.concerns()),
            ended = running.join_next() => match ended {
                None => break,
                Some(ended) => {
                    if let Err(error) = outcome(ended, stop.is_cancelled()) {
                        tracing::error!(error = exit::chain(&error), "stage has failed");
                        failure.get_or_insert(error);
                        stop.cancel();
                    }
                }
            },
            // What is left is dropped with the set.
            () = &mut drained => {
                let error = anyhow::anyhow!("could not drain within {} s", DRAIN_WAIT.as_secs());
                failure.get_or_insert(error);
                break;
            }
            () = stop.cancelled(), if !draining => {
                draining = true;
                for stage in stages {
                    readiness.set(stage.name(), Standing::Draining);
                }
            }
        }
    }
    failure.map_or(Ok(()), Err)
}

/// Starts the stages, each as a task that tells how it stands.
fn spawn(
    config: &Config,
    stages: &[Stage],
    bus: &Bus,
    clock: &Arc<dyn Clock>,
    readiness: &Readiness,
    stop: &CancellationToken,
) -> anyhow::Result<JoinSet<(Stage, anyhow::Result<()>)>> {
    let mut running = JoinSet::new();
    for stage in stages {
        readiness.set(stage.name(), Standing::Starting);
        let work = start(
            *stage,
            config,
            bus.clone(),
            Arc::clone(clock),
            readiness.health.clone(),
            stop.child_token(),
        )?;
        let readiness = readiness.clone();
        let stage = *stage;
        running.spawn(async move {
            readiness.set(stage.name(), Standing::Running);
            let outcome = work.await;
            readiness.set(stage.name(), Standing::Stopped);
            (stage, outcome)
        });
    }
    Ok(running)
}

/// Writes to the process's log what an administrator should change.
fn tell(concerns: &[Concern]) {
    for concern in concerns {
        if concern.is_loss {
            tracing::error!(part = concern.part, "{}", concern.why);
        } else {
            tracing::warn!(part = concern.part, "{}", concern.why);
        }
    }
}

/// Tells in the process's health how the bus stands; returns when it has failed for good.
async fn follow_bus(
    mut state: tokio::sync::watch::Receiver<BusState>,
    health: &Health,
    clock: &dyn Clock,
) -> anyhow::Error {
    const PART: &str = "bus";
    loop {
        match state.borrow_and_update().clone() {
            BusState::Works => health.well(PART),
            BusState::Delayed { why } => health.trouble(PART, why, clock.now_us()),
            BusState::Ended { why } => {
                health.trouble(PART, &why, clock.now_us());
                return anyhow::anyhow!(
                    "the bus can no longer be written; mend the cause and restart: {why}"
                );
            }
        }
        if state.changed().await.is_err() {
            let why = "the writer of the bus ended before its time";
            health.trouble(PART, why, clock.now_us());
            return anyhow::anyhow!(why);
        }
    }
}

type Ended = Result<(Stage, anyhow::Result<()>), tokio::task::JoinError>;

/// What came of a stage; one that ends although nobody stopped it has failed, whatever it says.
fn outcome(ended: Ended, is_stopped: bool) -> anyhow::Result<()> {
    let (stage, outcome) = ended.context("a stage panicked")?;
    tracing::info!(
        stage = stage.name(),
        failed = outcome.is_err(),
        "stage has ended"
    );
    outcome.with_context(|| format!("stage {} failed", stage.name()))?;
    anyhow::ensure!(is_stopped, "stage {} ended by itself", stage.name());
    Ok(())
}

/// A stage's work, ready to be polled.
fn start(
    stage: Stage,
    config: &Config,
    bus: Bus,
    clock: Arc<dyn Clock>,
    health: Health,
    stop: CancellationToken,
) -> anyhow::Result<BoxFuture<'static, anyhow::Result<()>>> {
    Ok(match stage {
        Stage::Ingest => {
            let config = config.ingest()?;
            async move { Ok(ingest::stage::run(config, bus, clock, health, stop).await?) }.boxed()
        }
        Stage::Lake => {
            let config = config.lake();
            async move { Ok(lake::stage::run(config, bus, clock, health, stop).await?) }.boxed()
        }
        Stage::Detect => {
            let (config, lake) = (config.detect(), config.lake());
            async move { Ok(detect::stage::run(config, bus, lake, clock, health, stop).await?) }
                .boxed()
        }
        Stage::Respond => {
            let config = config.respond()?;
            async move { Ok(respond::stage::run(config, bus, clock, health, stop).await?) }.boxed()
        }
        Stage::Forward => {
            let (config, with) = (config.forward(), surroundings());
            async move { Ok(forward::stage::run(config, with, bus, clock, health, stop).await?) }
                .boxed()
        }
    })
}

#[cfg(test)]
mod tests {
    use bus::BusState;
    use schemas::environment::FixedClock;
    use schemas::health::Health;
    use tokio::sync::watch;

    use super::follow_bus;

    #[tokio::test]
    async fn a_bus_that_fails_for_good_is_told_and_ends_the_process() {
        let health = Health::default();
        let (tell, state) = watch::channel(BusState::Works);
        let clock = FixedClock(7);
        let following = follow_bus(state, &health, &clock);
        tokio::pin!(following);
        let soon = std::time::Duration::from_millis(50);
        let why = || "disk is full".to_owned();
        tell.send_replace(BusState::Delayed { why: why() });
        assert!(tokio::time::timeout(soon, &mut following).await.is_err());
        assert_eq!(health.troubles()["bus"].why, "disk is full");
        tell.send_replace(BusState::Works);
        assert!(tokio::time::timeout(soon, &mut following).await.is_err());
        assert!(health.troubles().is_empty());
        tell.send_replace(BusState::Ended { why: why() });
        let error = following.await;
        assert!(format!("{error:#}").contains("disk is full"), "{error:#}");
        assert!(!health.troubles().is_empty(), "not ready while it ends");
    }
}
