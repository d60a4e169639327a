//! RFC 5424 messages, and their framing by octet counting. Pure.
//!
//! `<PRI>1 TIME HOST vedette - KIND [vedette@32473 …] MSG`. The message is of RFC 5424's form `MSG-ANY`, UTF-8 without a
//! byte order mark: whoever reads CEF, LEEF or JSON from it expects their first byte. Nothing in it steers or breaks a
//! line, so that receivers which divide at line breaks divide rightly as well.
//! Source: RFC 5424, sections 6.2 to 6.4; RFC 5425, section 4.3; RFC 6587, section 3.4.1.

use schemas::severity::Severity;
use serde_json::Value;

use super::inert;
use super::mapping::{self, Line, Origin};
use crate::contract::Notice;

/// Facility "log audit".
const FACILITY: u8 = 13;

/// The structured data's id. The number is the one for examples (RFC 5612): vedette has none of its own.
const DATA_ID: &str = "vedette@32473";

/// Longest host name in a header: RFC 5424, section 6.
const HOST_BYTES_MAX: usize = 255;

/// What the structured data has, so that a receiver can route without reading the message.
const TABLE: &[Line] = &[
    ("kind", Origin::At("/kind")),
    ("id", Origin::At("/id")),
    ("version", Origin::At("/version")),
    ("tenant", Origin::At("/tenant_id")),
    ("severity", Origin::At("/severity")),
    ("state", Origin::At("/state")),
    ("label", Origin::At("/label")),
    ("user", Origin::At("/entities/user/name")),
    ("title", Origin::At("/title")),
];

/// A message of RFC 5424 with `text` as what it says; `host` is who sends it.
///
/// What `host` has beside printable ASCII is left out; without anything left it is `-`.
pub fn message(notice: &Notice, host: &str, text: &str) -> String {
    let host: String = host
        .chars()
        .filter(char::is_ascii_graphic)
        .take(HOST_BYTES_MAX)
        .collect();
    format!(
        "<{}>1 {} {} vedette - {} {} {}",
        u16::from(FACILITY) * 8 + u16::from(severity(notice.severity)),
        notice.document["time"].as_str().unwrap_or("-"),
        if host.is_empty() { "-" } else { &host },
        notice.kind.as_str(),
        structured_data(&notice.document),
        // A tab divides what LEEF says; those of its values are shown already.
        inert::visible_but(text, |character| character == '\t'),
    )
}

/// A message with its length before it, so that nothing in it can end it.
pub fn frame(message: &str) -> Vec<u8> {
    format!("{} {message}", message.len()).into_bytes()
}

fn structured_data(document: &Value) -> String {
    let mut data = format!("[{DATA_ID}");
    for (name, text) in mapping::flat(TABLE, document) {
        data.push(' ');
        data.push_str(name);
        data.push_str("=\"");
        data.push_str(&parameter(&text));
        data.push('"');
    }
    data.push(']');
    data
}

/// The value of a parameter, in which a quote would end it and a bracket the element.
pub fn parameter(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in inert::visible(text).chars() {
        if matches!(character, '"' | '\\' | ']') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

/// Syslog's severity: RFC 5424, table 2.
const fn severity(severity: Severity) -> u8 {
    match severity {
        Severity::Critical => 2,
        Severity::High => 3,
        Severity::Medium => 4,
        Severity::Low => 5,
        Severity::Informational => 6,
    }
}
