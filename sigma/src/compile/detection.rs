//! Detections and conditions of a rule as a [`Formula`] over tests.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use rsigma_parser::{
    ConditionExpr, Detection, DetectionItem, FieldSpec, LogSource, Modifier, Quantifier,
    SelectorPattern, SigmaRule, SigmaValue, detection_name_matches,
};

use super::item;
use super::modifiers::names;
use crate::error::RuleError;
use crate::expression::{Fold, Formula, Order, Position, Predicate, Question, Relation};
use crate::mapping::{Field, FieldBinding, Mapping, UserMapping};
use crate::placeholders::Placeholders;

/// A test that rules share: it holds for a row or it does not.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Test {
    /// A question about the values of one field.
    Value(FieldBinding, Question),
    /// How the second field's value stands in the first's.
    Reference(FieldBinding, FieldBinding, Relation),
}

impl Test {
    /// The fields that it looks at.
    pub(crate) fn places(&self) -> impl Iterator<Item = &FieldBinding> {
        match self {
            Self::Value(place, _) => [Some(place), None],
            Self::Reference(left, right, _) => [Some(left), Some(right)],
        }
        .into_iter()
        .flatten()
    }

    /// How dear it is to ask: columns before paths before the whole record.
    fn cost(&self) -> u8 {
        let cost = |place: &FieldBinding| match place {
            FieldBinding::Column(_) => 0,
            FieldBinding::Raw(_) => 1,
            FieldBinding::Anywhere => 2,
        };
        self.places().map(cost).max().unwrap_or(0)
    }
}

/// The tests of all rules of a plan, each once however many rules ask it.
#[derive(Debug)]
pub(crate) struct Builder {
    mapping: Mapping,
    user_mapping: Arc<UserMapping>,
    /// The tests, by their number.
    pub tests: Vec<Test>,
    numbers: HashMap<Test, usize>,
}

impl Builder {
    /// No tests yet; names of `user_mapping` come before our own.
    pub(crate) fn new(mapping: Mapping, user_mapping: &Arc<UserMapping>) -> Self {
        Self {
            mapping,
            user_mapping: Arc::clone(user_mapping),
            tests: Vec::new(),
            numbers: HashMap::new(),
        }
    }

    /// Adds a rule's tests and gives its formula.
    ///
    /// # Errors
    /// [`RuleError`] if any part of the rule cannot be honoured.
    pub(crate) fn rule(&mut self, rule: &SigmaRule) -> Result<Formula, RuleError> {
        let expanded = Placeholders::default().expand(&rule.detection)?;
        let detections = &expanded;
        if detections.timeframe.is_some() {
            return Err(RuleError::Unsupported {
                what: "timeframe".to_owned(),
            });
        }
        let mut formulas = HashMap::new();
        for (name, detection) in &detections.named {
            formulas.insert(name.as_str(), self.detection(detection)?);
        }
        let mut conditions = Vec::new();
        for condition in &detections.conditions {
            conditions.push(resolve(condition, &formulas)?);
        }
        let mut formula = single(conditions, Formula::Or)?;
        if self.mapping == Mapping::Flat {
            formula = self.gated(&rule.logsource, formula)?;
        }
        formula.order(&|test| self.tests[test].cost());
        Ok(formula)
    }

    /// Forgets all tests from `number` on.
    pub(crate) fn forget(&mut self, number: usize) {
        self.tests.truncate(number);
        self.numbers.retain(|_, known| *known < number);
    }

    /// A flat batch mixes log sources: the rule holds only for rows of its own.
    fn gated(&mut self, logsource: &LogSource, formula: Formula) -> Result<Formula, RuleError> {
        let mut members = Vec::new();
        for (column, word) in [
            ("product", &logsource.product),
            ("service", &logsource.service),
        ] {
            if let Some(word) = word {
                let words = BTreeSet::from([word.to_lowercase()]);
                let question = Question::OneOf(Fold::Lower, words);
                members.push(self.ask(&FieldBinding::Column(column.to_owned()), question));
            }
        }
        members.push(formula);
        single(members, Formula::And)
    }

