//! A proposal as the text of a Sigma filter.

use std::fmt::Write as _;

use super::chosen::Chosen;
use crate::collection::Rule;
use crate::filter::terms::Terms;

/// Longest part of a rule's title in that of its filter, in characters: Sigma's titles have 256.
const TITLE_CHARACTERS_MAX: usize = 120;

/// The document: a filter of this rule with exactly these values.
pub(super) fn document(
    rule: &Rule,
    id: &str,
    sentence: &str,
    selection: &[Chosen],
    terms: &Terms,
) -> String {
    let rule_title: String = rule
        .sigma
        .title
        .chars()
        .take(TITLE_CHARACTERS_MAX)
        .collect();
    let short: String = id.chars().take(8).collect();
    let title = format!("Tuning {short} of {}: {rule_title}", rule.label);
    let mut text = String::new();
    line(&mut text, 0, "title", &quoted(&title));
    line(&mut text, 0, "id", id);
    line(&mut text, 0, "description", &quoted(sentence));
    text.push_str("logsource:\n");
    let logsource = &rule.sigma.logsource;
    for (key, word) in [
        ("category", &logsource.category),
        ("product", &logsource.product),
        ("service", &logsource.service),
    ] {
        if let Some(word) = word {
            line(&mut text, 1, key, &quoted(word));
        }
    }
    text.push_str("filter:\n    rules:\n");
    // The id, because titles change and more than one rule may have one.
    text.push_str("        - ");
    text.push_str(&quoted(&rule.id));
    text.push_str("\n    selection:\n");
    for one in selection {
        line(&mut text, 2, one.field, &quoted(&exact(&one.value)));
    }
    text.push_str("    condition: not selection\n");
    for (key, word) in [("owner", &terms.owner), ("reason", &terms.reason)] {
        if let Some(word) = word {
            line(&mut text, 0, key, &quoted(word));
        }
    }
    if let Some(last) = terms.expires {
        line(&mut text, 0, "expires", &last.to_string());
    }
    text
}

fn line(text: &mut String, depth: usize, key: &str, value: &str) {
    text.push_str(&"    ".repeat(depth));
    text.push_str(key);
    text.push_str(": ");
    text.push_str(value);
    text.push('\n');
}

/// A value that Sigma reads as exactly this text: its wildcards and its escape sign stand for themselves.
fn exact(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for character in value.chars() {
        if matches!(character, '*' | '?' | '\\') {
            text.push('\\');
        }
        text.push(character);
    }
    text
}

/// A text as a YAML scalar on one line, whatever it contains; only what can be shown is written as it is.
fn quoted(text: &str) -> String {
    let is_shown = |character: char| {
        character.is_ascii_graphic() || character == ' ' || character.is_alphanumeric()
    };
    if text.chars().all(is_shown) {
        return format!("'{}'", text.replace('\'', "''"));
    }
    let mut out = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => {
                out.push('\\');
                out.push(character);
            }
            shown if is_shown(shown) => out.push(shown),
            // Control characters, line ends of every kind and overrides of direction.
            other => {
                // Writing to a text cannot fail.
                let _written = write!(out, "\\U{:08X}", u32::from(other));
            }
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::{exact, quoted};
    use rsigma_parser::{SigmaString, StringPart};

    const HOSTILE: &[&str] = &[
        "plain",
        "it's",
        "a: b # c",
        "- x",
        "null",
        "true",
        "0x10",
        "5",
        " ends ",
        "*",
        "?a\\*b\\",
        "\\\\server\\share",
        "\\",
        "a\"b\n---\nfilter: {}\r\n\u{2028}\u{85}\u{0}",
        "a\u{202e}b\u{feff}\u{1f600}ß%x%{}[]&!|>@`",
        "",
    ];

    #[test]
    fn every_text_is_read_back_as_it_is() {
        for text in HOSTILE {
            let written = quoted(text);
            assert_eq!(written.lines().count(), 1, "{written}");
            let read: String = yaml_serde::from_str(&written).unwrap();
            assert_eq!(read, *text, "{written}");
        }
    }

    #[test]
    fn every_value_means_itself() {
        for text in HOSTILE.iter().filter(|text| !text.is_empty()) {
            let parts = SigmaString::new(&exact(text)).parts;
            assert_eq!(parts, [StringPart::Plain((*text).to_owned())], "{text:?}");
        }
    }
}
