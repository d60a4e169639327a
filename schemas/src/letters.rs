//! Letter case, where what is folded may name somebody.

/// The text in lower case, where no letter becomes one of ASCII that is none.
///
/// The Kelvin sign in lower case is a "k": whoever folded it would take a name that looks like another one for it.
pub fn folded(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_ascii() || letter.to_lowercase().any(|lower| lower.is_ascii()) {
            folded.push(letter.to_ascii_lowercase());
        } else {
            folded.extend(letter.to_lowercase());
        }
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::folded;

    #[test]
    fn no_letter_becomes_one_of_ascii() {
        for (text, expected) in [
            ("Ada@Contoso.test", "ada@contoso.test"),
            ("\u{212a}ELLER", "\u{212a}eller"),
            ("\u{130}DA", "\u{130}da"),
            ("ÉTIENNE Ж", "étienne ж"),
        ] {
            assert_eq!(folded(text), expected);
        }
    }
}
