//! How many of the public rules can fire at all, and why the others cannot.

use std::collections::BTreeSet;

use schemas::tables::Table;
use sigma::tools::coverage::{Verdict, navigator, verdict};

use crate::outcome::rules;

fn nothing_seen(_: Table, _: &str) -> Option<BTreeSet<String>> {
    None
}

#[test]
fn coverage_of_the_public_rules() {
    let collection = rules("sigmahq/rules");
    let mut counts = [0; 3];
    let mut cannot = Vec::new();
    for rule in &collection.loaded {
        match verdict(rule, &collection.user_mapping, &nothing_seen) {
            Verdict::CanFire => counts[0] += 1,
            Verdict::Cannot(reason) => {
                counts[1] += 1;
                println!("{}: cannot: {reason}", rule.file);
                cannot.push(rule.file.rsplit('/').next().unwrap_or_default());
            }
            Verdict::Unknown(reason) => {
                counts[2] += 1;
                println!("{}: unknown: {reason}", rule.file);
            }
        }
    }
    let [can, not, unknown] = counts;
    let statements: Vec<_> = collection
        .loaded
        .iter()
        .map(sigma::Rule::metadata)
        .collect();
    let layer = navigator::layer("public", "", navigator::Attack::V19, &statements);
    let techniques = layer["techniques"].as_array().map_or(0, Vec::len);
    println!("{can} can fire, {not} cannot, {unknown} unknown; {techniques} techniques");
    cannot.sort_unstable();
    assert_eq!(
        cannot,
        [
            "azure_device_or_configuration_modified_or_deleted.yml",
            "azure_privileged_account_creation.yml"
        ]
    );
    assert_eq!(counts, [140, 2, 0]);
}