    fn detection(&mut self, detection: &Detection) -> Result<Formula, RuleError> {
        match detection {
            Detection::AllOf(items) => {
                let members = items
                    .iter()
                    .map(|item| self.item(item))
                    .collect::<Result<_, _>>()?;
                single(members, Formula::And)
            }
            Detection::AnyOf(members) => {
                let members = members
                    .iter()
                    .map(|member| self.detection(member))
                    .collect::<Result<_, _>>()?;
                single(members, Formula::Or)
            }
            Detection::And(members) => {
                let members = members
                    .iter()
                    .map(|member| self.detection(member))
                    .collect::<Result<_, _>>()?;
                single(members, Formula::And)
            }
            Detection::Keywords(values) => self.item(&DetectionItem {
                field: FieldSpec::new(None, Vec::new()),
                values: values.clone(),
            }),
            Detection::ArrayMatch { .. } | Detection::Conditional { .. } => {
                Err(RuleError::Unsupported {
                    what: "matching of single list members (not in Sigma 2.1)".to_owned(),
                })
            }
        }
    }

    fn item(&mut self, item: &DetectionItem) -> Result<Formula, RuleError> {
        self.bare_item(item)
            .map_err(|refusal| refusal.of_item(item))
    }

    fn bare_item(&mut self, item: &DetectionItem) -> Result<Formula, RuleError> {
        let Some(name) = &item.field.name else {
            let predicate = item::keywords(item)?;
            return Ok(self.predicate(&FieldBinding::Anywhere, predicate));
        };
        // The parser escapes brackets that are no selectors; here they select from lists of pairs.
        let field = self.field(&name.replace("\\[", "[").replace("\\]", "]"));
        if item.field.modifiers.contains(&Modifier::FieldRef) {
            return self.reference(&field, item);
        }
        self.meant(item, &field)
    }

    fn reference(&mut self, field: &Field, item: &DetectionItem) -> Result<Formula, RuleError> {
        let (relation, is_all, is_negated) = relation(field.fold, &item.field.modifiers)?;
        let mut members = Vec::new();
        for value in &item.values {
            let SigmaValue::String(other) = value else {
                return Err(RuleError::Value {
                    value: value.to_string(),
                });
            };
            let other = self.field(&other.original).place;
            members.push(self.test(Test::Reference(field.place.clone(), other, relation)));
        }
        let join = if is_all { Formula::And } else { Formula::Or };
        let formula = single(members, join)?;
        if !is_negated {
            return Ok(formula);
        }
        let exists = self.ask(&field.place, Question::Exists);
        Ok(Formula::And(vec![exists, Formula::Not(Box::new(formula))]))
    }

    /// Where a field of this name stands.
    pub(super) fn field(&self, name: &str) -> Field {
        self.mapping.field(&self.user_mapping, name)
    }

    /// A predicate on the values at `place`, down to single questions.
    pub(super) fn predicate(&mut self, place: &FieldBinding, predicate: Predicate) -> Formula {
        match predicate {
            Predicate::One(question) => self.ask(place, question),
            Predicate::Any(members) => Formula::Or(self.predicates(place, members)),
            Predicate::All(members) => Formula::And(self.predicates(place, members)),
            Predicate::Not(inner) => {
                let exists = self.ask(place, Question::Exists);
                let inner = self.predicate(place, *inner);
                Formula::And(vec![exists, Formula::Not(Box::new(inner))])
            }
        }
    }

    fn predicates(&mut self, place: &FieldBinding, members: Vec<Predicate>) -> Vec<Formula> {
        members
            .into_iter()
            .map(|member| self.predicate(place, member))
            .collect()
    }

    fn ask(&mut self, place: &FieldBinding, question: Question) -> Formula {
        self.test(Test::Value(place.clone(), question))
    }

    fn test(&mut self, test: Test) -> Formula {
        let next = self.tests.len();
        let number = *self.numbers.entry(test.clone()).or_insert(next);
        if number == next {
            self.tests.push(test);
        }
        Formula::Test(number)
    }
}

