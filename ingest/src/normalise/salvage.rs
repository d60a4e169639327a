//! What is left of JSON that was cut: Excel cuts cells, copies and downloads break off. Pure.

/// The object that the whole parts of a cut text make, and how many of its bytes they are; none if nothing is whole.
///
/// All that is complete is kept at every depth: of a list that was cut, the items before the cut.
pub(super) fn salvage(text: &str) -> Option<(String, usize)> {
    let mut open: Vec<u8> = Vec::new();
    let mut whole: Option<(usize, Vec<u8>)> = None;
    let (mut in_text, mut escaped) = (false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            // No JSON text holds a raw line end.
            b'\n' if in_text => break,
            b'{' if !in_text => open.push(b'}'),
            b'[' if !in_text => open.push(b']'),
            b'}' | b']' if !in_text => {
                if open.pop() != Some(byte) {
                    break;
                }
                whole = Some((at + 1, open.clone()));
            }
            b',' if !in_text => whole = Some((at, open.clone())),
            _ => {}
        }
        if in_text {
            continue;
        }
        if open.is_empty() && at > 0 {
            break;
        }
        if open.len() > schemas::limits::JSON_DEPTH_MAX {
            return None;
        }
    }
    let (end, closing) = whole?;
    let mut left = text.get(..end)?.to_owned();
    left.extend(closing.iter().rev().map(|byte| char::from(*byte)));
    let is_object = serde_json::from_str::<serde::de::IgnoredAny>(&left).is_ok();
    (left.trim_start().starts_with('{') && is_object).then_some((left, end))
}

#[cfg(test)]
mod tests {
    use super::salvage;

    #[test]
    fn what_is_whole_is_kept_at_every_depth() {
        for (text, expected) in [
            (r#"{"a":1,"b":"cu"#, Some(r#"{"a":1}"#)),
            (r#"{"a":1,"b":"x,}]","c":"#, Some(r#"{"a":1,"b":"x,}]"}"#)),
            (
                r#"{"a":{"b":[{"c":1},{"d":2},{"e""#,
                Some(r#"{"a":{"b":[{"c":1},{"d":2}]}}"#),
            ),
            (r#"{"a":{"b":1},"#, Some(r#"{"a":{"b":1}}"#)),
            (r#"{"a":"\",","b":2,"#, Some(r#"{"a":"\",","b":2}"#)),
            (r#"{"a":"cut"#, None),
            (r#"{"a""#, None),
            ("", None),
            ("[1,2", None),
            ("{]", None),
        ] {
            let left = salvage(text).map(|(left, _)| left);
            assert_eq!(left.as_deref(), expected, "{text}");
        }
    }
}
