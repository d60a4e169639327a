//! `vedette rules tune`: filters that would leave out what an alert is about, and what else each would hide.
//!
//! ```text
//! alert ─▶ its event in the lake ─▶ proposals ─▶ other alerts of the rule, each proposal asked about their events
//! ```
//! Of a correlation's alert, the rule is one that the correlation counts: see [`cause`].
//! A filter is a file of the tenant's own, in a folder of `detect.rules`, and an update of vedette never touches it.

mod cause;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use detect::evaluate::event;
use lake::{Lake, literals};
use schemas::environment::{Clock as _, SystemClock};
use schemas::time::iso_ms;
use schemas::wire::{Alert, Event};
use serde_json::{Value, json};
use sigma::filter::terms::Terms;
use sigma::metadata::Day;
use sigma::tools::tuning::{Proposal, Tuning};
use sigma::{Rule, RuleCollection};

use self::cause::{Cause, Running};
use super::files::{load, rule_files};
use crate::commands::reproduce::find;
use crate::commands::{open_lake, runtime};
use crate::config::Config;
use crate::output::exit::WrongUsage;
use crate::output::{self, Form, Printer, Tone, Verdict, inert, inert_sentence, plain};

pub(crate) const EXAMPLES: &str = "\
Proposals go from narrow to wide. What the rule itself asks for is never in them: a filter that leaves out the
very thing which a rule was written to find switches the rule off. Nothing here judges whether an alert is harmless.
For an alert of a correlation, a filter is proposed for the events of a rule that it counts.

Examples:
  vedette rules tune f4993d4c                              what could be left out, and which other alerts would go too
  vedette rules tune f4993d4c --proposal 2 --owner kim --reason 'the nightly backup, change 4711' \\
      --expires 2027-03-31 --write tuning/backup_reads_mail.yml
  vedette rules tune f4993d4c --output json | jq -r 'select(.hides == 0) | .sentence'
  vedette rules lint tuning/                               which filters have no owner, reason or last day, or ended

The folder of the file must be in detect.rules of the configuration.
Exit code 1: there is nothing to propose, and it says why.";

/// Days that a filter holds if nobody says otherwise: somebody should look again within three months.
const DAYS: u16 = 90;

/// Most other alerts of the rule that are looked at, the newest.
const ALERTS_MAX: usize = 2_000;

/// Most events that one query asks for.
const EVENTS_PER_QUERY: usize = 500;

/// Other alerts that are named for each proposal.
const EXAMPLES_MAX: usize = 5;

/// Proposes filters that leave out what an alert is about.
#[derive(Debug, Args)]
pub(crate) struct Tune {
    /// The alert's id, or its first characters.
    alert: String,
    /// Who answers for the filter.
    #[arg(long, value_name = "NAME", value_parser = crate::operator::person)]
    owner: Option<String>,
    /// Why what it leaves out is harmless.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// The filter's last day, UTC; without it, 90 days from now.
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    expires: Option<Day>,
    /// Number of the proposal whose YAML is shown or written.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..))]
    proposal: u8,
    /// Write the YAML to this file, which must not exist yet.
    #[arg(long, value_name = "FILE", requires_all = ["owner", "reason"])]
    write: Option<PathBuf>,
    /// Form of what is told.
    #[arg(long, short, value_enum, default_value_t = Form::Table)]
    output: Form,
}

/// A last day that is not over: a filter with another would never hold.
fn day(text: &str) -> Result<Day, String> {
    let day = Day::parse(text);
    let day = day.ok_or_else(|| "not a day as YYYY-MM-DD, for example 2027-03-31".to_owned())?;
    if day < Day::of_us(SystemClock.now_us()) {
        return Err("this day is over: a filter holds through its last day, UTC".to_owned());
    }
    Ok(day)
}

