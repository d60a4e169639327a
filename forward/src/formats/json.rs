//! JSON on one line, in which no character steers: what does is written `\u202e`, and reads back as it was.
//!
//! Source: RFC 8259, section 7: any character may be escaped.

use std::io;

use serde_json::Value;
use serde_json::ser::Formatter;

use super::inert;

/// The value as JSON on one line, without a line break at its end.
pub fn line(value: &Value) -> String {
    let mut bytes = Vec::with_capacity(1024);
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, InertFormatter);
    match serde::Serialize::serialize(value, &mut serializer) {
        // Both always hold: the formatter writes UTF-8 into memory.
        Ok(()) => String::from_utf8(bytes).unwrap_or_default(),
        Err(_) => value.to_string(),
    }
}

/// Compact JSON with every steering character escaped.
struct InertFormatter;

impl Formatter for InertFormatter {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(inert::is_steering) {
            let (before, after) = rest.split_at(at);
            writer.write_all(before.as_bytes())?;
            let mut characters = after.chars();
            if let Some(character) = characters.next() {
                let mut units = [0; 2];
                for unit in character.encode_utf16(&mut units) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            }
            rest = characters.as_str();
        }
        writer.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::line;

    #[test]
    fn nothing_steers_and_everything_reads_back() {
        let value = json!({"a\u{202e}": ["\u{e0041}\u{7f}\n\u{2028}", "ü👩‍💻", 1.5, null]});
        let text = line(&value);
        assert!(text.is_ascii() || !text.contains('\u{202e}'));
        assert!(text.contains("\\u202e") && text.contains("\\udb40\\udc41\\u007f\\n\\u2028"));
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&text).unwrap(),
            value
        );
    }
}
