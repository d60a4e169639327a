//! `vedette rules list`: the rules that run, those that were refused, and the filters that have ended.

use std::io::Write as _;

use comfy_table::Table;
use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use detect::stage::catalogue;

use crate::config::Config;
use crate::exit::Verdict;
use crate::sql::inert;

/// Lists them; findings mean that one was refused, or that a filter is no longer applied.
pub(super) fn list(config: &Config) -> anyhow::Result<Verdict> {
    let mut catalogue = catalogue(&config.detect());
    // Some rules are refused only when they are compiled.
    sigma::Ruleset::compile(&mut catalogue);
    let mut out = std::io::stdout().lock();
    let mut table = Table::new();
    table
        .load_style(UTF8_HORIZONTAL_ONLY)
        .set_header(["label", "severity", "table", "title"]);
    for rule in &catalogue.loaded {
        table.add_row([
            rule.label.clone(),
            rule.severity.to_string(),
            rule.table.to_string(),
            inert(&rule.sigma.title),
        ]);
    }
    writeln!(out, "{table}")?;
    writeln!(
        out,
        "{} loaded, {} refused",
        catalogue.loaded.len(),
        catalogue.rejected.len()
    )?;
    for rejected in &catalogue.rejected {
        writeln!(out, "{}", inert(&rejected.to_string()))?;
    }
    let (running, expired) = (&catalogue.filters, &catalogue.expired);
    if !running.is_empty() || !expired.is_empty() {
        writeln!(
            out,
            "{} filters applied, {} ended",
            running.len(),
            expired.len()
        )?;
    }
    for expired in expired {
        writeln!(out, "{}", inert(&expired.to_string()))?;
    }
    Ok(if catalogue.rejected.is_empty() && expired.is_empty() {
        Verdict::Done
    } else {
        Verdict::Findings
    })
}
