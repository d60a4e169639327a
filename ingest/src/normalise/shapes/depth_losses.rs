//! PowerShell's `ConvertTo-Json` without `-Depth`: what lies deeper than two levels is text like `@{errorCode=0; x=y}`.
//! Sample: `depth_losses.sample.json`.
//!
//! What the text still says is read; of a list or an object that became the name of its type nothing is left.

use serde_json::{Map, Value};

use crate::normalise::shape::{Place, Shape};

pub(super) const SHAPE: Shape = Shape {
    name: "PowerShell's objects as text",
    known_by: &[
        "createdDateTime|activityDateTime|CreationTime|TimeGenerated|eventTimestamp|detectedDateTime",
    ],
    record: Place::Changed(|record| holds_one(record).then(|| open(record))),
    whole: &[],
    says: &[],
    is_kept: false,
};

/// True if an object stands in it as text, at any depth.
fn holds_one(value: &Value) -> bool {
    match value {
        Value::Object(members) => members.values().any(holds_one),
        Value::Array(items) => items.iter().any(holds_one),
        Value::String(text) => object_of(text).is_some(),
        _ => false,
    }
}

fn open(value: &Value) -> Value {
    match value {
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (name.clone(), open(value)))
            .collect(),
        Value::Array(items) => items.iter().map(open).collect(),
        Value::String(text) => object_of(text).unwrap_or_else(|| value.clone()),
        other => other.clone(),
    }
}

/// The object that `@{a=1; b=c}` was; none if it is another text.
fn object_of(text: &str) -> Option<Value> {
    let inside = text.strip_prefix("@{")?.strip_suffix('}')?;
    let mut members = Map::new();
    let mut last: Option<String> = None;
    for part in inside.split("; ") {
        let named = part.split_once('=').filter(|(name, _)| is_name(name));
        match (named, &last) {
            (Some((name, value)), _) => {
                members.insert(name.to_owned(), value.into());
                last = Some(name.to_owned());
            }
            // A value with a semicolon in it.
            (None, Some(name)) => {
                if let Some(Value::String(value)) = members.get_mut(name) {
                    value.push_str("; ");
                    value.push_str(part);
                }
            }
            (None, None) => return None,
        }
    }
    (!members.is_empty()).then_some(Value::Object(members))
}

fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_@.".contains(&byte))
}
