//! `vedette rules impact`: what a change of rules would have done to the alerts over the lake, for who reviews it.

use std::collections::{BTreeMap, HashSet};
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use detect::DetectConfig;
use detect::backtest::{Measurement, evaluate_lake, measure};
use detect::impact::{Change, Difference, changes, differences};
use lake::Lake;
use schemas::environment::{Clock as _, SystemClock};
use schemas::wire::Alert;
use serde_json::json;
use sigma::collection::cases::{check_cases_with, check_correlation};
use sigma::metadata::RuleMetadata;
use sigma::{RuleCollection, Ruleset};

use super::files::{RuleFile, load, load_for_cases, rule_files};
use crate::commands::{open_lake, runtime};
use crate::config::Config;
use crate::output::{self, ComparisonForm, Printer, Verdict, inert};

pub(crate) const EXAMPLES: &str = "\
BASE holds the rules as they were, for example in a worktree of the branch that a change goes to. Rules of the binary
that BASE does not have count as unchanged. Only rules that differ are evaluated, on both sides.

Examples:
  git worktree add /tmp/base main && vedette rules impact /tmp/base/rules
  vedette rules impact /tmp/base/rules --new rules/ --output markdown > comment.md
  vedette rules impact old.yml --new new.yml --output json | jq .lost

Exit code 1: a case of a changed rule fails.";

/// Alerts that are named for each rule.
const NAMED: usize = 5;

/// Compares the rules with others over the lake.
#[derive(Debug, Args)]
pub(crate) struct Impact {
    /// A folder of the rules as they were, or one file.
    base: PathBuf,
    /// The rules as they are; without it, those that run.
    #[arg(long, value_name = "PATH")]
    new: Vec<PathBuf>,
    /// Form of the comparison.
    #[arg(long, short, value_enum, default_value_t = ComparisonForm::Markdown)]
    output: ComparisonForm,
}

/// One side of the comparison.
struct Side {
    alerts: BTreeMap<String, Alert>,
    cost: Duration,
}

impl Impact {
    pub(super) fn run(&self, config: &Config) -> anyhow::Result<Verdict> {
        let runtime = runtime()?;
        let (lake, detect) = runtime.block_on(open_lake(config))?;
        let (after, new_rules) = load(rule_files(&self.new, &detect)?, &detect);
        let (_, old_rules) = load(self.base_files(&detect)?, &detect);
        let (_, for_cases) = load_for_cases(rule_files(&self.new, &detect)?, &detect);
        let changed = changes(&old_rules, &new_rules);
        let (old, new) = runtime.block_on(async {
            anyhow::Ok((
                evaluate(&old_rules, &lake).await?,
                evaluate(&new_rules, &lake).await?,
            ))
        })?;
        let found = differences(&old.alerts, &new.alerts);
        let report = Report {
            changed: &changed,
            found: &found,
            after: &after,
            rules: &new_rules,
            for_cases: &for_cases,
            costs: (old.cost, new.cost),
        };
        let mut out = output::stdout();
        let failed = match self.output {
            ComparisonForm::Markdown => report.markdown(&mut out)?,
            ComparisonForm::Json => report.json(&mut out)?,
        };
        Ok(if failed == 0 && after.rejected.is_empty() {
            Verdict::Done
        } else {
            Verdict::Findings
        })
    }

    /// The files of the base, and behind them those of the binary: a rule whose id is taken is refused, so only those
    /// count that the base does not have.
    fn base_files(&self, detect: &DetectConfig) -> anyhow::Result<Vec<RuleFile>> {
        let mut files = rule_files(std::slice::from_ref(&self.base), detect)?;
        if self.new.is_empty() {
            let builtin = DetectConfig {
                rules: Vec::new(),
                ..detect.clone()
            };
            files.extend(rule_files(&[], &builtin)?);
        }
        Ok(files)
    }
}

