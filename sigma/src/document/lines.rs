//! Where in a file something stands: documents, and the lines that a refusal is about.

use crate::error::RuleError;

/// One document of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Document<'a> {
    /// The line of the file at which it starts, from 1.
    pub(crate) line: usize,
    /// Its text, without the marker before it.
    pub(crate) text: &'a str,
}

/// The documents of a file: a line that starts with `---` or `...` can be nothing but a marker.
pub(crate) fn documents(text: &str) -> Vec<Document<'_>> {
    let mut documents = Vec::new();
    let (mut start, mut line) = (0, 1);
    let mut at = 0;
    for (number, content) in text.split_inclusive('\n').enumerate() {
        let bare = content.trim_end();
        let end = at + content.len();
        if bare == "---" || bare == "..." {
            documents.push(Document {
                line,
                text: &text[start..at],
            });
            (start, line) = (end, number + 2);
        } else if bare.starts_with("--- ") {
            documents.push(Document {
                line,
                text: &text[start..at],
            });
            (start, line) = (at + "---".len(), number + 1);
        }
        at = end;
    }
    documents.push(Document {
        line,
        text: &text[start..],
    });
    documents
}

impl Document<'_> {
    /// The line of what a message of the parser speaks of: "line 3", or the word in its quotation marks.
    pub(crate) fn line_in(&self, message: &str) -> usize {
        let digits = |rest: &str| {
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            digits.parse::<usize>().ok()
        };
        let named = message
            .split_once("line ")
            .and_then(|(_, rest)| digits(rest))
            .map(|line| self.line + line - 1);
        let quoted = || {
            let word = message.split(['\'', '"', '`']).nth(1)?;
            self.line_of(&[word])
        };
        let condition = || {
            let is_condition = message.contains("ondition");
            is_condition
                .then(|| self.line_of(&["condition:"]))
                .flatten()
        };
        let last = || {
            let (_, word) = message.rsplit_once(": ")?;
            self.line_of(&[word])
        };
        named
            .or_else(quoted)
            .or_else(last)
            .or_else(condition)
            .unwrap_or(self.first())
    }

    /// The first line that has all of the words.
    pub(crate) fn line_of(&self, words: &[&str]) -> Option<usize> {
        let has_all = |line: &str| words.iter().all(|word| line.contains(word));
        let at = self.text.lines().position(has_all)?;
        Some(self.line + at)
    }

    /// The first line with something on it.
    pub(crate) fn first(&self) -> usize {
        let is_blank = |line: &str| line.trim().is_empty() || line.trim_start().starts_with('#');
        let blank = self.text.lines().take_while(|line| is_blank(line)).count();
        self.line + blank
    }

    /// The line of what a refusal speaks of; the first if that cannot be told.
    pub(crate) fn line_of_refusal(&self, refusal: &RuleError) -> usize {
        if let RuleError::UnknownRule { name } | RuleError::Ambiguous { name } = refusal {
            let dashed = format!("- {name}");
            let found = self
                .line_of(&["rules:", name])
                .or_else(|| self.line_of(&[&dashed]));
            if let Some(line) = found {
                return line;
            }
        }
        if let RuleError::Item { field, cause } = refusal {
            return self.line_of_item(field, &words(cause));
        }
        let words = words(refusal);
        (0..words.len())
            .rev()
            .find_map(|last| {
                let words: Vec<&str> = words[..=last].iter().map(String::as_str).collect();
                self.line_of(&words)
            })
            .unwrap_or(self.first())
    }
}

impl Document<'_> {
    /// The line of an item in a detection: its field's key with the words, its key, the words, or the detections.
    fn line_of_item(&self, field: &str, words: &[String]) -> usize {
        let start = self
            .text
            .lines()
            .position(|line| line.starts_with("detection:") || line.starts_with("filter:"))
            .unwrap_or(0);
        let find = |is_meant: &dyn Fn(&str) -> bool| {
            let mut lines = self.text.lines().skip(start);
            lines.position(is_meant).map(|at| self.line + start + at)
        };
        let has_words = |line: &str| words.iter().all(|word| line.contains(word.as_str()));
        let has_key = |line: &str| !field.is_empty() && is_key(line, field);
        find(&|line| has_key(line) && has_words(line))
            .or_else(|| find(&has_key))
            .or_else(|| find(&has_words))
            .unwrap_or(self.line + start)
    }
}

/// True if a line has the field as a key, with or without modifiers.
fn is_key(line: &str, field: &str) -> bool {
    line.match_indices(field).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + field.len()..].chars().next();
        let is_part = |character: char| character.is_alphanumeric() || "_.-".contains(character);
        !before.is_some_and(is_part) && after.is_some_and(|after| "|:'\"".contains(after))
    })
}

/// Words of the line that a refusal speaks of, the surest first.
fn words(refusal: &RuleError) -> Vec<String> {
    match refusal {
        RuleError::Modifiers { modifiers } => modifiers
            .split('|')
            .map(|name| format!("|{name}"))
            .collect(),
        RuleError::DetectionName { name } => vec![name.clone()],
        RuleError::Value { value } => vec![value.clone()],
        RuleError::Placeholder { name } => vec![format!("%{name}%")],
        RuleError::Regex { .. } | RuleError::RegexTooLong { .. } => vec!["|re".to_owned()],
        RuleError::Key { key, .. }
        | RuleError::Correlation { key, .. }
        | RuleError::OwnCorrelation { key, .. } => vec![format!("{key}:")],
        RuleError::Shape { key }
        | RuleError::LookAlike { key }
        | RuleError::UnknownCorrelationKey { key } => vec![key.clone()],
        RuleError::FilterOfNothing => vec!["filter:".to_owned()],
        RuleError::Duplicate { what, .. } => vec![format!("{what}:")],
        RuleError::LogSource { .. } => vec!["logsource:".to_owned()],
        RuleError::UnknownDetection { .. } | RuleError::ConditionTooLarge { .. } => {
            vec!["condition:".to_owned()]
        }
        RuleError::UnknownRule { .. } | RuleError::Ambiguous { .. } | RuleError::Cycle { .. } => {
            vec!["rules:".to_owned()]
        }
        RuleError::Unsupported { what } => what
            .split(' ')
            .next()
            .map(|word| vec![format!("{word}:")])
            .unwrap_or_default(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Document, documents};

    #[test]
    fn finds_documents_and_their_lines() {
        let text = "# head\na: 1\n---\n\nb: |\n    ---\n    x\n--- \nc: 3\n--- {d: 4}\n...\n";
        let found: Vec<(usize, &str)> = documents(text)
            .iter()
            .map(|document| (document.first(), document.text))
            .collect();
        assert_eq!(
            found,
            [
                (2, "# head\na: 1\n"),
                (5, "\nb: |\n    ---\n    x\n"),
                (9, "c: 3\n"),
                (10, " {d: 4}\n"),
                (12, ""),
            ]
        );
    }

    #[test]
    fn finds_what_a_message_speaks_of() {
        let document = Document {
            line: 10,
            text: "title: t\ndetection:\n    s: {a|re: '('}\n    condition: s and\n",
        };
        assert_eq!(document.line_in("cannot read at line 2 column 3"), 11);
        assert_eq!(document.line_in("unknown modifier 're'"), 12);
        assert_eq!(document.line_in("Condition parse error at 1:6"), 13);
        assert_eq!(document.line_in("something else"), 10);
    }
}
