//! The 142 public rules for Azure and Microsoft 365: loaded, can fire on records of real shape, or cannot and why.

#![expect(clippy::print_stdout, reason = "test code: what is found is printed")]

#[path = "corpus/records.rs"]
mod records;

use std::collections::BTreeSet;

use records::{Record, outcome, records, rules, stem};
use sigma::Ruleset;

const FILES: &[&str] = &[
    "signins.ndjson",
    "directory_audits.ndjson",
    "risk_events.ndjson",
    "m365_activity.ndjson",
    "azure_activity.ndjson",
];

/// Rules that no record of Microsoft can make fire, and why.
const CANNOT: &[(&str, &str)] = &[
    (
        "azure_device_or_configuration_modified_or_deleted",
        "\"Update device\" and \"Delete device\" are activities of Entra's directory audits, which is another log source \
         than the rule's; operations of Azure's activity log have the form PROVIDER/TYPE/VERB",
    ),
    (
        "azure_privileged_account_creation",
        "asks for one activity that is both \"Add user\" and \"Add member to role\"; Entra writes two records",
    ),
];

#[test]
fn all_public_rules_are_loaded_and_140_can_fire() {
    let Some(mut catalogue) = rules("sigmahq/rules") else {
        return;
    };
    let rules = Ruleset::compile(&mut catalogue);
    for rejected in &catalogue.rejected {
        println!("{rejected}");
    }
    assert_eq!((rules.rules().len(), catalogue.rejected.len()), (142, 0));
    let records: Vec<Record> = FILES.iter().flat_map(|file| records(file)).collect();
    let outcome = outcome(&rules, &records);
    let all: BTreeSet<String> = rules.rules().iter().map(stem).collect();
    println!(
        "{} of 142 loaded, {} can fire, {} cannot:",
        all.len(),
        outcome.can_fire.len(),
        all.len() - outcome.can_fire.len()
    );
    for rule in all.difference(&outcome.can_fire) {
        let reason = CANNOT
            .iter()
            .find(|(name, _)| name == rule)
            .map(|(_, reason)| *reason);
        println!("  {rule}: {}", reason.unwrap_or("no reason known"));
    }
    assert_eq!(outcome.missed, Vec::<String>::new());
    let argued: BTreeSet<String> = CANNOT.iter().map(|(rule, _)| (*rule).to_owned()).collect();
    let cannot: BTreeSet<String> = all.difference(&outcome.can_fire).cloned().collect();
    assert_eq!(cannot, argued);
}

/// A rule finds another's record only where both mean the same thing.
#[test]
fn public_rules_find_few_records_of_others() {
    let Some(mut catalogue) = rules("sigmahq/rules") else {
        return;
    };
    let rules = Ruleset::compile(&mut catalogue);
    let records: Vec<Record> = FILES.iter().flat_map(|file| records(file)).collect();
    let outcome = outcome(&rules, &records);
    let pairs: usize = outcome.also.values().map(BTreeSet::len).sum();
    println!(
        "{} near misses not found, {pairs} records found by other rules too:",
        outcome.near_misses
    );
    for (rule, of) in &outcome.also {
        println!("  {rule} finds those of {of:?}");
    }
    let overlaps: BTreeSet<&str> = outcome.also.keys().map(String::as_str).collect();
    assert_eq!(overlaps, OVERLAPS.iter().copied().collect());
}

/// Rules that rightly find records that are made for other rules.
const OVERLAPS: &[&str] = &[];
