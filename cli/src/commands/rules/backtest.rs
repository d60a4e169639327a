//! `vedette rules backtest`: what rules find in the lake by day, account and address, and what each costs.

use std::collections::HashSet;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use detect::backtest::figures::{Figures, Report, Window};
use detect::backtest::{Measurement, evaluate_lake, measure};
use indicatif::{ProgressBar, ProgressStyle};
use lake::Lake;
use schemas::environment::{Clock as _, SystemClock};
use schemas::severity::Severity;
use schemas::time::iso_ms;
use schemas::wire::Alert;
use serde_json::{Value, json};
use sigma::correlation::rule_of_match;
use sigma::metadata::RuleMetadata;
use sigma::{RuleCollection, Ruleset};

use super::files::{load, only, rule_files};
use super::missing::fill_missing;
use crate::commands::{open_lake, runtime};
use crate::config::Config;
use crate::output::exit::WrongUsage;
use crate::output::{self, Cell, Form, Printer, Table, Tone, Verdict, inert};

pub(crate) const EXAMPLES: &str = "\
--days counts back from the newest day that the lake has, because an import may be old. Nothing is published.
The cost of a rule is the processor time of a plan with this rule alone over the same files. The cost of all
together has the reading of hits and the making of alerts in it besides.

Examples:
  vedette rules backtest --days 30
  vedette rules backtest --rule SAAS-M365-00002 --rule SAAS-M365-00003
  vedette rules backtest --output json | jq -r 'select(.hits > 100) | .label'
  vedette rules backtest --missing                     what detect could not read when it was announced
  vedette rules backtest --alerts --output json        every alert, those of Microsoft's products among them";

/// Accounts and addresses that the table of all rules names for each.
const TOP: usize = 3;

/// Accounts and addresses of one rule that are listed.
const TOP_OF_ONE: usize = 10;

/// Most days that are drawn in a cell, the last ones.
const DRAWN_DAYS_MAX: u32 = 31;

/// Heights of a bar.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Evaluates rules over the lake.
#[derive(Debug, Args)]
pub(crate) struct Backtest {
    /// Days to look at, back from the newest day in the lake; without it, all.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    days: Option<u32>,
    /// Label or id of a rule; may be given several times. Without it, all that run.
    #[arg(long = "rule", value_name = "LABEL")]
    rules: Vec<String>,
    /// Do not evaluate each rule alone, which takes longer than all together.
    #[arg(long)]
    no_cost: bool,
    /// List every alert instead of figures of each rule.
    #[arg(long, conflicts_with_all = ["days", "rules", "no_cost"])]
    alerts: bool,
    /// Evaluate announced files that detect could not read, as the ledger names them, and publish what they raise.
    ///
    /// On the embedded log no other vedette may run on this data folder.
    #[arg(long, conflicts_with_all = ["days", "rules", "no_cost", "alerts"])]
    missing: bool,
    /// Form of the report.
    #[arg(long, short, value_enum, default_value_t = Form::Table)]
    output: Form,
}

impl Backtest {
    pub(super) fn run(self, config: &Config) -> anyhow::Result<Verdict> {
        runtime()?.block_on(self.evaluate(config))
    }

    async fn evaluate(&self, config: &Config) -> anyhow::Result<Verdict> {
        let (lake, detect) = open_lake(config).await?;
        let (mut collection, mut rules) = load(rule_files(&[], &detect)?, &detect);
        if !self.rules.is_empty() {
            self.choose(&mut collection, &rules)?;
            rules = Ruleset::compile(&mut collection);
        }
        if self.missing {
            return fill_missing(config, Arc::new(rules), &lake, self.output).await;
        }
        if self.alerts {
            return list_alerts(&rules, &lake, self.output).await;
        }
        let alone = if self.no_cost {
            Vec::new()
        } else {
            let rules = rules.rules().iter();
            rules
                .map(|rule| only(&collection, std::iter::once(rule)))
                .collect()
        };
        let bar = Arc::new(ProgressBar::new(0));
        if let Ok(style) =
            ProgressStyle::with_template("{bar:30} {pos}/{len} row groups, {eta} left")
        {
            bar.set_style(style);
        }
        let progress = |done: usize, total: usize| {
            bar.set_length(total as u64);
            bar.set_position(done as u64);
        };
        let measurement = Measurement {
            days: self.days,
            alone: &alone,
            now_us: SystemClock.now_us(),
            thread_time: || cpu_time::ThreadTime::now().as_duration(),
            progress: &progress,
        };
        let report = measure(&rules, &lake, &measurement).await?;
        bar.finish_and_clear();
        let shown = Shown {
            statements: rules.metadata(),
            tables: rules.rules().iter().map(|rule| rule.table).collect(),
            report: &report,
            has_costs: !self.no_cost,
        };
        match self.output {
            Form::Table => shown.table(self.days)?,
            form => output::stdout().list(&shown.rows(), form)?,
        }
        Ok(Verdict::Done)
    }

