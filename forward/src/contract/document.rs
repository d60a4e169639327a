//! The pieces that every document has: times, texts that are cut, links that may be followed.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};
use url::Url;

use super::notice::{CONTRACT_VERSION, NoticeKind};

/// Longest text of a document, in bytes; a longer one is cut, and the document says so.
///
/// Log Analytics cuts columns at 64 KiB, Splunk events by default at 10,000 bytes; what was cut is in the lake, whole.
pub const TEXT_BYTES_MAX: usize = 16 * 1024;

/// Most items of a list of a document; of more, the first ones are told, and how many there were.
pub const ITEMS_MAX: usize = 100;

/// Largest document, in bytes of JSON: the smallest limit of a destination is 1 MB for a request (Log Analytics), in which
/// columns repeat some of it.
pub const DOCUMENT_BYTES_MAX: usize = 256 * 1024;

/// Bounds of a text and a list, one after the other until the document is small enough.
const BOUNDS: [(usize, usize); 3] = [(TEXT_BYTES_MAX, ITEMS_MAX), (1024, 50), (128, 20)];

/// Hosts whose links are shown as links: Microsoft's portals.
const PORTALS: &[&str] = &["microsoft.com", "azure.com", "office.com", "windows.net"];

/// What every document begins with, whatever it is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Head {
    /// Version of the contract.
    pub(super) contract: &'static str,
    /// What it is about.
    pub(super) kind: &'static str,
    /// Identity of what it is about.
    pub(super) id: String,
    /// Tells this version from every other one of the same id.
    pub(super) version: String,
    /// Orders the versions of one id: a later one has a greater number.
    pub(super) sequence: u64,
    /// The tenant; absent where it is nobody's alone.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) tenant_id: String,
    /// When it happened.
    pub(super) time: String,
    /// How much it weighs.
    pub(super) severity: &'static str,
    /// Why it weighs so much.
    pub(super) severity_reason: String,
    /// What it is, in a line.
    pub(super) title: String,
    /// How it stands.
    pub(super) state: String,
}

impl Head {
    /// A head of this kind, whose other members follow.
    pub(super) fn of(kind: NoticeKind) -> Self {
        Self {
            contract: CONTRACT_VERSION,
            kind: kind.as_str(),
            id: String::new(),
            version: String::new(),
            sequence: 0,
            tenant_id: String::new(),
            time: time(0),
            severity: "",
            severity_reason: String::new(),
            title: String::new(),
            state: String::new(),
        }
    }
}

/// A place where somebody can read on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Link {
    /// What is there.
    pub(super) name: &'static str,
    /// Its address: `https`, and on a host of [`PORTALS`].
    pub(super) url: String,
}

/// The link to Microsoft's page about it; none where the address is anybody else's.
///
/// A record that was imported can say any address, and a person follows what stands in an alert.
pub(super) fn portal(address: &str) -> Option<Link> {
    let url = Url::parse(address).ok()?;
    let host = url.host_str()?;
    let is_portal = |portal: &str| {
        host.strip_suffix(portal)
            .is_some_and(|before| before.is_empty() || before.ends_with('.'))
    };
    (url.scheme() == "https"
        && url.username().is_empty()
        && PORTALS.iter().any(|portal| is_portal(portal)))
    .then(|| Link {
        name: "Microsoft's portal",
        url: url.to_string(),
    })
}

/// A time as RFC 3339 with microseconds, UTC.
pub(super) fn time(time_us: i64) -> String {
    let time = Timestamp::from_microsecond(time_us).unwrap_or(Timestamp::UNIX_EPOCH);
    format!("{time:.6}")
}

/// The same, and none of a time that is not known (0, or before it).
pub(super) fn known_time(time_us: i64) -> Option<String> {
    (time_us > 0).then(|| time(time_us))
}

/// Whether it is a UUID in its usual form, as object ids are.
pub(super) fn is_object_id(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(place, byte)| {
            if [8, 13, 18, 23].contains(&place) {
                byte == b'-'
            } else {
                byte.is_ascii_hexdigit()
            }
        })
}

