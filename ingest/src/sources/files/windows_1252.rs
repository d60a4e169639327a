//! Windows-1252 read as UTF-8: what older tools of Windows write in western countries.

/// The text of bytes that are no UTF-8 but may be Windows-1252; none if they may not.
///
/// What holds letters of UTF-8 too is a mixture, and which letters the others are nobody knows.
pub(super) fn decode(bytes: &[u8]) -> Option<String> {
    let is_mixed = bytes.utf8_chunks().any(|chunk| !chunk.valid().is_ascii());
    if is_mixed {
        return None;
    }
    bytes.iter().map(|byte| letter(*byte)).collect()
}

fn letter(byte: u8) -> Option<char> {
    const UPPER: [char; 32] = [
        '€', '\0', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\0', 'Ž', '\0', '\0',
        '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\0', 'ž', 'Ÿ',
    ];
    match byte {
        0x80..=0x9f => Some(UPPER[usize::from(byte - 0x80)]).filter(|letter| *letter != '\0'),
        _ => Some(char::from(byte)),
    }
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn letters_of_western_countries_are_read_and_mixtures_are_not() {
        for (bytes, expected) in [
            (
                &b"Zo\xeb M\xfcller \x80 \x93x\x94"[..],
                Some("Zoë Müller € “x”"),
            ),
            (b"plain", Some("plain")),
            (b"\x81", None),
            ("Zoë \u{fe}".as_bytes(), None),
            (b"Zo\xc3\xab M\xfcller", None),
        ] {
            assert_eq!(decode(bytes).as_deref(), expected, "{bytes:?}");
        }
    }
}
