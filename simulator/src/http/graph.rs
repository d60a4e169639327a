//! Graph: users, blocking, and the revocation of sessions.
//!
//! Source: Microsoft Graph v1.0, `user`; requirement that administrators are out of reach of an
//! application without a directory role of its own.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::access::{Refusal, answered, graph_caller, graph_error, privileges_missing};
use super::query::Query;
use crate::fault::Effect;
use crate::shared::Shared;
use crate::tenant::Tenant;
use crate::tokens::Claims;
use crate::world::responses::Actor;
use crate::world::users::User;

/// Properties that Graph returns where `$select` does not say.
const DEFAULT_PROPERTIES: &[&str] = &["id", "displayName", "mail", "userPrincipalName"];
/// Users on a page where `$top` does not say.
const USERS_PAGE: usize = 100;
/// Most users on a page.
const USERS_PAGE_MAX: usize = 999;

/// The person of a path.
///
/// # Errors
/// 404 `Request_ResourceNotFound`.
pub(super) fn found(tenant: &Tenant, headers: &HeaderMap, key: &str) -> Result<usize, Refusal> {
    tenant.user(key).ok_or_else(|| {
        let message = format!("Resource '{key}' does not exist or one of its queried reference-property objects are not present.");
        Refusal::from(graph_error(tenant, headers, StatusCode::NOT_FOUND, "Request_ResourceNotFound", &message))
    })
}

/// The name of the application behind a token.
pub(super) fn actor_name(tenant: &Tenant, claims: &Claims) -> &'static str {
    if claims.appid == tenant.acting.client_id {
        tenant.acting.name
    } else {
        tenant.reading.name
    }
}

/// The properties that a query selects, or those that Graph gives unasked.
pub(super) fn selected(user: Value, query: &Query) -> Value {
    let wanted: Vec<&str> = match query.get("$select") {
        Some(list) => list.split(',').map(str::trim).collect(),
        None => DEFAULT_PROPERTIES.to_vec(),
    };
    let Value::Object(members) = user else {
        return user;
    };
    let kept: Map<String, Value> = members
        .into_iter()
        .filter(|(name, _)| {
            name == "id"
                || wanted
                    .iter()
                    .any(|wanted| wanted.eq_ignore_ascii_case(name))
        })
        .collect();
    Value::Object(kept)
}

/// The people of a filter by an address; everybody without one.
///
/// # Errors
/// 400 for any other filter.
fn filtered<'a>(
    tenant: &'a Tenant,
    headers: &HeaderMap,
    filter: Option<&str>,
) -> Result<Vec<&'a User>, Refusal> {
    let Some(filter) = filter else {
        return Ok(tenant.world.users.iter().collect());
    };
    let of_mail = filter.strip_prefix("mail eq '");
    let of_alias = filter.strip_prefix("proxyAddresses/any(address:address eq 'smtp:");
    let Some(rest) = of_mail.or(of_alias) else {
        return Err(Refusal::from(graph_error(
            tenant,
            headers,
            StatusCode::BAD_REQUEST,
            "Request_UnsupportedQuery",
            "Unsupported or invalid query filter clause.",
        )));
    };
    let address = rest.trim_end_matches([')', '\'']).replace("''", "'");
    let users = tenant.world.users.iter();
    let found = users.filter(|user| {
        let mut addresses = user.addresses(of_alias.is_some());
        addresses.any(|own| own.eq_ignore_ascii_case(&address))
    });
    Ok(found.collect())
}

/// `GET /users`, in pages.
pub(super) async fn users(
    State(shared): State<Arc<Shared>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let query = Query::read(query.as_deref());
    answered(shared.with(|tenant| {
        graph_caller(tenant, &headers, &["User.Read.All"])?;
        let number = |name: &str| query.get(name).and_then(|text| text.parse::<usize>().ok());
        let top = number("$top").unwrap_or(USERS_PAGE).clamp(1, USERS_PAGE_MAX);
        let first = number("$skiptoken").unwrap_or(0);
        let all = filtered(tenant, &headers, query.get("$filter"))?;
        let page: Vec<Value> = all
            .iter()
            .skip(first)
            .take(top)
            .map(|user| selected(user.to_graph(&tenant.world.tenant.id), &query))
            .collect();
        let mut body = json!({"@odata.context": format!("{}/v1.0/$metadata#users", shared.http_url), "value": page});
        if first + top < all.len() {
            let next = query.with("$skiptoken", &(first + top).to_string());
            body["@odata.nextLink"] = json!(format!("{}/v1.0/users?{next}", shared.http_url));
        }
        Ok(Json(body).into_response())
    }))
}

