//! The text that a rule was read from, so that whatever is said of the rule later can name the line.

use std::sync::Arc;

use super::lines::Document;
use crate::error::Refusal;

/// A document of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Source {
    /// The line of the file at which the document starts, from 1.
    pub line: usize,
    /// Its text.
    pub text: Arc<str>,
}

impl From<&Document<'_>> for Source {
    fn from(document: &Document<'_>) -> Self {
        Self {
            line: document.line,
            text: document.text.into(),
        }
    }
}

impl Source {
    /// The line of the file that a refusal speaks of; none if the rule was not read from a file.
    pub(crate) fn line_of_refusal(&self, refusal: &Refusal) -> Option<usize> {
        let document = Document {
            line: self.line,
            text: &self.text,
        };
        (self.line > 0).then(|| document.line_of_refusal(refusal))
    }
}
