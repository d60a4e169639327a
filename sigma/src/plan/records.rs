//! What is asked of raw records: fields without a column, keywords, and fields compared with each other.
//!
//! A record is parsed only if a byte search finds the name of a field that is asked for, and at most once for all
//! rules together.

use std::cell::OnceCell;
use std::collections::{BTreeSet, HashMap};

use aho_corasick::{AhoCorasick, AhoCorasickBuilder};
use arrow::array::ArrayRef;
use arrow::error::ArrowError;
use columns::retold::{Retold, retold};
use schemas::tables::{Kind, Table};
use serde_json::Value;

use super::leaves::Column;
use super::matcher::{Matcher, matcher_of};
use crate::compile::detection::Test;
use crate::expression::{Leaf, Leaves, Question, RecordPath, Relation, visit_texts};
use crate::mapping::{self, FieldBinding, Mapping};

/// The column that holds the record as received.
pub const RAW: &str = "raw";

/// Everything that is asked of raw records.
#[derive(Debug)]
pub(super) struct Records {
    fields: Vec<RecordField>,
    anywhere: Option<Matcher>,
    references: Vec<Reference>,
    names: Option<AhoCorasick>,
    /// Columns that references read.
    columns: Vec<(String, Kind)>,
    /// The table as whose records they are told again.
    told: Option<Table>,
}

/// A field at its paths, and all that is asked of it.
#[derive(Debug)]
struct RecordField {
    paths: Vec<RecordPath>,
    matcher: Matcher,
}

/// The paths of a field, and the numbered questions about it.
type Asked = (Vec<RecordPath>, Vec<(usize, Question)>);

#[derive(Debug)]
struct Reference {
    number: usize,
    left: FieldBinding,
    right: FieldBinding,
    relation: Relation,
}

/// The columns that records are read from, for some rows.
pub(super) struct RecordRows<'a> {
    raw: Option<Column>,
    columns: HashMap<&'a str, Column>,
}

impl Records {
    /// Gathers numbered tests by the field that they are about.
    pub(super) fn new(mapping: Mapping, tests: Vec<(usize, Test)>) -> Self {
        let mut fields: Vec<Asked> = Vec::new();
        let mut anywhere = Vec::new();
        let mut references = Vec::new();
        for (number, test) in tests {
            match test {
                Test::Value(FieldBinding::Raw(paths), question) => {
                    match fields.iter_mut().find(|(known, _)| *known == paths) {
                        Some((_, questions)) => questions.push((number, question)),
                        None => fields.push((paths, vec![(number, question)])),
                    }
                }
                // A column is not asked here: its matcher is.
                Test::Value(FieldBinding::Anywhere | FieldBinding::Column(_), question) => {
                    anywhere.push((number, question));
                }
                Test::Reference(left, right, relation) => references.push(Reference {
                    number,
                    left,
                    right,
                    relation,
                }),
            }
        }
        let named: BTreeSet<String> = references
            .iter()
            .flat_map(|reference| [&reference.left, &reference.right])
            .filter_map(|place| match place {
                FieldBinding::Column(name) => Some(name.clone()),
                FieldBinding::Raw(_) | FieldBinding::Anywhere => None,
            })
            .collect();
        let told = match mapping {
            Mapping::Retold(table) => Some(table),
            _ => None,
        };
        Self {
            // Told again, a record has names that are nowhere in its bytes.
            names: told.is_none().then(|| names(&fields)).flatten(),
            told,
            fields: fields
                .into_iter()
                .map(|(paths, questions)| RecordField {
                    paths,
                    matcher: matcher_of(&questions),
                })
                .collect(),
            anywhere: (!anywhere.is_empty()).then(|| matcher_of(&anywhere)),
            references,
            columns: named
                .into_iter()
                .map(|name| (name.clone(), mapping::kind(mapping, &name)))
                .collect(),
        }
    }

    /// Names of the columns that it may read.
    pub(super) fn columns(&self) -> impl Iterator<Item = &str> {
        let reads_raw = !self.fields.is_empty()
            || self.anywhere.is_some()
            || self.references.iter().any(Reference::reads_raw);
        let raw = reads_raw.then_some(RAW);
        self.columns
            .iter()
            .map(|(name, _)| name.as_str())
            .chain(raw)
    }

