//! Public rules, and what they find of our own records that are made for them.

use std::collections::{BTreeMap, BTreeSet};

use sigma::collection::load_folder;
use sigma::{RuleCollection, Ruleset};

use crate::corpus::corpus;
use crate::records::{Record, found, stem};

/// The rules of a folder of the corpora.
pub(crate) fn rules(folder: &str) -> RuleCollection {
    let mut collection = RuleCollection::default();
    load_folder(&mut collection, &corpus(folder));
    collection
}

/// What rules make of records that are made for them, and of each other's.
pub(crate) struct Outcome {
    /// Rules that find a record made for them.
    pub(crate) can_fire: BTreeSet<String>,
    /// Records that the rule they are made for does not find.
    pub(crate) missed: Vec<String>,
    /// For each rule, the rules whose records it finds too.
    pub(crate) also: BTreeMap<String, BTreeSet<String>>,
    /// Pairs of a rule and another's record of its table that it does not find.
    pub(crate) near_misses: usize,
}

/// Evaluates every record by every rule of its table.
pub(crate) fn outcome(rules: &Ruleset, records: &[Record]) -> Outcome {
    let mut outcome = Outcome {
        can_fire: BTreeSet::new(),
        missed: Vec::new(),
        also: BTreeMap::new(),
        near_misses: 0,
    };
    for record in records {
        let found = found(rules, &record.table, &record.event);
        let of_table = rules
            .rules()
            .iter()
            .filter(|rule| rule.table.name() == record.table);
        outcome.near_misses += of_table.filter(|rule| !found.contains(&stem(rule))).count();
        if !found.contains(&record.rule) {
            outcome.missed.push(record.rule.clone());
        }
        for rule in found {
            if rule == record.rule {
                outcome.can_fire.insert(rule);
            } else {
                outcome
                    .also
                    .entry(rule)
                    .or_default()
                    .insert(record.rule.clone());
            }
        }
    }
    outcome
}
