//! `vedette run`, and `vedette ingest`, `lake`, `detect` and `respond`: all stages in one process, or one as a service.
//!
//! SIGTERM or SIGINT once: every stage finishes what it holds, and the exit code is 0.
//! A second signal, or [`schemas::limits::DRAIN_WAIT`], ends the process at once with 143 or 130; nothing is lost,
//! because whatever was not committed is read again.

use std::sync::Arc;

use anyhow::Context as _;
use bus::BusConfig;
use schemas::environment::SystemClock;
use schemas::limits::DRAIN_WAIT;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::runtime;
use crate::config::Config;
use crate::data_folder::lock::DataLock;
use crate::health::{Readiness, server, watch};
use crate::output::Verdict;
use crate::output::exit::{Interrupted, Signal};
use crate::stages::{Stage, run_stages};
use crate::telemetry;

/// Runs `stages` until a signal, as a command.
pub(crate) fn run(config: &Config, stages: &[Stage]) -> anyhow::Result<Verdict> {
    telemetry::start_log(&config.log)?;
    let metrics = telemetry::start_metrics()?;
    config.refuse_faults()?;
    config.open_folders()?;
    // On Kafka the consumer groups share the work; the embedded log is for one process.
    let lock = matches!(config.bus(), BusConfig::Log(_))
        .then(|| DataLock::take(&config.data))
        .transpose()?;
    let runtime = runtime()?;
    let outcome = runtime.block_on(async {
        let stop = CancellationToken::new();
        // Before anything is said: whoever reads that it runs may stop it.
        let signals = Signals::listen()?.watch(stop.clone());
        let readiness = Readiness::new(Arc::new(SystemClock), config.health.still_max());
        let listener = server::bind(config.health.address).await?;
        tracing::info!(address = %listener.local_addr()?, "health and metrics are served");
        if stages.contains(&Stage::Ingest) && config.tenants.is_empty() {
            tell_that_nobody_is_watched(config, &readiness);
        }
        let health = server::serve(listener, readiness.clone(), metrics, stop.child_token());
        let watch = watch::run(config, stages, readiness.clone(), stop.child_token());
        let work = run_stages(config, stages, readiness, stop.clone());
        tokio::pin!(work, health, signals, watch);
        loop {
            tokio::select! {
                outcome = &mut work => return outcome.map(|()| Verdict::Done),
                outcome = &mut health, if !stop.is_cancelled() => outcome?,
                outcome = &mut signals => outcome?,
                () = &mut watch, if !stop.is_cancelled() => {}
            }
        }
    });
    // What still blocks, such as a write to a disk that hangs, keeps nobody waiting: it is not committed.
    runtime.shutdown_background();
    drop(lock);
    outcome
}

/// A service that was started in the wrong folder must not look as if all was well.
fn tell_that_nobody_is_watched(config: &Config, readiness: &Readiness) {
    let from = match config.origin.file() {
        Some(path) => path.display().to_string(),
        None => "no file: none was named, and there is no vedette.toml here".to_owned(),
    };
    tracing::warn!(
        configuration = from,
        fix = "add [[tenants]] as deploy/example.toml has it, or name the file with --config",
        "no tenant is configured: nobody is watched"
    );
    let what = format!("no tenant is configured, so nobody is watched (read from {from})");
    readiness.health.note("ingest/tenants", what);
}

/// The signals that tell the process to end.
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    /// From now on they do not end the process by themselves.
    fn listen() -> anyhow::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate()).context("could not listen for SIGTERM")?,
            interrupt: signal(SignalKind::interrupt()).context("could not listen for SIGINT")?,
        })
    }

    async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.terminate.recv() => Signal::Terminate,
            _ = self.interrupt.recv() => Signal::Interrupt,
        }
    }

    /// Ends at the second signal or when the time to drain is over; the first signal tells the stages to stop.
    async fn watch(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        let first = self.next().await;
        tracing::info!(
            limit_s = DRAIN_WAIT.as_secs(),
            "draining; a second signal ends the process at once"
        );
        stop.cancel();
        let (signal, why) = match tokio::time::timeout(DRAIN_WAIT, self.next()).await {
            Ok(second) => (second, "another signal came".to_owned()),
            Err(_) => (first, format!("{} s were over", DRAIN_WAIT.as_secs())),
        };
        Err(Interrupted { signal, why }.into())
    }
}
