//! How bytes are cut into records: told from their beginning, never from a name. Pure.

/// How a text holds its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// One JSON document on each line.
    Lines,
    /// One or several JSON documents, over lines as they like.
    Document,
    /// Not JSON.
    Other,
}

/// Bytes from the beginning that suffice to tell the layout, and at most are looked at.
pub(crate) const LAYOUT_BYTES_MAX: usize = 256 * 1024;

/// The byte order mark that some tools write before UTF-8.
pub(crate) const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Tells the layout from the first [`LAYOUT_BYTES_MAX`] bytes.
pub(crate) fn layout_of(start: &[u8]) -> Layout {
    let start = start.strip_prefix(BYTE_ORDER_MARK).unwrap_or(start);
    let start = &start[..start.len().min(LAYOUT_BYTES_MAX)];
    let mut lines = start
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::trim_ascii)
        .filter(|line| !line.is_empty());
    let Some(first) = lines.next() else {
        return Layout::Document;
    };
    let mut next = lines.next();
    if !begins_document(first) {
        // Rubbish above records, for example a log line.
        return if next.into_iter().chain(lines).any(begins_document) {
            Layout::Lines
        } else {
            Layout::Other
        };
    }
    let ended = scan_line(first);
    match (ended, next.take()) {
        // The first line is cut inside a text or after a whole member, and the next begins anew.
        (Ended::InText, Some(_)) => Layout::Lines,
        (Ended::Whole, Some(second)) if begins_document(second) => Layout::Lines,
        (Ended::Open { last }, Some(second))
            if second.starts_with(b"{") && !b"[,:".contains(&last) =>
        {
            Layout::Lines
        }
        _ => Layout::Document,
    }
}

fn begins_document(line: &[u8]) -> bool {
    matches!(line.first(), Some(b'{' | b'['))
}

enum Ended {
    /// All brackets are closed.
    Whole,
    /// Inside a text.
    InText,
    /// Brackets are open.
    Open { last: u8 },
}

fn scan_line(line: &[u8]) -> Ended {
    let mut depth = 0_usize;
    let mut in_text = false;
    let mut escaped = false;
    for byte in line {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => depth += 1,
            b'}' | b']' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    if in_text {
        Ended::InText
    } else if depth == 0 {
        Ended::Whole
    } else {
        Ended::Open {
            last: line.last().copied().unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Layout, layout_of};

    #[test]
    fn the_beginning_tells_the_layout() {
        for (text, expected) in [
            ("{\"a\":1}\n{\"a\":2}\n", Layout::Lines),
            ("\u{feff}{\"a\":1}\r\n{\"a\":2}", Layout::Lines),
            ("{\"a\":\"cut\n{\"a\":2}", Layout::Lines),
            ("{\"a\":{\"b\":1}\n{\"a\":2}", Layout::Lines),
            ("no json\n{\"a\":2}", Layout::Lines),
            ("[{\"a\":1}]\n[{\"a\":2}]", Layout::Lines),
            ("{\"a\":1}", Layout::Document),
            ("{\"a\":1}\n", Layout::Document),
            ("{\n \"a\": 1\n}", Layout::Document),
            ("[\n{\"a\":1},\n{\"a\":2}]", Layout::Document),
            ("{\"records\":[{\"a\":1},\n{\"a\":2}]}", Layout::Document),
            ("", Layout::Document),
            ("<html>", Layout::Other),
            ("\u{1f}\u{8b}", Layout::Other),
            ("CreationDate,UserIds\n1,2", Layout::Other),
        ] {
            assert_eq!(layout_of(text.as_bytes()), expected, "{text:?}");
        }
    }
}
