//! JSON written again in one form: keys in order and once, no white space, numbers as `serde_json` writes them.

use std::borrow::Cow;

use schemas::path::NAME_KEYS;

use super::{Kind, View};

/// Appends the value at `at`.
pub(crate) fn write_json(view: View<'_>, at: u32, out: &mut String) {
    match view.kind(at) {
        Kind::Null | Kind::True | Kind::False | Kind::Whole => out.push_str(view.written(at)),
        Kind::Number => {
            let number = view.number(at).map(|number| number.to_string());
            out.push_str(&number.unwrap_or_default());
        }
        Kind::Plain => out.push_str(view.quoted(at)),
        Kind::Escaped => write_string(&view.string(at).unwrap_or_default(), out),
        Kind::Array => {
            out.push('[');
            write_items(view, at, out);
            out.push(']');
        }
        Kind::Object => write_object(view, at, out),
    }
}

/// Appends the items with commas between them.
fn write_items(view: View<'_>, list: u32, out: &mut String) {
    for (place, item) in view.items(list).enumerate() {
        if place > 0 {
            out.push(',');
        }
        write_json(view, item, out);
    }
}

fn write_string(text: &str, out: &mut String) {
    let needs_escape = |byte: u8| matches!(byte, b'"' | b'\\' | 0..=0x1f);
    if text.bytes().any(needs_escape) {
        out.push_str(&serde_json::Value::from(text).to_string());
    } else {
        out.push('"');
        out.push_str(text);
        out.push('"');
    }
}

/// Members by key, of which the last of equal ones counts.
fn sorted<T>(mut members: Vec<(Cow<'_, str>, T)>) -> Vec<(Cow<'_, str>, T)> {
    let is_sorted = members.is_sorted_by(|(left, _), (right, _)| left < right);
    if !is_sorted {
        members.sort_by(|(left, _), (right, _)| left.cmp(right));
    }
    members
}

fn write_object(view: View<'_>, object: u32, out: &mut String) {
    let members = view
        .members(object)
        .map(|(key, value)| (view.string(key).unwrap_or_default(), value))
        .collect();
    let members = sorted(members);
    out.push('{');
    let mut is_first = true;
    for (place, (key, value)) in members.iter().enumerate() {
        if members.get(place + 1).is_some_and(|(next, _)| next == key) {
            continue;
        }
        if !is_first {
            out.push(',');
        }
        is_first = false;
        write_string(key, out);
        out.push(':');
        write_json(view, *value, out);
    }
    out.push('}');
}

impl<'a> View<'a> {
    /// The name of a pair of name and value; none if it has none.
    pub(crate) fn name_of(self, pair: u32) -> Option<Cow<'a, str>> {
        NAME_KEYS
            .iter()
            .find_map(|key| self.member(pair, key))
            .and_then(|name| self.string(name))
    }

    /// What a pair holds: its one value, or all of it.
    pub(crate) fn value_of(self, pair: u32) -> u32 {
        self.member(pair, "Value").unwrap_or(pair)
    }
}

/// Appends a list of pairs as an object by name, as in [`schemas::path`]; an object as it is.
///
/// A name that comes twice keeps its values in a list; a pair of old and new values keeps both.
pub(crate) fn write_folded(view: View<'_>, list: u32, out: &mut String) {
    if view.kind(list) != Kind::Array {
        return write_json(view, list, out);
    }
    let pairs = view
        .items(list)
        .filter_map(|pair| Some((view.name_of(pair)?, pair)))
        .collect();
    let pairs = sorted(pairs);
    out.push('{');
    for (place, group) in pairs
        .chunk_by(|(left, _), (right, _)| left == right)
        .enumerate()
    {
        let [(name, first), more @ ..] = group else {
            continue;
        };
        if place > 0 {
            out.push(',');
        }
        write_string(name, out);
        out.push(':');
        if more.is_empty() {
            write_pair(view, *first, out);
        } else {
            out.push('[');
            let is_empty = write_first(view, *first, out);
            for (place, (_, pair)) in more.iter().enumerate() {
                if place > 0 || !is_empty {
                    out.push(',');
                }
                write_pair(view, *pair, out);
            }
            out.push(']');
        }
    }
    out.push('}');
}

/// The first of several values of a name: a list is continued by those that follow, and may be empty.
fn write_first(view: View<'_>, pair: u32, out: &mut String) -> bool {
    match view.member(pair, "Value") {
        Some(value) if view.kind(value) == Kind::Array => {
            write_items(view, value, out);
            view.items(value).next().is_none()
        }
        _ => {
            write_pair(view, pair, out);
            false
        }
    }
}

fn write_pair(view: View<'_>, pair: u32, out: &mut String) {
    if let Some(value) = view.member(pair, "Value") {
        return write_json(view, value, out);
    }
    let Some(new) = view.member(pair, "newValue") else {
        return write_json(view, pair, out);
    };
    out.push_str("{\"newValue\":");
    write_json(view, new, out);
    if let Some(old) = view.member(pair, "oldValue") {
        out.push_str(",\"oldValue\":");
        write_json(view, old, out);
    }
    out.push('}');
}
