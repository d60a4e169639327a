//! The rules of every table, compiled, and the correlations over them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use schemas::tables::Table;

use super::load::Catalogue;
use super::rule::Rule;
use crate::correlation::matched::Counted;
use crate::correlation::{Correlation, Correlations, custom};
use crate::error::Refusal;
use crate::geo::Places;
use crate::mapping::{Extension, Mapping};
use crate::metadata::Statement;
use crate::plan::Plan;
use crate::plan::fields::Fields;

/// Rules, compiled once for each table that they are about, and the correlations over their matches.
#[derive(Debug, Default)]
pub struct Ruleset {
    rules: Vec<Rule>,
    plans: BTreeMap<Table, Plan>,
    over_time: Arc<Correlations>,
    correlations: Vec<Correlation>,
    /// What alerts of correlations say, by their ids.
    statements: HashMap<String, Statement>,
    /// What correlations ask of the matches of rules, by the numbers of the rules.
    counted: HashMap<usize, Counted>,
}

/// What rules are compiled with.
pub(crate) struct Knowing<'a> {
    /// A user's names of fields.
    pub(crate) extension: &'a Arc<Extension>,
    /// Who knows where addresses are, if anybody.
    pub(crate) places: Option<&'a Arc<dyn Places>>,
}

impl<'a> Knowing<'a> {
    fn of(catalogue: &'a Catalogue) -> Self {
        Self {
            extension: &catalogue.extension,
            places: catalogue.places.as_ref(),
        }
    }
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
        let correlations = catalogue.correlations.clone();
        Self::new(rules, plans, correlations, &Knowing::of(catalogue))
    }

    /// One rule, without the correlations that refer to it.
    ///
    /// # Errors
    /// [`Refusal`] if it cannot be compiled.
    pub(crate) fn alone(rule: &Rule, knowing: &Knowing<'_>) -> Result<Self, Refusal> {
        let rules = vec![rule.clone()];
        let (plans, refused) = plans(&rules, knowing.extension);
        match refused.into_iter().next() {
            Some((_, refusal)) => Err(refusal),
            None => Ok(Self::new(rules, plans, Vec::new(), knowing)),
        }
    }

    fn new(
        rules: Vec<Rule>,
        plans: BTreeMap<Table, Plan>,
        correlations: Vec<Correlation>,
        knowing: &Knowing<'_>,
    ) -> Self {
        let over_time = Arc::new(over_time(&rules, &correlations));
        let statements = statements(&rules, &correlations);
        Self {
            counted: counted(&rules, &over_time, knowing),
            rules,
            plans,
            over_time,
            correlations,
            statements,
        }
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

    /// The correlations as they are written.
    pub fn correlations(&self) -> &[Correlation] {
        &self.correlations
    }

    /// The correlations as they are evaluated, those that rules ask of their own matches among them.
    pub fn over_time(&self) -> &Arc<Correlations> {
        &self.over_time
    }

    /// What alerts of each rule say, in the order of their numbers, and then those of each correlation.
    pub fn statements(&self) -> Vec<Statement> {
        let correlations = self.correlations.iter().map(Correlation::statement);
        self.rules
            .iter()
            .map(Rule::statement)
            .chain(correlations)
            .collect()
    }

    /// What an alert of a correlation says; none if there is no such correlation.
    pub fn statement(&self, correlation: &str) -> Option<&Statement> {
        self.statements.get(correlation)
    }

    /// How the matches of the rule with this number are counted; none if no correlation refers to it.
    pub fn counted(&self, rule: usize) -> Option<&Counted> {
        self.counted.get(&rule)
    }

    /// True if matches of the rule with this number are alerts by themselves.
    pub fn alerts(&self, rule: usize) -> bool {
        let is_counted_only = self.rules.get(rule).is_some_and(|rule| rule.only_counted);
        !is_counted_only
            && self
                .counted
                .get(&rule)
                .is_none_or(|counted| !counted.is_silent)
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

/// Every correlation, and what each silences: what others count alerts by itself only where one of them says so.
fn over_time(rules: &[Rule], correlations: &[Correlation]) -> Correlations {
    let mut definitions: Vec<_> = rules
        .iter()
        .filter_map(|rule| rule.over_time.clone())
        .collect();
    let mut counted: BTreeMap<Arc<str>, bool> = BTreeMap::new();
    for correlation in correlations {
        // What cannot stand was refused when it was read.
        let Ok(definition) = correlation.definition() else {
            continue;
        };
        for member in &definition.members {
            *counted.entry(Arc::clone(&member.id)).or_default() |= correlation.sigma.generate;
        }
        definitions.push(definition);
    }
    let with_own_test: BTreeSet<Arc<str>> = rules
        .iter()
        .filter(|rule| rule.over_time.is_some())
        .map(|rule| custom::match_id(&rule.id))
        .collect();
    let silent = counted
        .into_iter()
        .filter_map(|(id, generates)| (!generates).then_some(id));
    Correlations::new(definitions, silent.chain(with_own_test).collect())
}

fn statements(rules: &[Rule], correlations: &[Correlation]) -> HashMap<String, Statement> {
    let of_rules = rules
        .iter()
        .filter(|rule| rule.over_time.is_some())
        .map(Rule::statement);
    let all = of_rules.chain(correlations.iter().map(Correlation::statement));
    all.map(|statement| (statement.id.clone(), statement))
        .collect()
}

fn counted(
    rules: &[Rule],
    over_time: &Correlations,
    knowing: &Knowing<'_>,
) -> HashMap<usize, Counted> {
    let mut counted = HashMap::new();
    for (number, rule) in rules.iter().enumerate() {
        let signal = match rule.over_time {
            Some(_) => custom::match_id(&rule.id),
            None => rule.id.as_str().into(),
        };
        let Some(mut names) = over_time.fields(&signal) else {
            continue;
        };
        let address = rule.over_time.as_ref().and_then(|one| one.address.clone());
        names.extend(address.as_ref().map(|address| Arc::clone(&address.field)));
        let one = Counted {
            fields: Fields::new(Mapping::Lake(rule.table), knowing.extension, &names),
            is_silent: over_time.is_silent(&signal),
            places: knowing.places.cloned(),
            address,
            signal,
        };
        counted.insert(number, one);
    }
    counted
}
