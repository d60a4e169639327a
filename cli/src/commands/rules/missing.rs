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

use crate::config::Config;
use crate::data_folder::lock::DataLock;
use crate::output::{self, Form, Table, Verdict, plain};

/// Works off what the ledger says was not evaluated; what cannot be read now either stays there, and is told.
pub(super) async fn fill_missing(
    config: &Config,
    rules: Arc<Ruleset>,
    lake: &Lake,
    form: Form,
) -> anyhow::Result<Verdict> {
    let lock = matches!(config.bus(), BusConfig::Log(_))
        .then(|| DataLock::take(&config.data))
        .transpose()?;
    let bus = Bus::open(&config.bus())
        .await
        .context("could not open the bus")?;
    let mut out = output::stdout();
    let mut rows = Vec::new();
    let mut table = Table::new(["tenant", "file", "rows", "outcome"]);
    let (mut left, mut raised) = (0, 0);
    let (announced, damaged) = missing::of_lake(lake).await?;
    for error in &damaged {
        left += 1;
        let said = format!("a line of the ledger is left out: {error}");
        output::stderr().line(&[plain(said)])?;
    }
    for announced in announced {
        let now_us = SystemClock.now_us();
        let outcome = missing::fill(&announced, &rules, lake, &bus, now_us).await;
        let (alerts, outcome) = match outcome {
            Ok(alerts) => (Some(alerts), format!("{alerts} alerts")),
            Err(error) => (None, format!("{:#}", anyhow::Error::from(error))),
        };
        left += usize::from(alerts.is_none());
        raised += alerts.unwrap_or(0);
        let file = format!("{}/{}", announced.table, announced.file.path);
        rows.push(json!({
            "tenant_id": announced.file.tenant_id,
            "file": file,
            "rows": announced.file.rows,
            "alerts": alerts,
            "outcome": outcome,
        }));
        let cells = [
            &announced.file.tenant_id,
            &file,
            &announced.file.rows.to_string(),
            &outcome,
        ];
        table.row(cells);
    }
    if form == Form::Table {
        if !table.is_empty() {
            out.table(&table)?;
        }
        writeln!(
            out,
            "{raised} alerts of single events published, {left} files could not be read; what correlations count is \
             raised by detect, which counts the signals that were published too, when it runs next"
        )?;
    } else {
        out.list(&rows, form)?;
    }
    drop(lock);
    Ok(if left == 0 {
        Verdict::Done
    } else {
        Verdict::Findings
    })
}
