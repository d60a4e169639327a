//! The values that a raw record has at a path, every member of every list on the way counted.
//!
//! Keys match in any letter case, JSON inside a string is opened, `Parameters[ForwardTo]` selects from a
//! list of name and value pairs: the same forms as in [`schemas::path`], which takes the first member only.

use schemas::path::{self, NAME_KEYS, PathStep, open};
use serde_json::Value;

use super::predicate::Leaf;

/// Most values that one field of one record may have; more are not looked at.
const LEAVES_MAX: usize = 10_000;

/// A path, split.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct RecordPath {
    /// The whole path, which may itself be a key with periods in it.
    whole: String,
    steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Step {
    Member(String),
    Named(String),
}

impl RecordPath {
    /// Splits a path; any text is a path.
    pub(crate) fn new(path: &str) -> Self {
        let steps = path::steps(path).map(|step| match step {
            PathStep::Member(name) => Step::Member(name.to_owned()),
            PathStep::Named(name) => Step::Named(name.to_owned()),
            // A rule asks for what is in the list: nothing is called so.
            PathStep::Fold => Step::Named(String::new()),
        });
        let steps = steps.collect();
        Self {
            whole: path.to_owned(),
            steps,
        }
    }

    /// The path as it was written.
    pub(crate) fn as_text(&self) -> &str {
        &self.whole
    }

    /// The longest name on the path: a record without it has nothing there. None if the path has no name.
    pub(crate) fn longest_name(&self) -> Option<&str> {
        let names = self.steps.iter().filter_map(|step| match step {
            Step::Named(name) => Some(name),
            Step::Member(name) => name.parse::<usize>().is_err().then_some(name),
        });
        names
            .max_by_key(|name| name.len())
            .map(String::as_str)
            .filter(|name| !name.is_empty())
    }

    /// Calls `found` with each value at the path; JSON null is no value.
    pub(crate) fn visit(&self, record: &Value, found: &mut dyn FnMut(&Value)) {
        if self.steps.len() > 1
            && let Some(value) = record
                .as_object()
                .and_then(|members| members.get(&self.whole))
        {
            return members_of(value, found);
        }
        descend(record, &self.steps, found);
    }
}

fn descend(value: &Value, steps: &[Step], found: &mut dyn FnMut(&Value)) {
    let Some((step, rest)) = steps.split_first() else {
        return members_of(value, found);
    };
    if let Value::String(text) = value {
        if let Some(opened) = open(text) {
            descend(&opened, steps, found);
        }
        return;
    }
    match (step, value) {
        (Step::Member(name) | Step::Named(name), Value::Object(members)) => {
            if let Some(value) = member(members, name) {
                descend(value, rest, found);
            } else {
                dotted(members, name, rest, found);
            }
        }
        (Step::Member(name), Value::Array(items)) => match name.parse::<usize>() {
            Ok(position) => {
                if let Some(item) = items.get(position) {
                    descend(item, rest, found);
                }
            }
            Err(_) => items.iter().for_each(|item| descend(item, steps, found)),
        },
        (Step::Named(name), Value::Array(items)) => {
            for item in items.iter().filter(|item| is_named(item, name)) {
                let value = match item {
                    Value::Object(members) => member(members, "Value").unwrap_or(item),
                    other => other,
                };
                descend(value, rest, found);
            }
        }
        _ => {}
    }
}

/// Follows a key that has periods in it, such as `"a.b"`, where a path takes two steps.
fn dotted(
    members: &serde_json::Map<String, Value>,
    name: &str,
    rest: &[Step],
    found: &mut dyn FnMut(&Value),
) {
    let mut key = name.to_owned();
    for (taken, step) in rest.iter().enumerate() {
        let Step::Member(next) = step else { return };
        key = format!("{key}.{next}");
        if let Some(value) = member(members, &key) {
            return descend(value, &rest[taken + 1..], found);
        }
    }
}

fn members_of(value: &Value, found: &mut dyn FnMut(&Value)) {
    match value {
        Value::Null => {}
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                members_of(item, found);
            }
        }
        // `"\"Global Administrator\""` and `"[\"User.Read\"]"`: Entra writes new and old values as JSON text.
        Value::String(text) if text.starts_with(['"', '[']) => {
            found(value);
            if let Ok(inner) = serde_json::from_str::<Value>(text) {
                members_of(&inner, found);
            }
        }
        other => found(other),
    }
}

fn member<'a>(members: &'a serde_json::Map<String, Value>, name: &str) -> Option<&'a Value> {
    members.get(name).or_else(|| {
        members
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    })
}

fn is_named(item: &Value, name: &str) -> bool {
    item.as_object().is_some_and(|members| {
        NAME_KEYS.iter().any(|key| {
            member(members, key)
                .and_then(Value::as_str)
                .is_some_and(|found| found.eq_ignore_ascii_case(name))
        })
    })
}

