//! A report as a page of HTML.

use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;

use crate::input::Report;
use crate::{accounts, coverage, entities, headline, raised, techniques, timeline};

const TEMPLATE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");

/// The template is wrong.
#[derive(Debug, thiserror::Error)]
#[error("could not write the page: please report it, for no content of a report may cause this")]
pub struct PageError(#[from] minijinja::Error);

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

/// The page of a report: HTML that is complete in itself.
///
/// # Errors
/// Only if the template itself is wrong, which the tests exclude: no content of a report can cause one.
pub fn to_html(report: &Report) -> Result<String, PageError> {
    let raised = raised::raised(report);
    let accounts = accounts::accounts(report, &raised);
    let page = Page {
        style: STYLE,
        headline: headline::headline(report, &raised, &accounts),
        coverage: coverage::coverage(report),
        timeline: timeline::timeline(report, &raised),
        rest: accounts::rest(&raised),
        entities: entities::entities(report, &raised),
        techniques: techniques::techniques(report, &raised),
        making: headline::making(report, &raised, &accounts),
        accounts,
    };
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_trim_blocks(true);
    environment.set_lstrip_blocks(true);
    // The name's ending turns HTML escaping on.
    environment.add_template("page.html", TEMPLATE)?;
    Ok(environment.get_template("page.html")?.render(&page)?)
}
