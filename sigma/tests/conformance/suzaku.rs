//! The 80 rules that suzaku publishes for Azure and Microsoft 365: loaded, and each fires on a record of real shape.

use std::collections::BTreeSet;

use sigma::Ruleset;

use crate::outcome::{outcome, rules};
use crate::records::{Record, records, stem};

/// Most of suzaku's rules are `SigmaHQ`'s with corrected fields: the same records must make both fire.
const FILES: &[&str] = &[
    "signins.ndjson",
    "directory_audits.ndjson",
    "azure_activity.ndjson",
    "suzaku.ndjson",
];

#[test]
fn all_rules_of_suzaku_are_loaded_and_can_fire() {
    let mut collection = rules("suzaku-rules");
    let rules = Ruleset::compile(&mut collection);
    for rejected in &collection.rejected {
        println!("{rejected}");
    }
    assert_eq!((rules.rules().len(), collection.rejected.len()), (80, 0));
    let all: BTreeSet<String> = rules.rules().iter().map(stem).collect();
    let records: Vec<Record> = FILES
        .iter()
        .flat_map(|file| records(file))
        .filter(|record| all.contains(&record.rule))
        .collect();
    let outcome = outcome(&rules, &records);
    let pairs: usize = outcome.also.values().map(BTreeSet::len).sum();
    println!(
        "{} of 80 loaded, {} can fire; {} near misses not found, {pairs} records found by other rules too; cannot: {:?}",
        all.len(),
        outcome.can_fire.len(),
        outcome.near_misses,
        all.difference(&outcome.can_fire).collect::<Vec<_>>()
    );
    for (rule, of) in &outcome.also {
        println!("  {rule} finds those of {of:?}");
    }
    assert_eq!(outcome.can_fire, all);
}
