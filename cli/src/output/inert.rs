//! What a tenant, a file or a rule wrote, shown so that it cannot act on a terminal or mislead who reads.

use std::fmt;

/// Longest cell that is shown, in characters; `--output json` has all of it.
const CELL_CHARACTERS_MAX: usize = 120;

/// Most characters of a sentence on a line of its own.
const SENTENCE_CHARACTERS_MAX: usize = 1_000;

/// True for what a terminal obeys, and for what turns the direction of a line or breaks it unseen.
fn acts(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            // Bidirectional marks and overrides make one name look like another.
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            // Breaks of lines that not everybody takes for some; the mark of byte order.
            | '\u{2028}' | '\u{2029}' | '\u{feff}'
        )
}

/// The text of a cell with its control characters shown instead of obeyed, and cut to what a cell holds.
pub(crate) fn inert(text: &str) -> String {
    inert_within(text, CELL_CHARACTERS_MAX)
}

/// A sentence with its control characters shown instead of obeyed; longer than a cell, for its end says why.
pub(crate) fn inert_sentence(text: &str) -> String {
    inert_within(text, SENTENCE_CHARACTERS_MAX)
}

fn inert_within(text: &str, characters_max: usize) -> String {
    let mut shown: String = text
        .chars()
        .take(characters_max)
        .map(|character| match character {
            '\n' | '\t' => ' ',
            other if acts(other) => '\u{fffd}',
            other => other,
        })
        .collect();
    if text.chars().nth(characters_max).is_some() {
        shown.push('…');
    }
    shown
}

/// Lines as they are but for what would act, which is shown as `\u001b`.
pub(super) fn inert_lines(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if acts(character) && !matches!(character, '\n' | '\t') {
            shown.push_str(&Escaped(character).to_string());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// A character as JSON escapes it; all that act are in the basic plane.
struct Escaped(char);

impl fmt::Display for Escaped {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "\\u{:04x}", u32::from(self.0))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::{CELL_CHARACTERS_MAX, inert, inert_lines};

    /// Every way of an attacker's text to reach a terminal: C0, C1, a byte of the latter as UTF-8, marks of direction.
    pub(crate) const HOSTILE: &str =
        "a\u{1b}]0;owned\u{7}b\u{9b}31m\u{7f}\u{202e}gpj.exe\u{2066}\u{200f}\u{61c}\rover\u{8}";

    /// How many characters of a text act.
    pub(crate) fn acting(text: &str) -> usize {
        text.chars().filter(|one| super::acts(*one)).count()
    }

    #[test]
    fn escape_sequences_of_a_tenant_do_not_reach_the_terminal() {
        assert_eq!(inert("a\u{1b}]0;owned\u{7}b"), "a\u{fffd}]0;owned\u{fffd}b");
        assert_eq!(inert("user\u{202e}gpj.exe"), "user\u{fffd}gpj.exe");
        for shown in [inert(HOSTILE), inert_lines(HOSTILE)] {
            assert_eq!(acting(&shown), 0, "{shown:?}");
        }
    }

    #[test]
    fn a_long_cell_is_cut_and_says_so() {
        let cell = inert(&"x".repeat(CELL_CHARACTERS_MAX + 1));
        assert_eq!(cell.chars().count(), CELL_CHARACTERS_MAX + 1);
        assert!(cell.ends_with('…'));
    }
}
