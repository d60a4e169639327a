//! The rules of every table, compiled, and the correlations over them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use schemas::tables::Table;

use super::load::RuleCollection;
use super::rule::Rule;
use crate::correlation::matched::Counted;
use crate::correlation::{Correlation, Correlations, custom};
use crate::error::RuleError;
use crate::geo::GeoLocator;
use crate::mapping::retold::{TELLER, TOLD};
use crate::mapping::{Mapping, UserMapping};
use crate::metadata::RuleMetadata;
use crate::plan::Plan;
use crate::plan::fields::Fields;

/// The compiled rules of each table.
type TablePlans = BTreeMap<Table, Arc<Plan>>;

/// Rules, compiled once for each table that they are about, and the correlations over their matches.
#[derive(Debug, Default)]
pub struct Ruleset {
    rules: Vec<Rule>,
    plans: TablePlans,
    /// The rules about Entra's own tables, for the unified audit log that tells the same.
    retold: TablePlans,
    /// A user's names of fields, with which the rules were compiled.
    user_mapping: Arc<UserMapping>,
    compiled_correlations: Arc<Correlations>,
    correlations: Vec<Correlation>,
    /// What alerts of correlations say, by their ids.
    correlated_metadata: HashMap<String, RuleMetadata>,
    /// What correlations ask of the matches of rules, by the numbers of the rules.
    counted: HashMap<usize, Counted>,
}

/// What rules are compiled with.
pub(crate) struct CompileContext<'a> {
    /// A user's names of fields.
    pub(crate) user_mapping: &'a Arc<UserMapping>,
    /// Who knows where addresses are, if anybody.
    pub(crate) places: Option<&'a Arc<dyn GeoLocator>>,
}

impl<'a> CompileContext<'a> {
    fn of(collection: &'a RuleCollection) -> Self {
        Self {
            user_mapping: &collection.user_mapping,
            places: collection.places.as_ref(),
        }
    }
}

impl Ruleset {
    /// Compiles the loaded rules of a collection, changed as its filters, pipelines and placeholders say.
    ///
    /// A rule that cannot be compiled moves to the rejected ones.
    pub fn compile(collection: &mut RuleCollection) -> Self {
        let mut rules = collection.resolve();
        let (mut plans, refused) = plans(&rules, &collection.user_mapping);
        if !refused.is_empty() {
            for (number, reason) in refused {
                collection.refuse(&rules[number], reason);
            }
            rules = collection.resolve();
            (plans, _) = self::plans(&rules, &collection.user_mapping);
        }
        let correlations = collection.correlations.clone();
        Self::new(rules, plans, correlations, &CompileContext::of(collection))
    }

    /// One rule, without the correlations that refer to it.
    ///
    /// # Errors
    /// [`RuleError`] if it cannot be compiled.
    pub(crate) fn alone(rule: &Rule, context: &CompileContext<'_>) -> Result<Self, RuleError> {
        let rules = vec![rule.clone()];
        let (plans, refused) = plans(&rules, context.user_mapping);
        match refused.into_iter().next() {
            Some((_, refusal)) => Err(refusal),
            None => Ok(Self::new(rules, plans, Vec::new(), context)),
        }
    }

    fn new(
        rules: Vec<Rule>,
        plans: TablePlans,
        correlations: Vec<Correlation>,
        context: &CompileContext<'_>,
    ) -> Self {
        let compiled_correlations = Arc::new(compiled_correlations(&rules, &correlations));
        let metadata = correlated_metadata(&rules, &correlations);
        Self {
            counted: counted(&rules, &compiled_correlations, context),
            retold: retold_plans(&rules, context.user_mapping),
            user_mapping: Arc::clone(context.user_mapping),
            rules,
            plans,
            compiled_correlations,
            correlations,
            correlated_metadata: metadata,
        }
    }

    /// The rules, in the order of the numbers in [`crate::Hits`].
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The plan of a table; none if no rule is about it.
    pub fn plan(&self, table: Table) -> Option<&Arc<Plan>> {
        self.plans.get(&table)
    }

    /// A plan of the rule with this number and no other, over its own table, as the set has compiled it; none if there is
    /// no such rule.
    pub fn plan_alone(&self, rule: usize) -> Option<Plan> {
        let sigma = self.rules.get(rule).map(|rule| (rule.table, &rule.sigma));
        let (table, sigma) = sigma?;
        let mapping = Mapping::Lake(table);
        let (plan, refused) = Plan::extended(mapping, &self.user_mapping, [(rule, sigma)]);
        refused.is_empty().then_some(plan)
    }

