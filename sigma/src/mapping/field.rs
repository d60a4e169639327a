//! A field of a rule: where its values stand, how they compare, and what its words mean.

use crate::expression::{Fold, RecordPath};

/// Where the values of a field stand.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum FieldBinding {
    /// In a column.
    Column(String),
    /// In the raw record, at the first of these paths that has a value.
    Raw(Vec<RecordPath>),
    /// Anywhere in the raw record: keywords.
    Anywhere,
}

/// A field of a rule, found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Field {
    /// Where it stands.
    pub place: FieldBinding,
    /// How its text compares.
    pub fold: Fold,
    /// Words of rules that mean more than they say.
    pub meanings: Vec<Meaning>,
}

impl Field {
    /// A field without words of its own.
    pub(crate) fn plain(place: FieldBinding) -> Self {
        Self {
            place,
            fold: Fold::Lower,
            meanings: Vec::new(),
        }
    }

    /// What a word means in this field beside itself, if anything; letter case does not count.
    pub(crate) fn meaning(&self, word: &str) -> Option<&Meaning> {
        let word = word.to_lowercase();
        self.meanings.iter().find(|meaning| meaning.word == word)
    }
}

/// A word that rules use, and what it means in the record beside itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Meaning {
    /// The rule's word, in lower case.
    pub word: String,
    /// What holds then, all of it.
    pub clauses: Vec<Clause>,
}

/// One thing that a word says of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Clause {
    /// The name of the field that it is about; none for the field itself, `*` for the whole record.
    pub field: Option<String>,
    /// What it says.
    pub ask: Ask,
}

/// What a word says of a field. All words are in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ask {
    /// It is one of these.
    OneOf(Vec<String>),
    /// It is none of these; an absent field counts.
    NoneOf(Vec<String>),
    /// It contains one of these.
    Contains(Vec<String>),
    /// It starts with this.
    StartsWith(String),
    /// It has a value.
    Present,
}

/// How a column's text compares where nobody says otherwise.
pub(super) fn natural_fold(column: &str) -> Fold {
    match column {
        "operation" | "operation_name" | "activity_display_name" => Fold::Operation,
        _ => Fold::Lower,
    }
}
