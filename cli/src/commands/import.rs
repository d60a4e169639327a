//! `vedette import`: files that people have, through the same stages as everything else.
//!
//! On the embedded log, lake and detect run in this process until everything is stored and evaluated; on Kafka the
//! services do that, and the command waits for them. Response does not run here, and what an export says is evidence that
//! somebody handed over: respond, wherever it runs, never acts on it without a person's approval.

mod counts;
mod gather;
mod page_file;
mod table;

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bus::{Bus, BusConfig};
use clap::Args;
use detect::rules::collection;
use indicatif::{ProgressBar, ProgressStyle};
use ingest::sources::files::{self, FileRead, ImportOptions, Progress, Summary};
use lake::Lake;
use report::{Added, FileLine, Made};
use schemas::environment::{Clock as _, SystemClock};
use schemas::health::Health;
use schemas::tables::Table;
use schemas::time::DateOrder;
use sigma::Ruleset;
use tokio_util::sync::CancellationToken;

use self::counts::Counts;
use self::gather::{describe_rules, gather};
use self::page_file::PageFile;
use crate::commands::runtime;
use crate::config::Config;
use crate::data_folder::lock::DataLock;
use crate::health::{Readiness, watch};
use crate::output::{self, Verdict};
use crate::stages::{Stage, progress, run_stages};
use crate::telemetry;

pub(crate) const EXAMPLES: &str = "\
Reads what portals, PowerShell, SIEMs and tools of responders export of Entra's and Microsoft 365's logs: NDJSON, JSON
lists and pages, answers of queries, and CSV with any separator; UTF-8, UTF-16 or Windows-1252; plain, .gz, .zst or .zip;
folders are read whole. The format is told by the content; at the end a table says as what each file was read, and what of
it was cut, incomplete or not read. Links in a folder are not followed, and only files are read.

Examples:
  vedette import audit.ndjson.zst
  vedette import exports/ --tenant 7f3c0000-0000-0000-0000-000000000000
  vedette import exports/ --report report.html    one page of what was found, complete in itself, to read or hand on
  vedette import exports/ --report report.json    the same for programs, with every alert
  vedette sql \"SELECT reason, detail FROM dead_letters\"

The report tells of everything that the lake has of the tenants in these files, also where all was known already.
A file of its name is replaced when the new one is whole; only its owner may read it, for it names people.";

/// How long lake and detect may stand still before a known trouble ends the import.
const STILL_MAX: Duration = Duration::from_mins(1);

/// Less free space than one batch of the lake may need, in bytes: the disk is full.
const FULL_BYTES: u64 = 64 * 1024 * 1024;

/// How often progress is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Reads files into the lake.
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// Files and folders.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Tenant of records that do not name one.
    #[arg(long, value_name = "ID")]
    tenant: Option<String>,
    /// With --tenant: it is the tenant of all records, whatever they name.
    #[arg(long, requires = "tenant")]
    overrule: bool,
    /// Dates like 05/01/2026 whose column does not tell are 5 January.
    #[arg(long, conflicts_with = "month_first")]
    day_first: bool,
    /// Dates like 05/01/2026 whose column does not tell are 1 May.
    #[arg(long)]
    month_first: bool,
    /// Write what was found to this file: as one page of HTML, or as JSON if its name ends in `.json`.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

impl Import {
    /// Reads them; findings mean that something became a dead letter or could not be read.
    pub(crate) fn run(self, config: &Config) -> anyhow::Result<Verdict> {
        telemetry::start_log(&config.log)?;
        let runtime = runtime()?;
        let outcome = runtime.block_on(self.read(config));
        // A stage whose disk hangs keeps nobody waiting: what it has not committed is read again.
        runtime.shutdown_background();
        outcome
    }