    /// Leaves only the rules and correlations that were named, and what they count.
    fn choose(&self, collection: &mut RuleCollection, rules: &Ruleset) -> anyhow::Result<()> {
        let mut wanted: HashSet<String> = HashSet::new();
        let statements = rules.metadata();
        for name in &self.rules {
            let is = |statement: &&RuleMetadata| {
                statement.label.eq_ignore_ascii_case(name)
                    || statement.id.eq_ignore_ascii_case(name)
            };
            let found = statements.iter().find(is).ok_or_else(|| {
                let name = inert(name);
                WrongUsage(format!(
                    "there is no rule \"{name}\": `vedette rules list` shows the labels of those that run"
                ))
            })?;
            wanted.insert(found.id.clone());
        }
        // Each is after those that it counts.
        for definition in rules.compiled_correlations().definitions().iter().rev() {
            if wanted.contains(&*definition.id) {
                let members = definition.members.iter();
                wanted.extend(members.map(|member| rule_of_match(&member.id).to_owned()));
            }
        }
        collection.loaded.retain(|rule| wanted.contains(&rule.id));
        collection
            .correlations
            .retain(|one| wanted.contains(&one.id));
        Ok(())
    }
}

/// A report with the rules that its numbers mean.
struct Shown<'a> {
    /// Those of rules, and then those of correlations.
    statements: Vec<RuleMetadata>,
    /// Those of the rules.
    tables: Vec<schemas::tables::Table>,
    report: &'a Report,
    has_costs: bool,
}

impl Shown<'_> {
    /// Rules with their figures, those that find most first.
    fn in_order(&self) -> Vec<(&RuleMetadata, &Figures)> {
        let mut order: Vec<_> = self.statements.iter().zip(&self.report.rules).collect();
        order.sort_by_key(|(_, figures)| std::cmp::Reverse(figures.hits));
        order
    }

    fn rows(&self) -> Vec<Value> {
        let top = |entities: &[(String, u64)]| {
            let top = entities.iter().take(TOP_OF_ONE);
            top.map(|(name, hits)| json!({"name": name, "hits": hits}))
                .collect::<Vec<_>>()
        };
        let table = |rule: &RuleMetadata| {
            let mut rules = self.statements.iter().zip(&self.tables);
            let found = rules.find(|(known, _)| known.id == rule.id);
            found.map_or(schemas::tables::Table::Signals, |(_, table)| *table)
        };
        let row = |(rule, figures): (&RuleMetadata, &Figures)| {
            json!({
                "label": rule.label,
                "rule_id": rule.id,
                "title": rule.title,
                "severity": rule.severity.as_str(),
                "table": table(rule).name(),
                "hits": figures.hits,
                "by_day": figures.by_day,
                "users": top(&figures.users),
                "addresses": top(&figures.addresses),
                "cost_ms": self.has_costs.then(|| milliseconds(figures.cost)),
                "first_day": self.report.window.as_ref().map(|window| &window.first),
                "last_day": self.report.window.as_ref().map(|window| &window.last),
            })
        };
        self.in_order().into_iter().map(row).collect()
    }

    fn table(&self, days: Option<u32>) -> anyhow::Result<()> {
        let mut out = output::stdout();
        let Some(window) = &self.report.window else {
            writeln!(
                out,
                "the lake has no events of a table that these rules are about"
            )?;
            return Ok(());
        };
        let order = self.in_order();
        let mut table = Table::new([
            "label",
            "severity",
            "hits",
            "by day",
            "accounts",
            "addresses",
            "CPU ms",
            "title",
        ]);
        for (rule, figures) in &order {
            let cost = if self.has_costs {
                format!("{:.1}", milliseconds(figures.cost))
            } else {
                String::new()
            };
            table.row([
                Cell::new(&rule.label),
                severity(rule.severity),
                Cell::number(figures.hits),
                Cell::new(bars(figures, window)),
                top(&figures.users),
                top(&figures.addresses),
                Cell::number(cost),
                Cell::new(&rule.title),
            ]);
        }
        out.table(&table)?;
        if let [(_, figures)] = order.as_slice() {
            details(&mut out, figures)?;
        }
        self.totals(&mut out, window, days)
    }

    fn totals(
        &self,
        out: &mut impl Write,
        window: &Window,
        days: Option<u32>,
    ) -> anyhow::Result<()> {
        let report = self.report;
        let hits: u64 = report.rules.iter().map(|figures| figures.hits).sum();
        let span = match days {
            Some(days) => format!("{days} days back from the newest day in the lake"),
            None => "all days in the lake".to_owned(),
        };
        writeln!(out, "{} to {}: {span}", window.first, window.last)?;
        writeln!(
            out,
            "{hits} hits of {} rules in {} rows, {} files, {} row groups",
            report.rules.len(),
            report.rows,
            report.files,
            report.row_groups
        )?;
        let sum: Duration = report.rules.iter().map(|figures| figures.cost).sum();
        let each = if self.has_costs {
            format!("; one by one {:.1} ms", milliseconds(sum))
        } else {
            String::new()
        };
        writeln!(
            out,
            "processor time of all rules together {:.1} ms{each}",
            milliseconds(report.together)
        )?;
        Ok(())
    }
}

