//! The kit's rules and events: names of fields, columns of values.
//!
//! The events carry `product` and `service`, which say whose rules they are for; a rule's field is the value at
//! exactly that path. Values on a path through a list are joined by blanks, as the kit's other engines have them.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, StringBuilder, StringDictionaryBuilder};
use arrow::datatypes::{DataType, Field, Int32Type, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use rsigma_parser::{Detection, Modifier, SigmaRule, SigmaValue, parse_sigma_yaml};
use serde_json::Value;

/// Rows of a batch: the row group that the kit's Parquet files have.
pub const BATCH_ROWS: usize = 131_072;

/// What stopped a measurement.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// A file could not be read.
    #[error("could not read \"{path}\"")]
    File {
        /// The file.
        path: String,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// An event is not JSON.
    #[error("cannot read event {line}")]
    Event {
        /// Its line, from 1.
        line: usize,
        /// Why.
        #[source]
        cause: serde_json::Error,
    },
    /// A batch could not be built or evaluated.
    #[error("could not evaluate a batch")]
    Evaluate(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The rules of a folder by the names of their files, in order.
pub(crate) fn load(folder: &Path) -> Result<Vec<(String, SigmaRule)>, BenchError> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .map_err(|cause| file_error(folder, cause))?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yml"))
        .collect();
    files.sort();
    let mut rules = Vec::new();
    for path in files {
        let text = fs::read_to_string(&path).map_err(|cause| file_error(&path, cause))?;
        let name = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let parsed =
            parse_sigma_yaml(&text).map_err(|cause| BenchError::Evaluate(Box::new(cause)))?;
        rules.extend(parsed.rules.into_iter().map(|rule| (name.clone(), rule)));
    }
    Ok(rules)
}

/// The names of all fields that rules ask for.
pub(crate) fn fields(rules: &[(String, SigmaRule)]) -> Vec<String> {
    fn walk(detection: &Detection, found: &mut BTreeSet<String>) {
        match detection {
            Detection::AllOf(items) => {
                for item in items {
                    found.extend(item.field.name.clone());
                    if item.field.has_modifier(Modifier::FieldRef) {
                        found.extend(item.values.iter().map(SigmaValue::to_string));
                    }
                }
            }
            Detection::AnyOf(members) | Detection::And(members) => {
                for member in members {
                    walk(member, found);
                }
            }
            _ => {}
        }
    }
    let mut found = BTreeSet::from(["product".to_owned(), "service".to_owned()]);
    for (_, rule) in rules {
        rule.detection
            .named
            .values()
            .for_each(|detection| walk(detection, &mut found));
    }
    found.into_iter().collect()
}

pub(crate) fn schema(fields: &[String]) -> SchemaRef {
    let text = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let mut columns: Vec<Field> = fields
        .iter()
        .map(|name| Field::new(name, text.clone(), true))
        .collect();
    columns.push(Field::new("raw", DataType::Utf8, true));
    Arc::new(Schema::new(columns))
}

/// The columns of a batch while it is read.
pub(crate) struct Columns {
    fields: Vec<StringDictionaryBuilder<Int32Type>>,
    raw: StringBuilder,
    pub(crate) rows: usize,
}

impl Columns {
    pub(crate) fn new(fields: usize) -> Self {
        Self {
            fields: (0..fields)
                .map(|_| StringDictionaryBuilder::new())
                .collect(),
            raw: StringBuilder::new(),
            rows: 0,
        }
    }

    pub(crate) fn push(&mut self, event: &Value, line: &str, paths: &[Vec<&str>]) {
        for (column, path) in self.fields.iter_mut().zip(paths) {
            match at(event, path) {
                Some(text) => column.append_value(text),
                None => column.append_null(),
            }
        }
        self.raw.append_value(line);
        self.rows += 1;
    }

    pub(crate) fn finish(mut self, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
        let mut columns: Vec<ArrayRef> = self
            .fields
            .iter_mut()
            .map(|column| Arc::new(column.finish()) as ArrayRef)
            .collect();
        columns.push(Arc::new(self.raw.finish()));
        RecordBatch::try_new(Arc::clone(schema), columns)
    }
}

/// The text at a path; values of list members are joined by blanks.
fn at(value: &Value, path: &[&str]) -> Option<String> {
    match (path.split_first(), value) {
        (_, Value::Null) => None,
        (None, Value::String(text)) => Some(text.clone()),
        (None, other) => Some(other.to_string()),
        (Some((step, rest)), Value::Object(members)) => at(members.get(*step)?, rest),
        (Some(_), Value::Array(items)) => {
            let texts: Vec<String> = items
                .iter()
                .filter(|item| item.is_object())
                .filter_map(|item| at(item, path))
                .collect();
            (!texts.is_empty()).then(|| texts.join(" "))
        }
        _ => None,
    }
}

pub(crate) fn file_error(path: &Path, cause: io::Error) -> BenchError {
    BenchError::File {
        path: path.display().to_string(),
        cause,
    }
}
