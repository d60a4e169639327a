//! Sigma filters: conditions that a tenant adds to rules without touching their files.
//!
//! A filter's condition is joined to each of its rules' with *and*, so one that leaves events out says `not`.

pub mod terms;

use rsigma_parser::{
    ConditionExpr, FilterRule, FilterRuleTarget, LogSource, SelectorPattern, SigmaRule,
};
use std::fmt;

use self::terms::Terms;
use crate::document::DocumentSource;

/// Most filters.
pub(crate) const FILTERS_MAX: usize = 1_000;

/// Most rules that one filter names.
pub(crate) const RULES_MAX: usize = 256;

/// A filter, and where it stands.
#[derive(Debug, Clone)]
pub struct Filter {
    /// The file that it came from.
    pub file: String,
    /// The line at which its document starts, from 1.
    pub line: usize,
    /// The document that it was read from.
    pub source: DocumentSource,
    /// Who answers for it, why it is there, and until when.
    pub terms: Terms,
    /// The filter as Sigma has it.
    pub sigma: FilterRule,
}

/// A filter that is no longer applied, because its last day has passed.
#[derive(Debug, Clone)]
pub struct Expired(pub Filter);

impl fmt::Display for Expired {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Filter {
            file, line, sigma, ..
        } = &self.0;
        write!(formatter, "{file}:{line}: filter \"{}\"", sigma.title)?;
        if let Some(owner) = &self.0.terms.owner {
            write!(formatter, " of {owner}")?;
        }
        if let Some(last) = self.0.terms.expires {
            write!(formatter, " ended with {last}")?;
        }
        formatter.write_str(" and is no longer applied: what it left out alerts again")
    }
}

/// The names by which a filter asks for rules; none if it asks for all.
pub fn wanted(filter: &FilterRule) -> &[String] {
    match &filter.rules {
        FilterRuleTarget::Any => &[],
        FilterRuleTarget::Specific(names) => names,
    }
}

/// True if a rule goes by this id, name or title.
pub fn is_called(rule: &SigmaRule, name: &str) -> bool {
    [
        rule.id.as_deref(),
        rule.name.as_deref(),
        Some(rule.title.as_str()),
    ]
    .into_iter()
    .flatten()
    .any(|known| known.eq_ignore_ascii_case(name))
}

/// True if the filter is about this rule: it is named, or all are, and its log source is within the filter's.
pub fn applies(filter: &FilterRule, rule: &SigmaRule) -> bool {
    let names = wanted(filter);
    let is_named = names.is_empty() || names.iter().any(|name| is_called(rule, name));
    let covers = |wide: &LogSource| covers(wide, &rule.logsource);
    is_named && filter.logsource.as_ref().is_none_or(covers)
}

fn covers(wide: &LogSource, narrow: &LogSource) -> bool {
    [
        (&wide.category, &narrow.category),
        (&wide.product, &narrow.product),
        (&wide.service, &narrow.service),
    ]
    .into_iter()
    .all(|(wide, narrow)| match (wide, narrow) {
        (None, _) => true,
        (Some(wide), Some(narrow)) => wide.eq_ignore_ascii_case(narrow),
        (Some(_), None) => false,
    })
}

/// Adds a filter's detections and condition to a rule; `number` tells filters of one rule apart.
pub fn add(filter: &FilterRule, number: usize, rule: &mut SigmaRule) {
    // No condition can write a slash, so nothing of the rule can mean what is added here.
    let prefix = format!("filter/{number}/");
    for (name, detection) in &filter.detection.named {
        rule.detection
            .named
            .insert(format!("{prefix}{name}"), detection.clone());
    }
    let mut conditions: Vec<ConditionExpr> = filter
        .detection
        .conditions
        .iter()
        .map(|condition| renamed(condition, &prefix))
        .collect();
    let added = match conditions.len() {
        1 => conditions.remove(0),
        _ => ConditionExpr::Or(conditions),
    };
    for condition in &mut rule.detection.conditions {
        *condition = ConditionExpr::And(vec![condition.clone(), added.clone()]);
    }
}

