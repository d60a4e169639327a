//! What the other side said, made fit to be shown: cut, escaped, without our secrets. Pure.

use std::fmt;
use std::sync::Arc;

use schemas::secret::Secret;

use crate::formats::inert::visible;

/// Most characters that are shown.
const CHARACTERS_MAX: usize = 300;

/// Shorter texts are in every answer; hiding them would hide everything.
const SECRET_BYTES_MIN: usize = 8;

/// Hides secrets in what is shown: a receiver can send back what it was sent.
#[derive(Clone, Default)]
pub struct Redaction(Vec<Arc<str>>);

impl fmt::Debug for Redaction {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Redaction({} secrets)", self.0.len())
    }
}

impl Redaction {
    /// Hides a secret, and each of its parts that could stand alone.
    pub fn hide(&mut self, secret: &Secret) {
        let whole = secret.expose();
        let parts = whole.split(|character: char| character.is_whitespace() || character == '/');
        let texts = std::iter::once(whole).chain(parts);
        for text in texts.filter(|text| text.len() >= SECRET_BYTES_MIN) {
            if !self.0.iter().any(|known| known.as_ref() == text) {
                self.0.push(text.into());
            }
        }
        // The longest first, so that none is left half.
        self.0.sort_by_key(|text| std::cmp::Reverse(text.len()));
    }

    /// The text without secrets, on one line, as plain characters, and not too long.
    pub fn said(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.0 {
            if text.contains(secret.as_ref()) {
                text = text.replace(secret.as_ref(), "(redacted)");
            }
        }
        // Cut first: what is made visible grows.
        let mut characters = text.trim().chars();
        let kept: String = characters.by_ref().take(CHARACTERS_MAX).collect();
        let mut shown = visible(&kept).into_owned();
        if characters.next().is_some() {
            shown.push('…');
        }
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::{CHARACTERS_MAX, Redaction};
    use schemas::secret::Secret;

    #[test]
    fn a_secret_that_comes_back_is_not_shown_whole_or_in_part() {
        let mut redaction = Redaction::default();
        redaction.hide(&Secret::new("Bearer canary-7f3c"));
        redaction.hide(&Secret::new("https://hooks.example/T0/canary-91ab"));
        let shown = redaction.said("you sent Bearer canary-7f3c, canary-7f3c and /T0/canary-91ab");
        assert!(!shown.contains("canary"), "{shown}");
        assert!(!format!("{redaction:?}").contains("canary"));
    }

    #[test]
    fn what_is_shown_is_one_plain_line_of_bounded_length() {
        let shown = Redaction::default().said("a\x1b[31mred\r\n\u{202e}left");
        assert_eq!(shown, "a␛[31mred␍␊<U+202E>left");
        let long = Redaction::default().said(&"ä".repeat(10_000));
        assert_eq!(long.chars().count(), CHARACTERS_MAX + 1);
    }
}
