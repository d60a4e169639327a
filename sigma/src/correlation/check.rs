//! What can be told of a correlation without the other files.

use rsigma_parser::value::TimespanUnit;
use rsigma_parser::{
    ConditionOperator, CorrelationCondition, CorrelationRule, CorrelationType, WindowMode,
};

use super::definition::{GROUP_BY_MAX, RULES_MAX, TIMESPAN_S_MAX};
use crate::error::RuleError;

/// A refusal of one key.
pub(super) fn wrong(key: &'static str, reason: impl Into<String>) -> RuleError {
    RuleError::Correlation {
        key,
        reason: reason.into(),
    }
}

pub(super) fn check_window(sigma: &CorrelationRule) -> Result<(), RuleError> {
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
    if let Some(gap) = &sigma.gap
        && (gap.seconds == 0 || gap.seconds > TIMESPAN_S_MAX)
    {
        return Err(wrong("gap", format!("{gap} is not between 1s and 31d")));
    }
    let is_ordered = sigma.correlation_type == CorrelationType::TemporalOrdered;
    if is_ordered && sigma.window == WindowMode::Tumbling {
        let reason = "a sequence over a bound would be missed; use sliding windows";
        return Err(wrong("window", reason));
    }
    Ok(())
}

pub(super) fn check_lists(sigma: &CorrelationRule) -> Result<(), RuleError> {
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
    let mut names: Vec<String> = sigma.rules.iter().map(|rule| rule.to_lowercase()).collect();
    names.sort_unstable();
    if let Some([name, _]) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(wrong("rules", format!("names \"{name}\" twice")));
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

pub(super) fn check_condition(sigma: &CorrelationRule) -> Result<(), RuleError> {
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
        CorrelationCondition::Extended(_) if is_temporal => return Ok(()),
        CorrelationCondition::Extended(_) => {
            let reason = "names of rules are asked for in temporal correlations only";
            return Err(wrong("condition", reason));
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
