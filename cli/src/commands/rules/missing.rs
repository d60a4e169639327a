//! `vedette rules backtest --missing`: files that were announced and not evaluated, evaluated now.

use std::io::Write as _;
use std::sync::Arc;

use anyhow::Context as _;
use bus::{Bus, BusConfig};
use detect::missing;
use lake::Lake;
use schemas::environment::{Clock as _, SystemClock};
use serde_json::json;
use sigma::Ruleset;

use crate::commands::audit::Output;
use crate::config::Config;
use crate::data_folder::lock::DataLock;
use crate::exit::Verdict;
use crate::inert::{self, inert};

/// Works off what the ledger says was not evaluated; what cannot be read now either stays there, and is told.
pub(super) async fn fill_missing(
    config: &Config,
    rules: Arc<Ruleset>,
    lake: &Lake,
    output: Output,
) -> anyhow::Result<Verdict> {
    let lock = matches!(config.bus(), BusConfig::Log(_))
        .then(|| DataLock::take(&config.data))
        .transpose()?;
    let bus = Bus::open(&config.bus())
        .await
        .context("could not open the bus")?;
    let mut out = inert::stdout();
    let mut table = inert::table();
    table.set_header(["tenant", "file", "rows", "outcome"]);
    let (mut left, mut raised) = (0, 0);
    for announced in missing::of_lake(lake).await? {
        let now_us = SystemClock.now_us();
        let outcome = missing::fill(&announced, &rules, lake, &bus, now_us).await;
        let (alerts, outcome) = match outcome {
            Ok(alerts) => (Some(alerts), format!("{alerts} alerts")),
            Err(error) => (None, format!("{:#}", anyhow::Error::from(error))),
        };
        left += usize::from(alerts.is_none());
        raised += alerts.unwrap_or(0);
        let file = format!("{}/{}", announced.table, announced.file.path);
        match output {
            Output::Json => {
                let line = json!({"tenant_id": announced.file.tenant_id, "file": file,
                    "rows": announced.file.rows, "alerts": alerts, "outcome": outcome});
                writeln!(out, "{line}")?;
            }
            Output::Table => {
                let tenant = inert(&announced.file.tenant_id);
                let rows = announced.file.rows.to_string();
                table.add_row([tenant, inert(&file), rows, inert(&outcome)]);
            }
        }
    }
    if output == Output::Table {
        if table.row_count() > 0 {
            writeln!(out, "{table}")?;
        }
        writeln!(
            out,
            "{raised} alerts of single events published, {left} files could not be read; what correlations count is \
             raised by detect, which counts the signals that were published too, when it runs next"
        )?;
    }
    drop(lock);
    Ok(if left == 0 {
        Verdict::Done
    } else {
        Verdict::Findings
    })
}