impl Tune {
    pub(super) fn run(self, config: &Config) -> anyhow::Result<Verdict> {
        let runtime = runtime()?;
        let (lake, detect) = runtime.block_on(open_lake(config))?;
        let (collection, rules) = load(rule_files(&[], &detect)?, &detect);
        let now_us = SystemClock.now_us();
        let terms = Terms {
            owner: self.owner.clone(),
            reason: self.reason.clone(),
            expires: Some(self.expires.unwrap_or(Day::of_us(now_us).later(DAYS))),
        };
        let (alert, cause, others) = runtime.block_on(async {
            let mut alert = find(&lake, &self.alert).await?;
            let running = Running {
                collection: &collection,
                rules: &rules,
            };
            let cause = running.cause(&lake, &mut alert, &terms, now_us).await?;
            let others = other_alerts(&lake, &alert, &cause.rule).await?;
            anyhow::Ok((alert, cause, others))
        })?;
        let tuning = &cause.tuning;
        let hidden = tuning
            .proposals
            .iter()
            .map(|proposal| others.hidden_by(proposal, &cause, &collection))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let shown = Shown {
            alert: &alert,
            cause: &cause,
            hidden: &hidden,
            others: &others,
        };
        let mut out = output::stdout();
        match self.output {
            Form::Table => shown.table(&mut out)?,
            form => out.list(&shown.rows(), form)?,
        }
        if tuning.proposals.is_empty() {
            return Ok(Verdict::Findings);
        }
        self.give(&mut out, tuning)?;
        Ok(Verdict::Done)
    }

    /// Shows the YAML of the chosen proposal, or writes it to a file.
    fn give(&self, out: &mut Printer<impl Write>, tuning: &Tuning) -> anyhow::Result<()> {
        let number = usize::from(self.proposal);
        let chosen = tuning.proposals.get(number - 1).ok_or_else(|| {
            WrongUsage(format!(
                "there is no proposal {number}: they go from 1 to {}",
                tuning.proposals.len()
            ))
        })?;
        if let Some(path) = &self.write {
            write_new(path, &chosen.yaml)?;
            let said = format!(
                "proposal {number} is in {}: `vedette rules lint` checks it, and its folder must be in detect.rules",
                inert(&path.display().to_string())
            );
            writeln!(output::stderr(), "{said}")?;
        } else if self.output == Form::Table {
            writeln!(out, "\nproposal {number} as a file:\n\n{}", chosen.yaml)?;
            if self.owner.is_none() || self.reason.is_none() {
                let said = "say who answers for it and why, with --owner and --reason";
                out.line(&[Tone::Doubtful.of(said)])?;
            }
        }
        Ok(())
    }
}

fn write_new(path: &Path, text: &str) -> anyhow::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .with_context(|| {
            format!(
                "cannot make {}: name a file that does not exist yet, in a folder that does",
                path.display()
            )
        })?;
    file.write_all(text.as_bytes())
        .with_context(|| format!("cannot write {}", path.display()))
}

/// Other alerts of the rule, with the events behind them that the lake still has.
struct Others {
    alerts: Vec<Other>,
    events: Vec<Event>,
    /// True if there may be older ones that were not looked at.
    is_cut: bool,
}

/// Another alert of the same rule.
struct Other {
    alert_id: String,
    /// When, who and from where, inert.
    told: String,
    /// Ids of its events.
    event_ids: Vec<String>,
}

/// The newest other alerts of the rule, each once however often it was published.
async fn other_alerts(lake: &Lake, alert: &Alert, rule: &Rule) -> anyhow::Result<Others> {
    let query = format!(
        "SELECT * FROM alerts_current WHERE rule_id = {} AND alert_id <> {} ORDER BY detected_time DESC LIMIT {ALERTS_MAX}",
        literals([&alert.rule_id]),
        literals([&alert.alert_id])
    );
    let (found, damaged) = lake.rows::<Alert>(&query).await?;
    for error in &damaged {
        let said = format!("an alert is not looked at: {error}");
        output::stderr().line(&[plain(said)])?;
    }
    let rows = found.len() + damaged.len();
    let mut by_id: BTreeMap<String, Other> = BTreeMap::new();
    for alert in found {
        let when = Some(alert.first_event_time_us).filter(|time_us| *time_us != 0);
        let told = [
            when.map(iso_ms).unwrap_or_default(),
            inert(&alert.user),
            inert(&alert.ip),
        ];
        let events = alert.evidence.into_iter();
        let other = Other {
            alert_id: alert.alert_id.clone(),
            told: told.join(" "),
            event_ids: events.map(|one| one.event_id).collect(),
        };
        by_id.entry(alert.alert_id).or_insert(other);
    }
    let alerts: Vec<Other> = by_id.into_values().collect();
    let wanted: BTreeSet<&str> = alerts
        .iter()
        .flat_map(|other| other.event_ids.iter().map(String::as_str))
        .collect();
    let wanted: Vec<&str> = wanted.into_iter().collect();
    let mut events = Vec::new();
    for ids in wanted.chunks(EVENTS_PER_QUERY) {
        let query = format!(
            "SELECT tenant_id, event_id, event_time, ingest_time, source, category, raw FROM {} WHERE event_id IN ({})",
            rule.table.name(),
            literals(ids)
        );
        let (_, found) = lake.query_all(&query).await?;
        for batch in &found {
            events.extend((0..batch.num_rows()).map(|row| event(batch, row)));
        }
    }
    Ok(Others {
        alerts,
        events,
        is_cut: rows == ALERTS_MAX,
    })
}

