//! The event of an explanation: one row that parts of a rule are asked about, and what it has in a field.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use rsigma_parser::{DetectionItem, Modifier, SigmaRule, SigmaValue};
use schemas::tables::{Kind, Table};
use schemas::wire::Event;

use super::tree::{FoundValue, Item, Standing, Value, shown};
use super::{Answers, ExplainError, VALUES_MAX};
use crate::compile::modifiers;
use crate::expression::{Fold, Leaves};
use crate::mapping::{self, Ask, Clause, FieldBinding, Mapping, Meaning, UserMapping};
use crate::plan::chunk::Batch;
use crate::plan::{Plan, event_batch, fields};

/// Most values of a field of the event that are told.
const FOUND_MAX: usize = 64;

/// An event as the one row that rules are asked about.
pub(crate) struct Row {
    table: Table,
    batch: RecordBatch,
    record: serde_json::Value,
    user_mapping: Arc<UserMapping>,
}

impl Row {
    pub(crate) fn new(
        table: Table,
        event: &Event,
        user_mapping: &Arc<UserMapping>,
    ) -> Result<Self, ArrowError> {
        Ok(Self {
            table,
            batch: event_batch::batch(table, std::slice::from_ref(event))?,
            record: serde_json::from_slice(&event.raw).unwrap_or_default(),
            user_mapping: Arc::clone(user_mapping),
        })
    }

    /// The event as the one row of a batch.
    pub(crate) fn batch(&self) -> &RecordBatch {
        &self.batch
    }

    fn mapping(&self) -> Mapping {
        Mapping::Lake(self.table)
    }

    /// Evaluates the rules together; the one with the number `whole` must not be refused.
    pub(super) fn ask(&self, rules: &[SigmaRule], whole: usize) -> Result<Answers, ExplainError> {
        let (plan, refused) =
            Plan::extended(self.mapping(), &self.user_mapping, rules.iter().enumerate());
        let mut answers = Answers {
            matched: BTreeSet::new(),
            refused: BTreeSet::new(),
        };
        for (number, reason) in refused {
            if number == whole {
                return Err(reason.into());
            }
            answers.refused.insert(number);
        }
        for hits in plan.evaluate(&mut Batch(&self.batch))? {
            answers.matched.insert(hits.rule);
        }
        Ok(answers)
    }

    /// An item with what the event has where the mapping finds its field.
    pub(super) fn item(&self, item: &DetectionItem) -> Item {
        let asked = &item.field.modifiers;
        let values_left_out = item.values.len().saturating_sub(VALUES_MAX);
        let names = asked.iter().copied().map(modifiers::name).collect();
        let Some(name) = &item.field.name else {
            return Item {
                field: None,
                modifiers: names,
                values: written(&item.values, |_| None),
                values_left_out,
                standing: Standing::Anywhere,
                found: Vec::new(),
            };
        };
        let field = self.mapping().field(&self.user_mapping, name);
        let fold = if asked.contains(&Modifier::Cased) {
            Fold::Exact
        } else {
            field.fold
        };
        let (standing, found) = self.look(&field.place, fold);
        let means = |value: &SigmaValue| {
            if asked.contains(&Modifier::FieldRef) {
                return Some(self.other_field(&value.to_string()));
            }
            let meaning = field.meaning(&value.to_string())?;
            // As in compilation: a word has its meaning only where it stands alone or is looked for.
            asked
                .iter()
                .all(|modifier| matches!(modifier, Modifier::Contains | Modifier::All))
                .then(|| described(meaning))
        };
        Item {
            field: Some(name.clone()),
            modifiers: names,
            values: written(&item.values, means),
            values_left_out,
            standing,
            found,
        }
    }

    /// Where the other field of a comparison stands, and what is there.
    fn other_field(&self, name: &str) -> String {
        let field = self.mapping().field(&self.user_mapping, name);
        let (standing, found) = self.look(&field.place, field.fold);
        if found.is_empty() {
            return format!("{standing}: no value");
        }
        let found: Vec<String> = found.iter().map(|found| shown(&found.value)).collect();
        format!("{standing}: {}", found.join(", "))
    }

    /// Where a place is in this event, and the values there.
    pub(crate) fn look(&self, place: &FieldBinding, fold: Fold) -> (Standing, Vec<FoundValue>) {
        match place {
            FieldBinding::Anywhere => (Standing::Anywhere, Vec::new()),
            FieldBinding::Column(name) => (Standing::Column(name.clone()), self.column(name, fold)),
            FieldBinding::Raw(paths) => {
                for path in paths {
                    let leaves = Leaves::find(&self.record, std::slice::from_ref(path));
                    let found = told(&leaves, fold);
                    if !found.is_empty() {
                        return (Standing::Record(path.as_text().to_owned()), found);
                    }
                }
                let paths = paths.iter().map(|path| path.as_text().to_owned());
                (Standing::Nowhere(paths.collect()), Vec::new())
            }
        }
    }

    fn column(&self, name: &str, fold: Fold) -> Vec<FoundValue> {
        let Some(text) = fields::text(&self.batch, name, 0) else {
            return Vec::new();
        };
        let is_list = mapping::kind(self.mapping(), name) == Kind::Json;
        let leaves = if is_list {
            Leaves::of_json(&text)
        } else {
            Leaves::of_text(&text)
        };
        told(&leaves, fold)
    }
}

fn told(leaves: &Leaves, fold: Fold) -> Vec<FoundValue> {
    leaves
        .as_leaves()
        .iter()
        .take(FOUND_MAX)
        .map(|leaf| {
            let value = leaf.text().into_owned();
            let form = fold.apply(&value).into_owned();
            let differs = fold == Fold::Operation && form != value.to_lowercase();
            FoundValue {
                compared_as: differs.then_some(form),
                value,
            }
        })
        .collect()
}

pub(super) fn written(
    values: &[SigmaValue],
    means: impl Fn(&SigmaValue) -> Option<String>,
) -> Vec<Value> {
    values
        .iter()
        .take(VALUES_MAX)
        .map(|value| Value {
            value: value.to_string(),
            holds: None,
            means: means(value),
        })
        .collect()
}

/// What a word means beside itself.
fn described(meaning: &Meaning) -> String {
    let clauses: Vec<String> = meaning.clauses.iter().map(described_clause).collect();
    format!("itself, or {}", clauses.join(" and "))
}

fn described_clause(clause: &Clause) -> String {
    let list = |words: &[String]| {
        let words: Vec<String> = words.iter().map(|word| shown(word)).collect();
        words.join(" or ")
    };
    let said = match &clause.ask {
        Ask::OneOf(words) => list(words),
        Ask::NoneOf(words) => format!("anything but {}, also no value", list(words)),
        Ask::Contains(words) => format!("something with {}", list(words)),
        Ask::StartsWith(start) => format!("something that starts with {}", shown(start)),
        Ask::Present => "any value".to_owned(),
    };
    match &clause.field {
        Some(field) => format!("{field}: {said}"),
        None => said,
    }
}
