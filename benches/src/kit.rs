//! The kit's rules: their names, and the fields that they ask for.
//!
//! The events carry `product` and `service`, which say whose rules they are for; a rule's field is the value at
//! exactly that path.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use rsigma_parser::{Detection, Modifier, SigmaRule, SigmaValue, parse_sigma_yaml};

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
    #[error("event {line} is not JSON")]
    Event {
        /// Its line, from 1.
        line: u64,
    },
    /// A batch could not be built or evaluated.
    #[error("could not evaluate a batch")]
    Evaluate(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl BenchError {
    pub(crate) fn evaluate(cause: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Evaluate(Box::new(cause))
    }
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
        let parsed = parse_sigma_yaml(&text).map_err(BenchError::evaluate)?;
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

pub(crate) fn file_error(path: &Path, cause: io::Error) -> BenchError {
    BenchError::File {
        path: path.display().to_string(),
        cause,
    }
}
