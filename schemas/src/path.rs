//! How a column finds its value in a record.
//!
//! A path is written as in `properties.status.errorCode`; a number selects an item of a list
//! (`targetResources.0.displayName`), and brackets select from a list of name and value pairs
//! (`Parameters[ForwardTo]`, `ModifiedProperties[Role.DisplayName].NewValue`).
//! `Parameters[]` is the whole list folded to an object by name; `location?` counts only where it says something.
//! Keys match in any letter case, because Microsoft's casing varies between feeds, and JSON that
//! stands inside a string is opened on the way.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::ip;
use crate::tables::Kind;

/// The value at `path`, or none; a JSON null counts as none.
pub fn find<'a>(record: &'a Value, path: &str) -> Option<Cow<'a, Value>> {
    let mut at = Cow::Borrowed(record);
    for step in steps(path) {
        at = match at {
            Cow::Borrowed(value) => descend(value, step)?,
            Cow::Owned(value) => Cow::Owned(descend(&value, step)?.into_owned()),
        };
    }
    (!at.is_null()).then_some(at)
}

/// The value at the first of `paths` that has one.
pub fn find_first<'a>(record: &'a Value, paths: &[&str]) -> Option<Cow<'a, Value>> {
    paths.iter().find_map(|path| find(record, path))
}

/// What a column holds of a record: the value at the first of its paths that has a usable one, else the first that has
/// any; a path that ends in `?` counts only if it leads to a usable text or number.
///
/// An empty text and a word for nothing are not usable, and of an address what is none.
pub fn find_usable<'a>(record: &'a Value, paths: &[&str], kind: Kind) -> Option<Cow<'a, Value>> {
    let mut first = None;
    for path in paths {
        let (path, is_last_resort) = last_resort(path);
        let Some(value) = find(record, path) else {
            continue;
        };
        if is_usable(&value, kind) && !(is_last_resort && (value.is_object() || value.is_array())) {
            return Some(value);
        }
        if first.is_none() && !is_last_resort {
            first = Some(value);
        }
    }
    first
}

/// A path without the `?` that may stand at its end, and whether it does.
pub fn last_resort(path: &str) -> (&str, bool) {
    path.strip_suffix('?')
        .map_or((path, false), |path| (path, true))
}

/// True if a value says something that a column of this kind can hold.
pub fn is_usable(value: &Value, kind: Kind) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => is_usable_text(text, kind),
        _ => true,
    }
}

/// As [`is_usable`], of a text.
pub fn is_usable_text(text: &str, kind: Kind) -> bool {
    match kind {
        Kind::Ip => ip::is_address(text),
        _ => !ip::is_nothing(text),
    }
}

/// The text of a value: a string as it is, a scalar as JSON writes it, a list or object as JSON text.
pub fn text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(Cow::Borrowed(text)),
        other => Some(Cow::Owned(other.to_string())),
    }
}

/// One step of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathStep<'a> {
    /// To the member of this name, or to the item of this number.
    Member(&'a str),
    /// In brackets: to what the pair of this name holds.
    Named(&'a str),
    /// Empty brackets: to the whole list, folded to an object by name.
    Fold,
}

/// The steps of a path, in order; any text is a path.
pub fn steps(path: &str) -> impl Iterator<Item = PathStep<'_>> {
    let mut rest = path;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (step, after) = if let Some(inside) = rest.strip_prefix('[') {
            let (name, after) = inside.split_once(']').unwrap_or((inside, ""));
            let step = match name {
                "" => PathStep::Fold,
                name => PathStep::Named(name),
            };
            (step, after)
        } else {
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            let (name, after) = rest.split_at(end);
            (PathStep::Member(name), after)
        };
        rest = after.strip_prefix('.').unwrap_or(after);
        Some(step)
    })
}

