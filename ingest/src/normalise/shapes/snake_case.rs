//! Exports whose names were written in snake case: databases, data frames, other products.
//! Sample: `snake_case.sample.ndjson`.

use serde_json::{Map, Value};

use crate::normalise::shape::{Place, Shape};

pub(super) const SHAPE: Shape = Shape {
    name: "names in snake case",
    known_by: &[
        "created_date_time|creation_time|activity_date_time|created_datetime|activity_datetime|time_generated|event_timestamp|detected_date_time",
    ],
    record: Place::Changed(|record| Some(camel(record))),
    whole: &[],
    says: &[],
    is_kept: false,
};

/// The same with names as Microsoft writes them, at every depth; names that begin with a sign stay.
pub(super) fn camel(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut changed = Map::new();
            for (name, value) in members {
                changed.entry(name_of(name)).or_insert_with(|| camel(value));
            }
            Value::Object(changed)
        }
        Value::Array(items) => Value::Array(items.iter().map(camel).collect()),
        other => other.clone(),
    }
}

fn name_of(name: &str) -> String {
    match name {
        "created_at" | "created_datetime" => return "createdDateTime".to_owned(),
        "activity_datetime" => return "activityDateTime".to_owned(),
        "risk_event_types_v2" => return "riskEventTypes_v2".to_owned(),
        _ => {}
    }
    let is_snake = name.contains('_')
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name
            .bytes()
            .all(|byte| byte == b'_' || byte.is_ascii_lowercase() || byte.is_ascii_digit());
    if !is_snake {
        return name.to_owned();
    }
    let mut parts = name.split('_').filter(|part| !part.is_empty());
    let mut changed = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (first, rest) = part.split_at(1);
        changed.push_str(&first.to_ascii_uppercase());
        changed.push_str(rest);
    }
    changed
}