/// What an item with `fieldref` compares, whether all of its fields must answer, and whether no is the answer sought.
fn relation(natural: Fold, modifiers: &[Modifier]) -> Result<(Relation, bool, bool), RuleError> {
    let (mut position, mut order, mut fold) = (None, None, natural);
    let (mut is_all, mut is_negated) = (false, false);
    let refused = || RuleError::Modifiers {
        modifiers: names(modifiers),
    };
    for modifier in modifiers {
        let operators = usize::from(position.is_some()) + usize::from(order.is_some());
        match modifier {
            Modifier::FieldRef => {}
            Modifier::Cased => fold = Fold::Exact,
            Modifier::Neq => is_negated = true,
            Modifier::All => is_all = true,
            _ if operators > 0 => return Err(refused()),
            Modifier::Contains => position = Some(Position::Inside),
            Modifier::StartsWith => position = Some(Position::Start),
            Modifier::EndsWith => position = Some(Position::End),
            Modifier::Gt => order = Some(Order::Greater),
            Modifier::Gte => order = Some(Order::GreaterOrEqual),
            Modifier::Lt => order = Some(Order::Less),
            Modifier::Lte => order = Some(Order::LessOrEqual),
            _ => return Err(refused()),
        }
    }
    let relation = order.map_or_else(
        || Relation::Text(position.unwrap_or(Position::Whole), fold),
        Relation::Number,
    );
    Ok((relation, is_all, is_negated))
}

/// One member as it is, several joined; none is refused.
pub(super) fn single(
    mut members: Vec<Formula>,
    join: fn(Vec<Formula>) -> Formula,
) -> Result<Formula, RuleError> {
    match members.len() {
        0 => Err(RuleError::Empty),
        1 => members.pop().ok_or(RuleError::Empty),
        _ => Ok(join(members)),
    }
}

fn resolve(
    condition: &ConditionExpr,
    formulas: &HashMap<&str, Formula>,
) -> Result<Formula, RuleError> {
    let all = |members: &[ConditionExpr]| {
        members
            .iter()
            .map(|member| resolve(member, formulas))
            .collect::<Result<Vec<_>, _>>()
    };
    match condition {
        ConditionExpr::And(members) => single(all(members)?, Formula::And),
        ConditionExpr::Or(members) => single(all(members)?, Formula::Or),
        ConditionExpr::Not(inner) => Ok(Formula::Not(Box::new(resolve(inner, formulas)?))),
        ConditionExpr::Identifier(name) => formulas
            .get(name.as_str())
            .cloned()
            .ok_or_else(|| RuleError::UnknownDetection { name: name.clone() }),
        ConditionExpr::Selector {
            quantifier,
            pattern,
        } => select(quantifier, pattern, formulas),
    }
}

fn select(
    quantifier: &Quantifier,
    pattern: &SelectorPattern,
    formulas: &HashMap<&str, Formula>,
) -> Result<Formula, RuleError> {
    let mut names: Vec<&str> = formulas
        .keys()
        .copied()
        .filter(|name| match pattern {
            // Sigma: names that begin with an underscore are not part of "them".
            SelectorPattern::Them => !name.starts_with('_'),
            // What a filter added is named by the filter only.
            SelectorPattern::Pattern(pattern) => {
                name.contains('/') == pattern.contains('/') && detection_name_matches(pattern, name)
            }
        })
        .collect();
    names.sort_unstable();
    if names.is_empty() {
        return Err(RuleError::UnknownDetection {
            name: pattern.to_string(),
        });
    }
    let members: Vec<Formula> = names.iter().map(|name| formulas[name].clone()).collect();
    match quantifier {
        Quantifier::Any | Quantifier::Count(1) => single(members, Formula::Or),
        Quantifier::All => single(members, Formula::And),
        Quantifier::Count(0) => Err(RuleError::Unsupported {
            what: "\"0 of\"".to_owned(),
        }),
        Quantifier::Count(count) => Ok(Formula::AtLeast(*count, members)),
    }
}
