//! Every rule and correlation of ours: loaded, compiled, its cases come out as they say, and it is documented.

use detect::rules::builtin;
use sigma::collection::cases::{check_cases_with, check_correlation};
use sigma::metadata::Case;
use sigma::{RuleCollection, Ruleset};

fn compiled() -> (RuleCollection, Ruleset) {
    let mut collection = builtin();
    collection.for_cases();
    let rules = Ruleset::compile(&mut collection);
    let rejected: Vec<String> = collection
        .rejected
        .iter()
        .map(ToString::to_string)
        .collect();
    assert!(rejected.is_empty(), "{rejected:#?}");
    (collection, rules)
}

/// What one of ours says of itself.
struct Said<'a> {
    file: &'a str,
    label: &'a str,
    cases: &'a [Case],
    check_first: &'a [String],
    blind_spots: &'a [String],
    is_described: bool,
}

/// What alerts; the others are there to be counted.
fn all(rules: &Ruleset) -> Vec<Said<'_>> {
    let of_rules = rules.rules().iter().filter(|rule| !rule.only_counted);
    let of_rules = of_rules.map(|rule| Said {
        file: &rule.file,
        label: &rule.label,
        cases: &rule.cases,
        check_first: &rule.check_first,
        blind_spots: &rule.blind_spots,
        is_described: rule.sigma.level.is_some() && rule.sigma.description.is_some(),
    });
    let alerting = |id: &str| !rules.compiled_correlations().is_silent(id);
    let correlations = rules.correlations().iter().filter(|one| alerting(&one.id));
    let of_correlations = correlations.map(|one| Said {
        file: &one.file,
        label: &one.label,
        cases: &one.cases,
        check_first: &one.check_first,
        blind_spots: &one.blind_spots,
        is_described: one.sigma.level.is_some() && one.sigma.description.is_some(),
    });
    of_rules.chain(of_correlations).collect()
}

#[test]
fn every_rule_passes_its_cases() {
    let (collection, rules) = compiled();
    let labelled = collection.loaded.iter().filter(|rule| !rule.only_counted);
    let of_rules = labelled.flat_map(|rule| check_cases_with(rule, &collection.user_mapping));
    let alerting = |id: &str| !rules.compiled_correlations().is_silent(id);
    let correlations = rules.correlations().iter().filter(|one| alerting(&one.id));
    let of_correlations = correlations.flat_map(|one| check_correlation(one, &rules));
    let failures: Vec<String> = of_rules
        .chain(of_correlations)
        .map(|failure| failure.to_string())
        .collect();
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn every_rule_says_what_to_check_and_what_it_cannot_see() {
    let (_, rules) = compiled();
    for said in all(&rules) {
        assert!(!said.check_first.is_empty(), "{}", said.file);
        assert!(!said.blind_spots.is_empty(), "{}", said.file);
        assert!(said.is_described, "{}", said.file);
    }
    for statement in rules.metadata() {
        assert!(
            statement.label.starts_with("SIGMA-")
                || !statement.techniques.is_empty() && !statement.tactics.is_empty(),
            "{}",
            statement.label
        );
    }
    let mut labels: Vec<&str> = all(&rules).iter().map(|said| said.label).collect();
    labels.sort_unstable();
    // None is given twice, and none is left out.
    let expected: Vec<String> = (1..=labels.len())
        .map(|number| format!("SAAS-M365-{number:05}"))
        .collect();
    assert_eq!(labels, expected);
}

#[test]
fn every_rule_has_a_case_that_fires_and_a_near_miss() {
    let (_, rules) = compiled();
    for said in all(&rules) {
        for fires in [false, true] {
            assert!(
                said.cases.iter().any(|case| (case.alerts > 0) == fires),
                "{} {} lacks a case",
                said.file,
                said.label
            );
        }
    }
}
