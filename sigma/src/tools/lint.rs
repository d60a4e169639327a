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
mod finding;
mod keys;
mod tags;
mod terms;

use std::collections::HashMap;
use std::sync::Arc;

use self::document::{LintDocument, documents};
use self::finding::Notes;
pub use self::finding::{Finding, Level};
use crate::collection::{Rule, RuleCollection};
use crate::document::FILE_BYTES_MAX;
use crate::error::RuleError;
use crate::mapping::{Mapping, UserMapping};
use crate::metadata::Day;
use crate::plan::Plan;

/// Looks at files one after another, because ids and titles must be unique among all of them.
#[derive(Debug, Default)]
pub struct Linter {
    collection: RuleCollection,
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
        linter.collection.today = Some(today);
        linter
    }

    /// Looks at a file; `name` is what findings call it.
    pub fn file(&mut self, name: &str, bytes: &[u8]) {
        let (loaded, rejected) = (self.collection.loaded.len(), self.collection.rejected.len());
        self.collection.add(name, bytes);
        let text = std::str::from_utf8(bytes).unwrap_or_default();
        let mut notes = Notes {
            file: name,
            findings: Vec::new(),
        };
        for refused in &self.collection.rejected[rejected..] {
            notes.refused(refused.line, &refused.reason);
        }
        notes.file_name();
        // What is too large to load is too large to look into.
        if bytes.len() <= FILE_BYTES_MAX {
            for document in documents(text) {
                keys::check(&document, &mut notes);
                tags::check(&document, &mut notes);
                terms::check(&document, self.collection.today, &mut notes);
                title(&document, &mut self.titles, &mut notes);
            }
        }
        notes.prefer_exact();
        for rule in &self.collection.loaded[loaded..] {
            compile(rule, &self.collection.user_mapping, &mut notes);
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
        notes.refused(None, &RuleError::Unreadable { cause });
        self.findings.append(&mut notes.findings);
    }

    /// The rules that were loaded on the way.
    pub fn rules(&self) -> &[Rule] {
        &self.collection.loaded
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

/// Whether the engine takes the rule.
fn compile(rule: &Rule, user_mapping: &Arc<UserMapping>, notes: &mut Notes<'_>) {
    let (_, refused) = Plan::extended(Mapping::Lake(rule.table), user_mapping, [(0, &rule.sigma)]);
    for (_, reason) in refused {
        notes.refused(rule.source.line_of_refusal(&reason), &reason);
    }
}

fn title(document: &LintDocument<'_>, titles: &mut HashMap<String, String>, notes: &mut Notes<'_>) {
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
