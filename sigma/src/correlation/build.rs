//! A correlation as it is written, made ready to be evaluated.

use std::sync::Arc;

use rsigma_parser::{
    ConditionExpr, ConditionOperator, CorrelationCondition, CorrelationType, Quantifier,
    SelectorPattern, WindowMode, detection_name_matches,
};

use super::check::wrong;
use super::definition::{Bounds, CorrelationTest, Definition, Expression, Member, Window, micros};
use super::{Correlation, Referred};
use crate::error::RuleError;

/// Checks what the other keys say of the names in `rules`.
///
/// # Errors
/// [`RuleError`] that names the key which is wrong.
pub(super) fn check(correlation: &Correlation) -> Result<(), RuleError> {
    test(correlation).map(drop)
}

impl Correlation {
    /// The correlation, ready to be evaluated; its references must have been found.
    ///
    /// # Errors
    /// [`RuleError`] that names the key which is wrong.
    pub(crate) fn definition(&self) -> Result<Definition, RuleError> {
        let sigma = &self.sigma;
        let window = match (sigma.window, &sigma.gap) {
            (WindowMode::Session, Some(gap)) => Window::Session {
                gap_us: micros(gap.seconds),
            },
            (WindowMode::Tumbling, _) => Window::Tumbling,
            _ => Window::Sliding,
        };
        let names = sigma.rules.iter().zip(&self.rules);
        Ok(Definition {
            id: self.id.as_str().into(),
            members: names
                .map(|(name, referred)| self.member(name, referred))
                .collect(),
            group_by: sigma
                .group_by
                .iter()
                .map(|name| name.as_str().into())
                .collect(),
            span_us: micros(sigma.timespan.seconds),
            window,
            test: test(self)?,
            address: None,
        })
    }

    fn member(&self, name: &str, referred: &Referred) -> Member {
        let field = |wanted: &String| -> Arc<str> {
            let mut aliases = self.sigma.aliases.iter();
            let alias = aliases.find(|alias| alias.alias == *wanted);
            let own = alias.and_then(|alias| alias.mapping.get(name));
            own.unwrap_or(wanted).as_str().into()
        };
        let value = match &self.sigma.condition {
            CorrelationCondition::Threshold {
                field: Some(fields),
                ..
            } => fields.iter().map(field).collect(),
            _ => Vec::new(),
        };
        let id = match referred {
            Referred::Rule(id) | Referred::Correlation(id) => id.as_str().into(),
        };
        Member {
            id,
            group: self.sigma.group_by.iter().map(field).collect(),
            value,
        }
    }
}

fn test(correlation: &Correlation) -> Result<CorrelationTest, RuleError> {
    let sigma = &correlation.sigma;
    let kind = sigma.correlation_type;
    if let Some(absent) = &correlation.absence {
        if matches!(sigma.condition, CorrelationCondition::Extended(_)) {
            return Err(wrong(
                "condition",
                "an absence takes none: it holds where the second rule does not match",
            ));
        }
        return match sigma.rules.as_slice() {
            [_, last] if kind == CorrelationType::TemporalOrdered && last == absent => {
                Ok(CorrelationTest::Absence)
            }
            _ => Err(wrong(
                "absence",
                "it must name the second of two rules of a temporal_ordered correlation",
            )),
        };
    }
    let all: Vec<usize> = (0..sigma.rules.len()).collect();
    let (bounds, percentile) = match &sigma.condition {
        CorrelationCondition::Extended(condition) => {
            let expression = expression(condition, &sigma.rules)?;
            return Ok(match kind {
                CorrelationType::TemporalOrdered => {
                    CorrelationTest::TemporalOrdered(Some(expression))
                }
                _ => CorrelationTest::Temporal(expression),
            });
        }
        CorrelationCondition::Threshold {
            predicates,
            percentile,
            ..
        } => (Bounds(predicates.clone()), *percentile),
    };
    Ok(match kind {
        CorrelationType::EventCount => CorrelationTest::EventCount(bounds),
        CorrelationType::ValueCount => CorrelationTest::ValueCount(bounds),
        CorrelationType::ValueSum => CorrelationTest::ValueSum(bounds),
        CorrelationType::ValueAvg => CorrelationTest::ValueAvg(bounds),
        CorrelationType::ValuePercentile | CorrelationType::ValueMedian => {
            CorrelationTest::ValuePercentile(percentile.unwrap_or(50), bounds)
        }
        // What the parser writes where no condition is: Sigma means all rules then.
        CorrelationType::Temporal if bounds.0 == [(ConditionOperator::Gte, 1)] => {
            CorrelationTest::Temporal(Expression::And(
                all.into_iter().map(Expression::Member).collect(),
            ))
        }
        CorrelationType::Temporal => CorrelationTest::Temporal(Expression::Number(bounds, all)),
        CorrelationType::TemporalOrdered => CorrelationTest::TemporalOrdered(None),
    })
}

/// A condition over the names of the rules.
fn expression(condition: &ConditionExpr, rules: &[String]) -> Result<Expression, RuleError> {
    let all = |parts: &[ConditionExpr]| -> Result<Vec<Expression>, RuleError> {
        parts.iter().map(|part| expression(part, rules)).collect()
    };
    Ok(match condition {
        ConditionExpr::And(parts) => Expression::And(all(parts)?),
        ConditionExpr::Or(parts) => Expression::Or(all(parts)?),
        ConditionExpr::Not(part) => Expression::Not(Box::new(expression(part, rules)?)),
        ConditionExpr::Identifier(name) => {
            let at = rules
                .iter()
                .position(|rule| rule.eq_ignore_ascii_case(name));
            let reason = || format!("\"{name}\" is not in rules");
            Expression::Member(at.ok_or_else(|| wrong("condition", reason()))?)
        }
        ConditionExpr::Selector {
            quantifier,
            pattern,
        } => {
            let is_meant = |rule: &str| match pattern {
                SelectorPattern::Them => true,
                SelectorPattern::Pattern(pattern) => detection_name_matches(pattern, rule),
            };
            let meant = rules.iter().enumerate().filter(|(_, rule)| is_meant(rule));
            let meant: Vec<usize> = meant.map(|(at, _)| at).collect();
            let least = match quantifier {
                Quantifier::Any => 1,
                Quantifier::All => meant.len() as u64,
                Quantifier::Count(count) => *count,
            };
            if meant.is_empty() || least > meant.len() as u64 {
                let reason = format!("\"{quantifier} of {pattern}\" cannot hold");
                return Err(wrong("condition", reason));
            }
            Expression::Number(Bounds(vec![(ConditionOperator::Gte, least)]), meant)
        }
    })
}
