//! The rules of every table, compiled.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemas::tables::Table;

use crate::mapping::{Extension, Mapping};
use crate::plan::Plan;
use crate::refusal::Refusal;
use crate::rule::{Catalogue, Rule};

/// Rules, compiled once for each table that they are about.
#[derive(Debug, Default)]
pub struct Ruleset {
    rules: Vec<Rule>,
    plans: BTreeMap<Table, Plan>,
}

impl Ruleset {
    /// Compiles the loaded rules of a catalogue, changed as its filters, pipelines and placeholders say.
    ///
    /// A rule that cannot be compiled moves to the rejected ones.
    pub fn compile(catalogue: &mut Catalogue) -> Self {
        let mut rules = catalogue.resolve();
        let (mut plans, refused) = plans(&rules, &catalogue.extension);
        if !refused.is_empty() {
            for (number, reason) in refused {
                catalogue.refuse(&rules[number], reason);
            }
            rules = catalogue.resolve();
            (plans, _) = self::plans(&rules, &catalogue.extension);
        }
        Self { rules, plans }
    }

    /// The rules, in the order of the numbers in [`crate::Hits`].
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The plan of a table; none if no rule is about it.
    pub fn plan(&self, table: Table) -> Option<&Plan> {
        self.plans.get(&table)
    }

    /// The tables that rules are about.
    pub fn tables(&self) -> impl Iterator<Item = Table> + '_ {
        self.plans.keys().copied()
    }
}

/// A plan for each table, and the numbers of the rules that cannot be compiled.
fn plans(
    rules: &[Rule],
    extension: &Arc<Extension>,
) -> (BTreeMap<Table, Plan>, Vec<(usize, Refusal)>) {
    let mut by_table: BTreeMap<Table, Vec<usize>> = BTreeMap::new();
    for (number, rule) in rules.iter().enumerate() {
        by_table.entry(rule.table).or_default().push(number);
    }
    let mut plans = BTreeMap::new();
    let mut all_refused = Vec::new();
    for (table, numbers) in by_table {
        let of_table = numbers
            .iter()
            .map(|number| (*number, &rules[*number].sigma));
        let (plan, refused) = Plan::extended(Mapping::Lake(table), extension, of_table);
        plans.insert(table, plan);
        all_refused.extend(refused);
    }
    (plans, all_refused)
}
