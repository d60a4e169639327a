//! The rule files that a command looks at: those that are named, or those that run.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use detect::DetectConfig;
use detect::rules::{builtin_files, empty};
use sigma::rule::load::{FILE_BYTES_MAX, FILES_MAX};
use sigma::rule::{Catalogue, Rejected};
use sigma::{Refusal, Ruleset};

/// Deepest folder below one that is named.
const FOLDER_DEPTH_MAX: usize = 16;

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
        let mut found = Vec::new();
        list(root, 0, &mut found).with_context(|| {
            format!(
                "cannot read {}: name a rule file, or a folder of them (.yml)",
                root.display()
            )
        })?;
        found.sort();
        files.extend(found.iter().map(|path| RuleFile {
            name: path.display().to_string(),
            bytes: read(path, FILE_BYTES_MAX),
        }));
    }
    Ok(files)
}

fn list(path: &Path, depth: usize, found: &mut Vec<PathBuf>) -> io::Result<()> {
    if !std::fs::metadata(path)?.is_dir() {
        found.push(path.to_owned());
        return Ok(());
    }
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        let inner = entry.path();
        let is_rule = inner
            .extension()
            .is_some_and(|extension| extension == "yml" || extension == "yaml");
        // Links are not followed: a link to a folder above would never end.
        let is_folder = entry.file_type()?.is_dir();
        if is_folder && depth < FOLDER_DEPTH_MAX {
            list(&inner, depth + 1, found)?;
        } else if !is_folder && is_rule && found.len() < FILES_MAX {
            found.push(inner);
        }
    }
    Ok(())
}

/// The bytes of a file, at most one more than `bytes_max`.
pub(super) fn read(path: &Path, bytes_max: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(bytes_max as u64 + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The rules in some files, with what was refused, by the loader or by the compiler.
pub(super) fn load(files: Vec<RuleFile>, config: &DetectConfig) -> Catalogue {
    let mut catalogue = empty(config);
    for file in files {
        match file.bytes {
            Ok(bytes) => catalogue.add(&file.name, &bytes),
            Err(cause) => catalogue.rejected.push(Rejected {
                file: file.name,
                line: None,
                reason: Refusal::Unreadable { cause },
            }),
        }
    }
    Ruleset::compile(&mut catalogue);
    catalogue
}
