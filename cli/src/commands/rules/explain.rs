//! `vedette rules explain`: why a rule matches an event, or does not, part by part.

use std::io::{IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use detect::DetectConfig;
use detect::evaluate::event;
use ingest::normalise::{Dates, Origin, normalise};
use lake::{Lake, literals};
use schemas::environment::{Clock as _, SystemClock};
use schemas::limits::RECORD_BYTES_MAX;
use schemas::provenance::Provenance;
use schemas::tables::Table;
use schemas::time::DateOrder;
use schemas::wire::Event;
use sigma::Rule;
use sigma::mapping::UserMapping;
use sigma::tools::explain::explain;

use super::files::{load, rule_files};
use crate::commands::{open_lake, runtime};
use crate::config::Config;
use crate::output::exit::{WrongUsage, wrong_usage};
use crate::output::{self, DetailForm, Tone, Verdict, inert, write_tree};

pub(crate) const EXAMPLES: &str = "\
Every ✓ and ✗ is the engine's own answer: each part of the rule is compiled and asked as the whole is.

Examples:
  vedette rules explain event.json SAAS-M365-00002
  vedette rules explain 5c4a0c1e-0000-4000-8000-000000000001 SAAS-M365-00002     an event of the lake, by its id
  jq .Items[3] export.json | vedette rules explain - rules/my_rule.yml
  vedette rules explain event.json SAAS-M365-00002 --output json | jq .holds

Exit code 0 whether it matches or not.";

/// Shows part by part why a rule matches an event, or does not.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// A file with one JSON record, - for standard input, or the id of an event in the lake.
    event: String,
    /// Label or id of a rule that runs, or a rule file.
    rule: String,
    /// The table that has the event; without it, the one that the rule is about.
    #[arg(long, value_name = "NAME")]
    table: Option<String>,
    /// Form of the explanation.
    #[arg(long, short, value_enum, default_value_t = DetailForm::Table)]
    output: DetailForm,
}

impl Explain {
    pub(super) fn run(self, config: &Config) -> anyhow::Result<Verdict> {
        let runtime = runtime()?;
        let is_record = self.event == "-" || Path::new(&self.event).exists();
        // A record in hand needs no lake.
        let (rule, extension, table, event) = if is_record {
            let (rule, extension) = find_rule(&self.rule, &config.detect())?;
            let (told, event) = self.read_event()?;
            (rule, extension, self.named_table()?.or(told), event)
        } else {
            let (lake, detect) = runtime.block_on(open_lake(config))?;
            let (rule, extension) = find_rule(&self.rule, &detect)?;
            let table = self.named_table()?.unwrap_or(rule.table);
            let location = config.lake().location;
            let event = runtime.block_on(look_up(&self.event, table, &lake, &location))?;
            (rule, extension, Some(table), event)
        };
        if let Some(table) = table.filter(|table| *table != rule.table) {
            let text = format!(
                "this event belongs to table {table}, and the rule is about {}: on the stream it is never asked about it",
                rule.table
            );
            output::stderr().line(&[Tone::Doubtful.of(text)])?;
        }
        let explanation = explain(&rule, &extension, &event)
            .with_context(|| format!("cannot explain with {}", inert(&rule.file)))?;
        match self.output {
            DetailForm::Json => output::stdout().json(&explanation)?,
            DetailForm::Table => write_tree(&mut output::stdout(), "", &explanation)?,
        }
        Ok(Verdict::Done)
    }

    /// The table that was named.
    fn named_table(&self) -> anyhow::Result<Option<Table>> {
        let table = self.table.as_deref().map(|name| {
            Table::of_name(name)
                .filter(|table| table.is_events())
                .ok_or_else(|| {
                    WrongUsage(format!(
                        "there is no table of events \"{}\": `vedette sql` with \\d lists them",
                        inert(name)
                    ))
                })
        });
        Ok(table.transpose()?)
    }

    /// The event of a file or of standard input, and the table that it belongs to where that can be told.
    fn read_event(&self) -> anyhow::Result<(Option<Table>, Event)> {
        let path = Path::new(&self.event);
        let bytes = if self.event == "-" {
            standard_input()?
        } else {
            read(path).with_context(|| format!("cannot read {}", path.display()))?
        };
        one_event(&bytes)
            .with_context(|| format!("cannot read an event from {}", inert(&self.event)))
    }
}

