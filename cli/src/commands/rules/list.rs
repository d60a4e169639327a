//! `vedette rules list`: the rules that run, those that were refused, and the filters that have ended.

use std::io::Write as _;

use detect::rules::collection;

use crate::config::Config;
use crate::output::{self, Table, Verdict, inert_sentence};

/// Lists them; findings mean that one was refused, or that a filter is no longer applied.
pub(super) fn list(config: &Config) -> anyhow::Result<Verdict> {
    let mut collection = collection(&config.detect());
    // Some rules are refused only when they are compiled.
    let rules = sigma::Ruleset::compile(&mut collection);
    let mut out = output::stdout();
    let mut table = Table::new(["label", "severity", "table", "title"]);
    let mut counted = 0;
    for (number, rule) in rules.rules().iter().enumerate() {
        // What only others count has no alerts of its own.
        if !rules.alerts(number) && rule.own_correlation.is_none() {
            counted += 1;
            continue;
        }
        table.row([
            rule.label.clone(),
            rule.severity.to_string(),
            rule.table.to_string(),
            rule.sigma.title.clone(),
        ]);
    }
    let alerting = |id: &str| !rules.compiled_correlations().is_silent(id);
    let correlations = rules.correlations().iter();
    for one in correlations.filter(|one| alerting(&one.id)) {
        table.row([
            one.label.clone(),
            one.severity.to_string(),
            one.sigma.correlation_type.as_str().to_owned(),
            one.sigma.title.clone(),
        ]);
    }
    out.table(&table)?;
    writeln!(
        out,
        "{} loaded, {} of them correlations, {counted} rules that only correlations count; {} refused",
        rules.rules().len() + rules.correlations().len(),
        rules.correlations().len(),
        collection.rejected.len()
    )?;
    for rejected in &collection.rejected {
        writeln!(out, "{}", inert_sentence(&rejected.to_string()))?;
    }
    let (running, expired) = (&collection.filters, &collection.expired);
    if !running.is_empty() || !expired.is_empty() {
        writeln!(
            out,
            "{} filters applied, {} ended",
            running.len(),
            expired.len()
        )?;
    }
    for expired in expired {
        writeln!(out, "{}", inert_sentence(&expired.to_string()))?;
    }
    Ok(if collection.rejected.is_empty() && expired.is_empty() {
        Verdict::Done
    } else {
        Verdict::Findings
    })
}
