//! What an import found, as one page of HTML that needs nothing else: no script, no font, no network.
//!
//! [`render`] is pure: a [`Report`] in, text out. Everything is grouped, counted, sorted and cut here, in Rust; the
//! template only prints. What is cut is counted on the page: nothing is hidden silently.
//!
//! | module | decides |
//! |---|---|
//! | [`input`] | what a report is made from |
//! | `raised` | which alerts are shown in full, whose they are, which events they have |
//! | [`gather`] | what the lake has for it |
//! | [`mod@file`] | where the page is put |
//! | `accounts` | alerts by account and rule, with their evidence |
//! | `coverage` | what was read, what could not be, which questions stay open |
//! | `timeline` | when: the strip, and the days under it |
//! | `entities`, `techniques` | who and what takes part, and how |
//! | `headline` | the first screen |
//! | `text`, `moment` | hostile text made inert, times and numbers for people |

use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;

pub(crate) use input::{Added, FileLine, Made, Report};

mod accounts;
mod coverage;
mod entities;
pub(crate) mod file;
pub(crate) mod gather;
mod headline;
mod input;
mod moment;
mod raised;
mod techniques;
#[cfg(test)]
mod tests;
mod text;
mod timeline;

/// Most alerts that are shown in full; the rest is counted by rule.
pub(crate) const ALERTS_IN_FULL: usize = 500;

/// Most events that are shown under an alert; the rest is counted.
pub(crate) const EVENTS_SHOWN: usize = 20;

/// Most fields that are shown of an event; the rest is counted.
const DETAILS_SHOWN: usize = 12;

/// Most rows of a table of entities, files or rules; the rest is counted.
const ROWS_SHOWN: usize = 200;

const TEMPLATE: &str = include_str!("report.html");
const STYLE: &str = include_str!("report.css");

/// Everything that the template prints.
#[derive(Debug, Serialize)]
struct Page {
    style: &'static str,
    headline: headline::Headline,
    coverage: coverage::Coverage,
    timeline: timeline::Timeline,
    accounts: Vec<accounts::Account>,
    rest: Option<accounts::Rest>,
    entities: Vec<entities::Entities>,
    techniques: techniques::Techniques,
    making: headline::Making,
}

/// The page of a report.
///
/// # Errors
/// Only if the template itself is wrong, which the tests exclude: no content of a report can cause one.
pub(crate) fn render(report: &Report) -> Result<String, minijinja::Error> {
    let raised = raised::raised(report);
    let accounts = accounts::accounts(report, &raised);
    let page = Page {
        style: STYLE,
        headline: headline::headline(report, &raised, &accounts),
        coverage: coverage::coverage(report),
        timeline: timeline::timeline(report, &raised),
        rest: accounts::rest(&raised),
        entities: entities::entities(report, &raised),
        techniques: techniques::techniques(&raised),
        making: headline::making(report, &raised, &accounts),
        accounts,
    };
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_trim_blocks(true);
    environment.set_lstrip_blocks(true);
    // The name's ending turns HTML escaping on.
    environment.add_template("report.html", TEMPLATE)?;
    environment.get_template("report.html")?.render(&page)
}
