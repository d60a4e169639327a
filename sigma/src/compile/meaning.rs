//! Words of rules that mean more in a record than they say, as formulas over its fields.

use rsigma_parser::{DetectionItem, Modifier};

use super::detection::{Builder, single};
use super::item;
use crate::error::RuleError;
use crate::expression::{Fold, Formula, Predicate, Question};
use crate::mapping::{Ask, Clause, Field, FieldBinding, Meaning};

impl Builder {
    /// The formula of an item: each of its values, or what its word means in this field.
    pub(super) fn meant(
        &mut self,
        item: &DetectionItem,
        field: &Field,
    ) -> Result<Formula, RuleError> {
        let modifiers = &item.field.modifiers;
        let may_mean = modifiers
            .iter()
            .all(|modifier| matches!(modifier, Modifier::Contains | Modifier::All));
        if field.meanings.is_empty() || !may_mean {
            let predicate = item::predicate(item, field.fold)?;
            return Ok(self.predicate(&field.place, predicate));
        }
        let is_all = modifiers.contains(&Modifier::All);
        let mut single_item = item.clone();
        single_item
            .field
            .modifiers
            .retain(|modifier| *modifier != Modifier::All);
        let mut plain = single_item.clone();
        plain.values.clear();
        let mut members = Vec::new();
        for value in &item.values {
            let meaning = field.meaning(&value.to_string());
            match meaning {
                // Without `all`, values that mean what they say are asked together.
                None if !is_all => plain.values.push(value.clone()),
                _ => {
                    single_item.values = vec![value.clone()];
                    let predicate = item::predicate(&single_item, field.fold)?;
                    let literal = self.predicate(&field.place, predicate);
                    members.push(match meaning {
                        Some(meaning) => Formula::Or(vec![literal, self.meaning(meaning, field)?]),
                        None => literal,
                    });
                }
            }
        }
        if !plain.values.is_empty() {
            let predicate = item::predicate(&plain, field.fold)?;
            members.push(self.predicate(&field.place, predicate));
        }
        single(members, if is_all { Formula::And } else { Formula::Or })
    }

    fn meaning(&mut self, meaning: &Meaning, own: &Field) -> Result<Formula, RuleError> {
        let members = meaning
            .clauses
            .iter()
            .map(|clause| self.clause(clause, own))
            .collect();
        single(members, Formula::And)
    }

    fn clause(&mut self, clause: &Clause, own: &Field) -> Formula {
        let field = match clause.field.as_deref() {
            None => own.clone(),
            Some("*") => Field::plain(FieldBinding::Anywhere),
            Some(name) => self.field(name),
        };
        self.predicate(&field.place, of_ask(&clause.ask, field.fold))
    }
}

fn of_ask(ask: &Ask, fold: Fold) -> Predicate {
    let whole = |words: &[String]| {
        let words = words.iter().map(|word| fold.apply(word).into_owned());
        Predicate::One(Question::OneOf(fold, words.collect()))
    };
    match ask {
        Ask::OneOf(words) => whole(words),
        Ask::NoneOf(words) => Predicate::Any(vec![
            Predicate::One(Question::Null),
            Predicate::Not(Box::new(whole(words))),
        ]),
        Ask::Contains(words) => {
            let words = words
                .iter()
                .map(|word| fold.apply_inside(word).into_owned());
            Predicate::One(Question::ContainsAny(fold, words.collect()))
        }
        Ask::StartsWith(start) => {
            let start = fold.apply_inside(start).into_owned();
            Predicate::One(Question::StartsWith(fold, start))
        }
        Ask::Present => Predicate::One(Question::Exists),
    }
}
