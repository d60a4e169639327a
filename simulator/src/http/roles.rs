//! Graph: who holds which directory role.
//!
//! Source: Microsoft Graph v1.0, `unifiedRoleAssignment`, `unifiedRoleDefinition`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::access::{Refusal, answered, graph_caller, graph_error};
use super::query::Query;
use crate::shared::Shared;
use crate::tenant::Tenant;
use crate::world::day::roles::{ADMINISTRATION_ROLES, DESK_ROLES};
use crate::world::users::DirectoryRole;

/// The role definitions that the tenant shows: every role that somebody can hold.
fn known_definitions() -> impl Iterator<Item = &'static DirectoryRole> {
    DESK_ROLES.iter().chain(ADMINISTRATION_ROLES)
}

/// The principal that a query filters by; none for everybody.
///
/// # Errors
/// 400 for any other filter.
pub(super) fn principal_asked(
    tenant: &Tenant,
    headers: &HeaderMap,
    query: &Query,
) -> Result<Option<String>, Refusal> {
    let Some(filter) = query.get("$filter") else {
        return Ok(None);
    };
    match filter.strip_prefix("principalId eq ") {
        Some(quoted) => Ok(Some(quoted.trim().trim_matches('\'').to_owned())),
        None => Err(Refusal::from(graph_error(
            tenant,
            headers,
            StatusCode::BAD_REQUEST,
            "Request_UnsupportedQuery",
            "Unsupported filter clause.",
        ))),
    }
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
                .map(shown)
        );
    }
    entry
}

fn shown(role: &DirectoryRole) -> Value {
    json!({"id": role.template, "templateId": role.template, "displayName": role.name, "isBuiltIn": true, "isEnabled": true, "resourceScopes": ["/"]})
}

/// `GET /roleManagement/directory/roleAssignments`, filtered by principal or whole.
pub(super) async fn assignments(
    State(shared): State<Arc<Shared>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let query = Query::read(query.as_deref());
    answered(shared.with(|tenant| {
        graph_caller(tenant, &headers, &["RoleManagement.Read.Directory"])?;
        let principal = principal_asked(tenant, &headers, &query)?;
        let users = tenant.world.users.iter();
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
            .map(|(id, role)| entry(id, role, &query))
            .collect();
        Ok(Json(json!({"value": value})).into_response())
    }))
}

/// `GET /roleManagement/directory/roleDefinitions`.
pub(super) async fn definitions(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    answered(shared.with(|tenant| {
        graph_caller(tenant, &headers, &["RoleManagement.Read.Directory"])?;
        let value: Vec<Value> = known_definitions().map(shown).collect();
        Ok(Json(json!({"value": value})).into_response())
    }))
}

/// `GET /roleManagement/directory/roleDefinitions/{id}`.
pub(super) async fn definition(
    State(shared): State<Arc<Shared>>,
    Path(role): Path<String>,
    headers: HeaderMap,
) -> Response {
    answered(shared.with(|tenant| {
        graph_caller(tenant, &headers, &["RoleManagement.Read.Directory"])?;
        known_definitions()
            .find(|known| known.template == role)
            .map(|known| Json(shown(known)).into_response())
            .ok_or_else(|| {
                let message = "Resource does not exist.";
                Refusal::from(graph_error(
                    tenant,
                    &headers,
                    StatusCode::NOT_FOUND,
                    "Request_ResourceNotFound",
                    message,
                ))
            })
    }))
}
