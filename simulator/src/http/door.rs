//! What every request passes: scripted faults, the log of mutating calls, and the loopback check.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Json;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use serde_json::json;

use super::caller::client_request_id;
use crate::shared::SharedTenant;
use crate::tenant::GraphCall;
use crate::tenant::fault::FaultEffect;

/// Largest request body that is read, in bytes.
const REQUEST_BYTES_MAX: usize = 1024 * 1024;

/// Refuses everybody who is not on this machine.
pub(super) async fn loopback_only(
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    if peer.ip().to_canonical().is_loopback() {
        next.run(request).await
    } else {
        (
            StatusCode::FORBIDDEN,
            Json(json!({"error": "the control plane is for this machine only"})),
        )
            .into_response()
    }
}

/// Strikes a request with its fault, if one waits, and remembers it if it was meant to change something.
pub(super) async fn pass(
    State(shared): State<Arc<SharedTenant>>,
    request: Request,
    next: Next,
) -> Response {
    let method = request.method().clone();
    let path = request
        .uri()
        .path_and_query()
        .map(ToString::to_string)
        .unwrap_or_default();
    let (mut parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, REQUEST_BYTES_MAX).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let effect = shared.with(|tenant| tenant.faults.strike(method.as_str(), &path));
    let named = parts.headers.contains_key("client-request-id");
    let request_id = client_request_id(&parts.headers);
    if let Some(effect) = &effect {
        tracing::debug!(%method, path, ?effect, "fault strikes");
        parts.extensions.insert(effect.clone());
    }
    let request = Request::from_parts(parts, Body::from(body.clone()));
    let mut answer = match &effect {
        Some(FaultEffect::Refuse {
            status,
            retry_after_s,
        }) => refusal(*status, *retry_after_s, &path),
        Some(FaultEffect::Html) => {
            Html("<!DOCTYPE html><html><body><h1>Service unavailable</h1></body></html>")
                .into_response()
        }
        Some(FaultEffect::LoseAnswer { status }) => {
            let lost = next.run(request).await;
            tracing::debug!(status = lost.status().as_u16(), "answer lost on purpose");
            refusal(*status, None, &path)
        }
        Some(FaultEffect::ForeignNextPage(_) | FaultEffect::Ineffective) | None => {
            next.run(request).await
        }
    };
    if path.starts_with("/v1.0/") {
        if let Ok(value) = HeaderValue::from_str(&request_id) {
            answer.headers_mut().insert("request-id", value.clone());
            answer.headers_mut().insert("client-request-id", value);
        }
        if method != Method::GET {
            let applied = matches!(effect, Some(FaultEffect::LoseAnswer { .. }));
            let effective = applied || (effect.is_none() && answer.status().is_success());
            remember(
                &shared,
                &method,
                &path,
                &body,
                answer.status(),
                named.then_some(request_id),
                effective,
            );
        }
    }
    answer
}

fn remember(
    shared: &SharedTenant,
    method: &Method,
    path: &str,
    body: &Bytes,
    status: StatusCode,
    client_request_id: Option<String>,
    effective: bool,
) {
    shared.with(|tenant| {
        let call = GraphCall {
            wall_us: tenant.wall_us,
            simulated_us: tenant.world.scene.now_us,
            method: method.to_string(),
            path: path.to_owned(),
            body: String::from_utf8_lossy(body).into_owned(),
            status: status.as_u16(),
            client_request_id,
            effective,
        };
        tenant.remember(call);
    });
}

/// A refusal in the shape of the API that the path belongs to.
fn refusal(status: u16, retry_after_s: Option<u64>, path: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let throttled = status == StatusCode::TOO_MANY_REQUESTS;
    let code = match (path.starts_with("/api/"), throttled) {
        (true, true) => "AF429",
        (true, false) => "AF50000",
        (false, true) => "TooManyRequests",
        (false, false) => "serviceNotAvailable",
    };
    let message = if throttled {
        "Too many requests."
    } else {
        "An internal error occurred."
    };
    let mut answer = (
        status,
        Json(json!({"error": {"code": code, "message": message}})),
    )
        .into_response();
    if let Some(seconds) = retry_after_s {
        answer
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    answer
}
