//! Sigma correlations: read and checked here; evaluating them over time is not done yet, and said so.
//!
//! Source: Sigma 2.1.0, "correlation rules".

use std::collections::BTreeMap;

use rsigma_parser::{
    ConditionOperator, CorrelationCondition, CorrelationRule, CorrelationType, WindowMode,
};

use rsigma_parser::value::TimespanUnit;

use crate::filter::is_called;
use crate::refusal::Refusal;
use crate::rule::{Rule, Source};

/// Longest time that a correlation may look back, in seconds: 31 days.
pub const TIMESPAN_S_MAX: u64 = 31 * 86_400;

/// Most rules that one correlation refers to.
pub const RULES_MAX: usize = 256;

/// Most fields in `group-by`.
pub const GROUP_BY_MAX: usize = 32;

/// A correlation, and where it stands.
#[derive(Debug, Clone)]
pub struct Correlation {
    /// The file that it came from.
    pub file: String,
    /// The line at which its document starts, from 1.
    pub line: usize,
    /// The document that it was read from.
    pub source: Source,
    /// What it refers to, in its order; empty until all files are read.
    pub rules: Vec<Referred>,
    /// Whether its hits become alerts.
    pub evaluation: Evaluation,
    /// The correlation as Sigma has it.
    pub sigma: CorrelationRule,
}

/// What a correlation refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Referred {
    /// The rule with this id.
    Rule(String),
    /// The correlation with this id, name or title.
    Correlation(String),
}

/// Whether a correlation's hits become alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evaluation {
    /// It is sound, and nothing evaluates it yet; its rules alert by themselves.
    CheckedOnly,
}

impl std::fmt::Display for Evaluation {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::CheckedOnly => formatter.write_str("checked, not evaluated yet"),
        }
    }
}

impl Correlation {
    /// Checks what can be told without the other files.
    ///
    /// # Errors
    /// [`Refusal`] that names the key which is wrong.
    pub fn new(
        file: &str,
        line: usize,
        source: Source,
        sigma: CorrelationRule,
    ) -> Result<Self, Refusal> {
        check_window(&sigma)?;
        check_lists(&sigma)?;
        check_condition(&sigma)?;
        Ok(Self {
            file: file.to_owned(),
            line,
            source,
            rules: Vec::new(),
            evaluation: Evaluation::CheckedOnly,
            sigma,
        })
    }

    fn is_called(&self, name: &str) -> bool {
        let names = [&self.sigma.id, &self.sigma.name];
        names
            .into_iter()
            .flatten()
            .any(|known| known.eq_ignore_ascii_case(name))
    }

    fn label(&self) -> &str {
        let names = [&self.sigma.id, &self.sigma.name];
        names
            .into_iter()
            .flatten()
            .next()
            .unwrap_or(&self.sigma.title)
    }
}

fn wrong(key: &'static str, reason: impl Into<String>) -> Refusal {
    Refusal::Correlation {
        key,
        reason: reason.into(),
    }
}

fn check_window(sigma: &CorrelationRule) -> Result<(), Refusal> {
    let span = &sigma.timespan;
    let is_standard = matches!(
        span.unit,
        TimespanUnit::Second | TimespanUnit::Minute | TimespanUnit::Hour | TimespanUnit::Day
    );
    if !is_standard {
        return Err(wrong(
            "timespan",
            format!("{span} is not in seconds, minutes, hours or days"),
        ));
    }
    if span.seconds == 0 || span.seconds > TIMESPAN_S_MAX {
        let days = TIMESPAN_S_MAX / 86_400;
        return Err(wrong(
            "timespan",
            format!("{span} is not between 1s and {days}d"),
        ));
    }
    if sigma.window != WindowMode::Sliding {
        return Err(wrong("window", "only sliding windows are Sigma 2.1"));
    }
    Ok(())
}

fn check_lists(sigma: &CorrelationRule) -> Result<(), Refusal> {
    if sigma.rules.is_empty() || sigma.rules.len() > RULES_MAX {
        return Err(wrong(
            "rules",
            format!("names {} rules, not 1 to {RULES_MAX}", sigma.rules.len()),
        ));
    }
    if sigma.group_by.len() > GROUP_BY_MAX {
        return Err(wrong(
            "group-by",
            format!("names more than {GROUP_BY_MAX} fields"),
        ));
    }
    for alias in &sigma.aliases {
        for rule in sigma
            .rules
            .iter()
            .filter(|rule| !alias.mapping.contains_key(*rule))
        {
            let reason = format!("\"{}\" has no field for rule \"{rule}\"", alias.alias);
            return Err(wrong("aliases", reason));
        }
        if let Some(rule) = alias
            .mapping
            .keys()
            .find(|rule| !sigma.rules.contains(rule))
        {
            let reason = format!(
                "\"{}\" names \"{rule}\", which is not in rules",
                alias.alias
            );
            return Err(wrong("aliases", reason));
        }
    }
    Ok(())
}

