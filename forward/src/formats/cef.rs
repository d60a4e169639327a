//! CEF 0, on one line: `CEF:0|vendor|product|version|class|name|severity|key=value key=value`. Pure.
//!
//! Escaped: in the header `|` and `\`; in values `=`, `\`, and line breaks as `\n` and `\r`. CEF has no escape for other
//! characters that steer, so they are shown ([`super::inert`]).
//! Source: Micro Focus ArcSight Common Event Format, Implementation Standard, version 25 (2017).

use serde_json::Value;

use super::inert;
use super::made;
use super::mapping::{self, Line, Origin};
use crate::contract::Notice;

/// What stands for us in the header, as vendor and as product.
const PRODUCT: &str = "vedette";

/// Where the keys of an extension come from; keys as the standard's dictionary has them.
const TABLE: &[Line] = &[
    ("rt", Origin::Made("/time", made::milliseconds)),
    ("externalId", Origin::At("/id")),
    ("cat", Origin::At("/category")),
    ("cat", Origin::At("/kind")),
    (
        "start",
        Origin::Made("/first_event_time", made::milliseconds),
    ),
    ("end", Origin::Made("/last_event_time", made::milliseconds)),
    ("cnt", Origin::At("/event_count")),
    ("cnt", Origin::At("/alert_count")),
    ("act", Origin::At("/action")),
    ("outcome", Origin::At("/outcome")),
    ("duser", Origin::Made("", target_name)),
    ("duid", Origin::Made("", target_id)),
    ("suser", Origin::Made("", account_name)),
    ("suid", Origin::Made("", account_id)),
    ("src", Origin::Made("/entities/ip/address", made::ipv4)),
    ("c6a2", Origin::Made("/entities/ip/address", made::ipv6)),
    (
        "c6a2Label",
        Origin::Made("/entities/ip/address", ipv6_label),
    ),
    ("request", Origin::At("/links/0/url")),
    ("msg", Origin::At("/description")),
    ("msg", Origin::At("/why")),
    ("msg", Origin::At("/detail")),
    ("reason", Origin::At("/severity_reason")),
    ("cs1", Origin::At("/techniques")),
    (
        "cs1Label",
        Origin::Made("/techniques", |value| label(value, "ATT&CK techniques")),
    ),
    ("cs2", Origin::At("/entities/session/id")),
    (
        "cs2Label",
        Origin::Made("/entities/session/id", |value| label(value, "Session")),
    ),
    ("cs3", Origin::At("/tenant_id")),
    (
        "cs3Label",
        Origin::Made("/tenant_id", |value| label(value, "Tenant")),
    ),
    ("cs4", Origin::Made("/check_first", made::steps)),
    (
        "cs4Label",
        Origin::Made("/check_first", |value| label(value, "Check first")),
    ),
    ("cs5", Origin::Made("/blind_spots", made::steps)),
    (
        "cs5Label",
        Origin::Made("/blind_spots", |value| label(value, "Blind spots")),
    ),
    ("cs6", Origin::At("/version")),
    (
        "cs6Label",
        Origin::Made("/version", |value| label(value, "Version")),
    ),
    ("flexString1", Origin::At("/evidence")),
    ("flexString1", Origin::At("/alert_ids")),
    ("flexString1", Origin::At("/range")),
    (
        "flexString1Label",
        Origin::Made("/evidence", |value| label(value, "Evidence")),
    ),
    (
        "flexString1Label",
        Origin::Made("/alert_ids", |value| label(value, "Alerts")),
    ),
    (
        "flexString1Label",
        Origin::Made("/range", |value| label(value, "Range")),
    ),
    ("flexString2", Origin::At("/state")),
    (
        "flexString2Label",
        Origin::Made("/state", |value| label(value, "State")),
    ),
];

/// The notice as CEF, without a line break at its end.
pub fn line(notice: &Notice) -> String {
    let document = &notice.document;
    let word = |name: &str| document[name].as_str().unwrap_or_default();
    let class = Some(word("label")).filter(|label| !label.is_empty());
    let severity = made::severity_of_ten(&document["severity"]).unwrap_or_else(|| 5.into());
    let header = [
        PRODUCT,
        PRODUCT,
        env!("CARGO_PKG_VERSION"),
        class.unwrap_or(notice.kind.as_str()),
        word("title"),
        &severity.to_string(),
    ];
    let extension: Vec<String> = mapping::flat(TABLE, document)
        .into_iter()
        .map(|(key, text)| format!("{key}={}", value(&text)))
        .collect();
    let header = header.map(self::header).join("|");
    format!("CEF:0|{header}|{}", extension.join(" "))
}

/// A field of the header, in which a pipe would begin the next one.
pub fn header(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in inert::visible(text).chars() {
        if matches!(character, '|' | '\\') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

/// A value of the extension, in which an equals sign would begin the next one.
pub fn value(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let shown = inert::visible_but(text, |character| matches!(character, '\n' | '\r'));
    for character in shown.chars() {
        match character {
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '=' | '\\' => escaped.extend(['\\', character]),
            _ => escaped.push(character),
        }
    }
    escaped
}

/// What a custom field holds, where it holds something.
fn label(value: &Value, label: &str) -> Option<Value> {
    let is_empty = value.as_str() == Some("") || value.as_array().is_some_and(Vec::is_empty);
    (!is_empty).then(|| label.into())
}

fn ipv6_label(value: &Value) -> Option<Value> {
    made::ipv6(value).map(|_| "Source IPv6 Address".into())
}

/// An action has its account as target; everything else is about what the account did.
fn user(document: &Value, as_target: bool, member: &str) -> Option<Value> {
    let is_action = document["kind"] == "action";
    let found = document.pointer("/entities/user")?.get(member)?;
    (is_action == as_target).then(|| found.clone())
}

fn target_name(document: &Value) -> Option<Value> {
    user(document, true, "name")
}

fn target_id(document: &Value) -> Option<Value> {
    user(document, true, "id")
}

fn account_name(document: &Value) -> Option<Value> {
    user(document, false, "name")
}

fn account_id(document: &Value) -> Option<Value> {
    user(document, false, "id")
}
