//! Runs the cases beside a rule: what must alert, and what must not.

use std::sync::Arc;

use schemas::tables::Table;
use schemas::wire::Event;

use super::{Case, Rule};
use crate::mapping::{Extension, Mapping};
use crate::plan::Plan;
use crate::plan::chunk::Batch;

/// A case that did not come out as it says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}: case \"{case}\" expects {expected} alerts, {found}")]
pub struct CaseFailure {
    /// The rule's file.
    pub file: String,
    /// The case's name.
    pub case: String,
    /// What it expects.
    pub expected: u8,
    /// What came out: a number, or why there is none.
    pub found: String,
}

/// Runs all cases of a rule; empty if all came out as they say.
///
/// A rule needs a case that alerts and one that does not.
pub fn check_cases(rule: &Rule) -> Vec<CaseFailure> {
    check_cases_with(rule, &Arc::default())
}

/// As [`check_cases`], with a user's names of fields before our own.
pub fn check_cases_with(rule: &Rule, extension: &Arc<Extension>) -> Vec<CaseFailure> {
    let mut failures: Vec<CaseFailure> = rule
        .cases
        .iter()
        .filter_map(|case| {
            let found = alerts(rule, case, extension);
            let is_right = found
                .as_ref()
                .is_ok_and(|found| *found == usize::from(case.alerts));
            let found = found.map_or_else(|reason| reason, |found| format!("found {found}"));
            (!is_right).then(|| failure(rule, &case.name, case.alerts, found))
        })
        .collect();
    for expected in [1, 0] {
        if !rule.cases.iter().any(|case| case.alerts == expected) {
            failures.push(failure(rule, "any", expected, "no case says so".to_owned()));
        }
    }
    failures
}

fn failure(rule: &Rule, case: &str, expected: u8, found: String) -> CaseFailure {
    CaseFailure {
        file: rule.file.clone(),
        case: case.to_owned(),
        expected,
        found,
    }
}

fn alerts(rule: &Rule, case: &Case, extension: &Arc<Extension>) -> Result<usize, String> {
    let table = match &case.table {
        Some(name) => Table::of_name(name).ok_or_else(|| format!("no table \"{name}\""))?,
        None => rule.table,
    };
    if table != rule.table {
        return Ok(0);
    }
    let event = Event {
        event_id: case.name.clone(),
        source: "cases".to_owned(),
        raw: case.event.to_string().into(),
        ..Event::default()
    };
    let (plan, refused) = Plan::extended(Mapping::Lake(table), extension, [(0, &rule.sigma)]);
    if let Some((_, reason)) = refused.first() {
        return Err(reason.to_string());
    }
    let batch = columns::event_batch(table, &[event]).map_err(|reason| reason.to_string())?;
    let hits = plan
        .evaluate(&mut Batch(&batch))
        .map_err(|reason| reason.to_string())?;
    Ok(hits.iter().map(|hit| hit.rows.len()).sum())
}