/// The rule that a filter would be by itself, of a log source of one of its rules.
pub fn alone(filter: &FilterRule, rule: &SigmaRule) -> SigmaRule {
    let mut alone = rule.clone();
    alone.detection = filter.detection.clone();
    alone
}

fn renamed(condition: &ConditionExpr, prefix: &str) -> ConditionExpr {
    let all = |members: &[ConditionExpr]| {
        members
            .iter()
            .map(|member| renamed(member, prefix))
            .collect()
    };
    match condition {
        ConditionExpr::And(members) => ConditionExpr::And(all(members)),
        ConditionExpr::Or(members) => ConditionExpr::Or(all(members)),
        ConditionExpr::Not(inner) => ConditionExpr::Not(Box::new(renamed(inner, prefix))),
        ConditionExpr::Identifier(name) => ConditionExpr::Identifier(format!("{prefix}{name}")),
        ConditionExpr::Selector {
            quantifier,
            pattern,
        } => {
            let pattern = match pattern {
                SelectorPattern::Them => format!("{prefix}*"),
                // Sigma's patterns have one wildcard: with the prefix, one in front moves behind it.
                SelectorPattern::Pattern(pattern) => format!("{prefix}{pattern}"),
            };
            ConditionExpr::Selector {
                quantifier: quantifier.clone(),
                pattern: SelectorPattern::Pattern(pattern),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{add, applies};
    use crate::compile::detection::Builder;
    use crate::mapping::Mapping;
    use rsigma_parser::{SigmaCollection, parse_sigma_yaml};

    fn parse(filter: &str) -> SigmaCollection {
        let rule = "title: R\nid: r1\nname: first\nlogsource: {product: azure, service: auditlogs}\n\
            detection: {a: {x: 1}, b: {x: 2}, condition: 1 of *}\n---\n";
        let parsed = parse_sigma_yaml(&format!("{rule}title: F\n{filter}")).unwrap();
        assert!(parsed.errors.is_empty(), "{:?}", parsed.errors);
        parsed
    }

    #[track_caller]
    fn check(filter: &str, expected: bool) {
        let parsed = parse(filter);
        let found = applies(&parsed.filters[0], &parsed.rules[0]);
        assert_eq!(found, expected, "{filter}");
    }

    #[test]
    fn is_about_the_rules_that_it_names_and_their_log_source() {
        let body = "s: {u: x}, condition: not s";
        check(&format!("filter: {{{body}}}"), true);
        check(&format!("filter: {{rules: any, {body}}}"), true);
        check(&format!("filter: {{rules: [r1], {body}}}"), true);
        check(&format!("filter: {{rules: [First, other], {body}}}"), true);
        check(&format!("filter: {{rules: r2, {body}}}"), false);
        check(
            &format!("logsource: {{product: Azure}}\nfilter: {{{body}}}"),
            true,
        );
        check(
            &format!("logsource: {{product: m365}}\nfilter: {{{body}}}"),
            false,
        );
        check(
            &format!("logsource: {{category: x}}\nfilter: {{{body}}}"),
            false,
        );
    }

    #[test]
    fn names_of_rule_and_filter_do_not_meet() {
        for (condition, tests) in [
            ("not a", 3),
            ("not 1 of them", 4),
            ("not all of a*", 3),
            ("not 1 of *b", 3),
        ] {
            let parsed = parse(&format!(
                "filter: {{a: {{y: 3}}, b: {{y: 4}}, condition: {condition}}}"
            ));
            let mut rule = parsed.rules[0].clone();
            add(&parsed.filters[0], 0, &mut rule);
            let mut builder = Builder::new(Mapping::Raw, &Arc::default());
            let formula = builder.rule(&rule).unwrap();
            let mut used = std::collections::BTreeSet::new();
            formula.visit_tests(&mut |test| {
                used.insert(test);
            });
            assert_eq!(used.len(), tests, "{condition}: {formula:?}");
        }
    }
}
