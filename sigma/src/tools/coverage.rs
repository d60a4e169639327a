//! Whether a rule can fire at all: what Microsoft documents, and what a lake has seen, against what the rule asks for.
//!
//! A test can hold if its field exists and one of its field's values could fulfil it. Tests count as independent of
//! each other, so that the answer errs towards "can fire".

pub mod navigator;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use schemas::tables::Table;

use crate::collection::Rule;
use crate::compile::detection::{Builder, Test};
use crate::expression::{Fold, Formula, Leaf, Question, RecordPath};
use crate::mapping::built_in::built_in;
use crate::mapping::user_mapping::TableMapping;
use crate::mapping::{DocumentedValues, FieldBinding, Mapping, UserMapping};
use crate::plan::matcher::Matcher;

/// Whether a rule can fire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Some record of Microsoft could make it fire.
    CanFire,
    /// None can.
    Cannot(Reason),
    /// Nothing speaks against it, and nothing that is known speaks for it.
    Unknown(Reason),
}

/// Why a rule cannot fire, or why it is not known whether it can.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The rule cannot be compiled.
    Refused {
        /// Why.
        refusal: String,
    },
    /// The field never has such a value.
    Value {
        /// The column or path.
        field: String,
        /// What is known of its values.
        because: String,
    },
    /// No documentation names the field.
    Field {
        /// The path that is looked at first.
        path: String,
    },
    /// The lake has no such value in this column.
    NotSeen {
        /// The column.
        column: String,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { refusal } => write!(formatter, "rule is refused: {refusal}"),
            Self::Value { field, because } => {
                write!(formatter, "{field} never has such a value: {because}")
            }
            Self::Field { path } => write!(formatter, "no documentation names field {path}"),
            Self::NotSeen { column } => {
                write!(formatter, "the lake has no such value in column {column}")
            }
        }
    }
}

/// The distinct values that a lake has in a column of a table; none if they are not known.
pub type Seen<'a> = dyn Fn(Table, &str) -> Option<BTreeSet<String>> + 'a;

/// Whether `rule` can fire, with a user's names of fields, and what a lake has seen.
pub fn verdict(rule: &Rule, user_mapping: &Arc<UserMapping>, seen: &Seen<'_>) -> Verdict {
    let mut builder = Builder::new(Mapping::Lake(rule.table), user_mapping);
    let formula = match builder.rule(&rule.sigma) {
        Ok(formula) => formula,
        Err(refusal) => {
            let refusal = refusal.to_string();
            return Verdict::Cannot(Reason::Refused { refusal });
        }
    };
    let known = Known {
        table: rule.table,
        sources: [
            user_mapping.source(rule.table),
            built_in().source(rule.table),
        ]
        .into_iter()
        .flatten()
        .collect(),
        tests: &builder.tests,
        seen,
    };
    known.formula(&formula)
}

struct Known<'a> {
    table: Table,
    sources: Vec<&'a TableMapping>,
    tests: &'a [Test],
    seen: &'a Seen<'a>,
}

impl Known<'_> {
    fn formula(&self, formula: &Formula) -> Verdict {
        match formula {
            Formula::Test(number) => self.test(&self.tests[*number]),
            Formula::And(members) => match self.never_together(members) {
                Some(reason) => Verdict::Cannot(reason),
                None => at_least(members.len(), self.members(members)),
            },
            Formula::Or(members) => at_least(1, self.members(members)),
            Formula::AtLeast(count, members) => {
                let count = usize::try_from(*count).unwrap_or(usize::MAX);
                at_least(count, self.members(members))
            }
            // Whatever it is, some record is not like that.
            Formula::Not(_) => Verdict::CanFire,
        }
    }

    fn members(&self, members: &[Formula]) -> Vec<Verdict> {
        members.iter().map(|member| self.formula(member)).collect()
    }

    fn test(&self, test: &Test) -> Verdict {
        match test {
            Test::Reference(..)
            | Test::Value(FieldBinding::Anywhere, _)
            | Test::Value(_, Question::Null) => Verdict::CanFire,
            Test::Value(place, question) => {
                for values in self.values(place) {
                    if let Some(verdict) = of_values(place, question, values) {
                        return verdict;
                    }
                }
                match place {
                    FieldBinding::Column(column) => self.column(column, question),
                    FieldBinding::Raw(paths) => self.raw(paths),
                    FieldBinding::Anywhere => Verdict::CanFire,
                }
            }
        }
    }

    fn values(&self, place: &FieldBinding) -> impl Iterator<Item = &DocumentedValues> {
        let values = self.sources.iter().flat_map(|source| &source.values);
        values.filter(move |values| is_same(&values.place, place))
    }

    fn column(&self, column: &str, question: &Question) -> Verdict {
        match (self.seen)(self.table, column) {
            Some(values) if !values.iter().any(|value| holds(question, value)) => {
                let column = column.to_owned();
                Verdict::Unknown(Reason::NotSeen { column })
            }
            _ => Verdict::CanFire,
        }
    }

    /// A field without a column: known if a documented path leads to it or into the list that it stands in.
    fn raw(&self, paths: &[RecordPath]) -> Verdict {
        let known = || self.sources.iter().flat_map(|source| &source.known);
        let is_known = |path: &RecordPath| {
            known().any(|known| {
                let path = path.as_text();
                let start = path.get(..known.len()).unwrap_or_default();
                start.eq_ignore_ascii_case(known)
                    && path[known.len()..]
                        .chars()
                        .next()
                        .is_none_or(|next| next == '.' || next == '[')
            })
        };
        if paths.iter().any(is_known) {
            return Verdict::CanFire;
        }
        let path = paths
            .first()
            .map_or_else(String::new, |path| path.as_text().to_owned());
        Verdict::Unknown(Reason::Field { path })
    }

    /// Why the members of a conjunction cannot hold together, if they contradict what is documented of one field.
    fn never_together(&self, members: &[Formula]) -> Option<Reason> {
        let mut tests = Vec::new();
        for member in members {
            self.conjuncts(member, &mut tests);
        }
        let is_asked = |place: &FieldBinding, word: &String| {
            tests.iter().any(|test| match test {
                Test::Value(own, Question::ContainsAny(_, words)) => {
                    is_same(own, place) && words.len() == 1 && words.contains(word)
                }
                _ => false,
            })
        };
        let mut all = self.sources.iter().flat_map(|source| &source.values);
        let found = all.find(|values| {
            let words = &values.never_together;
            !words.is_empty() && words.iter().all(|word| is_asked(&values.place, word))
        })?;
        let because = found.because.clone().unwrap_or_default();
        Some(value_reason(&found.place, because))
    }

    /// The tests that must all hold for `formula` to hold.
    fn conjuncts<'a>(&'a self, formula: &Formula, found: &mut Vec<&'a Test>) {
        match formula {
            Formula::Test(number) => found.push(&self.tests[*number]),
            Formula::And(members) => {
                for member in members {
                    self.conjuncts(member, found);
                }
            }
            Formula::Or(_) | Formula::Not(_) | Formula::AtLeast(..) => {}
        }
    }
}

