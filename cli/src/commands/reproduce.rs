//! `vedette reproduce`: an alert's rule again over the very files and rows that the alert names.

use std::io::Write;

use anyhow::Context as _;
use clap::Args;
use detect::reproduce::{Found, Reproduction, recount, reproduce};
use detect::rules::collection;
use lake::Lake;
use schemas::environment::{Clock as _, SystemClock};
use schemas::wire::Alert;
use serde_json::{Value, json};
use sigma::tools::explain::explain;
use sigma::{RuleCollection, Ruleset};

use crate::commands::{open_lake, runtime};
use crate::config::Config;
use crate::output::exit::wrong_usage;
use crate::output::{self, Form, Printer, Tone, Verdict, inert, plain, write_tree};

pub(crate) const EXAMPLES: &str = "\
Examples:
  vedette sql \"SELECT alert_id, label, title FROM alerts_current\"
  vedette reproduce f4993d4c3ffe6fbc30aca27b0beb49c3
  vedette reproduce f4993d4c                    the start of an id that no other alert has

Exit code 1: the alert does not come out again, because its rule has changed or its rows are gone.";

/// Fewest characters of an alert's id.
const PREFIX_MIN: usize = 6;

/// Runs the rule of an alert again over the rows that it names.
#[derive(Debug, Args)]
pub(crate) struct Reproduce {
    /// The alert's id, or its first characters.
    alert: String,
    /// Form of what is told.
    #[arg(long, short, value_enum, default_value_t = Form::Table)]
    output: Form,
}

impl Reproduce {
    pub(crate) fn run(&self, config: &Config) -> anyhow::Result<Verdict> {
        let (collection, alert, all, counted) = runtime()?.block_on(async {
            let (lake, detect) = open_lake(config).await?;
            let mut collection = collection(&detect);
            let rules = Ruleset::compile(&mut collection);
            let mut alert = find(&lake, &self.alert).await?;
            let evidence = std::mem::take(&mut alert.evidence);
            let names = (alert.alert_id.as_str(), alert.tenant_id.as_str());
            let now_us = SystemClock.now_us();
            let all = reproduce(&rules, &lake, names, evidence, now_us).await?;
            let id = alert.alert_id.as_str();
            let counted = match rules.metadata_of(&alert.rule_id) {
                Some(_) => {
                    Some(recount(&rules, &lake, id, alert.first_event_time_us, now_us).await?)
                }
                None => None,
            };
            anyhow::Ok((collection, alert, all, counted))
        })?;
        let mut out = output::stdout();
        match self.output {
            Form::Table => write_table(&mut out, &collection, &alert, &all, counted.as_ref())?,
            form => out.list(&rows(&alert, &all, counted.as_ref()), form)?,
        }
        let is_again = match &counted {
            Some(again) => again.is_some(),
            None => !all.is_empty() && all.iter().all(|one| one.alert.is_some()),
        };
        Ok(if is_again {
            Verdict::Done
        } else {
            Verdict::Findings
        })
    }
}

/// The one alert whose id starts so.
pub(crate) async fn find(lake: &Lake, prefix: &str) -> anyhow::Result<Alert> {
    let is_hex = prefix.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_hex || prefix.len() < PREFIX_MIN {
        return wrong_usage(format!(
            "\"{}\" is not the id of an alert, nor {PREFIX_MIN} characters of its start: `vedette sql \"SELECT alert_id, \
             title FROM alerts\"` lists them",
            inert(prefix)
        ));
    }
    let query = format!(
        "SELECT * FROM alerts_current WHERE starts_with(alert_id, '{}') ORDER BY detected_time",
        prefix.to_ascii_lowercase()
    );
    let (alerts, damaged) = lake.rows::<Alert>(&query).await?;
    if let Some(first) = damaged.into_iter().next() {
        return Err(first).context("an alert whose id starts so cannot be read");
    }
    let mut found: Vec<Alert> = Vec::new();
    for alert in alerts {
        // Later versions of an alert follow its first.
        found.retain(|earlier| earlier.alert_id != alert.alert_id);
        found.push(alert);
    }
    match (found.pop(), found.len()) {
        (Some(first), 0) => Ok(first),
        (Some(first), others) => wrong_usage(format!(
            "{} alerts have ids that start with {prefix}, for example {}: write more of it",
            others + 1,
            first.alert_id
        )),
        (None, _) => wrong_usage(format!(
            "no alert in the lake has an id that starts with {prefix}: `vedette sql \"SELECT alert_id, title FROM alerts\"` \
             lists them"
        )),
    }
}