fn check_condition(sigma: &CorrelationRule) -> Result<(), Refusal> {
    use CorrelationType as Type;
    let is_temporal = matches!(
        sigma.correlation_type,
        Type::Temporal | Type::TemporalOrdered
    );
    let needs_field = !is_temporal && sigma.correlation_type != Type::EventCount;
    if sigma.correlation_type == Type::ValueMedian {
        return Err(wrong(
            "type",
            "value_median is not Sigma 2.1; value_percentile is",
        ));
    }
    let (predicates, field, percentile) = match &sigma.condition {
        CorrelationCondition::Threshold {
            predicates,
            field,
            percentile,
        } => (predicates, field, percentile),
        CorrelationCondition::Extended(_) => {
            return Err(wrong(
                "condition",
                "conditions over names of rules are not Sigma 2.1",
            ));
        }
    };
    if needs_field != field.is_some() {
        let word = if needs_field { "needs" } else { "takes no" };
        let reason = format!("{} {word} field", sigma.correlation_type.as_str());
        return Err(wrong("condition", reason));
    }
    if percentile.is_some_and(|rank| rank > 100) {
        return Err(wrong("condition", "percentile is more than 100"));
    }
    if !can_hold(predicates) {
        return Err(wrong("condition", "no number fulfils it"));
    }
    Ok(())
}

/// True if a number of zero or more fulfils all; each bound is tried with the numbers beside it.
fn can_hold(predicates: &[(ConditionOperator, u64)]) -> bool {
    let near = predicates
        .iter()
        .flat_map(|(_, bound)| [bound.saturating_sub(1), *bound, bound.saturating_add(1)]);
    near.clone().any(|number| {
        predicates.iter().all(|(operator, bound)| match operator {
            ConditionOperator::Lt => number < *bound,
            ConditionOperator::Lte => number <= *bound,
            ConditionOperator::Gt => number > *bound,
            ConditionOperator::Gte => number >= *bound,
            ConditionOperator::Eq => number == *bound,
            ConditionOperator::Neq => number != *bound,
        })
    })
}

/// Finds what each correlation refers to; those that cannot stand are taken out and told.
pub(crate) fn link(
    correlations: &mut Vec<Correlation>,
    rules: &[Rule],
) -> Vec<(Correlation, Refusal)> {
    let mut refused = Vec::new();
    // Whoever refers to a refused one is refused in the next round.
    loop {
        let mut wrong = BTreeMap::new();
        for at in 0..correlations.len() {
            match referred(at, correlations, rules) {
                Ok(found) => correlations[at].rules = found,
                Err(refusal) => {
                    wrong.insert(at, refusal);
                }
            }
        }
        if wrong.is_empty() {
            for at in 0..correlations.len() {
                if let Some(cycle) = cycle(at, correlations) {
                    wrong.insert(at, Refusal::Cycle { names: cycle });
                }
            }
        }
        if wrong.is_empty() {
            return refused;
        }
        for (at, refusal) in wrong.into_iter().rev() {
            refused.push((correlations.remove(at), refusal));
        }
    }
}

fn referred(
    at: usize,
    correlations: &[Correlation],
    rules: &[Rule],
) -> Result<Vec<Referred>, Refusal> {
    let find = |name: &String| {
        let by_rule = rules
            .iter()
            .filter(|rule| has_id_or_name(rule, name))
            .map(|rule| Referred::Rule(rule.id.clone()));
        let by_correlation = correlations
            .iter()
            .filter(|other| other.is_called(name))
            .map(|other| Referred::Correlation(other.label().to_owned()));
        let mut found = by_rule.chain(by_correlation);
        match (found.next(), found.next()) {
            (Some(one), None) => Ok(one),
            (None, _) => Err(Refusal::UnknownRule { name: name.clone() }),
            (Some(_), Some(_)) => Err(Refusal::Ambiguous { name: name.clone() }),
        }
    };
    correlations[at].sigma.rules.iter().map(find).collect()
}

/// A title is no reference for a correlation, other than for a filter.
fn has_id_or_name(rule: &Rule, name: &str) -> bool {
    let is_title = rule.sigma.title.eq_ignore_ascii_case(name);
    let has_name = |known: &Option<String>| {
        known
            .as_ref()
            .is_some_and(|known| known.eq_ignore_ascii_case(name))
    };
    is_called(&rule.sigma, name)
        && (!is_title || has_name(&rule.sigma.id) || has_name(&rule.sigma.name))
}

/// The way from a correlation back to itself, if there is one.
fn cycle(start: usize, correlations: &[Correlation]) -> Option<String> {
    let mut seen = vec![false; correlations.len()];
    let mut open = vec![start];
    while let Some(at) = open.pop() {
        for referred in &correlations[at].rules {
            let Referred::Correlation(label) = referred else {
                continue;
            };
            let next = correlations
                .iter()
                .position(|other| other.label() == label)?;
            if next == start {
                let labels = [start, at].map(|at| correlations[at].label());
                return Some(labels.join(" and "));
            }
            if !std::mem::replace(&mut seen[next], true) {
                open.push(next);
            }
        }
    }
    None
}
