//! `vedette demo`: the whole loop against a simulated tenant, from the first malicious event to containment.
//!
//! All stages run in this process on the embedded log, as with `vedette run`; the tenant is simulated in this
//! process too, behind the same protocols as Microsoft's.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Args;
use schemas::environment::SystemClock;
use simulator::SimulatorConfig;
use tokio_util::sync::CancellationToken;

use crate::commands::runtime;
use crate::commands::simulate::configuration::write_configuration;
use crate::health::Readiness;
use crate::output::Verdict;
use crate::stages::{Stage, run_stages};
use crate::telemetry::{self, LogConfig};

mod narrate;
mod observe;
mod report;

use narrate::Narrator;
use observe::Observer;

/// Longest that the pipeline may take to settle after the simulated day, in wall time.
const SETTLE_LIMIT: Duration = Duration::from_secs(30);
/// How often the demo looks.
const LOOK_EVERY: Duration = Duration::from_millis(250);

const EXAMPLES: &str = "\
Examples:
  vedette demo                    about half a minute; leaves nothing behind
  vedette demo --seed 7           another tenant, another day, another victim
  vedette demo --data demo-data   keeps the lake: vedette sql --config demo-data/vedette.toml";

/// Runs the whole loop against a simulated tenant.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Demo {
    /// Number from which the tenant, its day and the attack follow.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Simulated seconds per second.
    #[arg(long, default_value_t = 1_200.0)]
    speed: f64,
    /// Folder to keep the lake, the log and the journal in; without it they are removed at the end.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Show the stages' log lines of this level.
    #[arg(long, default_value = "error")]
    log: String,
}

impl Demo {
    /// Runs it; findings mean that a check of the report failed.
    pub(crate) fn run(self) -> anyhow::Result<Verdict> {
        telemetry::start_log(&LogConfig {
            level: self.log.clone(),
            ..LogConfig::default()
        })?;
        let scratch = tempfile::tempdir().context("could not make a temporary folder")?;
        let folder = self
            .data
            .clone()
            .unwrap_or_else(|| scratch.path().to_owned());
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("could not make {}", folder.display()))?;
        runtime()?.block_on(self.play(&folder))
    }

    async fn play(&self, folder: &std::path::Path) -> anyhow::Result<Verdict> {
        let began = Instant::now();
        let stop = CancellationToken::new();
        let tenant = SimulatorConfig {
            seed: self.seed,
            speed: self.speed,
            ..SimulatorConfig::default()
        };
        let tenant_stop = CancellationToken::new();
        let running = simulator::start(tenant, Arc::new(SystemClock), tenant_stop.child_token())
            .await
            .context("could not start the simulated tenant")?;
        let tenant = running.connection.clone();
        let config = write_configuration(folder, &tenant)?;
        let observer = Observer::open(&tenant.http_url, &config).await?;
        let mut narrator = Narrator::new(&tenant);
        let stages = run_stages(
            &config,
            &Stage::ALL,
            Readiness::new(Arc::new(SystemClock), Duration::MAX),
            stop.child_token(),
        );
        let watch = watch(&observer, &mut narrator);
        let outcome = {
            tokio::pin!(stages);
            tokio::select! {
                ended = &mut stages => {
                    ended?;
                    anyhow::bail!("the stages ended before the story did")
                }
                outcome = watch => {
                    let settled = outcome?;
                    stop.cancel();
                    stages.await.context("the stages could not drain")?;
                    settled
                }
            }
        };
        let facts = observer.facts(outcome).await?;
        tenant_stop.cancel();
        running
            .join()
            .await
            .context("could not stop the simulated tenant")?;
        report::print(&facts, began.elapsed())
    }
}

/// Tells what happens until nothing does; true if everything that was sent has arrived in time.
async fn watch(observer: &Observer, narrator: &mut Narrator) -> anyhow::Result<bool> {
    let mut over_since: Option<Instant> = None;
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let look = observer.look().await?;
        narrator.tell(&look);
        if !look.day_is_over {
            continue;
        }
        let since = *over_since.get_or_insert_with(Instant::now);
        if look.settled() {
            return Ok(true);
        }
        if since.elapsed() > SETTLE_LIMIT {
            return Ok(false);
        }
    }
}
