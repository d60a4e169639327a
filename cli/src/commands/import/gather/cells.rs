//! Rows of the lake as lines of a report. Pure.

use datafusion::arrow::record_batch::RecordBatch;
use report::{EntityKind, EventLine, Sighting};
use schemas::tables::Table;
use serde_json::Value;
use sigma::plan::fields;

use super::queries::{ACCOUNT, OPERATION, TELLING};

/// Most fields that are taken of one event; the page shows fewer and counts the others.
const DETAILS_MAX: usize = 100;

/// Name of the field that the page lists as an application; it comes first.
const APPLICATION: &str = "application";

/// A value longer than this tells less at a glance than a short one: it comes later.
const SHORT_BYTES_MAX: usize = 160;

/// Something of each row.
pub(super) fn rows<T>(batches: &[RecordBatch], read: impl Fn(&RecordBatch, usize) -> T) -> Vec<T> {
    let rows = batches
        .iter()
        .flat_map(|batch| (0..batch.num_rows()).map(move |row| (batch, row)));
    rows.map(|(batch, row)| read(batch, row)).collect()
}

/// A cell as text, empty if it is null.
pub(super) fn text(batch: &RecordBatch, name: &str, row: usize) -> String {
    fields::text(batch, name, row).unwrap_or_default()
}

/// A cell as a count.
pub(super) fn number(batch: &RecordBatch, name: &str, row: usize) -> u64 {
    text(batch, name, row).parse().unwrap_or_default()
}

/// A cell as a time.
pub(super) fn time(batch: &RecordBatch, name: &str, row: usize) -> Option<i64> {
    fields::time(batch, name, row)
}

/// How often an entity appears in a table.
pub(super) fn sighting(kind: EntityKind, batch: &RecordBatch, row: usize) -> Sighting {
    Sighting {
        kind,
        value: text(batch, "value", row),
        records: number(batch, "records", row),
        first_us: time(batch, "first_time", row),
        last_us: time(batch, "last_time", row),
    }
}

/// An event with the fields that tell something.
pub(super) fn event(table: Table, batch: &RecordBatch, row: usize) -> EventLine {
    let cell = |name: &str| text(batch, name, row);
    let first = |names: &[&str]| {
        let values = names.iter().map(|name| cell(name));
        values
            .into_iter()
            .find(|value| !value.is_empty())
            .unwrap_or_default()
    };
    let operation = first(OPERATION);
    let called = |name: &'static str| match name {
        "target" => target_name(&operation),
        name => name,
    };
    let details = details(TELLING.iter().map(|name| (called(name), cell(name))));
    EventLine {
        table: table.name().to_owned(),
        event_id: cell("event_id"),
        time_us: time(batch, "event_time", row),
        operation,
        user: first(ACCOUNT),
        ip: cell("ip_address"),
        details,
        ..EventLine::default()
    }
}

/// What an operation of the directory is done to.
fn target_name(operation: &str) -> &'static str {
    let operation = operation.to_lowercase();
    let is_application = ["application", "service principal"]
        .iter()
        .any(|word| operation.contains(word));
    // The target of a role assignment is what it opens, not who may open it.
    if is_application && !operation.contains("role assignment") {
        APPLICATION
    } else {
        "target"
    }
}

/// Names and values, the parts of an object one by one; a yes or no and a long text tell less than a name.
fn details<'a>(cells: impl Iterator<Item = (&'a str, String)>) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = Vec::new();
    for (name, value) in cells {
        match serde_json::from_str(&value) {
            Ok(Value::Object(parts)) => {
                all.extend(parts.iter().map(|(name, part)| (name.clone(), word(part))));
            }
            Ok(Value::Array(parts)) => {
                // Of what the audit log says of a target, type 1 is its name.
                let names: Vec<&Value> = parts.iter().filter(|part| part["Type"] == 1).collect();
                let shown = if names.is_empty() {
                    parts.iter().collect()
                } else {
                    names
                };
                let words: Vec<String> = shown.into_iter().map(word).collect();
                all.push((name.to_owned(), words.join(", ")));
            }
            _ => all.push((name.to_owned(), value)),
        }
    }
    all.retain(|(_, value)| !matches!(value.as_str(), "" | "null" | "[]" | "{}"));
    all.sort_by_key(|(name, value)| {
        let is_switch = value.eq_ignore_ascii_case("true") || value.eq_ignore_ascii_case("false");
        let is_long = value.len() > SHORT_BYTES_MAX;
        (is_switch, is_long, name != APPLICATION)
    });
    all.truncate(DETAILS_MAX);
    all
}

/// A value for a person: a change as `old → new`, a target of the audit log by its name.
fn word(value: &Value) -> String {
    let part = |names: &[&str]| {
        let found = names.iter().find_map(|name| value.get(name));
        found.map(word)
    };
    match value {
        Value::String(text) => text.clone(),
        Value::Object(_) => {
            let old = part(&["oldValue", "OldValue"]).unwrap_or_default();
            if let Some(new) = part(&["newValue", "NewValue"]) {
                return match old.as_str() {
                    "" | "[]" | "null" => new,
                    old => format!("{old} → {new}"),
                };
            }
            part(&["ID"]).unwrap_or_else(|| value.to_string())
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::{details, target_name};

    fn of(cells: &[(&str, &str)]) -> Vec<(String, String)> {
        let owned = cells
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()));
        details(owned)
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn what_is_done_to_an_application_names_an_application() {
        assert_eq!(target_name("Consent to application."), "application");
        assert_eq!(target_name("Add service principal."), "application");
        assert_eq!(target_name("Update user."), "target");
        let permission = "Add app role assignment to service principal.";
        assert_eq!(target_name(permission), "target");
        let found = of(&[("object_id", "7f"), ("application", "Mail sorter")]);
        assert_eq!(found[0], pair("application", "Mail sorter"));
    }

    #[test]
    fn objects_are_taken_apart_and_names_come_before_yes_and_no() {
        let found = of(&[
            (
                "parameters",
                r#"{"Enabled":"True","ForwardTo":"x@mail.example","Empty":""}"#,
            ),
            (
                "modified_properties",
                r#"{"Role":{"oldValue":"[]","newValue":"Owner"},"Level":{"oldValue":"1","newValue":"2"}}"#,
            ),
            (
                "target",
                r#"[{"ID":"Mail sorter","Type":1},{"ID":"7f","Type":2}]"#,
            ),
            ("object_id", "{not json"),
            ("session_id", ""),
        ]);
        assert_eq!(
            found,
            [
                pair("ForwardTo", "x@mail.example"),
                pair("Level", "1 → 2"),
                pair("Role", "Owner"),
                pair("target", "Mail sorter"),
                pair("object_id", "{not json"),
                pair("Enabled", "True"),
            ]
        );
    }
}
