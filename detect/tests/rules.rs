//! Every rule of ours: loaded, compiled, its cases come out as they say, and it is documented.

use detect::rules::{builtin, builtin_files};
use sigma::Ruleset;
use sigma::rule::check_cases;

#[test]
fn every_rule_passes_its_cases() {
    let catalogue = builtin();
    let rejected: Vec<String> = catalogue.rejected.iter().map(ToString::to_string).collect();
    assert!(rejected.is_empty(), "{rejected:#?}");
    assert_eq!(catalogue.loaded.len(), builtin_files().count());
    let failures: Vec<String> = catalogue
        .loaded
        .iter()
        .flat_map(check_cases)
        .map(|failure| failure.to_string())
        .collect();
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn every_rule_says_what_to_check_and_what_it_cannot_see() {
    let mut catalogue = builtin();
    let rules = Ruleset::compile(&mut catalogue);
    assert!(catalogue.rejected.is_empty());
    for rule in rules.rules() {
        assert!(!rule.check_first.is_empty(), "{}", rule.file);
        assert!(!rule.blind_spots.is_empty(), "{}", rule.file);
        assert!(
            !rule.techniques.is_empty() && !rule.tactics.is_empty(),
            "{}",
            rule.file
        );
        assert!(
            rule.sigma.level.is_some() && rule.sigma.description.is_some(),
            "{}",
            rule.file
        );
    }
    let mut labels: Vec<&str> = rules
        .rules()
        .iter()
        .map(|rule| rule.label.as_str())
        .collect();
    labels.sort_unstable();
    // None is given twice, and none is left out.
    let expected: Vec<String> = (1..=labels.len())
        .map(|number| format!("SAAS-M365-{number:05}"))
        .collect();
    assert_eq!(labels, expected);
}

#[test]
fn every_rule_has_a_case_that_fires_and_a_near_miss() {
    for rule in builtin().loaded {
        for expected in [0, 1] {
            assert!(
                rule.cases.iter().any(|case| case.alerts == expected),
                "{} has no case with {expected} alerts",
                rule.file
            );
        }
    }
}
