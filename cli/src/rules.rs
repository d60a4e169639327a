//! `vedette rules`: which rules run, and what they find in all that the lake holds.

use std::io::Write as _;

use anyhow::Context as _;
use clap::Subcommand;
use comfy_table::Table;
use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use detect::stage::{catalogue, ruleset};
use lake::Lake;
use schemas::environment::{Clock as _, SystemClock};
use schemas::time::iso_ms;
use schemas::wire::Alert;
use serde_json::json;

use crate::audit::Output;
use crate::config::Config;
use crate::exit::Verdict;
use crate::run::runtime;
use crate::sql::inert;

const EXAMPLES: &str = "\
Examples:
  vedette rules list                      exit code 1 if a rule was refused, with the file and the reason
  vedette rules backtest                  every alert that the rules raise over the whole lake
  vedette rules backtest --output json | jq -r .label | sort | uniq -c";

/// Looks at rules.
#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum Rules {
    /// List the rules that run, and those that were refused.
    List,
    /// Evaluate every rule over the whole lake, and publish nothing.
    Backtest {
        /// Form of the list.
        #[arg(long, short, value_enum, default_value_t = Output::Table)]
        output: Output,
    },
}

impl Rules {
    /// Does it.
    pub(crate) fn run(self, config: &Config) -> anyhow::Result<Verdict> {
        match self {
            Self::List => list(config),
            Self::Backtest { output } => runtime()?.block_on(backtest(config, output)),
        }
    }
}

fn list(config: &Config) -> anyhow::Result<Verdict> {
    let catalogue = catalogue(&config.detect());
    let mut out = std::io::stdout().lock();
    let mut table = Table::new();
    table
        .load_style(UTF8_HORIZONTAL_ONLY)
        .set_header(["label", "severity", "table", "title"]);
    for rule in &catalogue.loaded {
        table.add_row([
            rule.label.clone(),
            rule.severity.to_string(),
            rule.table.to_string(),
            inert(&rule.sigma.title),
        ]);
    }
    writeln!(out, "{table}")?;
    writeln!(
        out,
        "{} loaded, {} refused",
        catalogue.loaded.len(),
        catalogue.rejected.len()
    )?;
    for rejected in &catalogue.rejected {
        writeln!(out, "{rejected}")?;
    }
    Ok(if catalogue.rejected.is_empty() {
        Verdict::Done
    } else {
        Verdict::Findings
    })
}

async fn backtest(config: &Config, output: Output) -> anyhow::Result<Verdict> {
    let rules = ruleset(&config.detect())?;
    let lake = Lake::open(&config.lake())
        .await
        .context("could not open the lake")?;
    let alerts = detect::backtest::evaluate_lake(&rules, &lake, SystemClock.now_us()).await?;
    let mut out = std::io::stdout().lock();
    if output == Output::Json {
        for alert in alerts.values() {
            writeln!(out, "{}", line(alert))?;
        }
        return Ok(Verdict::Done);
    }
    let mut table = Table::new();
    table
        .load_style(UTF8_HORIZONTAL_ONLY)
        .set_header(["time", "label", "severity", "user", "title"]);
    let mut in_order: Vec<&Alert> = alerts.values().collect();
    in_order.sort_by_key(|alert| alert.first_event_time_us);
    for alert in in_order {
        table.add_row([
            iso_ms(alert.first_event_time_us),
            alert.label.clone(),
            alert.severity.clone(),
            inert(&alert.user),
            inert(&alert.title),
        ]);
    }
    writeln!(out, "{table}")?;
    writeln!(out, "{} alerts", alerts.len())?;
    Ok(Verdict::Done)
}

fn line(alert: &Alert) -> serde_json::Value {
    json!({
        "alert_id": alert.alert_id,
        "label": alert.label,
        "severity": alert.severity,
        "title": alert.title,
        "user": alert.user,
        "first_event_time": iso_ms(alert.first_event_time_us),
        "events": alert.evidence.iter().map(|evidence| &evidence.event_id).collect::<Vec<_>>(),
    })
}