/// A document of a head and what follows it, with its texts and lists within the bounds.
pub(super) fn whole(head: &Head, rest: &impl Serialize) -> Value {
    let mut members = Map::new();
    for part in [serde_json::to_value(head), serde_json::to_value(rest)] {
        if let Ok(Value::Object(part)) = part {
            members.extend(part);
        }
    }
    let whole = Value::Object(members);
    let mut document = Value::Null;
    for bounds in BOUNDS {
        document = whole.clone();
        let mut cut = Vec::new();
        bound(&mut document, bounds, &mut String::new(), &mut cut);
        if !cut.is_empty()
            && let Some(members) = document.as_object_mut()
        {
            members.insert("cut".to_owned(), cut.into());
        }
        if document.to_string().len() <= DOCUMENT_BYTES_MAX {
            break;
        }
    }
    document
}

/// Cuts texts and lists that are too long; `cut` names each by its JSON pointer, with how long it was.
fn bound(value: &mut Value, bounds: (usize, usize), at: &mut String, cut: &mut Vec<Value>) {
    let (text_bytes_max, items_max) = bounds;
    match value {
        Value::String(text) if text.len() > text_bytes_max => {
            note(cut, at, text.len(), "bytes");
            text.truncate(text.floor_char_boundary(text_bytes_max));
        }
        Value::Array(items) => {
            if items.len() > items_max {
                note(cut, at, items.len(), "items");
                items.truncate(items_max);
            }
            for (place, item) in items.iter_mut().enumerate() {
                within(at, &place.to_string(), |at| bound(item, bounds, at, cut));
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                within(at, name, |at| bound(member, bounds, at, cut));
            }
        }
        _ => {}
    }
}

fn within(at: &mut String, name: &str, then: impl FnOnce(&mut String)) {
    let before = at.len();
    at.push('/');
    at.push_str(name);
    then(at);
    at.truncate(before);
}

/// Notes what was cut. Not more of them than a list may have: the document stays bounded whatever it was made of.
fn note(cut: &mut Vec<Value>, at: &str, length: usize, unit: &str) {
    if cut.len() < ITEMS_MAX {
        cut.push(serde_json::json!({"at": at, "was": length, "unit": unit}));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Head, ITEMS_MAX, NoticeKind, TEXT_BYTES_MAX, portal, time, whole};

    #[test]
    fn only_microsofts_pages_are_links() {
        for address in [
            "https://security.microsoft.com/alerts/x",
            "https://portal.azure.com/#view",
        ] {
            assert!(portal(address).is_some(), "{address}");
        }
        for address in [
            "",
            "http://security.microsoft.com/",
            "https://security.microsoft.com.evil.test/",
            "https://evilmicrosoft.com/",
            "https://x@security.microsoft.com/",
            "javascript:alert(1)//microsoft.com",
            "https://evil.test/?security.microsoft.com",
        ] {
            assert_eq!(portal(address), None, "{address}");
        }
    }

    #[test]
    fn what_is_too_long_is_cut_and_told() {
        let long = "ä".repeat(TEXT_BYTES_MAX);
        let many = vec![1; ITEMS_MAX + 5];
        let document = whole(
            &Head::of(NoticeKind::Alert),
            &json!({"title": long, "deep": [{"many": many}]}),
        );
        assert_eq!(document["title"].as_str().unwrap().len(), TEXT_BYTES_MAX);
        assert_eq!(
            document["deep"][0]["many"].as_array().unwrap().len(),
            ITEMS_MAX
        );
        let cut = document["cut"].as_array().unwrap();
        assert!(cut.contains(&json!({"at": "/title", "was": 2 * TEXT_BYTES_MAX, "unit": "bytes"})));
        assert!(
            cut.contains(&json!({"at": "/deep/0/many", "was": ITEMS_MAX + 5, "unit": "items"}))
        );
    }

    #[test]
    fn a_time_has_microseconds() {
        assert_eq!(time(1_700_000_000_000_001), "2023-11-14T22:13:20.000001Z");
        assert_eq!(time(i64::MAX), "1970-01-01T00:00:00.000000Z");
    }
}