impl Others {
    /// The alerts of whose events the proposal would leave out every one, or any where they are counted; none whose
    /// events are gone.
    fn hidden_by(
        &self,
        proposal: &Proposal,
        cause: &Cause,
        collection: &RuleCollection,
    ) -> anyhow::Result<Vec<&Other>> {
        let left_out = proposal.leaves_out(&cause.rule, &collection.user_mapping, &self.events)?;
        let silent: BTreeSet<&str> = self
            .events
            .iter()
            .zip(&left_out)
            .filter(|(_, is_out)| **is_out)
            .map(|(event, _)| event.event_id.as_str())
            .collect();
        let is_hidden = |other: &&Other| {
            let mut events = other.event_ids.iter().map(String::as_str);
            if cause.is_counted {
                events.any(|id| silent.contains(id))
            } else {
                !other.event_ids.is_empty() && events.all(|id| silent.contains(id))
            }
        };
        Ok(self.alerts.iter().filter(is_hidden).collect())
    }
}

/// The proposals for an alert, and for each the other alerts that it would hide.
struct Shown<'a> {
    alert: &'a Alert,
    cause: &'a Cause,
    hidden: &'a [Vec<&'a Other>],
    others: &'a Others,
}

impl Shown<'_> {
    fn rows(&self) -> Vec<Value> {
        let mut rows = Vec::new();
        if let Some(why) = self.cause.tuning.why_none() {
            rows.push(json!({"alert_id": self.alert.alert_id, "why_none": why}));
        }
        for (proposal, hidden) in self.cause.tuning.proposals.iter().zip(self.hidden) {
            let selection: BTreeMap<&str, &str> = proposal
                .selection
                .iter()
                .map(|one| (one.field, one.value.as_str()))
                .collect();
            let examples: Vec<&str> = hidden
                .iter()
                .take(EXAMPLES_MAX)
                .map(|other| other.alert_id.as_str())
                .collect();
            rows.push(json!({
                "alert_id": self.alert.alert_id,
                "id": proposal.id,
                "sentence": proposal.sentence,
                "selection": selection,
                "hides": hidden.len(),
                "hides_of": self.others.alerts.len(),
                "examples": examples,
                "rule": self.cause.rule.label,
                "is_counted": self.cause.is_counted,
                "yaml": proposal.yaml,
            }));
        }
        rows
    }

    fn table(&self, out: &mut Printer<impl Write>) -> anyhow::Result<()> {
        let alert = self.alert;
        writeln!(out, "alert {}", inert(&alert.alert_id))?;
        writeln!(out, "{} \"{}\"", inert(&alert.label), inert(&alert.title))?;
        if let Some(told) = &self.cause.told {
            out.line(&[Tone::Doubtful.of(told.as_str())])?;
        }
        if let Some(why) = self.cause.tuning.why_none() {
            writeln!(out, "\nnothing can be proposed: {why}")?;
        }
        let all = self.others.alerts.len();
        for (at, (proposal, hidden)) in self
            .cause
            .tuning
            .proposals
            .iter()
            .zip(self.hidden)
            .enumerate()
        {
            writeln!(out, "\n{}. {}", at + 1, proposal.sentence)?;
            let hidden_count = hidden.len();
            if self.cause.is_counted {
                writeln!(
                    out,
                    "   would also take events from {hidden_count} of {all} other alerts, which may then not be raised"
                )?;
            } else {
                writeln!(
                    out,
                    "   would also hide {hidden_count} of {all} other alerts of this rule"
                )?;
            }
            for other in hidden.iter().take(EXAMPLES_MAX) {
                let told = format!("{} {}", inert(&other.alert_id), other.told);
                out.line(&[plain("     "), Tone::Faint.of(told)])?;
            }
        }
        if self.others.is_cut {
            writeln!(
                out,
                "\nonly the newest {ALERTS_MAX} other alerts were looked at"
            )?;
        }
        for kept in &self.cause.tuning.kept_out {
            let said = format!(
                "never left out: {} {}, for which the rule itself asks",
                kept.called, kept.value
            );
            writeln!(out)?;
            out.line(&[Tone::Faint.of(inert_sentence(&said))])?;
        }
        Ok(())
    }
}
