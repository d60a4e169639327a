//! `vedette rules impact`: what a change of rules would have done to the alerts over the lake, for who reviews it.

use std::collections::{BTreeMap, HashSet};
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use detect::DetectConfig;
use detect::backtest::{Measurement, evaluate_lake, measure};
use detect::impact::{Change, Difference, changes, differences};
use lake::Lake;
use schemas::environment::{Clock as _, SystemClock};
use schemas::wire::Alert;
use serde_json::json;
use sigma::rule::check_cases_with;
use sigma::{Catalogue, Rule, Ruleset};

use super::files::{RuleFile, load, only, rule_files};
use crate::config::Config;
use crate::exit::Verdict;
use crate::run::runtime;
use crate::sql::inert;

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
    #[arg(long, short, value_enum, default_value_t = Form::Markdown)]
    output: Form,
}

/// Form of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// For people, and for the comments of a pull request.
    Markdown,
    /// One object for each rule, a line each.
    Json,
}

/// One side of the comparison.
struct Side {
    alerts: BTreeMap<String, Alert>,
    cost: Duration,
}

impl Impact {
    pub(super) fn run(&self, config: &Config) -> anyhow::Result<Verdict> {
        let detect = config.detect();
        let (after, new_rules) = load(rule_files(&self.new, &detect)?, &detect);
        let (before, old_rules) = load(self.base_files(&detect)?, &detect);
        let changed = changes(&old_rules, &new_rules);
        let olds = only(
            &before,
            changed.iter().filter_map(|change| change.before.as_ref()),
        );
        let news = only(
            &after,
            changed.iter().filter_map(|change| change.after.as_ref()),
        );
        let (old, new) = runtime()?.block_on(async {
            let lake = Lake::open(&config.lake())
                .await
                .context("could not open the lake")?;
            anyhow::Ok((evaluate(&olds, &lake).await?, evaluate(&news, &lake).await?))
        })?;
        let found = differences(&old.alerts, &new.alerts);
        let report = Report {
            changed: &changed,
            found: &found,
            after: &after,
            costs: (old.cost, new.cost),
        };
        let mut out = std::io::stdout().lock();
        let failed = match self.output {
            Form::Markdown => report.markdown(&mut out)?,
            Form::Json => report.json(&mut out)?,
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
    let ids: HashSet<String> = rules.statements().into_iter().map(|one| one.id).collect();
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
    after: &'a Catalogue,
    costs: (Duration, Duration),
}

impl Report<'_> {
    /// Each changed rule with its alerts, and how many of its cases pass and fail.
    fn rows(
        &self,
    ) -> impl Iterator<Item = (&Change, &Rule, Option<&Difference<'_>>, usize, usize)> {
        self.changed.iter().filter_map(|change| {
            let rule = change.rule()?;
            let failed = match &change.after {
                Some(rule) => check_cases_with(rule, &self.after.extension).len(),
                None => 0,
            };
            let all = change.after.as_ref().map_or(0, |rule| rule.cases.len());
            let passed = all.saturating_sub(failed);
            Some((
                change,
                rule,
                self.found.get(rule.id.as_str()),
                passed,
                failed,
            ))
        })
    }

    fn markdown(&self, out: &mut impl Write) -> anyhow::Result<usize> {
        if self.changed.is_empty() && self.after.rejected.is_empty() {
            writeln!(out, "No rule differs.")?;
            return Ok(0);
        }
        writeln!(
            out,
            "| rule | | alerts before | after | gained | lost | cases |"
        )?;
        writeln!(out, "|---|---|---:|---:|---:|---:|---|")?;
        let mut all_failed = 0;
        for (change, rule, found, passed, failed) in self.rows() {
            all_failed += failed;
            let (before, after, gained, lost) = found.map_or((0, 0, 0, 0), |found| {
                (
                    found.before,
                    found.after,
                    found.gained.len(),
                    found.lost.len(),
                )
            });
            let cases = if failed > 0 {
                format!("**{failed} fail**, {passed} pass")
            } else {
                format!("{passed} pass")
            };
            writeln!(
                out,
                "| {} {} | {} | {before} | {after} | {gained} | {lost} | {cases} |",
                cell(&rule.label),
                cell(&rule.sigma.title),
                change.as_str()
            )?;
        }
        for (_, rule, found, _, _) in self.rows() {
            let Some(found) = found else { continue };
            name(out, rule, "gained", &found.gained)?;
            name(out, rule, "lost", &found.lost)?;
        }
        for rejected in &self.after.rejected {
            writeln!(out, "\nRefused: {}", inert(&rejected.to_string()))?;
        }
        let milliseconds = |cost: Duration| cost.as_secs_f64() * 1e3;
        writeln!(
            out,
            "\nProcessor time of these rules over the lake: {:.1} ms before, {:.1} ms after.",
            milliseconds(self.costs.0),
            milliseconds(self.costs.1)
        )?;
        Ok(all_failed)
    }

    fn json(&self, out: &mut impl Write) -> anyhow::Result<usize> {
        let mut all_failed = 0;
        for (change, rule, found, passed, failed) in self.rows() {
            all_failed += failed;
            let ids = |alerts: Option<&Vec<&Alert>>| -> Vec<String> {
                let alerts = alerts.into_iter().flatten();
                alerts.map(|alert| alert.alert_id.clone()).collect()
            };
            let line = json!({
                "rule_id": rule.id,
                "label": rule.label,
                "title": rule.sigma.title,
                "change": change.as_str(),
                "before": found.map_or(0, |found| found.before),
                "after": found.map_or(0, |found| found.after),
                "gained": ids(found.map(|found| &found.gained)),
                "lost": ids(found.map(|found| &found.lost)),
                "cases_passed": passed,
                "cases_failed": failed,
            });
            writeln!(out, "{line}")?;
        }
        Ok(all_failed)
    }
}

/// Names some alerts of a rule, so that a reviewer can look at them.
fn name(out: &mut impl Write, rule: &Rule, what: &str, alerts: &[&Alert]) -> anyhow::Result<()> {
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
