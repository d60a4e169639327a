//! Reads rules from files, with a bound on everything that a file can ask for.
//!
//! A rule that cannot be honoured is rejected with its file, line and reason; the others are loaded.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use rsigma_parser::{SigmaRule, parse_sigma_yaml};

use super::rule::Rule;
use crate::correlation::{CORRELATIONS_MAX, Correlation};
use crate::document::lines::Document;
use crate::document::{DocumentSource, FILE_BYTES_MAX, Listing, bounds, lines, read};
use crate::error::{LoadDiagnostic, RuleError};
use crate::filter::terms::Terms;
use crate::filter::{self, Expired, FILTERS_MAX, Filter};
use crate::geo::GeoLocator;
use crate::mapping::UserMapping;
use crate::metadata::Day;
use crate::pipeline::{PIPELINES_MAX, Pipeline};
use crate::placeholders::Placeholders;

/// Rules and what belongs to them, and what was refused while they were read.
///
/// Files may come in any order: what they mean for each other is worked out by [`crate::Ruleset::compile`].
#[derive(Debug, Default)]
pub struct RuleCollection {
    /// The rules, in the order of their files, as they are written.
    pub loaded: Vec<Rule>,
    /// What was refused.
    pub rejected: Vec<LoadDiagnostic>,
    /// A user's names of log sources and fields; set before rules are added.
    pub user_mapping: Arc<UserMapping>,
    /// Conditions that are added to rules.
    pub filters: Vec<Filter>,
    /// Filters that are no longer applied; known when the collection is compiled.
    pub expired: Vec<Expired>,
    /// The day for which rules are compiled, UTC; without it no filter expires.
    pub today: Option<Day>,
    /// Rules about rules.
    pub correlations: Vec<Correlation>,
    /// What changes rules before they are compiled, by priority.
    pub(crate) pipelines: Vec<Pipeline>,
    /// Values for the placeholders of rules; those of pipelines come first.
    pub placeholders: Placeholders,
    /// Who knows where addresses are, if anybody.
    pub places: Option<Arc<dyn GeoLocator>>,
    /// What was said of refused rules, so that it is said once.
    said: HashSet<String>,
    /// The titles that have an id or label.
    taken: HashMap<(&'static str, String), String>,
    /// Refused rules that a pipeline may bring to a log source that there is.
    pub(crate) homeless: Vec<(String, usize, SigmaRule, DocumentSource)>,
}

/// Adds the rules of a folder and its subfolders to those in `collection`.
pub fn load_folder(collection: &mut RuleCollection, folder: &Path) {
    let listing = Listing::of(folder);
    collection.rejected.extend(listing.rejected);
    for file in listing.files {
        let name = file
            .strip_prefix(folder)
            .ok()
            .filter(|name| !name.as_os_str().is_empty())
            .unwrap_or(&file)
            .display()
            .to_string();
        match read(&file, FILE_BYTES_MAX) {
            Ok(bytes) => collection.add(&name, &bytes),
            Err(cause) => collection.reject(&name, None, RuleError::Unreadable { cause }),
        }
    }
}

impl RuleCollection {
    /// No rules yet, and a user's names of log sources and fields.
    pub fn extended(user_mapping: UserMapping) -> Self {
        Self {
            user_mapping: Arc::new(user_mapping),
            ..Self::default()
        }
    }

    /// Reads the rules, filters, correlations and pipelines of one file; what is refused is listed.
    pub fn add(&mut self, file: &str, bytes: &[u8]) {
        let text = match bounds::text(bytes) {
            Ok(text) => text,
            Err(reason) => return self.reject(file, None, reason),
        };
        let mut values = Vec::new();
        for document in lines::documents(text) {
            match bounds::check(&document) {
                Ok(Some(value)) => values.push((document, value)),
                Ok(None) => {}
                // What follows a broken document may be a part of it.
                Err((line, reason)) => return self.reject(file, Some(line), reason),
            }
        }
        if values.is_empty() {
            return self.reject(file, None, RuleError::NoDocument);
        }
        // With `action`, documents add to each other: only the parser knows how.
        if values
            .iter()
            .any(|(_, value)| value.get("action").is_some())
        {
            return self.add_document(file, &Document { line: 1, text });
        }
        for (document, value) in &values {
            if value.get("transformations").is_some() {
                match Pipeline::of(file, document, value) {
                    Ok(pipeline) if self.pipelines.len() < PIPELINES_MAX => {
                        self.pipelines.push(pipeline);
                    }
                    Ok(_) => self.too_many(file, document, "pipelines", PIPELINES_MAX),
                    Err((line, reason)) => self.reject(file, Some(line), reason),
                }
            } else {
                self.add_document(file, document);
            }
        }
    }

