//! Pages of records: which members of an object stand around a list, and what they say of its wholeness. Pure.

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::members::Members;

/// The members that Microsoft, Splunk and people's tools keep a list of records in, in lower case.
const LISTS: &[&str] = &["records", "value", "results", "data", "items", "events"];

/// The members that stand around such a list, in lower case; names that begin with `@` do too.
const AROUND: &[&str] = &[
    "count",
    "totalcount",
    "total",
    "nextlink",
    "next_link",
    "skiptoken",
    "error",
    "errors",
    "status",
    "preview",
    "init_offset",
    "offset",
    "lastrow",
    "messages",
    "fields",
    "highlighted",
    "post_process_count",
    "took",
    "timed_out",
    "_shards",
    "max_score",
    "_scroll_id",
    "statistics",
    "render",
    "datasources",
    "schema",
];

/// True for the name of a member that keeps records.
pub(super) fn is_list(name: &[u8]) -> bool {
    LISTS
        .iter()
        .any(|list| name.eq_ignore_ascii_case(list.as_bytes()))
}

/// True for the name of a member that stands around a list of records.
pub(super) fn is_around(name: &[u8]) -> bool {
    name.starts_with(b"@")
        || AROUND
            .iter()
            .any(|around| name.eq_ignore_ascii_case(around.as_bytes()))
}

/// True for the name of any member of a page.
pub(super) fn is_of_page(name: &[u8]) -> bool {
    is_list(name) || name.eq_ignore_ascii_case(b"hits") || (!name.is_empty() && is_around(name))
}

/// What the members around a list say of its wholeness; `records` is how many it had.
pub(crate) fn notes(members: &Map<String, Value>, records: u64) -> Vec<String> {
    let mut notes = Vec::new();
    for (name, value) in members {
        let plain = name.trim_start_matches("@odata.").to_ascii_lowercase();
        let is_said = super::shape::is_said(value);
        match plain.as_str() {
            "nextlink" | "next_link" | "skiptoken" if is_said => {
                notes.push(format!("incomplete: a further page follows ({name})"));
            }
            "error" | "errors" if is_said && !value.as_array().is_some_and(Vec::is_empty) => {
                let code = value
                    .get("code")
                    .and_then(Value::as_str)
                    .unwrap_or("an error");
                notes.push(format!("incomplete: it says of itself {}", short(code)));
            }
            "count" | "totalcount" => {
                let count = value.as_u64().filter(|count| *count > records);
                notes.extend(count.map(|count| {
                    format!("incomplete: it says that there are {count}, and {records} are in it")
                }));
            }
            _ => {}
        }
    }
    notes
}

/// A word of a file, short enough to be told.
fn short(text: &str) -> String {
    text.chars()
        .filter(|letter| !letter.is_control())
        .take(80)
        .collect()
}

/// A page in one piece.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Opened {
    pub(super) records: Vec<Vec<u8>>,
    pub(super) notes: Vec<String>,
}

/// The records of an object that is nothing but a page, or of a list of records; none if it is a record itself.
pub(super) fn open(raw: &[u8]) -> Option<Opened> {
    let text = std::str::from_utf8(raw).ok()?;
    if text.trim_start().starts_with('[') {
        let records = items(text).filter(|items| !items.is_empty())?;
        return Some(Opened {
            records,
            notes: Vec::new(),
        });
    }
    let members = Members::of(text)?;
    let mut lists = Vec::new();
    for (name, value) in &members.0 {
        if is_list(name.as_bytes()) && value.starts_with('[') {
            lists.push(items(value)?);
        } else if name.eq_ignore_ascii_case("hits") && value.starts_with('{') {
            let inner = Members::of(value)?.get("hits")?;
            lists.push(items(inner)?);
        } else if !is_around(name.as_bytes()) {
            return None;
        }
    }
    let has_any = !members.0.is_empty();
    let records: Vec<Vec<u8>> = lists.into_iter().flatten().collect();
    let around = members
        .0
        .iter()
        .filter(|(name, _)| is_around(name.as_bytes()))
        .filter_map(|(name, value)| Some((name.clone(), serde_json::from_str(value).ok()?)))
        .collect();
    let notes = notes(&around, records.len() as u64);
    has_any.then_some(Opened { records, notes })
}

/// The items of a list of objects, with their bytes; none if one is something else.
fn items(text: &str) -> Option<Vec<Vec<u8>>> {
    let items: Vec<&RawValue> = serde_json::from_str(text).ok()?;
    let is_object = |item: &&RawValue| item.get().starts_with('{');
    let are_records = items.iter().all(is_object);
    are_records.then(|| {
        items
            .iter()
            .map(|item| item.get().as_bytes().to_vec())
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::open;

    #[test]
    fn a_page_is_opened_and_a_record_is_not() {
        for (text, records, notes) in [
            (r#"{"value":[{"a":1},{"b":2}],"Count":2}"#, Some(2), 0),
            (r#"{"value":[{"a":1}],"Count":500}"#, Some(1), 1),
            (r#"{"value":[{"a":1}],"nextLink":"https://x"}"#, Some(1), 1),
            (
                r#"{"value":[{"a":1}],"nextLink":null,"error":null}"#,
                Some(1),
                0,
            ),
            (
                r#"{"hits":{"total":{"value":1},"hits":[{"_id":"1"}]},"took":3}"#,
                Some(1),
                0,
            ),
            (r#"{"preview":false,"lastrow":true}"#, Some(0), 0),
            (r#"{"error":{"code":"Throttled"}}"#, Some(0), 1),
            (r#"[{"a":1},{"b":2}]"#, Some(2), 0),
            ("[1]", None, 0),
            ("[]", None, 0),
            ("{}", None, 0),
            (r#"{"value":"x"}"#, None, 0),
            (r#"{"a":"x","records":[{"b":1}]}"#, None, 0),
            (r#"{"data":[1,2]}"#, None, 0),
        ] {
            let page = open(text.as_bytes());
            assert_eq!(
                page.as_ref().map(|page| page.records.len()),
                records,
                "{text}"
            );
            assert_eq!(page.map_or(0, |page| page.notes.len()), notes, "{text}");
        }
    }
}
