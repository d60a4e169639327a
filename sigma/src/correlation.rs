//! Sigma correlations: read and checked here; evaluating them over time is not done yet, and said so.
//!
//! Source: Sigma 2.1.0, "correlation rules".

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rsigma_parser::{
    ConditionOperator, CorrelationCondition, CorrelationRule, CorrelationType, WindowMode,
};

use rsigma_parser::value::TimespanUnit;

use crate::refusal::Refusal;
use crate::rule::{Rule, Source};

/// Longest time that a correlation may look back, in seconds: 31 days.
pub const TIMESPAN_S_MAX: u64 = 31 * 86_400;

/// Most rules that one correlation refers to.
pub const RULES_MAX: usize = 64;

/// Most correlations.
pub const CORRELATIONS_MAX: usize = 2_000;

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
        let mut rules = sigma.rules.iter();
        if let Some(rule) = rules.find(|rule| !alias.mapping.contains_key(*rule)) {
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
    let by_rule = names_of_rules(rules);
    loop {
        let known = names(correlations, by_rule.clone());
        let mut wrong = BTreeMap::new();
        for (at, correlation) in correlations.iter_mut().enumerate() {
            match referred(correlation, &known) {
                Ok(found) => correlation.rules = found,
                Err(refusal) => {
                    wrong.insert(at, refusal);
                }
            }
        }
        if wrong.is_empty() {
            wrong = circles(correlations);
        }
        if wrong.is_empty() {
            return refused;
        }
        for (at, refusal) in wrong.into_iter().rev() {
            refused.push((correlations.remove(at), refusal));
        }
    }
}

/// What goes by each id or name, in lower case.
type Names = HashMap<String, Vec<Referred>>;

/// A title is no reference for a correlation, other than for a filter.
fn names_of_rules(rules: &[Rule]) -> Names {
    let mut known = Names::new();
    for rule in rules {
        let mut own = vec![rule.id.to_lowercase()];
        own.extend(rule.sigma.name.as_ref().map(|name| name.to_lowercase()));
        own.dedup();
        for name in own {
            let referred = Referred::Rule(rule.id.clone());
            known.entry(name).or_default().push(referred);
        }
    }
    known
}

fn names(correlations: &[Correlation], mut known: Names) -> Names {
    for one in correlations {
        let own = [&one.sigma.id, &one.sigma.name];
        let mut own: Vec<String> = own
            .into_iter()
            .flatten()
            .map(|name| name.to_lowercase())
            .collect();
        own.dedup();
        for name in own {
            let referred = Referred::Correlation(one.label().to_owned());
            known.entry(name).or_default().push(referred);
        }
    }
    known
}

fn referred(correlation: &Correlation, known: &Names) -> Result<Vec<Referred>, Refusal> {
    let find = |name: &String| match known.get(&name.to_lowercase()).map(Vec::as_slice) {
        Some([one]) => Ok(one.clone()),
        Some([_, ..]) => Err(Refusal::Ambiguous { name: name.clone() }),
        Some([]) | None => Err(Refusal::UnknownRule { name: name.clone() }),
    };
    correlation.sigma.rules.iter().map(find).collect()
}

/// The correlations that refer to themselves, by way of others or not.
fn circles(correlations: &[Correlation]) -> BTreeMap<usize, Refusal> {
    let places: HashMap<&str, usize> = correlations
        .iter()
        .enumerate()
        .map(|(at, correlation)| (correlation.label(), at))
        .collect();
    let place = |referred: &Referred| match referred {
        Referred::Correlation(label) => places.get(label.as_str()).copied(),
        Referred::Rule(_) => None,
    };
    let edges: Vec<Vec<usize>> = correlations
        .iter()
        .map(|correlation| correlation.rules.iter().filter_map(place).collect())
        .collect();
    let mut left: BTreeSet<usize> = (0..correlations.len()).collect();
    // Who refers to none that is left, or is referred to by none, is in no circle.
    loop {
        let known = left.len();
        let open = left.clone();
        left.retain(|at| edges[*at].iter().any(|next| open.contains(next)));
        let wanted: BTreeSet<usize> = left
            .iter()
            .flat_map(|at| edges[*at].iter().copied())
            .collect();
        left.retain(|at| wanted.contains(at));
        if left.len() == known {
            break;
        }
    }
    let refusal = |at: usize| {
        let next = edges[at].iter().find(|next| left.contains(next));
        let labels = [at, *next.unwrap_or(&at)].map(|at| correlations[at].label());
        Refusal::Cycle {
            names: labels.join(" and "),
        }
    };
    left.iter().map(|at| (*at, refusal(*at))).collect()
}
