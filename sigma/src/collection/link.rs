//! What correlations refer to, found when all files are read.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::rule::Rule;
use crate::correlation::{Correlation, Referred};
use crate::error::RuleError;

/// Finds what each correlation refers to; those that cannot stand are taken out and told.
pub(crate) fn link(
    correlations: &mut Vec<Correlation>,
    rules: &[Rule],
) -> Vec<(Correlation, RuleError)> {
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
            let referred = Referred::Correlation(one.id.clone());
            known.entry(name).or_default().push(referred);
        }
    }
    known
}

fn referred(correlation: &Correlation, known: &Names) -> Result<Vec<Referred>, RuleError> {
    let find = |name: &String| match known.get(&name.to_lowercase()).map(Vec::as_slice) {
        Some([one]) => Ok(one.clone()),
        Some([_, ..]) => Err(RuleError::Ambiguous { name: name.clone() }),
        Some([]) | None => Err(RuleError::UnknownRule { name: name.clone() }),
    };
    correlation.sigma.rules.iter().map(find).collect()
}

/// The correlations that refer to themselves, by way of others or not.
fn circles(correlations: &[Correlation]) -> BTreeMap<usize, RuleError> {
    let places: HashMap<&str, usize> = correlations
        .iter()
        .enumerate()
        .map(|(at, correlation)| (correlation.id.as_str(), at))
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
        let labels = [at, *next.unwrap_or(&at)].map(|at| correlations[at].id.as_str());
        RuleError::Cycle {
            names: labels.join(" and "),
        }
    };
    left.iter().map(|at| (*at, refusal(*at))).collect()
}