    /// Brings the columns of some rows, those of [`Self::columns`] in that order, into a form that can be asked.
    ///
    /// # Errors
    /// [`ArrowError`] if a column is of a type that is no text.
    pub(super) fn rows(&self, arrays: &[ArrayRef]) -> Result<RecordRows<'_>, ArrowError> {
        let mut rows = RecordRows {
            raw: None,
            columns: HashMap::new(),
        };
        let kinds = self.columns.iter().map(|(_, kind)| *kind);
        let all_kinds = kinds.chain([Kind::Text]);
        for ((name, kind), array) in self.columns().zip(all_kinds).zip(arrays) {
            let column = Column::new(array, kind)?;
            if name == RAW {
                rows.raw = Some(column);
            } else {
                rows.columns.insert(name, column);
            }
        }
        Ok(rows)
    }

    /// Calls `found` with every test that holds for a row.
    pub(super) fn ask(&self, rows: &RecordRows<'_>, row: usize, found: &mut dyn FnMut(usize)) {
        let raw = rows.raw.as_ref().and_then(|raw| raw.text(row));
        let record = Lazy::new(raw, self.told);
        if let Some(matcher) = &self.anywhere {
            match raw {
                Some(text) => ask_anywhere(matcher, text, &record, found),
                None => matcher.ask_all(&[], found),
            }
        }
        let may_have =
            raw.is_some_and(|text| self.names.as_ref().is_none_or(|names| names.is_match(text)));
        for field in &self.fields {
            let leaves = if may_have {
                Leaves::find(record.get(), &field.paths)
            } else {
                Leaves::default()
            };
            field.matcher.ask_all(&leaves.as_leaves(), found);
        }
        for reference in &self.references {
            let left = rows.leaves(&reference.left, row, &record);
            let right = rows.leaves(&reference.right, row, &record);
            if refers(&left, &right, reference.relation) {
                found(reference.number);
            }
        }
    }
}

impl Reference {
    fn reads_raw(&self) -> bool {
        [&self.left, &self.right]
            .iter()
            .any(|place| !matches!(place, FieldBinding::Column(_)))
    }
}

impl RecordRows<'_> {
    fn leaves(&self, place: &FieldBinding, row: usize, record: &Lazy<'_>) -> Leaves {
        match place {
            FieldBinding::Column(name) => self
                .columns
                .get(name.as_str())
                .map(|column| column.leaves(row))
                .unwrap_or_default(),
            FieldBinding::Raw(paths) => Leaves::find(record.get(), paths),
            FieldBinding::Anywhere => record.text.map(Leaves::of_text).unwrap_or_default(),
        }
    }
}

/// A record that is parsed when somebody first asks for it.
struct Lazy<'a> {
    text: Option<&'a str>,
    told: Option<Table>,
    parsed: OnceCell<Value>,
}

impl<'a> Lazy<'a> {
    fn new(text: Option<&'a str>, told: Option<Table>) -> Self {
        Self {
            text,
            told,
            parsed: OnceCell::new(),
        }
    }

    /// The record; null if it is not JSON, or is not one of those that are told again, so that it has no fields.
    fn get(&self) -> &Value {
        self.parsed.get_or_init(|| {
            let record: Option<Value> = self.text.and_then(|text| serde_json::from_str(text).ok());
            let record = record.unwrap_or_default();
            match self.told {
                None => record,
                Some(table) => retold(&record)
                    .filter(|retold| retold.table == table)
                    .map(Retold::with_changes)
                    .unwrap_or_default(),
            }
        })
    }
}

/// An automaton that finds every record which may have one of the fields.
///
/// Keys match in any letter case, so does it; a key that is written with escapes is found by its escape.
fn names(fields: &[Asked]) -> Option<AhoCorasick> {
    let mut words = BTreeSet::from(["\\u00".to_owned()]);
    for (paths, _) in fields {
        for path in paths {
            words.insert(path.longest_name()?.to_owned());
        }
    }
    AhoCorasickBuilder::new()
        .ascii_case_insensitive(true)
        .build(words)
        .ok()
}

/// Keywords: the record's text; each value of it as well where that has escapes, or a value's ends are asked for.
fn ask_anywhere(matcher: &Matcher, text: &str, record: &Lazy<'_>, found: &mut dyn FnMut(usize)) {
    matcher.ask(&Leaf::Text(text), found);
    if matcher.is_search() && !text.contains('\\') {
        return;
    }
    visit_texts(record.get(), &mut |text| {
        matcher.ask(&Leaf::Text(text), found);
    });
}

fn refers(left: &Leaves, right: &Leaves, relation: Relation) -> bool {
    let right = right.as_leaves();
    left.as_leaves()
        .iter()
        .any(|left| right.iter().any(|right| relation.holds(left, right)))
}