fn descend<'a>(value: &'a Value, step: PathStep<'_>) -> Option<Cow<'a, Value>> {
    if let Value::String(text) = value {
        let opened = open(text)?;
        return Some(Cow::Owned(descend(&opened, step)?.into_owned()));
    }
    match step {
        PathStep::Member(name) => member(value, name).map(Cow::Borrowed),
        PathStep::Named(name) => named(value, name),
        PathStep::Fold => fold(value).map(Cow::Owned),
    }
}

/// JSON that stands inside a string, if it is an object or a list.
pub fn open(text: &str) -> Option<Value> {
    let start = text.trim_start();
    if !start.starts_with(['{', '[']) {
        return None;
    }
    serde_json::from_str(start).ok()
}

fn member<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    match value {
        Value::Object(members) => members.get(name).or_else(|| {
            members
                .iter()
                .find(|(key, _)| key.eq_ignore_ascii_case(name))
                .map(|(_, value)| value)
        }),
        Value::Array(items) => items.get(name.parse::<usize>().ok()?),
        _ => None,
    }
}

/// The keys under which Microsoft writes the name in lists of pairs of name and value.
pub const NAME_KEYS: &[&str] = &["Name", "displayName", "key"];

fn name_of(item: &Value) -> Option<&str> {
    NAME_KEYS
        .iter()
        .find_map(|key| member(item, key))
        .and_then(Value::as_str)
}

/// What a pair holds: its one value, or old and new where both exist.
fn value_of(item: &Value) -> Option<&Value> {
    member(item, "Value").or_else(|| member(item, "newValue").is_none().then_some(item))
}

fn named<'a>(list: &'a Value, name: &str) -> Option<Cow<'a, Value>> {
    match list {
        Value::Array(items) => items
            .iter()
            .find(|item| name_of(item).is_some_and(|found| found.eq_ignore_ascii_case(name)))
            .map(|item| Cow::Borrowed(value_of(item).unwrap_or(item))),
        // Some exports have folded the list already.
        Value::Object(_) => member(list, name).map(Cow::Borrowed),
        _ => None,
    }
}

/// A list of pairs as an object by name; a name that comes twice keeps its values in a list.
fn fold(list: &Value) -> Option<Value> {
    let items = match list {
        Value::Array(items) => items,
        Value::Object(_) => return Some(list.clone()),
        _ => return None,
    };
    let mut folded = Map::new();
    for item in items {
        let Some(name) = name_of(item) else { continue };
        let value = value_of(item).map_or_else(|| changed(item), Clone::clone);
        match folded.get_mut(name) {
            None => {
                folded.insert(name.to_owned(), value);
            }
            Some(Value::Array(values)) => values.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
        }
    }
    (!folded.is_empty()).then_some(Value::Object(folded))
}

fn changed(item: &Value) -> Value {
    let mut change = Map::new();
    for key in ["oldValue", "newValue"] {
        if let Some(value) = member(item, key) {
            change.insert(key.to_owned(), value.clone());
        }
    }
    Value::Object(change)
}

#[cfg(test)]
mod tests {
    use super::{PathStep, find, find_usable, steps, text};
    use crate::tables::Kind;
    use serde_json::{Value, json};

    #[test]
    fn any_text_is_a_path() {
        use PathStep::{Fold, Member, Named};
        for (path, expected) in [
            ("a.b", &[Member("a"), Member("b")][..]),
            ("a[b.c].d", &[Member("a"), Named("b.c"), Member("d")]),
            ("a.0[]", &[Member("a"), Member("0"), Fold]),
            ("a[b", &[Member("a"), Named("b")]),
            (".a", &[Member(""), Member("a")]),
            ("", &[]),
        ] {
            assert_eq!(steps(path).collect::<Vec<_>>(), expected, "{path}");
        }
    }

    fn check(record: &Value, path: &str, expected: Option<&str>) {
        let found = find(record, path);
        let found = found.as_ref().and_then(|value| text(value));
        assert_eq!(found.as_deref(), expected, "{path}");
    }

