//! What a page of the directory says about the next, and what a refusal means. Pure.

use microsoft::{MicrosoftError, Url};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::error::IngestError;

/// Longest link that is followed or kept, in bytes; Graph's have a few thousand.
const LINK_BYTES_MAX: usize = 64 * 1024;

/// A page, as far as paging needs it.
#[derive(Debug, Deserialize)]
pub(super) struct Page {
    #[serde(rename = "@odata.nextLink", default)]
    next: Option<String>,
    #[serde(rename = "@odata.deltaLink", default)]
    delta: Option<String>,
    #[expect(dead_code, reason = "a page without its list is none")]
    value: Vec<IgnoredAny>,
}

/// What follows a page.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// The page behind this link.
    Next(Url),
    /// Nothing; what changes from now on stands behind the link, where there is one.
    Done(Option<Url>),
    /// Something may be missing and cannot be asked for.
    Stuck(&'static str),
}

/// Reads a page.
///
/// # Errors
/// A word on what it is instead.
pub(super) fn read(body: &[u8]) -> Result<Page, &'static str> {
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    serde_json::from_slice(body).map_err(|_| "no page of objects")
}

/// What follows `page` of a collection that tells its changes or does not.
pub(super) fn then(page: &Page, tells_changes: bool) -> Then {
    let given = |link: &Option<String>| link.clone().filter(|link| !link.is_empty());
    let (next, delta) = (given(&page.next), given(&page.delta));
    let Some(link) = next.clone().or(delta) else {
        return if tells_changes {
            Then::Stuck("a last page without a delta link")
        } else {
            Then::Done(None)
        };
    };
    if link.len() > LINK_BYTES_MAX {
        return Then::Stuck("a link longer than any that is followed");
    }
    match Url::parse(&link) {
        Err(_) => Then::Stuck("a link that is no URL"),
        Ok(url) if next.is_some() => Then::Next(url),
        Ok(url) => Then::Done(tells_changes.then_some(url)),
    }
}

/// Why a round that went on from a delta link has to begin anew, in full; none if asking again may help.
///
/// Graph forgets a link after some days (410; 400 with `syncStateNotFound` or `resyncRequired`). Whatever else it
/// will not have of a link, or a link that leads away from Graph, would stop the source for ever.
pub(super) fn why_anew(error: &IngestError) -> Option<String> {
    match error {
        IngestError::Microsoft(MicrosoftError::Refused {
            status: status @ (400 | 404 | 410),
            code,
            ..
        }) => Some(format!(
            "Microsoft no longer knows the delta link (status {status}, code \"{code}\")"
        )),
        IngestError::Microsoft(MicrosoftError::ForeignHost { host, .. }) => {
            Some(format!("the link leads to host \"{host}\""))
        }
        _ => None,
    }
}

/// True if the application may not read what it asked for.
pub(super) fn is_denied(error: &IngestError) -> bool {
    matches!(
        error,
        IngestError::Microsoft(MicrosoftError::Refused { status: 403, .. })
    )
}

#[cfg(test)]
mod tests {
    use super::{LINK_BYTES_MAX, Then, is_denied, read, then, why_anew};
    use crate::error::IngestError;
    use microsoft::{Audience, MicrosoftError, Url};

    fn page(members: &str) -> String {
        format!(r#"{{"@odata.context":"x",{members}"value":[{{"id":1}},2]}}"#)
    }

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn a_page_says_what_follows() {
        let long = format!(
            r#""@odata.nextLink":"https://g/{}","#,
            "x".repeat(LINK_BYTES_MAX)
        );
        let delta = r#""@odata.deltaLink":"https://g/d","#;
        let both = format!(r#""@odata.nextLink":"https://g/n",{delta}"#);
        for (members, of_changes, of_a_list) in [
            (
                "",
                Then::Stuck("a last page without a delta link"),
                Then::Done(None),
            ),
            (
                delta,
                Then::Done(Some(url("https://g/d"))),
                Then::Done(None),
            ),
            (
                both.as_str(),
                Then::Next(url("https://g/n")),
                Then::Next(url("https://g/n")),
            ),
            (
                r#""@odata.nextLink":"no url","#,
                Then::Stuck("a link that is no URL"),
                Then::Stuck("a link that is no URL"),
            ),
            (
                long.as_str(),
                Then::Stuck("a link longer than any that is followed"),
                Then::Stuck("a link longer than any that is followed"),
            ),
        ] {
            let page = read(page(members).as_bytes()).unwrap();
            assert_eq!(then(&page, true), of_changes, "{page:?}");
            assert_eq!(then(&page, false), of_a_list, "{page:?}");
        }
    }

    #[test]
    fn what_is_no_page_is_named() {
        for body in [
            "<html>",
            "[]",
            "{}",
            r#"{"value":{}}"#,
            r#"{"value":[],"@odata.nextLink":7}"#,
        ] {
            assert!(read(body.as_bytes()).is_err(), "{body}");
        }
    }

    fn refused(status: u16) -> IngestError {
        IngestError::Microsoft(MicrosoftError::Refused {
            method: "GET".into(),
            status,
            code: "syncStateNotFound".to_owned(),
            message: String::new(),
            request_id: "".into(),
            reply_id: "".into(),
            retry_after: None,
        })
    }

    #[test]
    fn a_link_that_nobody_takes_is_given_up_and_throttling_is_waited_for() {
        for (status, is_anew) in [
            (400, true),
            (404, true),
            (410, true),
            (401, false),
            (403, false),
            (429, false),
            (503, false),
        ] {
            assert_eq!(why_anew(&refused(status)).is_some(), is_anew, "{status}");
            assert_eq!(is_denied(&refused(status)), status == 403, "{status}");
        }
        let foreign = MicrosoftError::ForeignHost {
            audience: Audience::Graph,
            host: "evil.example".to_owned(),
        };
        assert!(why_anew(&IngestError::Microsoft(foreign)).is_some());
    }
}
