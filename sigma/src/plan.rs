//! The rules of one table, compiled: tests gathered by field, and a formula over them for each rule.
//!
//! ```text
//! rule ─▶ formula over tests          tests of one field ─▶ matcher
//! chunk ─▶ distinct values ─▶ matchers ─▶ what no value can fulfil is settled ─▶ rows of what is open ─▶ hits
//! ```
//! What is asked of a column costs about the same for one rule and for a thousand.

pub mod chunk;
mod evaluate;
pub(crate) mod event_batch;
pub mod fields;
mod leaves;
pub mod matcher;
mod records;

use std::collections::HashMap;
use std::sync::Arc;

use rsigma_parser::SigmaRule;
use schemas::tables::Kind;

use self::matcher::{Matcher, matcher_of};
pub use self::records::RAW;
use self::records::Records;
use crate::compile::detection::{Builder, Test};
use crate::error::RuleError;
use crate::expression::{Formula, Question};
use crate::mapping::{self, FieldBinding, Mapping, UserMapping, retold};

/// The rules of one table, ready to evaluate.
#[derive(Debug)]
pub struct Plan {
    /// For each rule the number that the caller gave it, and its formula.
    rules: Vec<(usize, Formula)>,
    /// For each test where it is answered.
    bindings: Vec<Binding>,
    columns: Vec<Field>,
    records: Records,
    /// The only rows that are asked at all: those that it matches.
    guard: Option<Box<Self>>,
}

/// Where a test is answered.
#[derive(Debug)]
enum Binding {
    /// By the matcher of the column with this number.
    Column(usize),
    /// By the raw record, or by two fields of it.
    Record,
}

/// A column, and all that is asked of it.
#[derive(Debug)]
struct Field {
    name: String,
    kind: Kind,
    /// The numbers of its tests.
    tests: Vec<usize>,
    matcher: Matcher,
}

/// The rows that a rule matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hits {
    /// The number that the caller gave the rule.
    pub rule: usize,
    /// The rows, in order.
    pub rows: Vec<usize>,
}

impl Plan {
    /// Compiles numbered rules; those that cannot be honoured are left out and told.
    pub fn new<'a>(
        mapping: Mapping,
        rules: impl IntoIterator<Item = (usize, &'a SigmaRule)>,
    ) -> (Self, Vec<(usize, RuleError)>) {
        Self::extended(mapping, &Arc::default(), rules)
    }

    /// As [`Plan::new`], with a user's names of fields before our own.
    pub fn extended<'a>(
        mapping: Mapping,
        user_mapping: &Arc<UserMapping>,
        rules: impl IntoIterator<Item = (usize, &'a SigmaRule)>,
    ) -> (Self, Vec<(usize, RuleError)>) {
        let mut builder = Builder::new(mapping, user_mapping);
        let mut compiled = Vec::new();
        let mut refused = Vec::new();
        for (number, rule) in rules {
            let known = builder.tests.len();
            match builder
                .rule(rule)
                .and_then(|formula| check(&builder.tests[known..]).map(|()| formula))
            {
                Ok(formula) => compiled.push((number, formula)),
                Err(refusal) => {
                    builder.forget(known);
                    refused.push((number, refusal));
                }
            }
        }
        let mut plan = Self::gather(mapping, compiled, builder.tests);
        if let Mapping::Retold(table) = mapping {
            let guard = retold::guard(table).map(|rule| (0, rule));
            plan.guard = Some(Box::new(Self::new(Mapping::Lake(retold::TELLER), guard).0));
        }
        (plan, refused)
    }

    /// Puts the tests of each field together.
    fn gather(mapping: Mapping, rules: Vec<(usize, Formula)>, tests: Vec<Test>) -> Self {
        let mut columns: Vec<(String, Vec<(usize, Question)>)> = Vec::new();
        let mut by_name: HashMap<String, usize> = HashMap::new();
        let mut bindings = Vec::with_capacity(tests.len());
        let mut of_records = Vec::new();
        for (number, test) in tests.into_iter().enumerate() {
            match test {
                Test::Value(FieldBinding::Column(name), question) => {
                    let next = columns.len();
                    let at = *by_name.entry(name.clone()).or_insert(next);
                    if at == next {
                        columns.push((name, Vec::new()));
                    }
                    columns[at].1.push((number, question));
                    bindings.push(Binding::Column(at));
                }
                other => {
                    of_records.push((number, other));
                    bindings.push(Binding::Record);
                }
            }
        }
        let field = |(name, questions): (String, Vec<(usize, Question)>)| Field {
            kind: mapping::kind(mapping, &name),
            tests: questions.iter().map(|(number, _)| *number).collect(),
            matcher: matcher_of(&questions),
            name,
        };
        Self {
            rules,
            bindings,
            columns: columns.into_iter().map(field).collect(),
            records: Records::new(mapping, of_records),
            guard: None,
        }
    }

    /// Number of rules.
    pub fn rules(&self) -> usize {
        self.rules.len()
    }

    /// Number of distinct tests that they share.
    pub fn tests(&self) -> usize {
        self.bindings.len()
    }

    /// Names of the columns that it may read, each once.
    pub fn columns(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self
            .columns
            .iter()
            .map(|field| field.name.as_str())
            .chain(self.records.columns())
            .chain(self.guard.iter().flat_map(|guard| guard.columns()))
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// Whether each question can be asked at all; together they cannot fail then.
fn check(tests: &[Test]) -> Result<(), RuleError> {
    for test in tests {
        if let Test::Value(_, question) = test {
            Matcher::new([(0, question)])?;
        }
    }
    Ok(())
}