fn told(found: Found) -> &'static str {
    match found {
        Found::InFile => "in the file and row that the alert names",
        Found::Moved => "moved by compaction, found by the id of its event",
        Found::Nowhere => "no longer in the lake",
    }
}

fn rows(alert: &Alert, all: &[Reproduction], counted: Option<&Option<Alert>>) -> Vec<Value> {
    let row = |one: &Reproduction| {
        json!({
            "alert_id": alert.alert_id,
            "label": alert.label,
            "table": one.evidence.table,
            "event_id": one.evidence.event_id,
            "file": one.evidence.file,
            "row": one.evidence.row,
            "version": one.evidence.version,
            "found": match one.found {
                Found::InFile => "in_file",
                Found::Moved => "moved",
                Found::Nowhere => "nowhere",
            },
            "reproduced": counted.map_or(one.alert.is_some(), Option::is_some),
        })
    };
    all.iter().map(row).collect()
}

fn write_mark(out: &mut Printer<impl Write>, is_good: bool, text: &str) -> std::io::Result<()> {
    out.line(&[plain("  "), Tone::mark(is_good), plain(format!(" {text}"))])
}

fn write_table(
    out: &mut Printer<impl Write>,
    collection: &RuleCollection,
    alert: &Alert,
    all: &[Reproduction],
    counted: Option<&Option<Alert>>,
) -> anyhow::Result<()> {
    writeln!(out, "alert {}", inert(&alert.alert_id))?;
    writeln!(out, "{} \"{}\"", inert(&alert.label), inert(&alert.title))?;
    let rule = collection
        .loaded
        .iter()
        .find(|rule| rule.id == alert.rule_id);
    for one in all {
        let evidence = &one.evidence;
        writeln!(
            out,
            "\nevent {} of {}\n  {} row {} (version {})",
            inert(&evidence.event_id),
            inert(&evidence.table),
            inert(&evidence.file),
            evidence.row,
            evidence.version
        )?;
        write_mark(out, one.found == Found::InFile, told(one.found))?;
        if counted.is_some() {
            continue;
        }
        let is_again = one.alert.is_some();
        let said = match (is_again, one.event.is_some(), rule.is_some()) {
            (true, _, _) => "the same alert comes out of it again",
            (false, false, _) => "nothing can come out of it",
            (false, true, true) => "the rule as it is now does not match it",
            (false, true, false) => "no rule that runs has the alert's id",
        };
        write_mark(out, is_again, said)?;
        if let (Some(rule), Some(event)) = (rule, &one.event) {
            let explanation = explain(rule, &collection.user_mapping, event)?;
            write_tree(out, "  ", &explanation)?;
        }
    }
    match counted {
        Some(Some(alert)) => {
            let said = format!(
                "counted again, the same alert comes out, of {} events",
                alert.event_count
            );
            writeln!(out)?;
            write_mark(out, true, &said)?;
        }
        Some(None) => {
            writeln!(out)?;
            write_mark(out, false, "counted again, it does not come out")?;
        }
        None => {}
    }
    if all.is_empty() {
        writeln!(
            out,
            "it names no evidence, so there is nothing to run a rule over"
        )?;
    }
    Ok(())
}
