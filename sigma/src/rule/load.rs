//! Reads rules from files, with a bound on everything that a file can ask for.
//!
//! A rule that cannot be honoured is rejected with its file, line and reason; the others are loaded (P43).

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use rsigma_parser::parse_sigma_yaml;
use serde_yaml_ng::Value;

use super::Rule;
use crate::mapping::Extension;
use crate::refusal::Refusal;

/// Largest file of rules, in bytes: the largest public one has 30 kB.
pub const FILE_BYTES_MAX: usize = 256 * 1024;

/// Most rules in a folder, files in its subfolders included.
pub const FILES_MAX: usize = 20_000;

/// Deepest folder below the one that is configured.
const FOLDER_DEPTH_MAX: usize = 16;

/// Longest condition, in bytes.
const CONDITION_BYTES_MAX: usize = 4096;

/// Deepest nesting of parentheses and negations in a condition.
const CONDITION_DEPTH_MAX: usize = 64;

/// Deepest nesting of a rule's YAML: a list of maps of lists in a detection has five levels.
const YAML_DEPTH_MAX: usize = 32;

/// A file or rule that was refused.
#[derive(Debug)]
pub struct Rejected {
    /// The file.
    pub file: String,
    /// The line, from 1, where it is known.
    pub line: Option<usize>,
    /// Why.
    pub reason: Refusal,
}

impl std::fmt::Display for Rejected {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(formatter, ":{line}")?;
        }
        write!(formatter, ": {}", self.reason)?;
        let mut cause = std::error::Error::source(&self.reason);
        while let Some(inner) = cause {
            write!(formatter, ": {inner}")?;
            cause = inner.source();
        }
        Ok(())
    }
}

/// Rules, and what was refused while they were read.
#[derive(Debug, Default)]
pub struct Catalogue {
    /// The rules, in the order of their files.
    pub loaded: Vec<Rule>,
    /// What was refused.
    pub rejected: Vec<Rejected>,
    /// A user's names of log sources and fields; set before rules are added.
    pub extension: Arc<Extension>,
}

/// Adds the rules of a folder and its subfolders to those in `catalogue`.
pub fn load_folder(catalogue: &mut Catalogue, folder: &Path) {
    let mut files = Vec::new();
    list(folder, 0, &mut files, catalogue);
    files.sort();
    for file in files.iter().take(FILES_MAX) {
        let name = file
            .strip_prefix(folder)
            .unwrap_or(file)
            .display()
            .to_string();
        match read(file) {
            Ok(bytes) => catalogue.add(&name, &bytes),
            Err(reason) => catalogue.rejected.push(Rejected {
                file: name,
                line: None,
                reason,
            }),
        }
    }
}

/// Reads at most one byte more than is allowed, so that a large file costs nothing.
fn read(file: &Path) -> Result<Vec<u8>, Refusal> {
    use std::io::Read;
    let unreadable = |cause| Refusal::Unreadable { cause };
    let opened = std::fs::File::open(file).map_err(unreadable)?;
    let mut bytes = Vec::new();
    opened
        .take(FILE_BYTES_MAX as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    Ok(bytes)
}

fn list(
    folder: &Path,
    depth: usize,
    files: &mut Vec<std::path::PathBuf>,
    catalogue: &mut Catalogue,
) {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(cause) => {
            let file = folder.display().to_string();
            let reason = Refusal::Unreadable { cause };
            return catalogue.rejected.push(Rejected {
                file,
                line: None,
                reason,
            });
        }
    };
    for entry in entries.flatten() {
        let path = entry.path();
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        let is_rule = path
            .extension()
            .is_some_and(|extension| extension == "yml" || extension == "yaml");
        if kind.is_dir() && depth < FOLDER_DEPTH_MAX {
            list(&path, depth + 1, files, catalogue);
        } else if is_rule && !kind.is_dir() && files.len() <= FILES_MAX {
            files.push(path);
        }
    }
}

impl Catalogue {
    /// No rules yet, and a user's names of log sources and fields.
    pub fn extended(extension: Extension) -> Self {
        Self {
            extension: Arc::new(extension),
            ..Self::default()
        }
    }

    /// Reads the rules of one file; what is refused is listed.
    pub fn add(&mut self, file: &str, bytes: &[u8]) {
        let text = match check(bytes) {
            Ok(text) => text,
            Err((line, reason)) => return self.reject(file, line, reason),
        };
        let parsed = match parse_sigma_yaml(text) {
            Ok(parsed) => parsed,
            Err(error) => {
                let reason = error.to_string();
                return self.reject(file, line_in(text, &reason), Refusal::NotARule { reason });
            }
        };
        for reason in parsed.errors {
            self.reject(file, line_in(text, &reason), Refusal::NotARule { reason });
        }
        if !parsed.correlations.is_empty() {
            let what = "correlation rules".to_owned();
            self.reject(
                file,
                line_of(text, "correlation:"),
                Refusal::Unsupported { what },
            );
        }
        if !parsed.filters.is_empty() {
            let what = "filters".to_owned();
            self.reject(
                file,
                line_of(text, "filter:"),
                Refusal::Unsupported { what },
            );
        }
        for sigma in parsed.rules {
            let rule = Rule::new(file, sigma, &self.extension);
            match rule.and_then(|rule| self.distinct(rule)) {
                Ok(rule) => self.loaded.push(rule),
                Err(reason) => {
                    let line = line_of_refusal(text, &reason);
                    self.reject(file, line, reason);
                }
            }
        }
    }

