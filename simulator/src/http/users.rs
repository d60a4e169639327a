//! Graph: users, blocking, and the revocation of sessions.
//!
//! Source: Microsoft Graph v1.0, `user`; requirement that administrators are out of reach of an
//! application without a directory role of its own.

use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Map, Value, json};

use super::caller::{Caller, Refusal, actor, shown};
use super::query::Query;
use crate::shared::SharedTenant;
use crate::tenant::Tenant;
use crate::world::responses;
use crate::world::users::User;

pub(super) fn routes() -> Router<Arc<SharedTenant>> {
    Router::new()
        .route("/v1.0/users", get(users))
        .route("/v1.0/users/{user}", get(user).patch(update_user))
        .route(
            "/v1.0/users/{user}/revokeSignInSessions",
            post(revoke_sessions),
        )
}

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
pub(super) fn found(caller: &Caller, tenant: &Tenant, key: &str) -> Result<usize, Refusal> {
    tenant.user(key).ok_or_else(|| {
        let message = format!("Resource '{key}' does not exist or one of its queried reference-property objects are not present.");
        caller.refuse(tenant, StatusCode::NOT_FOUND, "Request_ResourceNotFound", &message)
    })
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
fn filtered<'a>(caller: &Caller, tenant: &'a Tenant) -> Result<Vec<&'a User>, Refusal> {
    let Some(filter) = caller.query.get("$filter") else {
        return Ok(tenant.world.scene.users.iter().collect());
    };
    let of_mail = filter.strip_prefix("mail eq '");
    let of_alias = filter.strip_prefix("proxyAddresses/any(address:address eq 'smtp:");
    let Some(rest) = of_mail.or(of_alias) else {
        let message = "Unsupported or invalid query filter clause.";
        let code = "Request_UnsupportedQuery";
        return Err(caller.refuse(tenant, StatusCode::BAD_REQUEST, code, message));
    };
    let address = rest.trim_end_matches([')', '\'']).replace("''", "'");
    let users = tenant.world.scene.users.iter();
    let found = users.filter(|user| {
        let mut addresses = user.addresses(of_alias.is_some());
        addresses.any(|own| own.eq_ignore_ascii_case(&address))
    });
    Ok(found.collect())
}

/// `GET /users`, in pages.
async fn users(caller: Caller) -> Response {
    caller.graph(&["User.Read.All"], |tenant, _| {
        let query = &caller.query;
        let number = |name: &str| query.get(name).and_then(|text| text.parse::<usize>().ok());
        let top = number("$top")
            .unwrap_or(USERS_PAGE)
            .clamp(1, USERS_PAGE_MAX);
        let first = number("$skiptoken").unwrap_or(0);
        let all = filtered(&caller, tenant)?;
        let page: Vec<Value> = all
            .iter()
            .skip(first)
            .take(top)
            .map(|user| selected(user.to_graph(tenant.id()), query))
            .collect();
        let mut body = json!({"@odata.context": caller.context("users"), "value": page});
        if first + top < all.len() {
            let next = query.with("$skiptoken", &(first + top).to_string());
            body["@odata.nextLink"] = json!(format!("{}/v1.0/users?{next}", caller.host()));
        }
        shown(body)
    })
}

/// `GET /users/{id or UPN}`.
async fn user(caller: Caller, Path(key): Path<String>) -> Response {
    caller.graph(&["User.Read.All"], |tenant, _| {
        let user = found(&caller, tenant, &key)?;
        let whole = tenant.world.scene.users[user].to_graph(tenant.id());
        shown(selected(whole, &caller.query))
    })
}

/// `PATCH /users/{id or UPN}`: blocks or allows the sign-in; every other property needs another permission.
async fn update_user(caller: Caller, Path(key): Path<String>, body: String) -> Response {
    caller.graph(&["User.EnableDisableAccount.All"], |tenant, claims| {
        let user = found(&caller, tenant, &key)?;
        let bad = |message: &str| {
            let code = "Request_BadRequest";
            caller.refuse(tenant, StatusCode::BAD_REQUEST, code, message)
        };
        let Ok(Value::Object(changes)) = serde_json::from_str(&body) else {
            return Err(bad("Unable to read JSON request payload."));
        };
        let enabled = match changes.get("accountEnabled") {
            _ if changes.keys().any(|name| name != "accountEnabled") => {
                return Err(caller.privileges_missing(tenant));
            }
            Some(Value::Bool(enabled)) => *enabled,
            _ => {
                return Err(bad(
                    "Invalid value specified for property 'accountEnabled' of resource 'User'.",
                ));
            }
        };
        // Administrators are out of reach of an application that holds no directory role itself.
        let is_administrator = !tenant.world.scene.users[user].roles.is_empty();
        if is_administrator && !tenant.config.acting_app_is_privileged {
            return Err(caller.privileges_missing(tenant));
        }
        if !caller.is_ineffective() {
            let actor = actor(tenant, claims);
            responses::set_enabled(&mut tenant.world.scene, user, enabled, actor);
        }
        Ok(StatusCode::NO_CONTENT.into_response())
    })
}

/// `POST /users/{id or UPN}/revokeSignInSessions`.
async fn revoke_sessions(caller: Caller, Path(key): Path<String>) -> Response {
    caller.graph(&["User.RevokeSessions.All"], |tenant, claims| {
        let user = found(&caller, tenant, &key)?;
        if !caller.is_ineffective() {
            let actor = actor(tenant, claims);
            responses::revoke_sessions(&mut tenant.world.scene, user, actor);
        }
        shown(json!({"@odata.context": caller.context("Edm.Boolean"), "value": true}))
    })
}