    fn add_document(&mut self, file: &str, document: &Document<'_>) {
        let not_a_rule = |reason: &str| {
            let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ");
            (
                Some(document.line_in(&reason)),
                RuleError::NotARule { reason },
            )
        };
        let parsed = match parse_sigma_yaml(document.text) {
            Ok(parsed) => parsed,
            Err(error) => {
                let (line, refusal) = not_a_rule(&error.to_string());
                return self.reject(file, line, refusal);
            }
        };
        for reason in &parsed.errors {
            let (line, refusal) = not_a_rule(reason);
            self.reject(file, line, refusal);
        }
        for sigma in parsed.correlations {
            let line = title_line(document, &sigma.title);
            let added = Correlation::new(file, line, document.into(), sigma)
                .and_then(|correlation| self.distinct_correlation(correlation));
            match added {
                Ok(correlation) if self.correlations.len() < CORRELATIONS_MAX => {
                    self.correlations.push(correlation);
                }
                Ok(_) => self.too_many(file, document, "correlations", CORRELATIONS_MAX),
                Err(reason) => {
                    let line = document.line_of_refusal(&reason);
                    self.reject(file, Some(line), reason);
                }
            }
        }
        for sigma in parsed.filters {
            let line = title_line(document, &sigma.title);
            if self.filters.len() >= FILTERS_MAX {
                self.too_many(file, document, "filters", FILTERS_MAX);
                continue;
            }
            if filter::wanted(&sigma).len() > filter::RULES_MAX {
                self.too_many(file, document, "rules of one filter", filter::RULES_MAX);
                continue;
            }
            let terms = match Terms::of(&sigma) {
                Ok(terms) => terms,
                Err(reason) => {
                    let line = document.line_of_refusal(&reason);
                    self.reject(file, Some(line), reason);
                    continue;
                }
            };
            self.filters.push(Filter {
                file: file.to_owned(),
                line,
                sigma,
                terms,
                source: document.into(),
            });
        }
        for sigma in parsed.rules {
            self.add_rule(file, document, sigma);
        }
    }

    fn add_rule(&mut self, file: &str, document: &Document<'_>, sigma: SigmaRule) {
        let source = DocumentSource::from(document);
        let added =
            Rule::new(file, sigma.clone(), &self.user_mapping).and_then(|rule| self.distinct(rule));
        match added {
            Ok(rule) => self.loaded.push(Rule { source, ..rule }),
            Err(reason) => {
                let line = document.line_of_refusal(&reason);
                if matches!(reason, RuleError::LogSource { .. }) {
                    self.homeless.push((file.to_owned(), line, sigma, source));
                }
                self.reject(file, Some(line), reason);
            }
        }
    }

    fn too_many(&mut self, file: &str, document: &Document<'_>, what: &'static str, limit: usize) {
        self.reject(
            file,
            Some(document.first()),
            RuleError::TooMany { what, limit },
        );
    }

    /// Moves a rule to the rejected ones.
    pub(crate) fn refuse(&mut self, rule: &Rule, reason: RuleError) {
        self.loaded.retain(|loaded| loaded.id != rule.id);
        let line = rule.source.line_of_refusal(&reason);
        self.reject(&rule.file, line, reason);
    }

    /// Lists a refusal, once however often it is found.
    pub(crate) fn reject(&mut self, file: &str, line: Option<usize>, reason: RuleError) {
        let rejected = LoadDiagnostic {
            file: file.to_owned(),
            line,
            reason,
        };
        if self.said.insert(rejected.to_string()) {
            self.rejected.push(rejected);
        }
    }

    /// The rule, if no other has its id or label.
    pub(crate) fn distinct(&mut self, mut rule: Rule) -> Result<Rule, RuleError> {
        let has_own_label = rule.sigma.custom_attributes.contains_key("label");
        self.take(&rule.id, &mut rule.label, has_own_label, &rule.sigma.title)?;
        Ok(rule)
    }

    fn distinct_correlation(&mut self, mut one: Correlation) -> Result<Correlation, RuleError> {
        let has_own_label = one.sigma.custom_attributes.contains_key("label");
        // Names are looked for by their users, who are told of two of them; ids must be one's own.
        let Some(id) = one.sigma.id.clone() else {
            return Ok(one);
        };
        self.take(&id, &mut one.label, has_own_label, &one.sigma.title)?;
        Ok(one)
    }

    fn take(
        &mut self,
        id: &str,
        label: &mut String,
        has_own_label: bool,
        title: &str,
    ) -> Result<(), RuleError> {
        let key = |what: &'static str, value: &str| (what, value.to_ascii_lowercase());
        // Public ids may begin alike; a label that was made of the beginning takes the whole id then.
        if !has_own_label && self.taken.contains_key(&key("label", label)) {
            *label = format!("SIGMA-{id}");
        }
        let keys = [key("id", id), key("label", label)];
        for (what, value) in &keys {
            if let Some(title) = self.taken.get(&(*what, value.clone())) {
                let (value, title) = (value.clone(), title.clone());
                return Err(RuleError::Duplicate { what, value, title });
            }
        }
        for key in keys {
            self.taken.insert(key, title.to_owned());
        }
        Ok(())
    }
}

/// The line of a title; the first of the document if it is written in a way that is not found.
fn title_line(document: &Document<'_>, title: &str) -> usize {
    document
        .line_of(&["title:", title])
        .unwrap_or(document.first())
}