    /// Moves a rule to the rejected ones.
    pub fn refuse(&mut self, rule: &Rule, reason: Refusal) {
        self.loaded.retain(|loaded| loaded.id != rule.id);
        self.reject(&rule.file, None, reason);
    }

    fn reject(&mut self, file: &str, line: Option<usize>, reason: Refusal) {
        self.rejected.push(Rejected {
            file: file.to_owned(),
            line,
            reason,
        });
    }

    fn distinct(&self, mut rule: Rule) -> Result<Rule, Refusal> {
        // Public ids may begin alike; a label that was made of the beginning takes the whole id then.
        let is_taken = |loaded: &Rule| loaded.label.eq_ignore_ascii_case(&rule.label);
        if rule.has_made_label() && self.loaded.iter().any(is_taken) {
            rule.label = format!("SIGMA-{}", rule.id);
        }
        let taken: HashMap<_, _> = [("id", &rule.id), ("label", &rule.label)].into();
        for loaded in &self.loaded {
            for (what, value) in [("id", &loaded.id), ("label", &loaded.label)] {
                if taken[what].eq_ignore_ascii_case(value) {
                    let (value, title) = (value.clone(), loaded.sigma.title.clone());
                    return Err(Refusal::Duplicate { what, value, title });
                }
            }
        }
        Ok(rule)
    }
}

/// The text of a file, if it stays within every bound.
fn check(bytes: &[u8]) -> Result<&str, (Option<usize>, Refusal)> {
    if bytes.len() > FILE_BYTES_MAX {
        let reason = Refusal::FileTooLarge {
            bytes: bytes.len(),
            limit: FILE_BYTES_MAX,
        };
        return Err((None, reason));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| (None, Refusal::NotUtf8))?;
    for document in serde_yaml_ng::Deserializer::from_str(text) {
        // The reader itself refuses recursion beyond 128 levels and aliases that multiply.
        let value: Value =
            serde::Deserialize::deserialize(document).map_err(|cause: serde_yaml_ng::Error| {
                let line = cause.location().map(|place| place.line());
                (line, Refusal::Yaml { cause })
            })?;
        check_depth(&value, 0).map_err(|reason| (None, reason))?;
        check_conditions(&value).map_err(|reason| (line_of(text, "condition:"), reason))?;
    }
    Ok(text)
}

fn check_depth(value: &Value, depth: usize) -> Result<(), Refusal> {
    if depth > YAML_DEPTH_MAX {
        return Err(Refusal::Unsupported {
            what: format!("YAML deeper than {YAML_DEPTH_MAX} levels"),
        });
    }
    match value {
        Value::Sequence(items) => items
            .iter()
            .try_for_each(|item| check_depth(item, depth + 1)),
        Value::Mapping(members) => members.iter().try_for_each(|(key, member)| {
            check_depth(key, depth + 1)?;
            check_depth(member, depth + 1)
        }),
        Value::Tagged(_) => Err(Refusal::Unsupported {
            what: "YAML tags".to_owned(),
        }),
        _ => Ok(()),
    }
}

fn check_conditions(rule: &Value) -> Result<(), Refusal> {
    let condition = rule
        .get("detection")
        .and_then(|detection| detection.get("condition"));
    let conditions: Vec<&str> = match condition {
        Some(Value::String(text)) => vec![text],
        Some(Value::Sequence(items)) => items.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    for text in conditions {
        let open = text.bytes().filter(|byte| *byte == b'(').count();
        let not = text
            .split_whitespace()
            .filter(|word| word.eq_ignore_ascii_case("not"))
            .count();
        if text.len() > CONDITION_BYTES_MAX || open + not > CONDITION_DEPTH_MAX {
            return Err(Refusal::ConditionTooLarge {
                limit: CONDITION_BYTES_MAX,
                depth: CONDITION_DEPTH_MAX,
            });
        }
    }
    Ok(())
}

/// The line of what a message of the parser speaks of: "line 3", or the word in its quotation marks.
fn line_in(text: &str, message: &str) -> Option<usize> {
    let named = message
        .split_once("line ")
        .map(|(_, rest)| {
            rest.chars()
                .take_while(char::is_ascii_digit)
                .collect::<String>()
        })
        .and_then(|digits| digits.parse().ok());
    let quoted = || {
        message
            .split(['\'', '"', '`'])
            .nth(1)
            .and_then(|word| line_of(text, word))
    };
    named.or_else(quoted)
}

fn line_of_refusal(text: &str, reason: &Refusal) -> Option<usize> {
    match reason {
        Refusal::Key { key, .. } => line_of(text, &format!("{key}:")),
        Refusal::Duplicate { what, .. } => line_of(text, &format!("{what}:")),
        Refusal::LogSource { .. } => line_of(text, "logsource:"),
        _ => None,
    }
}

fn line_of(text: &str, word: &str) -> Option<usize> {
    text.lines()
        .position(|line| line.contains(word))
        .map(|line| line + 1)
}
