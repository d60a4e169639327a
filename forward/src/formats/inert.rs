//! Text of a tenant where nothing can be escaped: what would steer a terminal or a reader's eye is made visible.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Whether a character steers what shows it rather than being shown: controls, marks of direction, separators of lines,
/// tags.
///
/// Source: Unicode 16, `Bidi_Control`, general categories Cc, Zl and Zp, block Tags; UTR 36 on spoofing.
pub const fn is_steering(character: char) -> bool {
    matches!(
        character,
        '\0'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\u{61c}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
            | '\u{feff}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

/// The text with a visible sign for each character that steers: `␀` to `␡` for ASCII's controls, `<U+202E>` for others.
pub fn visible(text: &str) -> Cow<'_, str> {
    visible_but(text, |_| false)
}

/// The same, but for characters that the format has an escape for.
pub(super) fn visible_but(text: &str, is_escaped: fn(char) -> bool) -> Cow<'_, str> {
    let steers = |character: char| is_steering(character) && !is_escaped(character);
    if !text.chars().any(steers) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if steers(character) {
            push_sign(character, &mut shown);
        } else {
            shown.push(character);
        }
    }
    Cow::Owned(shown)
}

fn push_sign(character: char, shown: &mut String) {
    let code = u32::from(character);
    match code {
        0..=0x1f => shown.push(char::from_u32(0x2400 + code).unwrap_or('\u{fffd}')),
        0x7f => shown.push('\u{2421}'),
        _ => {
            // Writing to a string does not fail.
            let _written = write!(shown, "<U+{code:04X}>");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::visible;

    #[test]
    fn what_steers_is_shown_and_all_else_stays() {
        assert_eq!(visible("a\u{1b}[31mb\0\r\n\t"), "a␛[31mb␀␍␊␉");
        assert_eq!(
            visible("\u{202e}fdp.exe\u{7f}\u{85}"),
            "<U+202E>fdp.exe␡<U+0085>"
        );
        for plain in ["", "Ünï 👩‍💻 =|\\\"]", "שלום"] {
            assert!(matches!(visible(plain), Cow::Borrowed(same) if same == plain));
        }
    }
}
