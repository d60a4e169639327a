//! Reads mapping files: our own tables and a user's have the same form.

use std::collections::BTreeMap;

use schemas::path::{PathStep, steps};
use schemas::tables::Table;
use serde::Deserialize;

use super::field::{Ask, Clause, Field, FieldBinding, Meaning, natural_fold};
use super::names::Names;
use super::user_mapping::{DocumentedValues, TableMapping, UserMapping};
use crate::document::FILE_BYTES_MAX;
use crate::error::{LoadDiagnostic, MappingError, RuleError};
use crate::expression::{Fold, RecordPath};

/// Longest path, in bytes.
const PATH_BYTES_MAX: usize = 512;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct TableFile {
    logsources: Vec<Names>,
    paths: Vec<String>,
    fields: Vec<FieldFile>,
    values: Vec<ValuesFile>,
    known: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FieldFile {
    names: Vec<String>,
    column: Option<String>,
    #[serde(default)]
    paths: Vec<String>,
    #[serde(default)]
    anywhere: bool,
    fold: Option<FoldFile>,
    #[serde(default)]
    words: BTreeMap<String, WordFile>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum FoldFile {
    Exact,
    Lower,
    Operation,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct AskFile {
    one_of: Option<Vec<String>>,
    none_of: Option<Vec<String>>,
    contains: Option<Vec<String>>,
    starts_with: Option<String>,
    present: bool,
}

// Written out, because serde cannot both flatten and refuse unknown keys.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WordFile {
    one_of: Option<Vec<String>>,
    none_of: Option<Vec<String>>,
    contains: Option<Vec<String>>,
    starts_with: Option<String>,
    present: bool,
    #[serde(rename = "where")]
    elsewhere: BTreeMap<String, AskFile>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ValuesFile {
    column: Option<String>,
    path: Option<String>,
    documented: Option<Vec<String>>,
    form: Option<String>,
    never_together: Vec<String>,
    because: Option<String>,
}

impl UserMapping {
    /// Reads a mapping file; `name` is what messages call it.
    ///
    /// Shape: YAML, a table's name over `logsources`, `paths`, `fields`, `values` and `known`.
    ///
    /// # Errors
    /// [`LoadDiagnostic`] with the file, its line and the reason, if it names an unknown table or column, or has a path or
    /// key that cannot be read.
    pub fn parse(name: &str, text: &str) -> Result<Self, LoadDiagnostic> {
        read(name, text).map(|sources| Self { sources })
    }
}

/// The tables of a file.
fn read(name: &str, text: &str) -> Result<Vec<TableMapping>, LoadDiagnostic> {
    let rejected = |line, reason| LoadDiagnostic {
        file: name.to_owned(),
        line,
        reason,
    };
    if text.len() > FILE_BYTES_MAX {
        let reason = RuleError::FileTooLarge {
            bytes: text.len(),
            limit: FILE_BYTES_MAX,
        };
        return Err(rejected(None, reason));
    }
    let tables: BTreeMap<String, TableFile> = yaml_serde::from_str(text).map_err(|cause| {
        let line = cause.location().map(|place| place.line());
        rejected(line, RuleError::Yaml { cause })
    })?;
    let read = tables.into_iter().map(|(name, file)| source(&name, file));
    read.collect::<Result<_, _>>().map_err(|fault| {
        let line = line_of(text, fault.subject());
        rejected(line, RuleError::Mapping { cause: fault })
    })
}

/// The first line, from 1, on which `word` stands by itself.
fn line_of(text: &str, word: &str) -> Option<usize> {
    let is_end = |character: Option<char>| !character.is_some_and(char::is_alphanumeric);
    let has = |line: &str| {
        line.match_indices(word).any(|(at, _)| {
            is_end(line[..at].chars().next_back()) && is_end(line[at + word.len()..].chars().next())
        })
    };
    text.lines().position(has).map(|line| line + 1)
}

fn source(name: &str, file: TableFile) -> Result<TableMapping, MappingError> {
    let table = Table::of_name(name)
        .filter(|table| table.is_events())
        .ok_or_else(|| MappingError::Table {
            name: name.to_owned(),
        })?;
    for template in &file.paths {
        if template.matches("{}").count() != 1 {
            let path = template.clone();
            return Err(MappingError::Template { path });
        }
        path(&template.replace("{}", "x"), template)?;
    }
    let fields = file.fields.into_iter();
    let values = file.values.into_iter();
    Ok(TableMapping {
        table,
        logsources: file.logsources,
        paths: file.paths,
        aliases: fields
            .map(|line| field(table, line))
            .collect::<Result<_, _>>()?,
        values: values
            .map(|line| values_of(table, line))
            .collect::<Result<_, _>>()?,
        known: file.known,
    })
}

fn field(table: Table, line: FieldFile) -> Result<(Vec<String>, Field), MappingError> {
    let first = line.names.first().cloned().unwrap_or_default();
    let (place, natural) = match (&line.column, line.paths.as_slice(), line.anywhere) {
        (Some(column), [], false) => (column_place(table, column)?, natural_fold(column)),
        (None, paths, false) if !paths.is_empty() => {
            let paths = paths.iter().map(|text| path(text, text));
            let paths = paths.collect::<Result<_, _>>()?;
            (FieldBinding::Raw(paths), Fold::Lower)
        }
        (None, [], true) => (FieldBinding::Anywhere, Fold::Lower),
        _ => return Err(MappingError::Field { name: first }),
    };
    if first.is_empty() {
        return Err(MappingError::Field { name: first });
    }
    let fold = line.fold.map_or(natural, |fold| match fold {
        FoldFile::Exact => Fold::Exact,
        FoldFile::Lower => Fold::Lower,
        FoldFile::Operation => Fold::Operation,
    });
    let meanings = line
        .words
        .into_iter()
        .map(|(word, file)| meaning(&word, file));
    let field = Field {
        place,
        fold,
        meanings: meanings.collect::<Result<_, _>>()?,
    };
    Ok((line.names, field))
}

fn column_place(table: Table, name: &str) -> Result<FieldBinding, MappingError> {
    if table.columns().iter().any(|column| column.name == name) {
        return Ok(FieldBinding::Column(name.to_owned()));
    }
    Err(MappingError::Column {
        table,
        name: name.to_owned(),
    })
}

/// A path, checked; `written` is what the file says.
fn path(text: &str, written: &str) -> Result<RecordPath, MappingError> {
    let names = || {
        steps(text).map(|step| match step {
            PathStep::Member(name) | PathStep::Named(name) => name,
            PathStep::Fold => "",
        })
    };
    let in_brackets = steps(text).filter(|step| matches!(step, PathStep::Named(_)));
    // Every bracket belongs to a name between two of them.
    let is_closed = in_brackets.count() == text.matches(']').count();
    let is_right = !text.is_empty()
        && text.len() <= PATH_BYTES_MAX
        && !text.ends_with('.')
        && is_closed
        && names().all(|name| !name.trim().is_empty() && !name.contains(['[', ']']));
    is_right
        .then(|| RecordPath::new(text))
        .ok_or_else(|| MappingError::Path {
            path: written.to_owned(),
        })
}

fn meaning(word: &str, file: WordFile) -> Result<Meaning, MappingError> {
    let own = AskFile {
        one_of: file.one_of,
        none_of: file.none_of,
        contains: file.contains,
        starts_with: file.starts_with,
        present: file.present,
    };
    let mut clauses = Vec::new();
    if !own.is_empty() || file.elsewhere.is_empty() {
        clauses.push(Clause {
            field: None,
            ask: ask(word, own)?,
        });
    }
    for (field, file) in file.elsewhere {
        clauses.push(Clause {
            field: Some(field),
            ask: ask(word, file)?,
        });
    }
    Ok(Meaning {
        word: word.to_lowercase(),
        clauses,
    })
}

impl AskFile {
    fn is_empty(&self) -> bool {
        self.one_of.is_none()
            && self.none_of.is_none()
            && self.contains.is_none()
            && self.starts_with.is_none()
            && !self.present
    }
}

fn ask(word: &str, file: AskFile) -> Result<Ask, MappingError> {
    let lower = |words: Vec<String>| words.iter().map(|word| word.to_lowercase()).collect();
    let asks = [
        file.one_of.map(|words| Ask::OneOf(lower(words))),
        file.none_of.map(|words| Ask::NoneOf(lower(words))),
        file.contains.map(|words| Ask::Contains(lower(words))),
        file.starts_with
            .map(|start| Ask::StartsWith(start.to_lowercase())),
        file.present.then_some(Ask::Present),
    ];
    let mut asks = asks.into_iter().flatten();
    match (asks.next(), asks.next()) {
        (Some(only), None) => Ok(only),
        _ => Err(MappingError::Word {
            word: word.to_owned(),
        }),
    }
}

fn values_of(table: Table, line: ValuesFile) -> Result<DocumentedValues, MappingError> {
    let place = match (&line.column, &line.path) {
        (Some(column), None) => column_place(table, column)?,
        (None, Some(text)) => FieldBinding::Raw(vec![path(text, text)?]),
        _ => return Err(MappingError::Values),
    };
    let lower = |words: Vec<String>| words.iter().map(|word| word.to_lowercase()).collect();
    Ok(DocumentedValues {
        place,
        documented: line
            .documented
            .map(|words| words.iter().map(|word| word.to_lowercase()).collect()),
        form: line.form,
        never_together: lower(line.never_together),
        because: line.because,
    })
}