/// At most one byte more than a record may have. A pipe is read too, as a shell gives one for `<(…)`.
fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path)?;
    file.take(RECORD_BYTES_MAX as u64 + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn standard_input() -> anyhow::Result<Vec<u8>> {
    let input = std::io::stdin();
    if input.is_terminal() {
        writeln!(output::stderr(), "one JSON record, then Ctrl-D:")?;
    }
    let mut bytes = Vec::new();
    input
        .lock()
        .take(RECORD_BYTES_MAX as u64 + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The one record in some bytes, and its table if its content tells it.
fn one_event(bytes: &[u8]) -> anyhow::Result<(Option<Table>, Event)> {
    anyhow::ensure!(
        bytes.len() <= RECORD_BYTES_MAX,
        "more than {RECORD_BYTES_MAX} bytes: cut one record out of it, for example with jq"
    );
    let origin = Origin {
        tenant_id: None,
        provenance: Provenance::Imported,
        source: "explain",
        category: None,
        ingest_time_us: SystemClock.now_us(),
        dates: Dates::All(DateOrder::Unknown),
    };
    let mut normalised = normalise(bytes, "explain", &origin);
    if let Some(letter) = normalised.dead_letters.first() {
        anyhow::bail!("{}: {}", letter.reason, inert(&letter.detail));
    }
    let event = normalised
        .events
        .pop()
        .context("there is no JSON record in it")?;
    anyhow::ensure!(
        normalised.events.is_empty(),
        "there are {} records in it: name a file with one, for example by jq '.[0]' or sed -n 1p",
        normalised.events.len() + 1
    );
    // A record that says too little for its table is believed to be what the rule is about.
    let table = Table::of_name(&event.table).filter(|table| *table != Table::OtherEvents);
    Ok((table, event))
}

/// An event of the lake by its id.
async fn look_up(id: &str, table: Table, lake: &Lake, location: &str) -> anyhow::Result<Event> {
    let query = format!(
        "SELECT tenant_id, event_id, event_time, ingest_time, source, category, raw FROM {} WHERE event_id = {} LIMIT 1",
        table.name(),
        literals([id])
    );
    let (_, batches) = lake.query_all(&query).await?;
    let batch = batches
        .iter()
        .find(|batch| batch.num_rows() > 0)
        .ok_or_else(|| {
            WrongUsage(format!(
                "there is no file \"{0}\", and no event with this id in table {table} of the lake at {1}: \
                 name a file with one JSON record, another id, or another table with --table",
                inert(id),
                location
            ))
        })?;
    Ok(event(batch, 0))
}

/// A rule that runs by its label or id, or the one in a file.
fn find_rule(name: &str, config: &DetectConfig) -> anyhow::Result<(Rule, Arc<UserMapping>)> {
    let path = PathBuf::from(name);
    let is_file = path.is_file();
    let paths = if is_file { vec![path] } else { Vec::new() };
    // As they run: with the filters, pipelines and placeholders that are in them.
    let (collection, rules) = load(rule_files(&paths, config)?, config);
    let mut found: Vec<&Rule> = rules
        .rules()
        .iter()
        .filter(|rule| {
            is_file || rule.label.eq_ignore_ascii_case(name) || rule.id.eq_ignore_ascii_case(name)
        })
        .collect();
    if let Some(rule) = found.pop() {
        anyhow::ensure!(
            found.is_empty(),
            "{} has {} rules: name one by label or id, with its folder in detect.rules of the configuration",
            inert(name),
            found.len() + 1
        );
        return Ok((rule.clone(), Arc::clone(&collection.user_mapping)));
    }
    if let (true, Some(rejected)) = (is_file, collection.rejected.first()) {
        anyhow::bail!("rule is refused: {}", inert(&rejected.to_string()));
    }
    wrong_usage(format!(
        "there is no rule \"{}\": `vedette rules list` shows labels; a rule file is named by its path",
        inert(name)
    ))
}
