//! Who calls, and what every handler needs of a request: the extractor that all of them take.
//!
//! Faults and the log of mutating calls are `door.rs`'s, which every request of Microsoft's APIs passes before.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Json;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::query::Query;
use crate::shared::SharedTenant;
use crate::tenant::fault::FaultEffect;
use crate::tenant::tokens::Claims;
use crate::tenant::{GRAPH, MANAGEMENT, Tenant};
use crate::world::responses::ActingApplication;

/// An answer that refuses a caller.
pub(super) struct Refusal(Box<Response>);

impl From<Response> for Refusal {
    fn from(answer: Response) -> Self {
        Self(Box::new(answer))
    }
}

/// What a handler answers.
pub(super) type Answer = Result<Response, Refusal>;

/// A JSON body, as a handler answers it.
#[expect(
    clippy::unnecessary_wraps,
    reason = "it is the last line of handlers that refuse before"
)]
pub(super) fn shown(body: Value) -> Answer {
    Ok(Json(body).into_response())
}

/// A request of one of Microsoft's APIs, before anybody has looked at its token.
pub(super) struct Caller {
    shared: Arc<SharedTenant>,
    headers: HeaderMap,
    /// The parameters of the request.
    pub(super) query: Query,
    /// The fault that strikes the request, where it is for the handler to obey.
    effect: Option<FaultEffect>,
}

impl FromRequestParts<Arc<SharedTenant>> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        shared: &Arc<SharedTenant>,
    ) -> Result<Self, Self::Rejection> {
        Ok(Self {
            shared: Arc::clone(shared),
            headers: parts.headers.clone(),
            query: Query::read(parts.uri.query()),
            effect: parts.extensions.get::<FaultEffect>().cloned(),
        })
    }
}

impl Caller {
    /// Answers a request of Graph by an application with one of the roles.
    ///
    /// Everybody else is refused: 401 without a good token, 403 without a role.
    pub(super) fn graph(
        &self,
        roles: &[&str],
        answer: impl FnOnce(&mut Tenant, &Claims) -> Answer,
    ) -> Response {
        self.shared
            .with(|tenant| answer_or_refusal(self.graph_claims(tenant, roles), tenant, answer))
    }

    /// Answers a request of the Management Activity API by an application with its role.
    ///
    /// Everybody else is refused: 401 without a good token, AF10001 without the role, AF20010 for another tenant.
    pub(super) fn feed(
        &self,
        url_tenant: &str,
        answer: impl FnOnce(&mut Tenant, &Claims) -> Answer,
    ) -> Response {
        self.shared
            .with(|tenant| answer_or_refusal(self.feed_claims(tenant, url_tenant), tenant, answer))
    }

    /// Answers a request of nobody in particular.
    pub(super) fn anybody(&self, answer: impl FnOnce(&mut Tenant) -> Answer) -> Response {
        self.shared
            .with(answer)
            .unwrap_or_else(|refusal| *refusal.0)
    }

    /// An error of Graph's.
    pub(super) fn refuse(
        &self,
        tenant: &Tenant,
        status: StatusCode,
        code: &str,
        message: &str,
    ) -> Refusal {
        let request_id = client_request_id(&self.headers);
        let body = tenant.graph_error(code, message, &request_id);
        Refusal::from((status, Json(body)).into_response())
    }

    /// Graph's refusal for a missing permission or directory role.
    pub(super) fn privileges_missing(&self, tenant: &Tenant) -> Refusal {
        let message = "Insufficient privileges to complete the operation.";
        let code = "Authorization_RequestDenied";
        self.refuse(tenant, StatusCode::FORBIDDEN, code, message)
    }

    /// Whether the request only seems to take effect.
    pub(super) fn is_ineffective(&self) -> bool {
        matches!(self.effect, Some(FaultEffect::Ineffective))
    }

    /// Scheme and host at which the tenant is served.
    pub(super) fn host(&self) -> &str {
        &self.shared.http_url
    }

