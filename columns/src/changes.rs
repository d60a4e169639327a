//! What a change of the directory added and what it took away, from the values before and after. Pure.
//!
//! One operation name often stands for both directions: Entra writes a secret that was added, one that was removed and
//! one that was renamed as the same update of the application, and only the two lists of keys tell them apart.
//! Source: Microsoft Graph, resource `modifiedProperty` (values are JSON as text).

use std::borrow::Cow;
use std::collections::BTreeSet;

use schemas::tables::Side;
use serde_json::Value;

/// Most values that are listed; a membership of more than that is not told value by value.
const VALUES_MAX: usize = 1_000;

/// The values of one side of all changed properties, each as `Property=value`, in order; none if there are none.
pub(crate) fn of(target_resources: &Value, side: Side) -> Option<String> {
    let targets = target_resources.as_array()?.iter();
    let properties = targets
        .filter_map(|target| target.get("modifiedProperties")?.as_array())
        .flatten();
    let mut values = Vec::new();
    for property in properties {
        let name = property.get("displayName").and_then(Value::as_str);
        let read = |name| property.get(name).map_or_else(Vec::new, values_of);
        let (before, after) = (read("oldValue"), read("newValue"));
        let (these, others) = match side {
            Side::Added => (after, before),
            Side::Removed => (before, after),
        };
        let known: BTreeSet<&str> = others.iter().map(|value| identity(value)).collect();
        for value in these
            .iter()
            .filter(|value| !known.contains(identity(value)))
        {
            values.push(format!("{}={value}", name.unwrap_or_default()));
        }
    }
    values.truncate(VALUES_MAX);
    (!values.is_empty()).then(|| Value::from(values).to_string())
}

/// The values of a list that is written as text, or the one value.
fn values_of(value: &Value) -> Vec<String> {
    let opened = match value {
        Value::String(text) => {
            let opened = serde_json::from_str(text);
            Cow::Owned(opened.unwrap_or_else(|_| Value::from(text.trim())))
        }
        other => Cow::Borrowed(other),
    };
    let items = match opened.as_ref() {
        Value::Array(items) => items.as_slice(),
        one => std::slice::from_ref(one),
    };
    let text = |item: &Value| match item {
        Value::Null => None,
        Value::String(text) if text.trim().is_empty() => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    };
    items.iter().filter_map(text).collect()
}

/// What makes two values the same one: of a key of an application its identifier, because its name may change.
fn identity(value: &str) -> &str {
    let key = value
        .split_once("KeyIdentifier=")
        .and_then(|(_, after)| after.split([',', ']']).next());
    key.unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use schemas::tables::Side;
    use serde_json::{Value, json};

    use super::of;

    fn sides(property: &str, old: &Value, new: &Value) -> (Option<String>, Option<String>) {
        let targets = json!([{"modifiedProperties": [{"displayName": property, "oldValue": old, "newValue": new}]}]);
        (of(&targets, Side::Added), of(&targets, Side::Removed))
    }

    fn key(id: &str, name: &str) -> String {
        format!("[KeyIdentifier={id},KeyType=Password,KeyUsage=Verify,DisplayName={name}]")
    }

    #[test]
    fn a_key_is_added_if_its_identifier_is_new() {
        let list = |keys: &[String]| json!(json!(keys).to_string());
        let (one, two, renamed) = (key("1", "a"), key("2", "b"), key("1", "c"));
        let told = |keys: &[&String]| {
            let keys: Vec<String> = keys
                .iter()
                .map(|key| format!("KeyDescription={key}"))
                .collect();
            (!keys.is_empty()).then(|| json!(keys).to_string())
        };
        for (old, new, added, removed) in [
            (
                vec![one.clone()],
                vec![one.clone(), two.clone()],
                vec![&two],
                vec![],
            ),
            (vec![], vec![one.clone()], vec![&one], vec![]),
            (
                vec![one.clone(), two.clone()],
                vec![two.clone()],
                vec![],
                vec![&one],
            ),
            (vec![one.clone()], vec![two.clone()], vec![&two], vec![&one]),
            (vec![one.clone()], vec![renamed], vec![], vec![]),
        ] {
            let sides = sides("KeyDescription", &list(&old), &list(&new));
            assert_eq!(sides, (told(&added), told(&removed)), "{old:?} to {new:?}");
        }
    }

    #[test]
    fn texts_lists_and_nothing_are_read_alike() {
        let added = |old: &Value, new: &Value| sides("Role.DisplayName", old, new).0;
        let told = Some(r#"["Role.DisplayName=Global Administrator"]"#.to_owned());
        for new in [
            json!("\"Global Administrator\""),
            json!("Global Administrator"),
            json!("[\"Global Administrator\"]"),
            json!("[\r\n  \"Global Administrator\"\r\n]"),
        ] {
            for old in [json!(null), json!(""), json!("[]"), json!("\"\"")] {
                assert_eq!(added(&old, &new), told, "{old} to {new}");
            }
        }
        assert_eq!(added(&json!("1"), &json!("1")), None);
        assert_eq!(of(&json!({"modifiedProperties": 1}), Side::Added), None);
        assert_eq!(
            of(&json!([1, {"modifiedProperties": [1, {}]}]), Side::Removed),
            None
        );
    }
}