    /// The plans of rules about other tables whose acts a table tells too, by those tables.
    ///
    /// Their hits are rows whose record [`columns::retold::retold`] tells again as one of the other table.
    pub fn retold(&self, table: Table) -> impl Iterator<Item = (Table, &Arc<Plan>)> {
        let is_teller = table == TELLER;
        let plans = self.retold.iter().filter(move |_| is_teller);
        plans.map(|(told, plan)| (*told, plan))
    }

    /// The tables that rules are about.
    pub fn tables(&self) -> impl Iterator<Item = Table> + '_ {
        let is_told = !self.retold.is_empty() && !self.plans.contains_key(&TELLER);
        self.plans.keys().copied().chain(is_told.then_some(TELLER))
    }

    /// The correlations as they are written.
    pub fn correlations(&self) -> &[Correlation] {
        &self.correlations
    }

    /// The correlations as they are evaluated, those that rules ask of their own matches among them.
    pub fn compiled_correlations(&self) -> &Arc<Correlations> {
        &self.compiled_correlations
    }

    /// What alerts of each rule say, in the order of their numbers, and then those of each correlation.
    pub fn metadata(&self) -> Vec<RuleMetadata> {
        let correlations = self.correlations.iter().map(Correlation::metadata);
        self.rules
            .iter()
            .map(Rule::metadata)
            .chain(correlations)
            .collect()
    }

    /// What an alert of a correlation says; none if there is no such correlation.
    pub fn metadata_of(&self, correlation: &str) -> Option<&RuleMetadata> {
        self.correlated_metadata.get(correlation)
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
fn plans(rules: &[Rule], user_mapping: &Arc<UserMapping>) -> (TablePlans, Vec<(usize, RuleError)>) {
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
        let (plan, refused) = Plan::extended(Mapping::Lake(table), user_mapping, of_table);
        plans.insert(table, Arc::new(plan));
        all_refused.extend(refused);
    }
    (plans, all_refused)
}

/// The rules about Entra's own tables once more, as rules about records that tell the same.
fn retold_plans(rules: &[Rule], user_mapping: &Arc<UserMapping>) -> TablePlans {
    let of_table = |told: Table| {
        let numbered = rules.iter().enumerate();
        let of_table: Vec<_> = numbered
            .filter(|(_, rule)| rule.table == told)
            .map(|(number, rule)| (number, &rule.sigma))
            .collect();
        if of_table.is_empty() {
            return None;
        }
        // One that its own table takes and this one does not is seen by fewer logs; it says so.
        let (plan, refused) = Plan::extended(Mapping::Retold(told), user_mapping, of_table);
        for (number, reason) in refused {
            tracing::warn!(rule = rules[number].label, %reason, "the rule is not asked of the unified audit log");
        }
        Some((told, Arc::new(plan)))
    };
    TOLD.into_iter().filter_map(of_table).collect()
}

/// Every correlation, and what each silences: what others count alerts by itself only where one of them says so.
fn compiled_correlations(rules: &[Rule], correlations: &[Correlation]) -> Correlations {
    let mut definitions: Vec<_> = rules
        .iter()
        .filter_map(|rule| rule.own_correlation.clone())
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
        .filter(|rule| rule.own_correlation.is_some())
        .map(|rule| custom::match_id(&rule.id))
        .collect();
    let silent = counted
        .into_iter()
        .filter_map(|(id, generates)| (!generates).then_some(id));
    Correlations::new(definitions, silent.chain(with_own_test).collect())
}

fn correlated_metadata(
    rules: &[Rule],
    correlations: &[Correlation],
) -> HashMap<String, RuleMetadata> {
    let of_rules = rules
        .iter()
        .filter(|rule| rule.own_correlation.is_some())
        .map(Rule::metadata);
    let all = of_rules.chain(correlations.iter().map(Correlation::metadata));
    all.map(|one| (one.id.clone(), one)).collect()
}

fn counted(
    rules: &[Rule],
    compiled_correlations: &Correlations,
    context: &CompileContext<'_>,
) -> HashMap<usize, Counted> {
    let mut counted = HashMap::new();
    for (number, rule) in rules.iter().enumerate() {
        let signal = match rule.own_correlation {
            Some(_) => custom::match_id(&rule.id),
            None => rule.id.as_str().into(),
        };
        let Some(mut names) = compiled_correlations.fields(&signal) else {
            continue;
        };
        let address = rule
            .own_correlation
            .as_ref()
            .and_then(|one| one.address.clone());
        names.extend(address.as_ref().map(|address| Arc::clone(&address.field)));
        let one = Counted {
            fields: Fields::new(Mapping::Lake(rule.table), context.user_mapping, &names),
            is_silent: compiled_correlations.is_silent(&signal),
            places: context.places.cloned(),
            address,
            signal,
        };
        counted.insert(number, one);
    }
    counted
}