    async fn read(self, config: &Config) -> anyhow::Result<Verdict> {
        let started = Instant::now();
        // Told before the work, not after it.
        let page = self.report.as_deref().map(PageFile::claim).transpose()?;
        config.refuse_faults()?;
        config.open_folders()?;
        let own_stages = matches!(config.bus(), BusConfig::Log(_));
        let lock = own_stages
            .then(|| DataLock::take(&config.data))
            .transpose()?;
        let bus = Bus::open(&config.bus())
            .await
            .context("could not open the bus")?;
        let before = Counts::of(config).await?;
        let stop = CancellationToken::new();
        let stages: &[Stage] = if own_stages {
            &[Stage::Lake, Stage::Detect]
        } else {
            &[]
        };
        let readiness = Readiness::new(Arc::new(SystemClock), Duration::MAX);
        let health = readiness.health.clone();
        let running = run_stages(config, stages, readiness, stop.child_token());
        let work = async {
            let summary = self.publish(&bus, config, &stop).await?;
            wait_for_stages(&bus, config, &health).await?;
            anyhow::Ok(summary)
        };
        tokio::pin!(running);
        let summary = tokio::select! {
            summary = work => summary?,
            ended = &mut running, if own_stages => {
                ended?;
                anyhow::bail!("the lake ended before the import did")
            }
        };
        stop.cancel();
        if own_stages {
            running.await?;
        }
        drop(lock);
        let after = Counts::of(config).await?;
        let added = tell(&summary, &before, &after, started.elapsed())?;
        if let Some(page) = page {
            self.write_report(page, config, &summary, added)
                .await
                .context("everything is imported, but there is no report")?;
        }
        let is_whole = summary.by_file.iter().all(|file| !file.is_incomplete());
        let clean = summary.failures.is_empty() && summary.dead_letters == 0 && is_whole;
        Ok(if clean {
            Verdict::Done
        } else {
            Verdict::Findings
        })
    }

    async fn write_report(
        &self,
        page: PageFile,
        config: &Config,
        summary: &Summary,
        added: Added,
    ) -> anyhow::Result<()> {
        let lake = Lake::open(&config.lake()).context("could not open the lake")?;
        let tenants: Vec<String> = summary.by_tenant.keys().cloned().collect();
        let mut report = gather(&lake, &tenants).await?;
        let mut collection = collection(&config.detect());
        // Some rules are refused only when they are compiled.
        Ruleset::compile(&mut collection);
        describe_rules(&mut report, &collection);
        report.files = summary.by_file.iter().map(file_line).collect();
        report.added = added;
        report.made = Made {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            time_us: SystemClock.now_us(),
            command: self.command(),
            ..report.made
        };
        let text = if page.is_json() {
            report::to_json(&report)
        } else {
            report::to_html(&report)?
        };
        page.put(&text)?;
        if let Some(path) = &self.report {
            writeln!(output::stdout(), "the report is in {}", path.display())?;
        }
        Ok(())
    }

    /// The command as it was given, for the report.
    fn command(&self) -> String {
        let mut words = vec!["vedette import".to_owned()];
        words.extend(self.paths.iter().map(|path| path.display().to_string()));
        if let Some(tenant) = &self.tenant {
            words.push(format!("--tenant {tenant}"));
        }
        for (is_given, word) in [
            (self.overrule, "--overrule"),
            (self.day_first, "--day-first"),
            (self.month_first, "--month-first"),
        ] {
            if is_given {
                words.push(word.to_owned());
            }
        }
        if let Some(path) = &self.report {
            words.push(format!("--report {}", path.display()));
        }
        words.join(" ")
    }

    fn dates(&self) -> DateOrder {
        match (self.day_first, self.month_first) {
            (true, _) => DateOrder::DayFirst,
            (_, true) => DateOrder::MonthFirst,
            _ => DateOrder::Unknown,
        }
    }

    async fn publish(
        &self,
        bus: &Bus,
        config: &Config,
        stop: &CancellationToken,
    ) -> anyhow::Result<Summary> {
        let bar = ProgressBar::new(0);
        if let Ok(style) =
            ProgressStyle::with_template("{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {msg}")
        {
            bar.set_style(style);
        }
        let options = ImportOptions {
            tenant_id: self.tenant.clone(),
            is_tenant_of_all: self.overrule,
            dates: self.dates(),
            bounds: config.import.clone(),
            clock: Arc::new(SystemClock),
            downstream: Some(config.downstream()),
            stop: stop.clone(),
        };
        let mut show = |progress: &Progress| {
            bar.set_length(progress.bytes_total);
            bar.set_position(progress.bytes_done);
            bar.set_message(format!(
                "{} records, {} dead letters, file {} of {}",
                progress.records, progress.dead_letters, progress.files_done, progress.files_total
            ));
        };
        let summary = files::import(&self.paths, &options, bus, &mut show)
            .await
            .context("could not import")?;
        bar.finish_and_clear();
        Ok(summary)
    }
}

