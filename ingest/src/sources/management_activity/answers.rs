//! Reads what the API answers; nothing in it is trusted. Pure.

use microsoft::{Answer, Url};
use schemas::path::find;
use schemas::time;
use serde_json::Value;

use crate::error::IngestError;

/// Name of the source in events.
pub(crate) const SOURCE: &str = "management_activity";

/// Longest content id that is believed, in bytes; the documented ones have about 100.
const ID_BYTES_MAX: usize = 2_048;

/// A blob, as listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) id: String,
    pub(super) uri: String,
    /// When the blob was made; 0 if that could not be read.
    pub(super) created_us: i64,
}

/// A subscription, as listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Subscription {
    pub(super) content_type: String,
    pub(super) is_enabled: bool,
}

/// The error for an answer of another shape than documented.
pub(super) fn unexpected(call: &'static str, found: &str) -> IngestError {
    IngestError::Answer {
        call,
        found: found.to_owned(),
    }
}

/// A page of blobs.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) contents: Vec<Content>,
    /// Why something may be missing.
    pub(super) problem: Option<IngestError>,
}

/// The blobs of a page; an item that names none is a problem of the page, and the others are read.
///
/// # Errors
/// [`IngestError::Answer`] if it is no list.
pub(super) fn contents(body: &[u8]) -> Result<Page, IngestError> {
    let mut page = Page::default();
    for item in list("content", body)? {
        let text = |name| find(&item, name).and_then(|value| value.as_str().map(str::to_owned));
        let id = text("contentId").filter(|id| !id.is_empty() && id.len() <= ID_BYTES_MAX);
        let created_us = text("contentCreated").and_then(|text| time::parse_us(&text));
        if let (Some(id), Some(uri)) = (id, text("contentUri")) {
            page.contents.push(Content {
                id,
                uri,
                created_us: created_us.unwrap_or(0),
            });
        } else {
            let found = "an item without contentId or contentUri";
            page.problem = Some(unexpected("content", found));
        }
    }
    Ok(page)
}

/// The subscriptions of a list.
///
/// # Errors
/// [`IngestError::Answer`] if it is no list.
pub(super) fn subscriptions(body: &[u8]) -> Result<Vec<Subscription>, IngestError> {
    let items = list("subscriptions/list", body)?;
    let read = |item: &Value| {
        let text = |name| find(item, name).and_then(|value| value.as_str().map(str::to_owned));
        Some(Subscription {
            content_type: text("contentType")?,
            // The status may be absent; then nothing says that it is off.
            is_enabled: text("status").is_none_or(|status| status.eq_ignore_ascii_case("enabled")),
        })
    };
    Ok(items.iter().filter_map(read).collect())
}

/// The next page, by either name that the documentation gives the header, in any letter case.
pub(super) fn next_page(answer: &Answer) -> Option<Result<Url, IngestError>> {
    let text = answer
        .header("NextPageUri")
        .or_else(|| answer.header("NextPageUrl"))?;
    if text.trim().is_empty() {
        return None;
    }
    Some(Url::parse(text.trim()).map_err(|_| unexpected("content", "a next page that is no URL")))
}

fn list(call: &'static str, body: &[u8]) -> Result<Vec<Value>, IngestError> {
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    match serde_json::from_slice(body) {
        Ok(Value::Array(items)) => Ok(items),
        Ok(_) => Err(unexpected(call, "no list")),
        Err(_) => Err(unexpected(call, "no JSON")),
    }
}
