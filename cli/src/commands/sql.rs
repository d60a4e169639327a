//! `vedette sql`: one query, or a small shell with history and completion.

use std::io::{IsTerminal as _, Write as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Args;
use datafusion::arrow::csv::WriterBuilder;
use datafusion::arrow::json::LineDelimitedWriter;
use datafusion::arrow::record_batch::RecordBatch;
use detect::matches::RuleConditions;
use lake::Lake;

use crate::commands::runtime;
use crate::config::Config;
use crate::output::{self, Form, Verdict};

mod shell;
mod table;
mod watchdog;

use watchdog::{Bounds, Watchdog};

pub(crate) const EXAMPLES: &str = "\
Examples:
  vedette sql \"SELECT operation, count(*) AS n FROM m365_activity GROUP BY 1 ORDER BY 2 DESC\"
  vedette sql \"SELECT event_time, user_id FROM matches('SAAS-M365-00002')\"      the rows that a rule finds
  vedette sql --output json 'SELECT * FROM alerts' | jq .title
  vedette sql                      a shell: \\d lists tables, \\d NAME a table's columns, \\q quits";

/// Asks the lake.
#[derive(Debug, Args)]
pub(crate) struct Sql {
    /// The query; without it, a shell.
    query: Option<String>,
    /// Form of the answer; a table on a terminal, CSV in a pipe where nothing is said.
    #[arg(long, short, value_enum)]
    output: Option<Form>,
    /// Most rows that a table shows; the other forms have all.
    #[arg(long, default_value_t = 100)]
    rows_max: usize,
    /// Longest that a query may run, in seconds.
    #[arg(long, default_value_t = 600)]
    seconds_max: u64,
    /// Most memory that the process may hold, in megabytes.
    #[arg(long, default_value_t = 4_000)]
    memory_max: u64,
}

impl Sql {
    /// Runs the query or the shell.
    pub(crate) fn run(self, config: &Config) -> anyhow::Result<Verdict> {
        let runtime = runtime()?;
        let lake = Lake::open(&config.lake()).context("could not open the lake")?;
        let lake = lake.with_conditions(Arc::new(RuleConditions::new(config.detect())));
        let output = self.output.unwrap_or(if std::io::stdout().is_terminal() {
            Form::Table
        } else {
            Form::Csv
        });
        let asked = Asked {
            output,
            rows_max: self.rows_max,
            bounds: Bounds {
                time: Duration::from_secs(self.seconds_max),
                bytes: self.memory_max.saturating_mul(1_000_000),
            },
        };
        if let Some(query) = &self.query {
            answer(&runtime, &lake, query, asked)?;
        } else {
            // Among the rest of what names people, and as closed.
            let history = config.data.join("sql_history");
            shell::run(&runtime, &lake, asked, &history)?;
        }
        Ok(Verdict::Done)
    }
}

/// How queries are to be answered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    output: Form,
    rows_max: usize,
    bounds: Bounds,
}

/// Answers one query on standard output; the number of rows and the time go to standard error.
pub(crate) fn answer(
    runtime: &tokio::runtime::Runtime,
    lake: &Lake,
    query: &str,
    asked: Asked,
) -> anyhow::Result<()> {
    let Asked {
        output: form,
        rows_max,
        bounds,
    } = asked;
    let started = Instant::now();
    let _watchdog = Watchdog::start(bounds);
    let (_, batches) = runtime.block_on(lake.query_all(query))?;
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let mut out = output::stdout();
    match form {
        Form::Table => out.table(&table::draw(&batches, rows_max)?)?,
        Form::Csv => write_csv(&batches, &mut out)?,
        Form::Json => {
            let mut writer = LineDelimitedWriter::new(&mut out);
            writer.write_batches(&batches.iter().collect::<Vec<_>>())?;
            writer.finish()?;
        }
    }
    if std::io::stderr().is_terminal() {
        let shown = rows.min(rows_max);
        let cut = if form == Form::Table && shown < rows {
            format!(" (first {shown} shown)")
        } else {
            String::new()
        };
        writeln!(
            output::stderr(),
            "{rows} row(s){cut}, {:.3} s",
            started.elapsed().as_secs_f64()
        )?;
    }
    Ok(())
}

fn write_csv(batches: &[RecordBatch], out: &mut impl std::io::Write) -> anyhow::Result<()> {
    let Some(first) = batches.first() else {
        return Ok(());
    };
    let mut writer = WriterBuilder::new().with_header(true).build(out);
    if batches.iter().all(|batch| batch.num_rows() == 0) {
        writer.write(first)?;
        return Ok(());
    }
    for batch in batches.iter().filter(|batch| batch.num_rows() > 0) {
        writer.write(&table::without_formulas(batch)?)?;
    }
    Ok(())
}
