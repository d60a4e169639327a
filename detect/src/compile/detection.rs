//! Detections and conditions of a rule as a [`Formula`] over tests.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use rsigma_parser::{
    ConditionExpr, Detection, DetectionItem, LogSource, Modifier, Quantifier, SelectorPattern,
    SigmaRule, SigmaValue, detection_name_matches,
};
use schemas::tables::Kind;

use super::formula::Formula;
use super::item;
use super::predicate::{Fold, Position, Predicate};
use super::test::{Question, Test};
use crate::error::Refusal;
use crate::mapping::{self, Field, Mapping, Means, Place};

/// The tests of all rules of a plan, each once however many rules ask it.
#[derive(Debug)]
pub struct Builder {
    mapping: Mapping,
    /// The tests, by their number.
    pub tests: Vec<Arc<Test>>,
    numbers: HashMap<String, usize>,
}

impl Builder {
    /// No tests yet.
    pub fn new(mapping: Mapping) -> Self {
        Self {
            mapping,
            tests: Vec::new(),
            numbers: HashMap::new(),
        }
    }

    /// Adds a rule's tests and gives its formula.
    ///
    /// # Errors
    /// [`Refusal`] if any part of the rule cannot be honoured.
    pub fn rule(&mut self, rule: &SigmaRule) -> Result<Formula, Refusal> {
        let detections = &rule.detection;
        if detections.timeframe.is_some() {
            return Err(Refusal::Unsupported {
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
    pub fn forget(&mut self, number: usize) {
        self.tests.truncate(number);
        self.numbers.retain(|_, known| *known < number);
    }

    /// A flat batch mixes log sources: the rule holds only for rows of its own.
    fn gated(&mut self, logsource: &LogSource, formula: Formula) -> Result<Formula, Refusal> {
        let mut members = Vec::new();
        for (column, word) in [
            ("product", &logsource.product),
            ("service", &logsource.service),
        ] {
            if let Some(word) = word {
                let words = HashSet::from([word.to_lowercase()]);
                members.push(self.add(
                    format!("gate {column} {word}"),
                    vec![(Place::Column(column.to_owned()), Kind::Category)],
                    Question::One(Predicate::OneOf(Fold::Lower, words)),
                ));
            }
        }
        members.push(formula);
        single(members, Formula::And)
    }

    fn detection(&mut self, detection: &Detection) -> Result<Formula, Refusal> {
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
            Detection::Keywords(values) => self.keywords(values, false),
            Detection::ArrayMatch { .. } | Detection::Conditional { .. } => {
                Err(Refusal::Unsupported {
                    what: "matching of single list members".to_owned(),
                })
            }
        }
    }

    fn keywords(&mut self, values: &[SigmaValue], is_all: bool) -> Result<Formula, Refusal> {
        let predicate = item::keywords(values, is_all)?;
        Ok(self.add(
            format!("keywords {is_all} {values:?}"),
            vec![(Place::Anywhere, Kind::Text)],
            Question::One(predicate),
        ))
    }

    fn item(&mut self, item: &DetectionItem) -> Result<Formula, Refusal> {
        let modifiers = &item.field.modifiers;
        let Some(name) = &item.field.name else {
            return self.unnamed(item);
        };
        let field = self.mapping.field(name);
        let key = format!("{:?} {modifiers:?} {:?}", field, item.values);
        if modifiers.contains(&Modifier::FieldRef) {
            return self.reference(&key, field, item);
        }
        let predicate = meant(item, &field)?;
        let place = self.place(field.place);
        Ok(self.add(key, vec![place], Question::One(predicate)))
    }

    /// An item without a field name: keywords with modifiers.
    fn unnamed(&mut self, item: &DetectionItem) -> Result<Formula, Refusal> {
        let modifiers = &item.field.modifiers;
        let is_plain = modifiers
            .iter()
            .all(|modifier| matches!(modifier, Modifier::All | Modifier::Contains));
        if is_plain {
            return self.keywords(&item.values, modifiers.contains(&Modifier::All));
        }
        if !modifiers.contains(&Modifier::Re) {
            return Err(Refusal::Unsupported {
                what: "keywords with these modifiers".to_owned(),
            });
        }
        let predicate = item::predicate(item, Fold::Lower)?;
        let key = format!("keywords {modifiers:?} {:?}", item.values);
        Ok(self.add(
            key,
            vec![(Place::Anywhere, Kind::Text)],
            Question::One(predicate),
        ))
    }

    fn reference(
        &mut self,
        key: &str,
        field: Field,
        item: &DetectionItem,
    ) -> Result<Formula, Refusal> {
        let mut position = Position::Whole;
        let mut fold = field.fold;
        let mut is_negated = false;
        for modifier in &item.field.modifiers {
            match modifier {
                Modifier::FieldRef => {}
                Modifier::Contains => position = Position::Inside,
                Modifier::StartsWith => position = Position::Start,
                Modifier::EndsWith => position = Position::End,
                Modifier::Cased => fold = Fold::Exact,
                Modifier::Neq => is_negated = true,
                other => {
                    return Err(Refusal::Unsupported {
                        what: format!("fieldref with {other:?}").to_lowercase(),
                    });
                }
            }
        }
        let place = self.place(field.place);
        let mut members = Vec::new();
        for value in &item.values {
            let SigmaValue::String(other) = value else {
                return Err(Refusal::Value {
                    value: value.to_string(),
                });
            };
            let other = self.mapping.field(&other.original).place;
            let places = vec![place.clone(), self.place(other)];
            members.push(self.add(
                format!("{key} {value}"),
                places,
                Question::Reference(position, fold),
            ));
        }
        let formula = single(members, Formula::Or)?;
        if !is_negated {
            return Ok(formula);
        }
        let exists = self.add(
            format!("{key} exists"),
            vec![place],
            Question::One(Predicate::Exists(true)),
        );
        Ok(Formula::And(vec![exists, Formula::Not(Box::new(formula))]))
    }

    fn place(&self, place: Place) -> (Place, Kind) {
        let kind = match &place {
            Place::Column(name) => mapping::kind(self.mapping, name),
            Place::Raw(_) | Place::Anywhere => Kind::Text,
        };
        (place, kind)
    }

    fn add(&mut self, key: String, places: Vec<(Place, Kind)>, question: Question) -> Formula {
        let next = self.tests.len();
        let number = *self.numbers.entry(key.clone()).or_insert(next);
        if number == next {
            self.tests.push(Arc::new(Test {
                key,
                places,
                question,
            }));
        }
        Formula::Test(number)
    }
}

/// The predicate of an item, with words of the field's own meaning replaced.
fn meant(item: &DetectionItem, field: &Field) -> Result<Predicate, Refusal> {
    if field.meanings.is_empty() || !item.field.modifiers.is_empty() {
        return item::predicate(item, field.fold);
    }
    let mut members = Vec::new();
    let mut others = item.clone();
    others.values.clear();
    for value in &item.values {
        let word = value.to_string().to_lowercase();
        match field.meanings.iter().find(|meaning| meaning.word == word) {
            Some(meaning) => members.push(of_meaning(meaning.means)),
            None => others.values.push(value.clone()),
        }
    }
    if !others.values.is_empty() {
        members.push(item::predicate(&others, field.fold)?);
    }
    Ok(Predicate::Any(members))
}

fn of_meaning(means: Means) -> Predicate {
    let set = |words: &[&str]| {
        Predicate::OneOf(
            Fold::Lower,
            words.iter().map(|word| (*word).to_owned()).collect(),
        )
    };
    match means {
        Means::OneOf(words) => set(words),
        Means::NoneOf(words) => {
            Predicate::Any(vec![Predicate::Null, Predicate::Not(Box::new(set(words)))])
        }
    }
}

/// One member as it is, several joined; none is refused.
fn single(
    mut members: Vec<Formula>,
    join: fn(Vec<Formula>) -> Formula,
) -> Result<Formula, Refusal> {
    match members.len() {
        0 => Err(Refusal::Empty),
        1 => members.pop().ok_or(Refusal::Empty),
        _ => Ok(join(members)),
    }
}

fn resolve(
    condition: &ConditionExpr,
    formulas: &HashMap<&str, Formula>,
) -> Result<Formula, Refusal> {
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
            .ok_or_else(|| Refusal::UnknownDetection { name: name.clone() }),
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
) -> Result<Formula, Refusal> {
    let mut names: Vec<&str> = formulas
        .keys()
        .copied()
        .filter(|name| match pattern {
            // Sigma: names that begin with an underscore are not part of "them".
            SelectorPattern::Them => !name.starts_with('_'),
            SelectorPattern::Pattern(pattern) => detection_name_matches(pattern, name),
        })
        .collect();
    names.sort_unstable();
    if names.is_empty() {
        return Err(Refusal::UnknownDetection {
            name: pattern.to_string(),
        });
    }
    let members: Vec<Formula> = names.iter().map(|name| formulas[name].clone()).collect();
    match quantifier {
        Quantifier::Any | Quantifier::Count(1) => single(members, Formula::Or),
        Quantifier::All => single(members, Formula::And),
        Quantifier::Count(0) => Err(Refusal::Unsupported {
            what: "\"0 of\"".to_owned(),
        }),
        Quantifier::Count(count) => Ok(Formula::AtLeast(*count, members)),
    }
}
