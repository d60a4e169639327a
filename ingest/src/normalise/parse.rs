//! The bytes of a record as a tree, within bounds. Pure.

use schemas::dead_letter::Reason;
use schemas::limits::{JSON_DEPTH_MAX, RECORD_BYTES_MAX};
use serde_json::Value;

/// Reads the bytes of a record, or says why they are none.
pub(super) fn read(raw: &[u8]) -> Result<Value, (Reason, String)> {
    if raw.len() > RECORD_BYTES_MAX {
        let detail = format!("{} bytes, limit is {RECORD_BYTES_MAX}", raw.len());
        return Err((Reason::TooLarge, detail));
    }
    let depth = depth_of(raw);
    if depth > JSON_DEPTH_MAX {
        let detail = format!("{depth} levels, limit is {JSON_DEPTH_MAX}");
        return Err((Reason::TooDeep, detail));
    }
    let Ok(text) = std::str::from_utf8(raw) else {
        return Err((Reason::NotUtf8, String::new()));
    };
    match serde_json::from_str::<Value>(text) {
        Ok(record) if record.is_object() => Ok(record),
        Ok(_) => Err((Reason::NotARecord, String::new())),
        // The message holds a place and an expectation, never the record's own text.
        Err(error) => Err((Reason::NotJson, error.to_string())),
    }
}

/// The deepest nesting of brackets outside texts.
fn depth_of(raw: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0_usize);
    let (mut in_text, mut escaped) = (false, false);
    for byte in raw {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_text,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}
