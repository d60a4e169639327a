//! Pure: a person as a decision names one: something that whoever reads the audit chain can tell from nobody.

/// Longest name, in characters: a name and a ticket, and no letter.
pub const NAME_CHARACTERS_MAX: usize = 128;

/// Why a text names nobody.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoName {
    /// Nothing that can be read.
    #[error("it is empty, or only blanks and marks: say who decides")]
    Blank,
    /// Something that cannot be seen, or turns what stands beside it.
    #[error(
        "it has a character that cannot be seen (U+{code:04X}): it could be taken for another name"
    )]
    Unseen {
        /// The character's number in Unicode.
        code: u32,
    },
    /// Longer than [`NAME_CHARACTERS_MAX`].
    #[error("it is longer than {NAME_CHARACTERS_MAX} characters")]
    Long,
    /// What plans by itself.
    #[error("playbooks are called so, and no person is")]
    Playbook,
}

/// The name in `text`, without the blanks around it.
///
/// # Errors
/// [`NoName`] says why it is none.
pub fn parse(text: &str) -> Result<&str, NoName> {
    if let Some(unseen) = text.chars().find(|letter| is_unseen(*letter)) {
        return Err(NoName::Unseen {
            code: u32::from(unseen),
        });
    }
    let name = text.trim();
    if !name.chars().any(char::is_alphanumeric) {
        return Err(NoName::Blank);
    }
    if name.chars().count() > NAME_CHARACTERS_MAX {
        return Err(NoName::Long);
    }
    if name.to_lowercase().starts_with("playbook:") {
        return Err(NoName::Playbook);
    }
    Ok(name)
}

/// Controls, what has no width, what turns the direction of writing, and letters that are drawn as nothing.
///
/// Source: Unicode, `Default_Ignorable_Code_Point` and the bidirectional controls of UAX 9.
fn is_unseen(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{115f}'..='\u{1160}'
                | '\u{17b4}'..='\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{2800}'
                | '\u{3164}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

#[cfg(test)]
mod tests {
    use super::{NAME_CHARACTERS_MAX, NoName, parse};

    #[test]
    fn nobody_is_no_person() {
        for text in ["", " ", "\u{a0}", "\u{3000}", "--", "''"] {
            assert_eq!(parse(text), Err(NoName::Blank), "{text:?}");
        }
        for text in [
            "kim\u{0}",
            "\n",
            "kim\r\nx",
            "\u{1b}[2Kkim",
            "\u{202e}mik",
            "\u{200b}",
            "ki\u{200d}m",
            "\u{3164}",
            "\u{2800}",
            "kim\u{e0041}",
        ] {
            assert!(
                matches!(parse(text), Err(NoName::Unseen { .. })),
                "{text:?}"
            );
        }
        let long = "k".repeat(NAME_CHARACTERS_MAX + 1);
        assert_eq!(parse(&long), Err(NoName::Long));
        assert_eq!(parse("Playbook:contain"), Err(NoName::Playbook));
    }

    #[test]
    fn people_have_names_of_every_script() {
        for text in [
            "kim",
            "Zoë O'Hara (SOC)",
            "山田",
            "k.smith@contoso.example",
            "7",
        ] {
            assert_eq!(parse(text), Ok(text));
        }
        assert_eq!(parse("  kim "), Ok("kim"));
    }
}
