//! What the process says about itself: log lines on standard error, metrics for Prometheus.

use anyhow::Context as _;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;

mod described;

/// How the process logs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LogConfig {
    /// Least level that is logged: "error", "warn", "info", "debug", "trace", or a filter such as "info,lake=debug".
    pub(crate) level: String,
    /// "text" for people, "json" for machines.
    pub(crate) format: LogFormat,
}

/// Form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// For machines, one object a line.
    Json,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            level: "info".to_owned(),
            format: LogFormat::Text,
        }
    }
}

/// What is logged.
///
/// # Errors
/// If the level is no level and no filter.
pub(crate) fn filter(config: &LogConfig) -> anyhow::Result<EnvFilter> {
    EnvFilter::try_new(directives(&config.level))
        .with_context(|| format!("cannot read log.level \"{}\"", config.level))
}

/// Starts logging to standard error: standard output is for data.
pub(crate) fn start_log(config: &LogConfig) -> anyhow::Result<()> {
    let filter = filter(config)?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        // Colours would have to pass where nothing of a tenant's may.
        .with_ansi(false)
        .with_writer(crate::output::stderr);
    match config.format {
        LogFormat::Text => lines.try_init(),
        LogFormat::Json => lines.json().try_init(),
    }
    .map_err(|error| anyhow::anyhow!(error))
    .context("could not start logging")
}

/// Crates whose lines a person who asks for a level wants to see.
const OURS: &[&str] = &[
    "bus",
    "columns",
    "detect",
    "forward",
    "ingest",
    "lake",
    "microsoft",
    "respond",
    "schemas",
    "sigma",
    "simulator",
    "vedette",
];

/// A bare level means ours; libraries then say only what is wrong. Anything longer is taken as it is.
fn directives(level: &str) -> String {
    if level.contains(['=', ',']) {
        return level.to_owned();
    }
    let ours: Vec<String> = OURS.iter().map(|name| format!("{name}={level}")).collect();
    let others = if level == "error" { "error" } else { "warn" };
    // What Delta's kernel calls an error, a table that is not there yet, comes back to us as a value.
    format!("{others},buoyant_kernel=off,{}", ours.join(","))
}

/// Bounds of latency histograms, in seconds.
const LATENCY_BUCKETS_S: &[f64] = &[
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0,
];

/// Starts counting; the handle renders what `/metrics` answers.
pub(crate) fn start_metrics() -> anyhow::Result<PrometheusHandle> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), LATENCY_BUCKETS_S)
        .context("could not set the bounds of histograms")?
        .install_recorder()
        .context("could not start metrics")?;
    described::describe();
    Ok(handle)
}

#[cfg(test)]
mod tests {
    use super::directives;
    use tracing_subscriber::EnvFilter;

    #[test]
    fn a_level_is_for_our_crates_and_a_filter_is_taken_as_it_is() {
        assert!(directives("debug").contains(",bus=debug,"));
        assert_eq!(directives("info,lake=trace"), "info,lake=trace");
        EnvFilter::try_new(directives("info")).expect("it is a filter");
        EnvFilter::try_new(directives("no such level")).expect_err("it is none");
    }
}
