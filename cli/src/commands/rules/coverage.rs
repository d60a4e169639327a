//! `vedette rules coverage`: which rules can fire, and which ATT&CK techniques they cover.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use serde_json::json;
use sigma::correlation::{Correlation, CorrelationType, Referred};
use sigma::error::LoadDiagnostic;
use sigma::metadata::RuleMetadata;
use sigma::tools::coverage::navigator::{self, Attack};
use sigma::tools::coverage::{Verdict as CanFire, verdict};
use sigma::{Rule, RuleCollection};

use super::files::{load, rule_files};
use crate::config::Config;
use crate::output::{self, Cell, Form, Table, Tone, Verdict, inert};

pub(crate) const EXAMPLES: &str = "\
Examples:
  vedette rules coverage                              the rules that run
  vedette rules coverage rules/ --output json | jq 'select(.can_fire == \"no\")'
  vedette rules coverage --navigator layer.json       open it with ATT&CK Navigator: \"Open Existing Layer\"

Exit code 1 if a rule cannot fire.";

/// Says which rules can fire, and which techniques they cover.
#[derive(Debug, Args)]
pub(crate) struct Coverage {
    /// Files and folders; without any, the rules that run.
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Write a layer for ATT&CK Navigator (format 4.5) to this file.
    #[arg(long, value_name = "FILE")]
    navigator: Option<PathBuf>,
    /// Form of the list.
    #[arg(long, short, value_enum, default_value_t = Form::Table)]
    output: Form,
}

/// Whether a rule can fire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Can {
    Yes,
    Unknown,
    No,
}

impl Can {
    fn word(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Unknown => "unknown",
        }
    }
}

/// A rule, whether it can fire, and why not.
struct Standing {
    name: String,
    title: String,
    table: String,
    techniques: Vec<String>,
    can: Can,
    why_not: Option<String>,
}

impl Coverage {
    pub(super) fn run(self, config: &Config) -> anyhow::Result<Verdict> {
        let (collection, rules) =
            load(rule_files(&self.paths, &config.detect())?, &config.detect());
        let statements = rules.metadata();
        let mut standings: Vec<Standing> = Vec::new();
        for rule in rules.rules() {
            standings.push(of_rule(rule, &collection));
        }
        for correlation in rules.correlations() {
            standings.push(of_correlation(correlation, &statements, &standings));
        }
        let known = standings.len();
        standings.extend(collection.rejected.iter().map(of_rejected));
        let techniques = techniques(&standings);
        if let Some(path) = &self.navigator {
            let can = statements.iter().zip(&standings[..known]);
            let rules = can.filter(|(_, standing)| standing.can != Can::No);
            let layer = navigator::layer(
                "vedette",
                "Techniques that rules cover; the score is the number of rules",
                Attack::V19,
                rules.map(|(rule, _)| rule),
            );
            std::fs::write(path, serde_json::to_string_pretty(&layer)?)
                .with_context(|| format!("cannot write the layer to {}", path.display()))?;
        }
        print(&standings, &techniques, self.output)?;
        let all_can = standings.iter().all(|standing| standing.can != Can::No);
        Ok(if all_can {
            Verdict::Done
        } else {
            Verdict::Findings
        })
    }
}

fn of_rule(rule: &Rule, collection: &RuleCollection) -> Standing {
    // What a lake has seen is not asked: an attack that never happened has left no values.
    let (can, why_not) = match verdict(rule, &collection.user_mapping, &|_, _| None) {
        CanFire::CanFire => (Can::Yes, None),
        CanFire::Cannot(reason) => (Can::No, Some(reason.to_string())),
        CanFire::Unknown(reason) => (Can::Unknown, Some(reason.to_string())),
    };
    Standing {
        name: rule.label.clone(),
        title: rule.sigma.title.clone(),
        table: rule.table.name().to_owned(),
        techniques: rule.techniques.clone(),
        can,
        why_not,
    }
}

/// A correlation can fire as far as what it counts can: all of it, where it waits for all.
fn of_correlation(one: &Correlation, statements: &[RuleMetadata], known: &[Standing]) -> Standing {
    let members = one.rules.iter().filter_map(|member| {
        let (Referred::Rule(id) | Referred::Correlation(id)) = member;
        let at = statements
            .iter()
            .position(|statement| statement.id == *id)?;
        known.get(at).map(|standing| standing.can)
    });
    let waits_for_all = matches!(
        one.sigma.correlation_type,
        CorrelationType::Temporal | CorrelationType::TemporalOrdered
    );
    let can = if waits_for_all {
        members.max()
    } else {
        members.min()
    };
    let statement = one.metadata();
    let can = can.unwrap_or(Can::Unknown);
    Standing {
        name: statement.label,
        title: statement.title,
        table: "correlation".to_owned(),
        techniques: statement.techniques,
        can,
        why_not: (can == Can::No).then(|| "what it counts cannot fire".to_owned()),
    }
}

fn of_rejected(rejected: &LoadDiagnostic) -> Standing {
    Standing {
        name: rejected.file.clone(),
        title: String::new(),
        table: String::new(),
        techniques: Vec::new(),
        can: Can::No,
        why_not: Some(rejected.to_string()),
    }
}

/// For each technique the rules that can fire for it.
fn techniques(standings: &[Standing]) -> BTreeMap<&str, Vec<&str>> {
    let mut found: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for standing in standings.iter().filter(|standing| standing.can != Can::No) {
        for technique in &standing.techniques {
            found.entry(technique).or_default().push(&standing.name);
        }
    }
    found
}

fn print(
    standings: &[Standing],
    techniques: &BTreeMap<&str, Vec<&str>>,
    form: Form,
) -> anyhow::Result<()> {
    let mut out = output::stdout();
    if form != Form::Table {
        let row = |standing: &Standing| {
            json!({
                "rule": standing.name,
                "title": standing.title,
                "table": standing.table,
                "techniques": standing.techniques,
                "can_fire": standing.can.word(),
                "why_not": standing.why_not,
            })
        };
        out.list(&standings.iter().map(row).collect::<Vec<_>>(), form)?;
        return Ok(());
    }
    let mut table = Table::new([
        "rule",
        "can fire",
        "table",
        "techniques",
        "title, or why it cannot fire",
    ]);
    for standing in standings {
        let tone = match standing.can {
            Can::Yes => Tone::Good,
            Can::No => Tone::Bad,
            Can::Unknown => Tone::Doubtful,
        };
        let can = Cell::new(standing.can.word()).toned(tone);
        table.row([
            Cell::new(&standing.name),
            can,
            Cell::new(&standing.table),
            Cell::new(standing.techniques.join(" ")),
            Cell::new(standing.why_not.as_ref().unwrap_or(&standing.title)),
        ]);
    }
    out.table(&table)?;
    let can = standings.iter().filter(|standing| standing.can == Can::Yes);
    writeln!(
        out,
        "{} of {} rules can fire; {} techniques: {}",
        can.count(),
        standings.len(),
        techniques.len(),
        inert(&techniques.keys().copied().collect::<Vec<_>>().join(" "))
    )?;
    Ok(())
}