    #[test]
    fn follows_members_in_any_letter_case() {
        let record = json!({"Properties": {"Status": {"errorCode": 50126}}});
        check(&record, "properties.status.errorcode", Some("50126"));
        check(&record, "properties.nothing", None);
    }

    #[test]
    fn a_null_is_none() {
        check(&json!({"a": null}), "a", None);
    }

    #[test]
    fn selects_from_lists_by_position_and_by_name() {
        let record = json!({"Parameters": [{"Name": "ForwardTo", "Value": "x@y.example"}],
            "targetResources": [{"id": "7"}]});
        check(&record, "Parameters[forwardto]", Some("x@y.example"));
        check(&record, "targetResources.0.id", Some("7"));
        check(&record, "targetResources.1.id", None);
    }

    #[test]
    fn reads_old_and_new_values_of_modified_properties() {
        let record = json!({"ModifiedProperties": [
            {"Name": "Role.DisplayName", "NewValue": "Global Administrator", "OldValue": ""}]});
        check(
            &record,
            "ModifiedProperties[Role.DisplayName].NewValue",
            Some("Global Administrator"),
        );
    }

    #[test]
    fn folds_pairs_to_an_object_and_keeps_repeated_names() {
        let record = json!({"P": [{"Name": "A", "Value": "1"}, {"Name": "B", "Value": "2"},
            {"Name": "A", "Value": "3"}]});
        check(&record, "P[]", Some(r#"{"A":["1","3"],"B":"2"}"#));
        check(&json!({"P": []}), "P[]", None);
    }

    #[test]
    fn opens_json_inside_strings() {
        let record = json!({"DeviceDetail": "{\"browser\":\"Edge\"}", "Data": "[{\"Name\":\"x\",\"Value\":\"y\"}]"});
        check(&record, "deviceDetail.browser", Some("Edge"));
        check(&record, "Data[x]", Some("y"));
        check(&json!({"a": "not json"}), "a.b", None);
    }

    #[test]
    fn the_first_usable_value_counts_not_the_first_that_is_there() {
        let paths = &["ClientIP", "ClientIPAddress", "ActorIpAddress"];
        for (record, expected) in [
            (
                json!({"ClientIP": "", "ActorIpAddress": "198.51.100.20"}),
                Some("198.51.100.20"),
            ),
            (
                json!({"ClientIP": "<null>", "ActorIpAddress": "198.51.100.20"}),
                Some("198.51.100.20"),
            ),
            (
                json!({"ClientIP": "0.0.0.0", "ActorIpAddress": "198.51.100.20:443"}),
                Some("198.51.100.20:443"),
            ),
            (
                json!({"ClientIP": "not-an-ip", "ClientIPAddress": "2001:db8::1"}),
                Some("2001:db8::1"),
            ),
            (
                json!({"ClientIP": "::ffff:198.51.100.20", "ActorIpAddress": "203.0.113.57"}),
                Some("::ffff:198.51.100.20"),
            ),
            (
                json!({"ClientIP": "not-an-ip", "ActorIpAddress": ""}),
                Some("not-an-ip"),
            ),
            (json!({"ClientIP": null}), None),
        ] {
            let found = find_usable(&record, paths, Kind::Ip);
            let found = found.as_ref().and_then(|value| text(value));
            assert_eq!(found.as_deref(), expected, "{record}");
        }
        let paths = &["location.countryOrRegion", "Location?"];
        for (record, expected) in [
            (
                json!({"location": {"countryOrRegion": null, "city": "x"}}),
                None,
            ),
            (json!({"Location": "NG"}), Some("NG")),
            (json!({"Location": ""}), None),
            (json!({"location": {"countryOrRegion": ""}}), Some("")),
        ] {
            let found = find_usable(&record, paths, Kind::Category);
            let found = found.as_ref().and_then(|value| text(value));
            assert_eq!(found.as_deref(), expected, "{record}");
        }
    }
}