/// `GET /users/{id or UPN}`.
pub(super) async fn user(
    State(shared): State<Arc<Shared>>,
    Path(key): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let query = Query::read(query.as_deref());
    answered(shared.with(|tenant| {
        graph_caller(tenant, &headers, &["User.Read.All"])?;
        let user = found(tenant, &headers, &key)?;
        let shown = tenant.world.users[user].to_graph(&tenant.world.tenant.id);
        Ok(Json(selected(shown, &query)).into_response())
    }))
}

/// `PATCH /users/{id or UPN}`: blocks or allows the sign-in; every other property needs another permission.
pub(super) async fn update_user(
    State(shared): State<Arc<Shared>>,
    Path(key): Path<String>,
    effect: Option<Extension<Effect>>,
    headers: HeaderMap,
    body: String,
) -> Response {
    answered(shared.with(|tenant| {
        let claims = graph_caller(tenant, &headers, &["User.EnableDisableAccount.All"])?;
        let user = found(tenant, &headers, &key)?;
        let bad = |tenant: &Tenant, message: &str| {
            Refusal::from(graph_error(
                tenant,
                &headers,
                StatusCode::BAD_REQUEST,
                "Request_BadRequest",
                message,
            ))
        };
        let Ok(Value::Object(changes)) = serde_json::from_str(&body) else {
            return Err(bad(tenant, "Unable to read JSON request payload."));
        };
        let enabled = match changes.get("accountEnabled") {
            _ if changes.keys().any(|name| name != "accountEnabled") => {
                return Err(Refusal::from(privileges_missing(tenant, &headers)));
            }
            Some(Value::Bool(enabled)) => *enabled,
            _ => {
                return Err(bad(
                    tenant,
                    "Invalid value specified for property 'accountEnabled' of resource 'User'.",
                ));
            }
        };
        // Administrators are out of reach of an application that holds no directory role itself.
        if !tenant.world.users[user].roles.is_empty() && !tenant.config.acting_app_is_privileged {
            return Err(Refusal::from(privileges_missing(tenant, &headers)));
        }
        if !matches!(effect, Some(Extension(Effect::Ineffective))) {
            let name = actor_name(tenant, &claims);
            tenant.world.set_enabled(
                user,
                enabled,
                Actor {
                    name,
                    app_id: &claims.appid,
                    principal_id: &claims.oid,
                },
            );
        }
        Ok(StatusCode::NO_CONTENT.into_response())
    }))
}

/// `POST /users/{id or UPN}/revokeSignInSessions`.
pub(super) async fn revoke_sessions(
    State(shared): State<Arc<Shared>>,
    Path(key): Path<String>,
    effect: Option<Extension<Effect>>,
    headers: HeaderMap,
) -> Response {
    answered(shared.with(|tenant| {
        let claims = graph_caller(tenant, &headers, &["User.RevokeSessions.All"])?;
        let user = found(tenant, &headers, &key)?;
        if !matches!(effect, Some(Extension(Effect::Ineffective))) {
            let name = actor_name(tenant, &claims);
            tenant.world.revoke_sessions(
                user,
                Actor {
                    name,
                    app_id: &claims.appid,
                    principal_id: &claims.oid,
                },
            );
        }
        let context = format!("{}/v1.0/$metadata#Edm.Boolean", shared.http_url);
        Ok(Json(json!({"@odata.context": context, "value": true})).into_response())
    }))
}

/// Anything else.
pub(super) async fn unknown(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    shared.with(|tenant| {
        let message = "Resource not found for the segment.";
        graph_error(
            tenant,
            &headers,
            StatusCode::NOT_FOUND,
            "BadRequest",
            message,
        )
    })
}
