//! The text that a rule was read from, so that whatever is said of the rule later can name the line.

use std::sync::Arc;

use super::lines::Document;
use crate::error::RuleError;

/// A document of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DocumentSource {
    /// The line of the file at which the document starts, from 1.
    pub line: usize,
    /// Its text.
    pub text: Arc<str>,
}

impl From<&Document<'_>> for DocumentSource {
    fn from(document: &Document<'_>) -> Self {
        Self {
            line: document.line,
            text: document.text.into(),
        }
    }
}

impl DocumentSource {
    /// The line of the file that a refusal speaks of; none if the rule was not read from a file.
    pub(crate) fn line_of_refusal(&self, refusal: &RuleError) -> Option<usize> {
        let document = Document {
            line: self.line,
            text: &self.text,
        };
        (self.line > 0).then(|| document.line_of_refusal(refusal))
    }
}
