//! The Office 365 Management Activity API.
//!
//! Source: Office 365 Management Activity API reference. A call without `PublisherIdentifier` shares one
//! public quota with everybody; here that quota is always used up, so that a client that forgets it is found.

use std::sync::Arc;

use axum::extract::Path;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use uuid::Uuid;

use super::caller::{Answer, Caller, Refusal, feed_error, shown};
use super::query::Query;
use crate::shared::SharedTenant;
use crate::tenant::Tenant;
use crate::world::moment::{self, HOUR_US};
use crate::world::outbox::{Blob, ContentType};

pub(super) fn routes() -> Router<Arc<SharedTenant>> {
    let below = |path: &str| format!("/api/v1.0/{{tenant}}/activity/feed/{path}");
    Router::new()
        .route(&below("subscriptions/start"), post(start))
        .route(&below("subscriptions/stop"), post(stop))
        .route(&below("subscriptions/list"), get(list))
        .route(&below("subscriptions/content"), get(content))
        .route(&below("audit/{content}"), get(blob))
}

/// Widest window of a listing.
const WINDOW_US_MAX: i64 = 24 * HOUR_US;
/// How far back a window may start.
const BACK_US_MAX: i64 = 7 * 24 * HOUR_US;

fn bad(code: &str, message: &str) -> Refusal {
    feed_error(StatusCode::BAD_REQUEST, code, message)
}

/// Answers a call that carries what every call must.
fn admitted(
    caller: &Caller,
    url_tenant: &str,
    answer: impl FnOnce(&mut Tenant) -> Answer,
) -> Response {
    caller.feed(url_tenant, |tenant, _| {
        match caller.query.get("PublisherIdentifier") {
            None => {
                let message = "Too many requests. Method=GetBlob, PublisherId=00000000-0000-0000-0000-000000000000";
                Err(feed_error(StatusCode::FORBIDDEN, "AF429", message))
            }
            Some(text) if Uuid::try_parse(text).is_err() => {
                Err(bad("AF20013", "The PublisherIdentifier must be a GUID."))
            }
            Some(_) => answer(tenant),
        }
    })
}

fn content_type(query: &Query) -> Result<ContentType, Refusal> {
    let name = query
        .get("contentType")
        .ok_or_else(|| bad("AF20001", "Missing parameter: contentType."))?;
    ContentType::of_name(name)
        .ok_or_else(|| bad("AF20020", "The specified content type is not valid."))
}

fn subscription(kind: ContentType, enabled: bool) -> Value {
    json!({"contentType": kind.name(), "status": if enabled { "enabled" } else { "disabled" }, "webhook": null})
}

/// `POST subscriptions/start`.
async fn start(caller: Caller, Path(url_tenant): Path<String>) -> Response {
    admitted(&caller, &url_tenant, |tenant| {
        let kind = content_type(&caller.query)?;
        if tenant.subscriptions.insert(kind, true) == Some(true) {
            return Err(bad(
                "AF20024",
                "The subscription is already enabled. No property change.",
            ));
        }
        shown(subscription(kind, true))
    })
}

/// `POST subscriptions/stop`.
async fn stop(caller: Caller, Path(url_tenant): Path<String>) -> Response {
    admitted(&caller, &url_tenant, |tenant| {
        let kind = content_type(&caller.query)?;
        match tenant.subscriptions.get_mut(&kind) {
            Some(enabled) if *enabled => {
                *enabled = false;
                Ok(StatusCode::OK.into_response())
            }
            _ => Err(not_subscribed()),
        }
    })
}

fn not_subscribed() -> Refusal {
    bad(
        "AF20022",
        "No subscription found for the specified content type.",
    )
}

/// `GET subscriptions/list`.
async fn list(caller: Caller, Path(url_tenant): Path<String>) -> Response {
    admitted(&caller, &url_tenant, |tenant| {
        let all = tenant.subscriptions.iter();
        shown(
            all.map(|(kind, enabled)| subscription(*kind, *enabled))
                .collect(),
        )
    })
}

/// `GET subscriptions/content`: one page of the blobs whose creation lies in a window.
async fn content(caller: Caller, Path(url_tenant): Path<String>) -> Response {
    admitted(&caller, &url_tenant, |tenant| {
        let query = &caller.query;
        let kind = content_type(query)?;
        if tenant.subscriptions.get(&kind) != Some(&true) {
            return Err(not_subscribed());
        }
        let (from_us, to_us) = window(query, tenant.wall_us)?;
        let first = match query.get("nextPage") {
            None => 0,
            Some(text) => text
                .parse::<usize>()
                .map_err(|_| bad("AF20031", "Invalid nextPage Input."))?,
        };
        let below = format!("api/v1.0/{}/activity/feed", tenant.id());
        let base = format!("{}/{below}", caller.host());
        let (page, next) = page(tenant, kind, from_us, to_us, first, &base);
        let mut answer = Json(page).into_response();
        if let Some(next) = next {
            // The window travels along, so that later pages belong to the same listing.
            let query = query.with("nextPage", &next.to_string());
            let host = caller.next_page_host();
            let uri = format!("{host}/{below}/subscriptions/content?{query}");
            if let Ok(uri) = HeaderValue::from_str(&uri) {
                answer
                    .headers_mut()
                    .insert(HeaderName::from_static("nextpageuri"), uri);
            }
        }
        Ok(answer)
    })
}

