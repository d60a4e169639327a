//! `vedette simulate`: a Microsoft tenant in a box, for trying vedette or another collector against it.

use std::io::Write as _;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use schemas::environment::SystemClock;
use simulator::SimulatorConfig;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::exit::Verdict;
use crate::run::runtime;
use crate::telemetry::{self, LogConfig};

const EXAMPLES: &str = "\
Examples:
  vedette simulate --seed 7 --speed 1         a tenant in real time; prints one JSON line that says where it is
  curl HTTP_URL/simulator/ledger              what it has sent so far
  curl HTTP_URL/simulator/story               what the attacker did, and what came of it";

/// Runs the simulated tenant until SIGTERM; prints one JSON line that says where it is.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Simulate {
    /// Number from which the tenant, its day and the attack follow.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Simulated seconds per second.
    #[arg(long, default_value_t = 1_200.0)]
    speed: f64,
    /// When the simulated day begins, in microseconds since the Unix epoch; without it, so that it ends now.
    #[arg(long)]
    start_us: Option<i64>,
}

impl Simulate {
    /// Runs it.
    pub(crate) fn run(self) -> anyhow::Result<Verdict> {
        telemetry::start_log(&LogConfig::default())?;
        let config = SimulatorConfig {
            seed: self.seed,
            speed: self.speed,
            start_us: self.start_us,
            ..SimulatorConfig::default()
        };
        runtime()?.block_on(async {
            let stop = CancellationToken::new();
            let tenant = simulator::start(config, Arc::new(SystemClock), stop.child_token())
                .await
                .context("could not start the simulated tenant")?;
            {
                let mut out = std::io::stdout().lock();
                writeln!(out, "{}", serde_json::to_string(&tenant.connection)?)?;
                out.flush()?;
            }
            let mut terminate = signal(SignalKind::terminate()).context("could not listen for SIGTERM")?;
            tokio::select! {
                _ = terminate.recv() => {}
                interrupt = tokio::signal::ctrl_c() => interrupt.context("could not listen for SIGINT")?,
            }
            stop.cancel();
            tenant.join().await.context("could not stop the simulated tenant")?;
            Ok(Verdict::Done)
        })
    }
}
