//! What is wrong with rule files, where, and how to mend it.
//!
//! ```text
//! file ─▶ what the loader and the compiler refuse ─▶ errors
//!      └▶ keys, tags, detections of each document ─▶ what Sigma 2.1.0 asks for, and what our own rules need besides
//! ```
//! Source: Sigma specification 2.1.0, rules, modifiers and tags.

mod advice;
mod detections;
mod document;
mod keys;
mod tags;
mod terms;

use std::collections::HashMap;
use std::sync::Arc;

use serde::Serialize;

use self::document::{Document, documents};
use crate::day::Day;
use crate::mapping::{Extension, Mapping};
use crate::plan::Plan;
use crate::refusal::Refusal;
use crate::rule::files::FILE_BYTES_MAX;
use crate::rule::{Catalogue, Rule};

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// The rule does not run, or is not what it must be.
    Error,
    /// The rule runs, but not as its author meant, or others cannot use it.
    Warning,
    /// It could be said more simply.
    Notice,
}

impl Level {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Notice => "notice",
        }
    }
}

/// Something that a rule's author should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The file.
    pub file: String,
    /// The line, from 1, where it is known.
    pub line: Option<usize>,
    /// How bad it is.
    pub level: Level,
    /// Name of the check, for example "tag-unknown".
    pub check: &'static str,
    /// What is wrong.
    pub what: String,
    /// How to mend it.
    pub fix: String,
}

/// Looks at files one after another, because ids and titles must be unique among all of them.
#[derive(Debug, Default)]
pub struct Linter {
    catalogue: Catalogue,
    titles: HashMap<String, String>,
    findings: Vec<Finding>,
}

impl Linter {
    /// Nothing was looked at yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// As [`Self::new`]; filters whose last day is before `today` are told.
    pub fn on(today: Day) -> Self {
        let mut linter = Self::default();
        linter.catalogue.today = Some(today);
        linter
    }

    /// Looks at a file; `name` is what findings call it.
    pub fn file(&mut self, name: &str, bytes: &[u8]) {
        let (loaded, rejected) = (self.catalogue.loaded.len(), self.catalogue.rejected.len());
        self.catalogue.add(name, bytes);
        let text = std::str::from_utf8(bytes).unwrap_or_default();
        let mut notes = Notes {
            file: name,
            findings: Vec::new(),
        };
        for refused in &self.catalogue.rejected[rejected..] {
            notes.refused(refused.line, &refused.reason);
        }
        notes.file_name();
        // What is too large to load is too large to look into.
        if bytes.len() <= FILE_BYTES_MAX {
            for document in documents(text) {
                keys::check(&document, &mut notes);
                tags::check(&document, &mut notes);
                terms::check(&document, self.catalogue.today, &mut notes);
                title(&document, &mut self.titles, &mut notes);
            }
        }
        notes.prefer_exact();
        for rule in &self.catalogue.loaded[loaded..] {
            compile(rule, &self.catalogue.extension, &mut notes);
            detections::check(rule, text, &mut notes);
        }
        self.findings.append(&mut notes.findings);
    }

    /// A file that could not be read.
    pub fn unreadable(&mut self, name: &str, cause: std::io::Error) {
        let mut notes = Notes {
            file: name,
            findings: Vec::new(),
        };
        notes.refused(None, &Refusal::Unreadable { cause });
        self.findings.append(&mut notes.findings);
    }

    /// The rules that were loaded on the way.
    pub fn rules(&self) -> &[Rule] {
        &self.catalogue.loaded
    }

    /// All findings, by file and line.
    pub fn finish(mut self) -> Vec<Finding> {
        self.findings.sort_by(|left, right| {
            (&left.file, left.line, left.level).cmp(&(&right.file, right.line, right.level))
        });
        self.findings.dedup();
        self.findings
    }
}

/// The findings of one file.
#[derive(Debug)]
struct Notes<'a> {
    file: &'a str,
    findings: Vec<Finding>,
}

impl Notes<'_> {
    fn add(
        &mut self,
        (level, check): (Level, &'static str),
        line: Option<usize>,
        what: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.findings.push(Finding {
            file: self.file.to_owned(),
            line,
            level,
            check,
            what: what.into(),
            fix: fix.into(),
        });
    }

    fn refused(&mut self, line: Option<usize>, reason: &Refusal) {
        let mut what = reason.to_string();
        let mut cause = std::error::Error::source(reason);
        while let Some(inner) = cause {
            what.push_str(": ");
            what.push_str(inner.to_string().lines().last().unwrap_or_default().trim());
            cause = inner.source();
        }
        self.add((Level::Error, "refused"), line, what, advice::fix(reason));
    }

    /// Leaves out refusals of lines about which a check of keys says more.
    fn prefer_exact(&mut self) {
        let is_exact = |finding: &Finding| finding.check == "key-form";
        let exact: Vec<Option<usize>> = self
            .findings
            .iter()
            .filter(|one| is_exact(one))
            .map(|one| one.line)
            .collect();
        self.findings
            .retain(|finding| finding.check != "refused" || !exact.contains(&finding.line));
    }

    /// Sigma: ten to seventy characters of `a-z`, `0-9` and `_`, and the ending `.yml`.
    fn file_name(&mut self) {
        let name = self.file.rsplit(['/', '\\']).next().unwrap_or_default();
        let stem = name.strip_suffix(".yml");
        let is_good = stem.is_some_and(|stem| {
            (6..=66).contains(&stem.len())
                && stem
                    .bytes()
                    .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
        });
        if !is_good {
            self.add(
                (Level::Warning, "file-name"),
                None,
                "file name is not of the form that rule collections share",
                "10 to 70 characters of a-z, 0-9 and _, ending in .yml: azure_signin_device_code.yml",
            );
        }
    }
}

/// Whether the engine takes the rule.
fn compile(rule: &Rule, extension: &Arc<Extension>, notes: &mut Notes<'_>) {
    let (_, refused) = Plan::extended(Mapping::Lake(rule.table), extension, [(0, &rule.sigma)]);
    for (_, reason) in refused {
        notes.refused(rule.source.line_of_refusal(&reason), &reason);
    }
}

fn title(document: &Document<'_>, titles: &mut HashMap<String, String>, notes: &mut Notes<'_>) {
    let Some(title) = document.text_of("title") else {
        return;
    };
    let folded = title.trim().to_lowercase();
    if let Some(first) = titles.get(&folded) {
        notes.add(
            (Level::Warning, "title-taken"),
            document.line_of(&["title"]),
            format!("title \"{title}\" is taken by {first}"),
            "say in the title how this rule differs from the other",
        );
    } else {
        titles.insert(folded, notes.file.to_owned());
    }
}

#[cfg(test)]
mod tests;