/// Waits until lake and detect have finished with everything that is published.
///
/// # Errors
/// If they stand still for a minute and something is known to be wrong: what is published stays for the next time.
async fn wait_for_stages(bus: &Bus, config: &Config, health: &Health) -> anyhow::Result<()> {
    let bar = ProgressBar::new_spinner();
    let mut quiet = 0;
    let mut moved = (i64::MAX, Instant::now());
    loop {
        let behind = progress::total(bus, config, &[Stage::Lake, Stage::Detect]).await?;
        bar.set_message(format!("storing and evaluating: {behind} messages to go"));
        bar.tick();
        if behind != moved.0 {
            moved = (behind, Instant::now());
        }
        let reasons = what_is_wrong(config, health);
        if moved.1.elapsed() >= STILL_MAX && !reasons.is_empty() {
            bar.finish_and_clear();
            anyhow::bail!(
                "everything is read, but {behind} messages are not stored or evaluated, and nothing moves: {}; nothing \
                 is lost: mend it, and run the same import again",
                reasons.join("; ")
            );
        }
        // Detect's alerts go back to the lake: only some quiet looks in a row mean that nothing is left.
        quiet = if behind == 0 { quiet + 1 } else { 0 };
        if quiet == 3 {
            bar.finish_and_clear();
            return Ok(());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Why lake and detect may be standing still.
fn what_is_wrong(config: &Config, health: &Health) -> Vec<String> {
    let mut reasons: Vec<String> = health
        .troubles()
        .iter()
        .map(|(part, trouble)| format!("{part}: {}", trouble.why))
        .collect();
    for (_, folder) in watch::folders(config) {
        if watch::free_bytes(&folder).is_ok_and(|free| free < FULL_BYTES) {
            reasons.push(format!("the disk of {} is full", folder.display()));
        }
    }
    reasons
}

fn file_line(file: &FileRead) -> FileLine {
    FileLine {
        path: file.path.display().to_string(),
        records: file.records,
        dead_letters: file.dead_letters.clone(),
        failure: file.failure.clone(),
        told: table::told(file),
        is_incomplete: file.is_incomplete(),
    }
}

/// Prints what was read, and what became of it.
fn tell(
    summary: &Summary,
    before: &Counts,
    after: &Counts,
    elapsed: Duration,
) -> anyhow::Result<Added> {
    let mut out = output::stdout();
    let mut rows_added = 0;
    for (table, records) in &summary.by_table {
        let rows = after.added_since(before, *table);
        rows_added += rows.unwrap_or(0);
        let rows = rows.map_or_else(|| "?".to_owned(), |rows| rows.to_string());
        writeln!(
            out,
            "{table:<18} {records:>9} records  {rows:>9} rows added"
        )?;
    }
    for line in after.what_was_amiss(before) {
        writeln!(out, "{line}")?;
    }
    let added = |table| after.added_since(before, table).unwrap_or(0);
    let revisions = added(Table::Revisions);
    let duplicates = summary.records.saturating_sub(rows_added + revisions);
    #[expect(clippy::cast_precision_loss, reason = "a rate for a person")]
    let rate = summary.records as f64 / elapsed.as_secs_f64();
    writeln!(
        out,
        "{} files, {} records: {rows_added} rows added, {revisions} revisions, {duplicates} duplicates, {} dead letters, \
         {}; {:.1} s, {rate:.0} records/s stored and evaluated",
        summary.files,
        summary.records,
        summary.dead_letters,
        after.alerts_since(before),
        elapsed.as_secs_f64()
    )?;
    if summary.records > 0 {
        writeln!(
            out,
            "{} records are kept as imported evidence: alerts about them are raised, and no action follows without a \
             person's approval",
            summary.records
        )?;
    }
    table::print(&mut out, summary)?;
    Ok(Added {
        rows: rows_added,
        revisions,
        duplicates,
    })
}
