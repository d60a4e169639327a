//! Records that travel inside another: the audit search's export and Splunk's envelope. Pure.

use schemas::path::find;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// What is inside.
pub(super) enum Unwrapped {
    /// Nothing: it is the record itself.
    Itself,
    /// A record's bytes.
    Inner(Vec<u8>),
}

/// Finds the record inside an export's row.
///
/// `AuditData` holds a unified audit record as text (the audit search's CSV and PowerShell's JSON) or as an
/// object (Graph's audit log query); `event` beside `sourcetype` holds one in Splunk's exports.
pub(super) fn unwrap(record: &Value, raw: &[u8]) -> Unwrapped {
    if let Some(data) = find(record, "AuditData") {
        match data.as_ref() {
            Value::String(text) if text.trim_start().starts_with('{') => {
                return Unwrapped::Inner(text.clone().into_bytes());
            }
            Value::Object(_) => return inner(raw, |rows| rows.audit_data),
            _ => {}
        }
    }
    let is_splunk =
        record.get("sourcetype").is_some() && record.get("event").is_some_and(Value::is_object);
    if is_splunk {
        return inner(raw, |rows| rows.event);
    }
    Unwrapped::Itself
}

/// The members that hold a record, as bytes.
#[derive(Deserialize)]
struct Rows<'a> {
    #[serde(borrow, default, alias = "AuditData", rename = "auditData")]
    audit_data: Option<&'a RawValue>,
    #[serde(borrow, default)]
    event: Option<&'a RawValue>,
}

fn inner<'a>(raw: &'a [u8], pick: impl Fn(Rows<'a>) -> Option<&'a RawValue>) -> Unwrapped {
    // A name in another letter case, or twice, is left where it is: the whole row is kept.
    serde_json::from_slice::<Rows<'a>>(raw)
        .ok()
        .and_then(pick)
        .map_or(Unwrapped::Itself, |value| {
            Unwrapped::Inner(value.get().as_bytes().to_vec())
        })
}