/// Values of a field, kept apart from the record that they were found in.
#[derive(Debug, Default)]
pub(crate) struct Leaves {
    values: Vec<Owned>,
}

#[derive(Debug)]
enum Owned {
    Text(String),
    Integer(i64),
    Number(f64),
    Boolean(bool),
}

impl Leaves {
    /// The values at the first of `paths` that has one.
    pub(crate) fn find(record: &Value, paths: &[RecordPath]) -> Self {
        let mut leaves = Self::default();
        for path in paths {
            path.visit(record, &mut |value| leaves.push(value));
            if !leaves.values.is_empty() {
                break;
            }
        }
        leaves
    }

    /// The values of a column that holds JSON: the text, and the members of a list.
    pub(crate) fn of_json(text: &str) -> Self {
        let mut leaves = Self::of_text(text);
        if text.starts_with('[')
            && let Ok(list) = serde_json::from_str::<Value>(text)
        {
            members_of(&list, &mut |value| leaves.push(value));
        }
        leaves
    }

    /// A text as the one value.
    pub(crate) fn of_text(text: &str) -> Self {
        Self {
            values: vec![Owned::Text(text.to_owned())],
        }
    }

    fn push(&mut self, value: &Value) {
        if self.values.len() >= LEAVES_MAX {
            return;
        }
        self.values.push(match value {
            Value::String(text) => Owned::Text(text.clone()),
            Value::Bool(value) => Owned::Boolean(*value),
            Value::Number(number) => number.as_i64().map_or_else(
                || Owned::Number(number.as_f64().unwrap_or(f64::NAN)),
                Owned::Integer,
            ),
            // A whole object stays searchable as text.
            other => Owned::Text(other.to_string()),
        });
    }

    /// The values, as predicates take them.
    pub(crate) fn as_leaves(&self) -> Vec<Leaf<'_>> {
        self.values
            .iter()
            .map(|value| match value {
                Owned::Text(text) => Leaf::Text(text),
                Owned::Integer(number) => Leaf::Integer(*number),
                Owned::Number(number) => Leaf::Number(*number),
                Owned::Boolean(value) => Leaf::Boolean(*value),
            })
            .collect()
    }
}

/// Calls `found` with every key and scalar of a record, strings unescaped.
pub(crate) fn visit_texts(value: &Value, found: &mut dyn FnMut(&str)) {
    match value {
        Value::Null => {}
        Value::String(text) => found(text),
        Value::Bool(_) | Value::Number(_) => found(&value.to_string()),
        Value::Array(items) => items.iter().for_each(|item| visit_texts(item, found)),
        Value::Object(members) => {
            for (key, value) in members {
                found(key);
                visit_texts(value, found);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Leaves, RecordPath};
    use serde_json::{Value, json};

    #[track_caller]
    fn check(record: &Value, path: &str, expected: &[&str]) {
        let leaves = Leaves::find(record, &[RecordPath::new(path)]);
        let found: Vec<String> = leaves
            .as_leaves()
            .iter()
            .map(|leaf| leaf.text().into_owned())
            .collect();
        assert_eq!(found, expected, "{path}");
    }

    #[test]
    fn counts_every_member_of_every_list() {
        let record = json!({"targetResources": [
            {"type": "User", "modifiedProperties": [{"displayName": "A", "newValue": "1"}, {"displayName": "B", "newValue": "2"}]},
            {"type": "Group"}]});
        check(&record, "TargetResources.type", &["User", "Group"]);
        check(
            &record,
            "targetResources.modifiedProperties.newValue",
            &["1", "2"],
        );
        check(&record, "targetResources.0.type", &["User"]);
        check(
            &record,
            "targetResources.modifiedProperties[b].newValue",
            &["2"],
        );
    }

    #[test]
    fn takes_flat_keys_opens_json_and_skips_null() {
        check(&json!({"a.b": 1, "a": {"b": 2}}), "a.b", &["1"]);
        check(&json!({"a": {"B.c": {"d": 3}}}), "a.b.c.d", &["3"]);
        check(&json!({"Data": "{\"x\":[true,null]}"}), "data.x", &["true"]);
        check(
            &json!({"Parameters": [{"Name": "ForwardTo", "Value": "x@y.example"}]}),
            "Parameters[ForwardTo]",
            &["x@y.example"],
        );
        check(&json!({"a": null}), "a", &[]);
        check(&json!({"a": {"b": 1}}), "a", &["{\"b\":1}"]);
        check(
            &json!({"newValue": "\"Global\""}),
            "newValue",
            &["\"Global\"", "Global"],
        );
        check(&json!([1]), "a", &[]);
    }
}
