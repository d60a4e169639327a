//! `vedette rules coverage`: which rules can fire, and which ATT&CK techniques they cover.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{Cell, Color, ContentArrangement, Table};
use serde_json::json;
use sigma::Rule;
use sigma::rule::Rejected;

use super::files::{load, rule_files};
use crate::audit::Output;
use crate::config::Config;
use crate::exit::Verdict;
use crate::sql::inert;

pub(crate) const EXAMPLES: &str = "\
Examples:
  vedette rules coverage                              the rules that run
  vedette rules coverage rules/ --output json | jq 'select(.can_fire | not)'
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
    #[arg(long, short, value_enum, default_value_t = Output::Table)]
    output: Output,
}

/// A rule, and why it cannot fire.
struct Standing {
    name: String,
    title: String,
    table: String,
    techniques: Vec<String>,
    /// None if it can fire.
    cannot: Option<String>,
}

impl Coverage {
    pub(super) fn run(self, config: &Config) -> anyhow::Result<Verdict> {
        let catalogue = load(rule_files(&self.paths, &config.detect())?);
        let loaded = catalogue.loaded.iter().map(of_rule);
        let standings: Vec<Standing> = loaded
            .chain(catalogue.rejected.iter().map(of_rejected))
            .collect();
        let techniques = techniques(&standings);
        if let Some(path) = &self.navigator {
            let layer = serde_json::to_string_pretty(&layer(&techniques))?;
            std::fs::write(path, layer)
                .with_context(|| format!("cannot write the layer to {}", path.display()))?;
        }
        print(&standings, &techniques, self.output)?;
        let all_can = standings.iter().all(|standing| standing.cannot.is_none());
        Ok(if all_can {
            Verdict::Done
        } else {
            Verdict::Findings
        })
    }
}

fn of_rule(rule: &Rule) -> Standing {
    Standing {
        name: rule.label.clone(),
        title: rule.sigma.title.clone(),
        table: rule.table.name().to_owned(),
        techniques: rule.techniques.clone(),
        cannot: None,
    }
}

fn of_rejected(rejected: &Rejected) -> Standing {
    Standing {
        name: rejected.file.clone(),
        title: String::new(),
        table: String::new(),
        techniques: Vec::new(),
        cannot: Some(rejected.to_string()),
    }
}

/// For each technique the rules that can fire for it.
fn techniques(standings: &[Standing]) -> BTreeMap<&str, Vec<&str>> {
    let mut found: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for standing in standings
        .iter()
        .filter(|standing| standing.cannot.is_none())
    {
        for technique in &standing.techniques {
            found.entry(technique).or_default().push(&standing.name);
        }
    }
    found
}

fn print(
    standings: &[Standing],
    techniques: &BTreeMap<&str, Vec<&str>>,
    output: Output,
) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    if output == Output::Json {
        for standing in standings {
            let line = json!({
                "rule": standing.name,
                "title": standing.title,
                "table": standing.table,
                "techniques": standing.techniques,
                "can_fire": standing.cannot.is_none(),
                "why_not": standing.cannot,
            });
            writeln!(out, "{line}")?;
        }
        return Ok(());
    }
    let mut table = Table::new();
    table
        .load_style(UTF8_HORIZONTAL_ONLY)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header([
            "rule",
            "can fire",
            "table",
            "techniques",
            "title, or why it cannot fire",
        ]);
    for standing in standings {
        let can = match standing.cannot {
            None => Cell::new("yes").fg(Color::Green),
            Some(_) => Cell::new("no").fg(Color::Red),
        };
        table.add_row([
            Cell::new(inert(&standing.name)),
            can,
            Cell::new(&standing.table),
            Cell::new(inert(&standing.techniques.join(" "))),
            Cell::new(inert(standing.cannot.as_ref().unwrap_or(&standing.title))),
        ]);
    }
    writeln!(out, "{table}")?;
    let can = standings
        .iter()
        .filter(|standing| standing.cannot.is_none());
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

/// A layer whose score is the number of rules.
///
/// Source: ATT&CK Navigator, layer file format 4.5.
fn layer(techniques: &BTreeMap<&str, Vec<&str>>) -> serde_json::Value {
    let most = techniques.values().map(Vec::len).max().unwrap_or(1);
    let listed: Vec<_> = techniques
        .iter()
        .map(|(technique, rules)| {
            json!({
                "techniqueID": technique,
                "score": rules.len(),
                "comment": rules.join(", "),
                "enabled": true,
                "showSubtechniques": true,
            })
        })
        .collect();
    json!({
        "name": "vedette",
        "description": "Techniques that rules of vedette cover; the score is the number of rules",
        "domain": "enterprise-attack",
        "versions": {"navigator": "5.2.0", "layer": "4.5"},
        "techniques": listed,
        "gradient": {"colors": ["#e8f4ff", "#0b5cad"], "minValue": 0, "maxValue": most},
    })
}