    /// Scheme and host of the links to further pages.
    pub(super) fn next_page_host(&self) -> &str {
        match &self.effect {
            Some(FaultEffect::ForeignNextPage(host)) => host,
            _ => self.host(),
        }
    }

    /// Where the metadata of an answer of Graph stand.
    pub(super) fn context(&self, of: &str) -> String {
        format!("{}/v1.0/$metadata#{of}", self.host())
    }

    /// How many objects the caller prefers on a page, if any number.
    pub(super) fn preferred_page_size(&self) -> Option<usize> {
        self.headers
            .get_all("prefer")
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|text| text.split(','))
            .find_map(|wish| wish.trim().strip_prefix("odata.maxpagesize=")?.parse().ok())
    }

    fn claims(&self, tenant: &Tenant, audience: &str) -> Option<Claims> {
        let written = self.headers.get(header::AUTHORIZATION)?.to_str().ok()?;
        let claims = tenant.claims(written.strip_prefix("Bearer ")?)?;
        (claims.aud == audience).then_some(claims)
    }

    fn graph_claims(&self, tenant: &Tenant, roles: &[&str]) -> Result<Claims, Refusal> {
        let Some(claims) = self.claims(tenant, GRAPH) else {
            let message = "Access token is missing, malformed, expired or not for this audience.";
            let code = "InvalidAuthenticationToken";
            let mut refusal = self.refuse(tenant, StatusCode::UNAUTHORIZED, code, message);
            refusal.0.headers_mut().insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"\", error=\"invalid_token\""),
            );
            return Err(refusal);
        };
        let mut held = claims.roles.iter();
        if held.any(|held| roles.contains(&held.as_str())) {
            return Ok(claims);
        }
        Err(self.privileges_missing(tenant))
    }

    fn feed_claims(&self, tenant: &Tenant, url_tenant: &str) -> Result<Claims, Refusal> {
        let Some(claims) = self.claims(tenant, MANAGEMENT) else {
            let body = json!({"Message": "Authorization has been denied for this request."});
            return Err(Refusal::from(
                (StatusCode::UNAUTHORIZED, Json(body)).into_response(),
            ));
        };
        if !url_tenant.eq_ignore_ascii_case(&claims.tid) {
            let message = "The tenant ID passed in the URL does not match the tenant ID passed in the access token.";
            return Err(feed_error(StatusCode::BAD_REQUEST, "AF20010", message));
        }
        if !claims.roles.iter().any(|role| role == "ActivityFeed.Read") {
            let message = "The permission set sent in the request did not include the expected permission ActivityFeed.Read.";
            return Err(feed_error(StatusCode::FORBIDDEN, "AF10001", message));
        }
        Ok(claims)
    }
}

fn answer_or_refusal(
    claims: Result<Claims, Refusal>,
    tenant: &mut Tenant,
    answer: impl FnOnce(&mut Tenant, &Claims) -> Answer,
) -> Response {
    claims
        .and_then(|claims| answer(tenant, &claims))
        .unwrap_or_else(|refusal| *refusal.0)
}

/// An error of the Management Activity API.
pub(super) fn feed_error(status: StatusCode, code: &str, message: &str) -> Refusal {
    let body = json!({"error": {"code": code, "message": message}});
    Refusal::from((status, Json(body)).into_response())
}

/// The id by which a caller names its request, or a zero id.
pub(super) fn client_request_id(headers: &HeaderMap) -> String {
    headers
        .get("client-request-id")
        .and_then(|value| value.to_str().ok())
        .unwrap_or("00000000-0000-0000-0000-000000000000")
        .to_owned()
}

/// The application behind a token, as the records of what it does name it.
pub(super) fn actor<'a>(tenant: &Tenant, claims: &'a Claims) -> ActingApplication<'a> {
    ActingApplication {
        name: if claims.appid == tenant.acting.client_id {
            tenant.acting.name
        } else {
            tenant.reading.name
        },
        app_id: &claims.appid,
        principal_id: &claims.oid,
    }
}
