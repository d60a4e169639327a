//! What a tenant, a file or a rule wrote, shown so that it cannot act on a terminal or mislead who reads.

use std::fmt;
use std::io::{self, Stderr, StdoutLock, Write};

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{ContentArrangement, Table};

/// Longest cell that is shown, in characters; `--output json` has all of it.
const CELL_CHARACTERS_MAX: usize = 120;

/// Most characters of a sentence on a line of its own.
const SENTENCE_CHARACTERS_MAX: usize = 1_000;

/// Narrower terminals say nothing about themselves, as some that record do.
const WIDTH_MIN: u16 = 20;

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
fn inert_lines(text: &str) -> String {
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

/// A writer after which nothing acts: what would is written as `\u001b`.
///
/// In JSON that is the same text; a writer of JSON has escaped the rest of the control characters itself.
#[derive(Debug)]
pub(crate) struct Inert<W: Write> {
    inner: W,
    /// The beginning of a character whose end has not come yet; at most three bytes.
    begun: Vec<u8>,
}

impl<W: Write> Inert<W> {
    pub(crate) const fn new(inner: W) -> Self {
        Self {
            inner,
            begun: Vec::new(),
        }
    }
}

impl<W: Write> Write for Inert<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut all = std::mem::take(&mut self.begun);
        all.extend_from_slice(bytes);
        let whole = match std::str::from_utf8(&all) {
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            _ => all.len(),
        };
        self.begun = all.split_off(whole);
        let text = String::from_utf8_lossy(&all);
        self.inner.write_all(inert_lines(&text).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Standard output, for what others wrote.
pub(crate) fn stdout() -> Inert<StdoutLock<'static>> {
    Inert::new(io::stdout().lock())
}

/// Standard error, for what others wrote.
pub(crate) fn stderr() -> Inert<Stderr> {
    Inert::new(io::stderr())
}

/// An empty table that fits the terminal, if that says how wide it is.
pub(crate) fn table() -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY);
    let is_narrow = table.width().is_some_and(|width| width < WIDTH_MIN);
    table.set_content_arrangement(if is_narrow {
        ContentArrangement::Disabled
    } else {
        ContentArrangement::Dynamic
    });
    table
}

#[cfg(test)]
mod tests {
    use super::{CELL_CHARACTERS_MAX, Inert, inert, inert_lines};
    use std::io::Write as _;

    /// Every way of an attacker's text to reach a terminal: C0, C1, a byte of the latter as UTF-8, marks of direction.
    const HOSTILE: &str =
        "a\u{1b}]0;owned\u{7}b\u{9b}31m\u{7f}\u{202e}gpj.exe\u{2066}\u{200f}\u{61c}\rover\u{8}";

    #[test]
    fn escape_sequences_of_a_tenant_do_not_reach_the_terminal() {
        assert_eq!(inert("a\u{1b}]0;owned\u{7}b"), "a\u{fffd}]0;owned\u{fffd}b");
        assert_eq!(inert("user\u{202e}gpj.exe"), "user\u{fffd}gpj.exe");
        for shown in [inert(HOSTILE), inert_lines(HOSTILE)] {
            assert!(!shown.chars().any(super::acts), "{shown:?}");
        }
    }

    #[test]
    fn a_long_cell_is_cut_and_says_so() {
        let cell = inert(&"x".repeat(CELL_CHARACTERS_MAX + 1));
        assert_eq!(cell.chars().count(), CELL_CHARACTERS_MAX + 1);
        assert!(cell.ends_with('…'));
    }

    /// However the bytes come, what is written is the same, and JSON stays the same value.
    #[test]
    fn a_writer_makes_inert_what_comes_in_pieces() {
        let json = serde_json::json!({"user": HOSTILE, "mail": "日本 é"}).to_string() + "\n";
        let mut written = Vec::new();
        for size in 1..5 {
            let mut writer = Inert::new(Vec::new());
            for piece in json.as_bytes().chunks(size) {
                writer.write_all(piece).expect("written");
            }
            written.push(String::from_utf8(writer.inner).expect("text"));
        }
        for text in &written {
            assert_eq!(text, &written[0]);
            let acting = text.trim_end().chars().filter(|one| super::acts(*one));
            assert_eq!(acting.count(), 0, "{text:?}");
            let again: serde_json::Value = serde_json::from_str(text).expect("JSON");
            assert_eq!(again["user"], HOSTILE);
        }
    }
}