/// What follows if `count` of these must hold.
fn at_least(count: usize, members: Vec<Verdict>) -> Verdict {
    let can = members
        .iter()
        .filter(|member| **member == Verdict::CanFire)
        .count();
    let cannot = members
        .iter()
        .filter(|member| matches!(member, Verdict::Cannot(_)))
        .count();
    let is_open = members.len() - cannot >= count;
    let decides = |member: &Verdict| match member {
        Verdict::CanFire => false,
        Verdict::Cannot(_) => !is_open,
        Verdict::Unknown(_) => is_open,
    };
    if can >= count {
        return Verdict::CanFire;
    }
    members
        .into_iter()
        .find(decides)
        .unwrap_or(Verdict::CanFire)
}

/// What the documented values of a place say of a question; none if they leave it open.
fn of_values(
    place: &FieldBinding,
    question: &Question,
    values: &DocumentedValues,
) -> Option<Verdict> {
    if let Some(documented) = &values.documented {
        let may_be_empty = holds(question, "");
        if may_be_empty || documented.iter().any(|value| holds(question, value)) {
            return Some(Verdict::CanFire);
        }
        // The documented values are kept in lower case: what looks at letter case is not settled by them.
        let is_cased = matches!(
            question,
            Question::OneOf(Fold::Exact, _)
                | Question::ContainsAny(Fold::Exact, _)
                | Question::StartsWith(Fold::Exact, _)
                | Question::EndsWith(Fold::Exact, _)
                | Question::Matches(Fold::Exact, _)
        );
        let all: Vec<&str> = documented.iter().map(String::as_str).collect();
        let reason = value_reason(place, format!("Microsoft documents {}", all.join(", ")));
        return Some(if is_cased {
            Verdict::Unknown(reason)
        } else {
            Verdict::Cannot(reason)
        });
    }
    let form = values.form.as_deref()?;
    match question {
        Question::OneOf(_, words) if !words.iter().any(|word| word.contains(form)) => {
            let because = values.because.clone().unwrap_or_default();
            Some(Verdict::Cannot(value_reason(place, because)))
        }
        _ => Some(Verdict::CanFire),
    }
}

fn value_reason(place: &FieldBinding, because: String) -> Reason {
    let field = match place {
        FieldBinding::Column(name) => name.clone(),
        FieldBinding::Raw(paths) => paths
            .first()
            .map_or_else(String::new, |path| path.as_text().to_owned()),
        FieldBinding::Anywhere => "the record".to_owned(),
    };
    Reason::Value { field, because }
}

/// Whether a value of this text answers the question with yes.
pub(crate) fn holds(question: &Question, value: &str) -> bool {
    let mut is_found = false;
    if let Ok(matcher) = Matcher::new([(0, question)]) {
        matcher.ask_all(&[Leaf::Text(value)], &mut |_| is_found = true);
    }
    is_found
}

/// The same column, or the same first path.
fn is_same(left: &FieldBinding, right: &FieldBinding) -> bool {
    match (left, right) {
        (FieldBinding::Column(left), FieldBinding::Column(right)) => left == right,
        (FieldBinding::Raw(left), FieldBinding::Raw(right)) => {
            match (left.first(), right.first()) {
                (Some(left), Some(right)) => left.as_text().eq_ignore_ascii_case(right.as_text()),
                _ => false,
            }
        }
        _ => false,
    }
}