async fn evaluate(rules: &Ruleset, lake: &Lake) -> anyhow::Result<Side> {
    let now_us = SystemClock.now_us();
    let mut alerts = evaluate_lake(rules, lake, now_us).await?;
    // Microsoft's alerts are no rule's.
    let ids: HashSet<String> = rules.metadata().into_iter().map(|one| one.id).collect();
    alerts.retain(|_, alert| ids.contains(&alert.rule_id));
    let measurement = Measurement {
        days: None,
        alone: &[],
        now_us,
        thread_time: || cpu_time::ThreadTime::now().as_duration(),
        progress: &|_, _| {},
    };
    let cost = measure(rules, lake, &measurement).await?.together;
    Ok(Side { alerts, cost })
}

struct Report<'a> {
    changed: &'a [Change],
    found: &'a BTreeMap<&'a str, Difference<'a>>,
    after: &'a RuleCollection,
    rules: &'a Ruleset,
    /// The same, for their cases.
    for_cases: &'a Ruleset,
    costs: (Duration, Duration),
}

/// A line of the comparison.
struct Row<'a> {
    statement: RuleMetadata,
    change: &'static str,
    found: Option<&'a Difference<'a>>,
    passed: usize,
    failed: usize,
}

impl Report<'_> {
    /// Each changed rule and each whose alerts are others, with them, and how many of its cases pass and fail.
    fn rows(&self) -> Vec<Row<'_>> {
        let mut rows = Vec::new();
        for statement in self.rules.metadata() {
            let is =
                |change: &&Change| change.statement().is_some_and(|one| one.id == statement.id);
            let change = self.changed.iter().find(is).map(Change::as_str);
            let found = self.found.get(statement.id.as_str());
            let differs = found.is_some_and(|found| {
                !(found.gained.is_empty() && found.lost.is_empty() && found.amended.is_empty())
            });
            // What is there to be counted, and new, is seen in the alerts of those that count it.
            let is_only_counted = change == Some("new") && self.is_silent(&statement.id);
            if differs || change.is_some() && !is_only_counted {
                let (passed, failed) = self.cases(&statement.id);
                rows.push(Row {
                    statement,
                    // What it counts has changed.
                    change: change.unwrap_or("by others"),
                    found,
                    passed,
                    failed,
                });
            }
        }
        let removed = self.changed.iter().filter(|change| change.after.is_none());
        rows.extend(removed.filter_map(|change| {
            let statement = change.before.clone()?;
            Some(Row {
                found: self.found.get(statement.id.as_str()),
                statement,
                change: change.as_str(),
                passed: 0,
                failed: 0,
            })
        }));
        rows
    }

    /// True if matches of a rule or correlation are no alerts by themselves.
    fn is_silent(&self, id: &str) -> bool {
        let mut rules = self.rules.rules().iter().enumerate();
        let rule = rules.find(|(_, rule)| rule.id == id);
        rule.map_or_else(
            || self.rules.compiled_correlations().is_silent(id),
            |(number, rule)| rule.own_correlation.is_none() && !self.rules.alerts(number),
        )
    }

    /// How many cases of a rule or correlation pass, and how many fail.
    fn cases(&self, id: &str) -> (usize, usize) {
        let rule = self.after.loaded.iter().find(|rule| rule.id == id);
        let correlation = self.rules.correlations().iter().find(|one| one.id == id);
        let (all, failed) = match (rule, correlation) {
            (Some(rule), _) if !rule.cases.is_empty() => (
                rule.cases.len(),
                check_cases_with(rule, &self.after.user_mapping).len(),
            ),
            (None, Some(one)) if !one.cases.is_empty() => (
                one.cases.len(),
                check_correlation(one, self.for_cases).len(),
            ),
            _ => (0, 0),
        };
        (all.saturating_sub(failed), failed)
    }

    fn markdown(&self, out: &mut impl Write) -> anyhow::Result<usize> {
        let rows = self.rows();
        if rows.is_empty() && self.after.rejected.is_empty() {
            writeln!(out, "No rule differs.")?;
            return Ok(0);
        }
        writeln!(
            out,
            "| rule | | alerts before | after | gained | lost | amended | cases |"
        )?;
        writeln!(out, "|---|---|---:|---:|---:|---:|---:|---|")?;
        for row in &rows {
            let count = |of: fn(&Difference<'_>) -> usize| row.found.map_or(0, of);
            let cases = match (row.passed, row.failed) {
                (0, 0) => "none".to_owned(),
                (passed, 0) => format!("{passed} pass"),
                (passed, failed) => format!("**{failed} fail**, {passed} pass"),
            };
            writeln!(
                out,
                "| {} {} | {} | {} | {} | {} | {} | {} | {cases} |",
                cell(&row.statement.label),
                cell(&row.statement.title),
                row.change,
                count(|found| found.before),
                count(|found| found.after),
                count(|found| found.gained.len()),
                count(|found| found.lost.len()),
                count(|found| found.amended.len()),
            )?;
        }
        for row in &rows {
            let Some(found) = row.found else { continue };
            name(out, &row.statement, "gained", &found.gained)?;
            name(out, &row.statement, "lost", &found.lost)?;
            name(out, &row.statement, "amended", &found.amended)?;
        }
        for rejected in &self.after.rejected {
            writeln!(out, "\nRefused: {}", inert(&rejected.to_string()))?;
        }
        let milliseconds = |cost: Duration| cost.as_secs_f64() * 1e3;
        writeln!(
            out,
            "\nProcessor time of all rules over the lake: {:.1} ms before, {:.1} ms after.",
            milliseconds(self.costs.0),
            milliseconds(self.costs.1)
        )?;
        Ok(rows.iter().map(|row| row.failed).sum())
    }

    fn json(&self, out: &mut Printer<impl Write>) -> anyhow::Result<usize> {
        let rows = self.rows();
        for row in &rows {
            let ids = |alerts: Option<&Vec<&Alert>>| -> Vec<String> {
                let alerts = alerts.into_iter().flatten();
                alerts.map(|alert| alert.alert_id.clone()).collect()
            };
            let line = json!({
                "rule_id": row.statement.id,
                "label": row.statement.label,
                "title": row.statement.title,
                "change": row.change,
                "before": row.found.map_or(0, |found| found.before),
                "after": row.found.map_or(0, |found| found.after),
                "gained": ids(row.found.map(|found| &found.gained)),
                "lost": ids(row.found.map(|found| &found.lost)),
                "amended": ids(row.found.map(|found| &found.amended)),
                "cases_passed": row.passed,
                "cases_failed": row.failed,
            });
            out.json(&line)?;
        }
        Ok(rows.iter().map(|row| row.failed).sum())
    }
}

/// Names some alerts of a rule, so that a reviewer can look at them.
fn name(
    out: &mut impl Write,
    rule: &RuleMetadata,
    what: &str,
    alerts: &[&Alert],
) -> anyhow::Result<()> {
    if alerts.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{} {what}:\n", cell(&rule.label))?;
    for alert in alerts.iter().take(NAMED) {
        let event = alert
            .evidence
            .first()
            .map_or("", |first| first.event_id.as_str());
        writeln!(
            out,
            "- {} from {}, event {}",
            cell(&alert.user),
            cell(&alert.ip),
            cell(event)
        )?;
    }
    if let Some(more) = alerts.len().checked_sub(NAMED).filter(|more| *more > 0) {
        writeln!(out, "- and {more} more")?;
    }
    Ok(())
}

/// A text of a tenant in a cell: it can neither end the cell nor the line, nor be markup.
fn cell(text: &str) -> String {
    if text.is_empty() {
        return "–".to_owned();
    }
    let text = inert(text);
    let mut cell = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(
            character,
            '|' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '\\' | '@'
        ) {
            cell.push('\\');
        }
        cell.push(character);
    }
    cell
}