/// Days, accounts and addresses of the one rule that was asked for.
fn details(out: &mut Printer<impl Write>, figures: &Figures) -> anyhow::Result<()> {
    let mut days = Table::new(["day", "hits"]);
    for (day, hits) in &figures.by_day {
        days.row([day.clone(), hits.to_string()]);
    }
    out.table(&days)?;
    for (name, entities) in [("account", &figures.users), ("address", &figures.addresses)] {
        let mut table = Table::new([name, "hits"]);
        for (entity, hits) in entities.iter().take(TOP_OF_ONE) {
            table.row([entity.clone(), hits.to_string()]);
        }
        out.table(&table)?;
    }
    Ok(())
}

fn severity(severity: Severity) -> Cell {
    let cell = Cell::new(severity.as_str());
    match severity.as_str() {
        "critical" | "high" => cell.toned(Tone::Bad),
        "medium" => cell.toned(Tone::Doubtful),
        _ => cell,
    }
}

fn top(entities: &[(String, u64)]) -> Cell {
    let named = entities.iter().take(TOP);
    let mut lines: Vec<String> = named.map(|(name, hits)| format!("{hits} {name}")).collect();
    if entities.len() > TOP {
        lines.push(format!("and {} more", entities.len() - TOP));
    }
    Cell::lines(&lines)
}

/// Hits of the last days of a window as bars; a day without any is a blank.
fn bars(figures: &Figures, window: &Window) -> String {
    let most = figures.by_day.values().copied().max().unwrap_or(0);
    let bar = |day: &String| match figures.by_day.get(day) {
        None | Some(0) => ' ',
        Some(hits) => {
            let height = (hits * BARS.len() as u64).div_ceil(most.max(1));
            BARS[usize::try_from(height).unwrap_or(1).clamp(1, BARS.len()) - 1]
        }
    };
    window.days(DRAWN_DAYS_MAX).iter().map(bar).collect()
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

async fn list_alerts(rules: &Ruleset, lake: &Lake, form: Form) -> anyhow::Result<Verdict> {
    let alerts = evaluate_lake(rules, lake, SystemClock.now_us()).await?;
    if form != Form::Table {
        return output::list(&alerts.values().map(line).collect::<Vec<_>>(), form);
    }
    let mut table = Table::new(["time", "label", "severity", "user", "title"]);
    let mut in_order: Vec<&Alert> = alerts.values().collect();
    in_order.sort_by_key(|alert| alert.first_event_time_us);
    for alert in in_order {
        table.row([
            iso_ms(alert.first_event_time_us),
            alert.label.clone(),
            alert.severity.clone(),
            alert.user.clone(),
            alert.title.clone(),
        ]);
    }
    let mut out = output::stdout();
    out.table(&table)?;
    writeln!(out, "{} alerts", alerts.len())?;
    Ok(Verdict::Done)
}

fn line(alert: &Alert) -> Value {
    json!({
        "alert_id": alert.alert_id,
        "label": alert.label,
        "severity": alert.severity,
        "title": alert.title,
        "user": alert.user,
        "first_event_time": iso_ms(alert.first_event_time_us),
        "event_count": alert.event_count,
        "events": alert.evidence.iter().map(|evidence| &evidence.event_id).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use detect::backtest::figures::{Figures, Window};

    use super::bars;

    #[test]
    fn each_day_of_the_window_is_a_bar_or_a_blank() {
        let window = Window {
            first: "2026-02-27".to_owned(),
            last: "2026-03-02".to_owned(),
        };
        let by_day = [("2026-02-27", 1), ("2026-03-01", 16), ("2026-03-02", 8)];
        let figures = Figures {
            by_day: by_day.map(|(day, hits)| (day.to_owned(), hits)).into(),
            ..Figures::default()
        };
        assert_eq!(bars(&figures, &window), "▁ █▄");
        assert_eq!(bars(&Figures::default(), &window), "    ");
    }
}
