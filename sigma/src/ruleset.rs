//! The rules of every table, compiled.

use std::collections::BTreeMap;

use schemas::tables::Table;

use crate::mapping::Mapping;
use crate::plan::Plan;
use crate::rule::{Catalogue, Rule};

/// Rules, compiled once for each table that they are about.
#[derive(Debug, Default)]
pub struct Ruleset {
    rules: Vec<Rule>,
    plans: BTreeMap<Table, Plan>,
}

impl Ruleset {
    /// Compiles the loaded rules of a catalogue, changed as its filters, pipelines and placeholders say; one that cannot be compiled moves to the rejected ones.
    pub fn compile(catalogue: &mut Catalogue) -> Self {
        let rules = catalogue.resolve();
        let mut by_table: BTreeMap<Table, Vec<usize>> = BTreeMap::new();
        for (number, rule) in rules.iter().enumerate() {
            by_table.entry(rule.table).or_default().push(number);
        }
        let mut plans = BTreeMap::new();
        for (table, numbers) in by_table {
            let of_table = numbers
                .iter()
                .map(|number| (*number, &rules[*number].sigma));
            let (plan, refused) = Plan::new(Mapping::Lake(table), of_table);
            for (number, reason) in refused {
                catalogue.refuse(&rules[number], reason);
            }
            plans.insert(table, plan);
        }
        Self { rules, plans }
    }

    /// The rules, in the order of the numbers in [`crate::Hits`]; those that were refused among them.
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
