//! Graph: who holds which directory role.
//!
//! Source: Microsoft Graph v1.0, `unifiedRoleAssignment`, `unifiedRoleDefinition`.

use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use serde_json::{Value, json};

use super::caller::{Caller, Refusal, shown};
use super::query::Query;
use crate::shared::SharedTenant;
use crate::tenant::Tenant;
use crate::world::day::roles::{ADMINISTRATION_ROLES, DESK_ROLES};
use crate::world::users::DirectoryRole;

/// The role that is asked for.
pub(super) const ROLES: &[&str] = &["RoleManagement.Read.Directory"];

pub(super) fn routes() -> Router<Arc<SharedTenant>> {
    let below = |path: &str| format!("/v1.0/roleManagement/directory/{path}");
    Router::new()
        .route(&below("roleAssignments"), get(assignments))
        .route(&below("roleDefinitions"), get(definitions))
        .route(&below("roleDefinitions/{role}"), get(definition))
}

/// The role definitions that the tenant shows: every role that somebody can hold.
fn known_definitions() -> impl Iterator<Item = &'static DirectoryRole> {
    DESK_ROLES.iter().chain(ADMINISTRATION_ROLES)
}

/// The principal that a query filters by; none for everybody.
///
/// # Errors
/// 400 for any other filter.
pub(super) fn principal_asked(caller: &Caller, tenant: &Tenant) -> Result<Option<String>, Refusal> {
    let Some(filter) = caller.query.get("$filter") else {
        return Ok(None);
    };
    if let Some(quoted) = filter.strip_prefix("principalId eq ") {
        return Ok(Some(quoted.trim().trim_matches('\'').to_owned()));
    }
    let message = "Unsupported filter clause.";
    let code = "Request_UnsupportedQuery";
    Err(caller.refuse(tenant, StatusCode::BAD_REQUEST, code, message))
}

/// Somebody's role as a list of assignments shows it.
pub(super) fn entry(principal: &str, role: &str, query: &Query) -> Value {
    let mut entry = json!({
        "id": format!("{role}-{principal}"),
        "principalId": principal,
        "roleDefinitionId": role,
        "directoryScopeId": "/",
    });
    let is_expanded = query
        .get("$expand")
        .is_some_and(|list| list.contains("roleDefinition"));
    if is_expanded {
        entry["roleDefinition"] = json!(
            known_definitions()
                .find(|known| known.template == role)
                .map(to_graph)
        );
    }
    entry
}

fn to_graph(role: &DirectoryRole) -> Value {
    json!({"id": role.template, "templateId": role.template, "displayName": role.name, "isBuiltIn": true, "isEnabled": true, "resourceScopes": ["/"]})
}

/// `GET /roleManagement/directory/roleAssignments`, filtered by principal or whole.
async fn assignments(caller: Caller) -> Response {
    caller.graph(ROLES, |tenant, _| {
        let principal = principal_asked(&caller, tenant)?;
        let users = tenant.world.scene.users.iter();
        let of_users = users.flat_map(|user| user.roles.iter().map(|role| (&user.id, *role)));
        let groups = tenant.privileges.groups.iter();
        let of_groups =
            groups.flat_map(|group| group.roles.iter().map(|role| (&group.id, role.as_str())));
        let value: Vec<Value> = of_users
            .chain(of_groups)
            .filter(|(id, _)| {
                principal
                    .as_ref()
                    .is_none_or(|wanted| wanted.eq_ignore_ascii_case(id))
            })
            .map(|(id, role)| entry(id, role, &caller.query))
            .collect();
        shown(json!({"value": value}))
    })
}

/// `GET /roleManagement/directory/roleDefinitions`.
async fn definitions(caller: Caller) -> Response {
    caller.graph(ROLES, |_, _| {
        let value: Vec<Value> = known_definitions().map(to_graph).collect();
        shown(json!({"value": value}))
    })
}

/// `GET /roleManagement/directory/roleDefinitions/{id}`.
async fn definition(caller: Caller, Path(role): Path<String>) -> Response {
    caller.graph(ROLES, |tenant, _| {
        let mut known = known_definitions();
        if let Some(known) = known.find(|known| known.template == role) {
            return shown(to_graph(known));
        }
        let message = "Resource does not exist.";
        let code = "Request_ResourceNotFound";
        Err(caller.refuse(tenant, StatusCode::NOT_FOUND, code, message))
    })
}
