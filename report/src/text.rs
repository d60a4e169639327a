//! Text of a tenant made inert, and numbers and words for people.
//!
//! The template escapes HTML. Here stands what escaping leaves: characters that cannot be seen, that turn the
//! direction of a line, or that drive a terminal when the page is copied, and text without end.

/// Most characters of a name, a title or an id.
pub(super) const LINE_CHARACTERS: usize = 300;
/// Most characters of a field's value.
pub(super) const VALUE_CHARACTERS: usize = 600;
/// Most characters of a description.
pub(super) const DESCRIPTION_CHARACTERS: usize = 6_000;

/// One line for a page.
pub(super) fn line(text: &str) -> String {
    inert(text, LINE_CHARACTERS)
}

/// Text for a page: what cannot be seen is named, what is too long is cut and says so.
pub(super) fn inert(text: &str, most: usize) -> String {
    let mut shown = String::new();
    for character in text.chars().take(most) {
        if is_visible(character) {
            shown.push(character);
        } else if character != '\r' {
            shown.extend(format!("[U+{:04X}]", u32::from(character)).chars());
        }
    }
    // A text of fewer bytes than that is not cut: no need to count a long one twice.
    if text.len() > most {
        let all = text.chars().count();
        if all > most {
            let (most, all) = (number(most as u64), number(all as u64));
            shown.extend(format!(" … [cut: {most} of {all} characters shown]").chars());
        }
    }
    shown
}

/// False for controls, formats that cannot be seen or turn a line's direction, and code points that are none.
pub(super) fn is_visible(character: char) -> bool {
    if matches!(character, '\n' | '\t') {
        return true;
    }
    let code = u32::from(character);
    let is_format = matches!(
        code,
        0xAD | 0x34F | 0x61C | 0x180B..=0x180F | 0x115F..=0x1160 | 0x17B4..=0x17B5 | 0x200B..=0x200F
        | 0x2028..=0x202E | 0x2060..=0x206F | 0x3164 | 0xFE00..=0xFE0F | 0xFEFF | 0xFFA0 | 0xFFF0..=0xFFFB
        | 0x1D173..=0x1D17A | 0xE0000..=0xE0FFF
    );
    let is_none = code & 0xFFFE == 0xFFFE || (0xFDD0..=0xFDEF).contains(&code);
    !(character.is_control() || is_format || is_none)
}

/// A number with its thousands apart: `9,608`.
pub(super) fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 alert`, `2 alerts`, `no alerts` is for the caller.
pub(super) fn counted(count: impl TryInto<u64>, one: &str, many: &str) -> String {
    let count = count.try_into().unwrap_or(u64::MAX);
    format!("{} {}", number(count), if count == 1 { one } else { many })
}

/// `a, b and c`.
pub(super) fn listed(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// A word of the wire for people: `credential-access` becomes `Credential access`.
pub(super) fn title_case(word: &str) -> String {
    let spaced = line(word).replace(['-', '_'], " ");
    let mut characters = spaced.chars();
    characters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(characters).collect()
    })
}

/// An address that may become a link: `https`, of visible ASCII, without what could end an attribute.
pub(super) fn link(address: &str) -> Option<String> {
    let is_plain = address.len() <= 2_000
        && address
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b'<' | b'>'));
    (is_plain && address.starts_with("https://")).then(|| address.to_owned())
}

/// True if a text can stand in a command between quotes and mean only itself, in a shell and in SQL.
pub(super) fn is_safe_in_command(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._@+-".contains(&byte);
    !text.is_empty() && text.len() <= 200 && text.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::{inert, is_safe_in_command, line, link, listed, number, title_case};

    #[test]
    fn names_what_cannot_be_seen() {
        assert_eq!(line("a\u{202E}b"), "a[U+202E]b");
        assert_eq!(line("\u{1b}[31mred\u{7}"), "[U+001B][31mred[U+0007]");
        assert_eq!(line("a\r\nb\tc"), "a\nb\tc");
        assert_eq!(line("\u{E0041}\u{FFFE}\0"), "[U+E0041][U+FFFE][U+0000]");
        assert_eq!(line("Žofie, 山田, אבג"), "Žofie, 山田, אבג");
    }

    #[test]
    fn cuts_with_a_note() {
        assert_eq!(
            inert(&"é".repeat(1_000_000), 3),
            "ééé … [cut: 3 of 1,000,000 characters shown]"
        );
        assert_eq!(inert("éé", 2), "éé");
    }

    #[test]
    fn writes_numbers_and_lists() {
        assert_eq!(number(0), "0");
        assert_eq!(number(999), "999");
        assert_eq!(number(1_000), "1,000");
        assert_eq!(number(u64::MAX), "18,446,744,073,709,551,615");
        assert_eq!(listed(&["a".into(), "b".into(), "c".into()]), "a, b and c");
        assert_eq!(title_case("credential-access"), "Credential access");
    }

    #[test]
    fn only_plain_https_addresses_are_links() {
        assert!(link("https://docs.example/a?b=1#c").is_some());
        for address in [
            "http://docs.example",
            "javascript:alert(1)",
            "https://docs.example/\"onclick=",
            "https://docs.example/\u{202e}",
            " https://docs.example",
        ] {
            assert_eq!(link(address), None, "{address}");
        }
    }

    #[test]
    fn what_a_shell_or_sql_would_read_is_not_safe_in_a_command() {
        assert!(is_safe_in_command("ada.b+c@harbour.example"));
        for text in [
            "", "a'b", "a\"b", "$(id)", "`id`", "a b", "a;b", "a\nb", "é",
        ] {
            assert!(!is_safe_in_command(text), "{text}");
        }
    }
}
