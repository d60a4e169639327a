//! `vedette simulate`: a Microsoft tenant in a box, for trying vedette or another collector against it.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use schemas::environment::SystemClock;
use simulator::{SimulatorConfig, StoryName};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::commands::runtime;
use crate::data_folder::{self, Readers};
use crate::output::{self, Verdict};
use crate::telemetry::{self, LogConfig};

pub(crate) mod configuration;

const EXAMPLES: &str = "\
Examples:
  vedette simulate --seed 7 --speed 1         a tenant in real time; prints one JSON line that says where it is
  curl HTTP_URL/simulator/ledger              what it has sent so far
  curl HTTP_URL/simulator/story               what the attacker did, and what came of it
  vedette simulate --speed 60 --configure trial   also writes trial/vedette.toml, which connects to it:
  vedette run --config trial/vedette.toml         in another terminal; then vedette audit cases, vedette sql, …
  vedette simulate --export day --stories password_spray,mfa_fatigue --day-hours 20
                                              the same day as files, for vedette import day/*.ndjson";

/// The examples, and every story with what it does.
fn help() -> String {
    let stories: Vec<String> = simulator::STORIES
        .iter()
        .map(|story| format!("  {:<25} {}", story.name.name(), story.sentence))
        .collect();
    format!("Stories:\n{}\n\n{EXAMPLES}", stories.join("\n"))
}

/// Runs the simulated tenant until SIGTERM, or writes its day into files; prints one JSON line that says where it is.
#[derive(Debug, Args)]
#[command(after_help = help())]
pub(crate) struct Simulate {
    /// Number from which the tenant, its day and the attack follow.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Simulated seconds per second.
    #[arg(long, default_value_t = 1_200.0)]
    speed: f64,
    /// When the simulated day begins, in microseconds since the Unix epoch.
    ///
    /// Without it the day ends now; an export begins at 2026-09-14T06:00:00Z.
    #[arg(long)]
    start_us: Option<i64>,
    /// Attacks that happen, separated by commas, as listed below; none for an ordinary day.
    #[arg(long, value_delimiter = ',', num_args = 0.., default_value = "adversary_in_the_middle")]
    stories: Vec<StoryName>,
    /// People in the directory.
    #[arg(long, default_value_t = 40)]
    users: u32,
    /// Ordinary actions of each person in an hour at work.
    #[arg(long, default_value_t = 12)]
    events_per_hour: u32,
    /// How long the simulated day lasts, in hours.
    #[arg(long, default_value_t = 8)]
    day_hours: u32,
    /// Writes a configuration that connects to the tenant into this folder; response is on in it.
    #[arg(long, value_name = "FOLDER", conflicts_with = "export")]
    configure: Option<PathBuf>,
    /// Writes the whole day into this folder, at once, and serves nothing.
    #[arg(long, value_name = "FOLDER")]
    export: Option<PathBuf>,
}

impl Simulate {
    /// Runs it.
    pub(crate) fn run(self) -> anyhow::Result<Verdict> {
        telemetry::start_log(&LogConfig::default())?;
        let config = SimulatorConfig {
            seed: self.seed,
            speed: self.speed,
            start_us: self.start_us,
            stories: self.stories,
            users: self.users,
            ordinary_events_per_hour: self.events_per_hour,
            day_hours: self.day_hours,
            ..SimulatorConfig::default()
        };
        if let Some(folder) = &self.export {
            let written =
                simulator::export(&config, folder).context("could not export the simulated day")?;
            let line = serde_json::json!({"records": written.records, "stories": written.stories});
            output::stdout().json(&line)?;
            return Ok(Verdict::Done);
        }
        runtime()?.block_on(async {
            let stop = CancellationToken::new();
            let tenant = simulator::start(config, Arc::new(SystemClock), stop.child_token())
                .await
                .context("could not start the simulated tenant")?;
            if let Some(folder) = &self.configure {
                Readers::Owner.restrict_new_files();
                data_folder::open(folder, Readers::Owner)?;
                configuration::write_configuration(folder, &tenant.connection)?;
            }
            {
                let mut out = output::stdout();
                out.json(&tenant.connection)?;
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
