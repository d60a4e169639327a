//! A YAML document of a rule file, and the lines on which its keys stand.

use yaml_serde::Value;

use crate::document::lines;

/// One document of a file.
#[derive(Debug)]
pub(super) struct LintDocument<'a> {
    pub(super) value: Value,
    text: &'a str,
    /// Lines of the file before it.
    lines_before: usize,
}

/// The documents of a file that are YAML; the others were refused already.
pub(super) fn documents(text: &str) -> Vec<LintDocument<'_>> {
    lines::documents(text)
        .into_iter()
        .filter_map(|lines::Document { line, text }| {
            let value: Value = yaml_serde::from_str(text).ok()?;
            value.is_mapping().then_some(LintDocument {
                value,
                text,
                lines_before: line - 1,
            })
        })
        .collect()
}

impl LintDocument<'_> {
    /// The text of a key at the top; none if it is absent or no text.
    pub(super) fn text_of(&self, key: &str) -> Option<&str> {
        self.value.get(key).and_then(Value::as_str)
    }

    /// The members of a list at the top.
    pub(super) fn list_of(&self, key: &str) -> &[Value] {
        self.value
            .get(key)
            .and_then(Value::as_sequence)
            .map_or(&[], Vec::as_slice)
    }

    /// True for a rule over single events; false for correlations and filters.
    pub(super) fn is_rule(&self) -> bool {
        self.value.get("correlation").is_none() && self.value.get("filter").is_none()
    }

    /// The line of the file on which the last key of a path stands, or the nearest key before it that is found.
    pub(super) fn line_of(&self, path: &[&str]) -> Option<usize> {
        self.find(path)
            .map(|(line, _)| line + self.lines_before + 1)
    }

    /// The line below a path that contains a word, or that of the path.
    pub(super) fn line_with(&self, path: &[&str], word: &str) -> Option<usize> {
        let (start, indent) = self.find(path)?;
        let block = self.text.lines().enumerate().skip(start);
        let inside = block.take_while(|(at, line)| *at == start || is_inside(line, indent));
        let line = inside
            .filter(|(_, line)| line.contains(word))
            .map(|(at, _)| at)
            .next();
        Some(line.unwrap_or(start) + self.lines_before + 1)
    }

    /// Number and indentation of the line of a path.
    fn find(&self, path: &[&str]) -> Option<(usize, usize)> {
        let mut place: Option<(usize, usize)> = None;
        for key in path {
            let start = place.map_or(0, |(line, _)| line + 1);
            let block = self.text.lines().enumerate().skip(start);
            let inside = block
                .take_while(|(_, line)| place.is_none_or(|(_, indent)| is_inside(line, indent)));
            let next = inside
                .filter(|(_, line)| has_key(line, key))
                .map(|(at, line)| (at, indent_of(line)))
                // A key at the top stands at the margin.
                .find(|(_, indent)| place.is_some() || *indent == 0);
            match next {
                Some(next) => place = Some(next),
                // Written on the line of its parent: `logsource: {product: azure}`.
                None => return place,
            }
        }
        place
    }
}

fn has_key(line: &str, key: &str) -> bool {
    let line = line.trim_start().trim_start_matches("- ").trim_start();
    let line = line.strip_prefix(['"', '\'']).unwrap_or(line);
    line.strip_prefix(key)
        .is_some_and(|rest| rest.starts_with([':', '"', '\'', '|']))
}

fn indent_of(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// True for lines of the block that belongs to a key with this indentation.
fn is_inside(line: &str, indent: usize) -> bool {
    let text = line.trim();
    // A list may stand at the indentation of its key.
    text.is_empty()
        || text.starts_with('#')
        || indent_of(line) > indent
        || (indent_of(line) == indent && text.starts_with("- "))
}
