//! The rule files that a command looks at: those that are named, or those that run.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::anyhow;
use detect::DetectConfig;
use detect::rules::{builtin_files, empty};
use sigma::document::{FILE_BYTES_MAX, Listing, read};
use sigma::error::LoadDiagnostic;
use sigma::{Rule, RuleCollection, RuleError, Ruleset};

use crate::output::exit::wrong_usage;

/// A rule file.
#[derive(Debug)]
pub(super) struct RuleFile {
    /// What messages call it.
    pub(super) name: String,
    /// What is in it, up to one byte more than a rule file may have.
    pub(super) bytes: io::Result<Vec<u8>>,
}

/// The files at `paths`, folders read whole; without paths, those of the rules that run.
///
/// # Errors
/// If a path does not exist, or a folder cannot be read.
pub(super) fn rule_files(
    paths: &[PathBuf],
    config: &DetectConfig,
) -> anyhow::Result<Vec<RuleFile>> {
    let mut files = Vec::new();
    if paths.is_empty() && config.builtin_rules {
        files.extend(builtin_files().map(|(name, text)| RuleFile {
            name: name.to_owned(),
            bytes: Ok(text.as_bytes().to_vec()),
        }));
    }
    let roots = if paths.is_empty() {
        &config.rules
    } else {
        paths
    };
    for root in roots {
        let mut listing = Listing::of(root);
        if let Some(rejected) = listing.rejected.pop() {
            let why = format!(
                "cannot read rules: {rejected}; name a rule file, or a folder of them (.yml)"
            );
            // What the configuration names is none of the command line.
            return if paths.is_empty() {
                Err(anyhow!(why))
            } else {
                wrong_usage(why)
            };
        }
        files.extend(listing.files.iter().map(|path| RuleFile {
            name: path.display().to_string(),
            bytes: read(path, FILE_BYTES_MAX),
        }));
    }
    Ok(files)
}

/// The rules in some files as they are written, with what the loader or the compiler refused, and compiled.
pub(super) fn load(files: Vec<RuleFile>, config: &DetectConfig) -> (RuleCollection, Ruleset) {
    compile(files, empty(config))
}

/// The same for who runs cases: the tenant of cases has what they take for granted.
pub(super) fn load_for_cases(
    files: Vec<RuleFile>,
    config: &DetectConfig,
) -> (RuleCollection, Ruleset) {
    let mut collection = empty(config);
    collection.for_cases();
    compile(files, collection)
}

fn compile(files: Vec<RuleFile>, mut collection: RuleCollection) -> (RuleCollection, Ruleset) {
    for file in files {
        match file.bytes {
            Ok(bytes) => collection.add(&file.name, &bytes),
            Err(cause) => collection.rejected.push(LoadDiagnostic {
                file: file.name,
                line: None,
                reason: RuleError::Unreadable { cause },
            }),
        }
    }
    let rules = Ruleset::compile(&mut collection);
    (collection, rules)
}

/// A set of only these rules, as they were made ready among all: filters, pipelines and placeholders are in them already.
pub(super) fn only<'a>(
    collection: &RuleCollection,
    rules: impl Iterator<Item = &'a Rule>,
) -> Ruleset {
    let mut only = RuleCollection::default();
    only.user_mapping = Arc::clone(&collection.user_mapping);
    only.loaded.extend(rules.cloned());
    Ruleset::compile(&mut only)
}
