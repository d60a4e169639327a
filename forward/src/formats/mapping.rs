//! A mapping is a table: where a value goes, and where in the document it comes from. Pure.

use serde_json::{Map, Value};

/// Where a value comes from.
#[derive(Clone, Copy)]
pub(super) enum Origin {
    /// The same value, at this JSON pointer of the document.
    At(&'static str),
    /// What this makes of the value at this pointer; the empty pointer is the whole document.
    Made(&'static str, fn(&Value) -> Option<Value>),
    /// Always this word.
    Word(&'static str),
    /// Always this number.
    Number(i64),
    /// Always this.
    Flag(bool),
}

/// A line of a table: the name in the format, with dots where it is nested, and where its value comes from.
pub(super) type Line = (&'static str, Origin);

/// The value of a line; none where the document has none, or an empty one.
pub(super) fn value(origin: Origin, document: &Value) -> Option<Value> {
    let found = match origin {
        Origin::At(pointer) => document.pointer(pointer).cloned(),
        Origin::Made(pointer, make) => document.pointer(pointer).and_then(make),
        Origin::Word(word) => Some(word.into()),
        Origin::Number(number) => Some(number.into()),
        Origin::Flag(flag) => Some(flag.into()),
    };
    found.filter(|value| !is_empty(value))
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

/// A document of nested objects, by a table.
pub(super) fn nested<'a>(
    table: impl IntoIterator<Item = &'a Line>,
    document: &Value,
) -> Map<String, Value> {
    let mut made = Map::new();
    for (name, origin) in table {
        if let Some(value) = value(*origin, document) {
            put(&mut made, name, value);
        }
    }
    made
}

/// Puts a value at a dotted name. The first line for a name wins, as the tables are read from the top.
fn put(into: &mut Map<String, Value>, name: &str, value: Value) {
    match name.split_once('.') {
        None => {
            into.entry(name).or_insert(value);
        }
        Some((first, rest)) => {
            let member = into
                .entry(first)
                .or_insert_with(|| Value::Object(Map::new()));
            if let Some(member) = member.as_object_mut() {
                put(member, rest, value);
            }
        }
    }
}

/// Names and texts in the order of the table, for formats without nesting.
pub(super) fn flat<'a>(
    table: impl IntoIterator<Item = &'a Line>,
    document: &Value,
) -> Vec<(&'static str, String)> {
    let mut pairs: Vec<(&'static str, String)> = Vec::new();
    for (name, origin) in table {
        if pairs.iter().all(|(known, _)| known != name)
            && let Some(value) = value(*origin, document)
        {
            pairs.push((name, text(&value)));
        }
    }
    pairs
}

/// A value as text: a list of words with commas, anything deeper as JSON.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) if items.iter().all(Value::is_string) => {
            let words: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
            words.join(", ")
        }
        other => super::json::line(other),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Line, Origin, flat, nested};

    const TABLE: &[Line] = &[
        ("a.b", Origin::At("/x")),
        ("a.c", Origin::At("/absent")),
        (
            "a.d",
            Origin::Made("/list", |list| Some(list.as_array()?.len().into())),
        ),
        ("a.b", Origin::Word("too late")),
        ("e", Origin::At("/list")),
        ("f", Origin::At("/empty")),
    ];

    #[test]
    fn tables_nest_and_skip_what_is_not_there() {
        let document = json!({"x": "y", "list": ["p", "q"], "empty": ""});
        assert_eq!(
            serde_json::Value::Object(nested(TABLE, &document)),
            json!({"a": {"b": "y", "d": 2}, "e": ["p", "q"]})
        );
        assert_eq!(
            flat(TABLE, &document),
            [
                ("a.b", "y".to_owned()),
                ("a.d", "2".to_owned()),
                ("e", "p, q".to_owned())
            ]
        );
    }
}