/// The blobs of a page, and where the next one begins; the list only grows, so pages do not shift.
fn page(
    tenant: &Tenant,
    kind: ContentType,
    from_us: i64,
    to_us: i64,
    first: usize,
    base: &str,
) -> (Vec<Value>, Option<usize>) {
    let mut page = Vec::new();
    for (index, blob) in tenant
        .blobs
        .get(&kind)
        .into_iter()
        .flatten()
        .enumerate()
        .skip(first)
    {
        let created_us = tenant.blob_created_us(blob);
        if created_us < from_us
            || created_us >= to_us
            || tenant.blob_expires_us(blob) <= tenant.wall_us
        {
            continue;
        }
        if page.len() == tenant.config.listing_page_blobs {
            return (page, Some(index));
        }
        page.push(listed(tenant, blob, base));
    }
    (page, None)
}

fn listed(tenant: &Tenant, blob: &Blob, base: &str) -> Value {
    json!({
        "contentType": blob.content_type.name(),
        "contentId": blob.content_id,
        "contentUri": format!("{base}/audit/{}", blob.content_id),
        "contentCreated": moment::milliseconds(tenant.blob_created_us(blob)),
        "contentExpiration": moment::milliseconds(tenant.blob_expires_us(blob)),
    })
}

/// The window of a listing: both ends or neither, at most 24 h wide, starting at most 7 days back.
fn window(query: &Query, now_us: i64) -> Result<(i64, i64), Refusal> {
    let refused = || {
        bad(
            "AF20030",
            "Start time and end time must both be specified (or both omitted) and must be less than or equal to 24 hours apart, with the start time no more than 7 days in the past.",
        )
    };
    match (query.get("startTime"), query.get("endTime")) {
        (None, None) => Ok((now_us - WINDOW_US_MAX, now_us.saturating_add(1))),
        (Some(start), Some(end)) => {
            let start_us = window_time(start).ok_or_else(refused)?;
            let end_us = window_time(end).ok_or_else(refused)?;
            let width_us = end_us.saturating_sub(start_us);
            if width_us <= 0 || width_us > WINDOW_US_MAX || start_us < now_us - BACK_US_MAX {
                return Err(refused());
            }
            Ok((start_us, end_us))
        }
        _ => Err(refused()),
    }
}

/// Reads `YYYY-MM-DD`, `YYYY-MM-DDTHH:MM` or `YYYY-MM-DDTHH:MM:SS`.
fn window_time(text: &str) -> Option<i64> {
    let whole = match text.len() {
        10 => format!("{text}T00:00:00"),
        16 => format!("{text}:00"),
        _ => text.to_owned(),
    };
    schemas::time::parse_us(&whole)
}

/// `GET audit/{contentId}`: the records of a blob.
async fn blob(caller: Caller, Path((url_tenant, content_id)): Path<(String, String)>) -> Response {
    admitted(&caller, &url_tenant, |tenant| {
        let blob = tenant
            .blob(&content_id)
            .ok_or_else(|| bad("AF20050", "The specified content does not exist."))?;
        if tenant.blob_expires_us(&blob) <= tenant.wall_us {
            return Err(bad(
                "AF20051",
                "Content requested with the key has already expired.",
            ));
        }
        let kind = [(header::CONTENT_TYPE, "application/json; charset=utf-8")];
        Ok((kind, blob.body.clone()).into_response())
    })
}

#[cfg(test)]
mod tests {
    use super::{Query, window};

    #[test]
    fn windows_are_both_or_neither_and_within_bounds() {
        let now_us = 1_788_770_000_000_000;
        let accepted = |query: &str| window(&Query::read(Some(query)), now_us).is_ok();
        assert!(accepted(""));
        assert!(accepted(
            "startTime=2026-09-07T00:00&endTime=2026-09-07T08:00:00"
        ));
        assert!(!accepted("startTime=2026-09-07T00:00"));
        assert!(!accepted("startTime=2026-09-05&endTime=2026-09-07"));
        assert!(!accepted("startTime=2026-08-01&endTime=2026-08-02"));
        assert!(!accepted("startTime=x&endTime=y"));
    }
}
