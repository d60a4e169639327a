//! Who may call what: bearer token, audience and role; and the errors of each API.

use axum::Json;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::tenant::{GRAPH, MANAGEMENT, Tenant};
use crate::tokens::Claims;

/// An answer that refuses a caller.
pub(super) struct Refusal(Box<Response>);

impl From<Response> for Refusal {
    fn from(answer: Response) -> Self {
        Self(Box::new(answer))
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        *self.0
    }
}

/// The answer, or the refusal.
pub(super) fn answered(result: Result<Response, Refusal>) -> Response {
    result.unwrap_or_else(IntoResponse::into_response)
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?
        .strip_prefix("Bearer ")
}

/// The id by which a caller names its request, or a zero id.
pub(super) fn client_request_id(headers: &HeaderMap) -> String {
    headers
        .get("client-request-id")
        .and_then(|value| value.to_str().ok())
        .unwrap_or("00000000-0000-0000-0000-000000000000")
        .to_owned()
}

/// An error of Graph's.
pub(super) fn graph_error(
    tenant: &Tenant,
    headers: &HeaderMap,
    status: StatusCode,
    code: &str,
    message: &str,
) -> Response {
    (
        status,
        Json(tenant.graph_error(code, message, &client_request_id(headers))),
    )
        .into_response()
}

/// The claims of a caller of Graph who has one of the roles.
///
/// # Errors
/// The answer that refuses the caller: 401 without a good token, 403 without a role.
pub(super) fn graph_caller(
    tenant: &Tenant,
    headers: &HeaderMap,
    roles: &[&str],
) -> Result<Claims, Refusal> {
    let claims = bearer(headers)
        .and_then(|token| tenant.claims(token))
        .filter(|claims| claims.aud == GRAPH);
    let Some(claims) = claims else {
        let message = "Access token is missing, malformed, expired or not for this audience.";
        let mut refusal = graph_error(
            tenant,
            headers,
            StatusCode::UNAUTHORIZED,
            "InvalidAuthenticationToken",
            message,
        );
        refusal.headers_mut().insert(
            header::WWW_AUTHENTICATE,
            header::HeaderValue::from_static("Bearer realm=\"\", error=\"invalid_token\""),
        );
        return Err(Refusal::from(refusal));
    };
    if roles
        .iter()
        .any(|role| claims.roles.iter().any(|held| held == role))
    {
        return Ok(claims);
    }
    Err(Refusal::from(privileges_missing(tenant, headers)))
}

/// Graph's refusal for a missing permission or directory role.
pub(super) fn privileges_missing(tenant: &Tenant, headers: &HeaderMap) -> Response {
    let message = "Insufficient privileges to complete the operation.";
    graph_error(
        tenant,
        headers,
        StatusCode::FORBIDDEN,
        "Authorization_RequestDenied",
        message,
    )
}

/// An error of the Management Activity API.
pub(super) fn feed_error(status: StatusCode, code: &str, message: &str) -> Response {
    (
        status,
        Json(json!({"error": {"code": code, "message": message}})),
    )
        .into_response()
}

/// Checks a caller of the Management Activity API.
///
/// # Errors
/// The answer that refuses the caller: 401 without a good token, AF10001 without the role, AF20010 for another tenant.
pub(super) fn feed_caller(
    tenant: &Tenant,
    headers: &HeaderMap,
    url_tenant: &str,
) -> Result<(), Refusal> {
    let claims = bearer(headers)
        .and_then(|token| tenant.claims(token))
        .filter(|claims| claims.aud == MANAGEMENT);
    let Some(claims) = claims else {
        let body = json!({"Message": "Authorization has been denied for this request."});
        return Err(Refusal::from(
            (StatusCode::UNAUTHORIZED, Json(body)).into_response(),
        ));
    };
    if !url_tenant.eq_ignore_ascii_case(&claims.tid) {
        let message = "The tenant ID passed in the URL does not match the tenant ID passed in the access token.";
        return Err(Refusal::from(feed_error(
            StatusCode::BAD_REQUEST,
            "AF20010",
            message,
        )));
    }
    if !claims.roles.iter().any(|role| role == "ActivityFeed.Read") {
        let message = "The permission set sent in the request did not include the expected permission ActivityFeed.Read.";
        return Err(Refusal::from(feed_error(
            StatusCode::FORBIDDEN,
            "AF10001",
            message,
        )));
    }
    Ok(())
}
