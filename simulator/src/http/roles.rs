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
use crate::world::day::roles::{ADMINISTRATION_ROLES, DESK_ROLES};
use crate::world::users::DirectoryRole;

/// The role definitions that the tenant shows: every role that somebody can hold.
fn known_definitions() -> impl Iterator<Item = &'static DirectoryRole> {
    DESK_ROLES.iter().chain(ADMINISTRATION_ROLES)
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
        let principal = match query
            .get("$filter")
            .map(|filter| filter.strip_prefix("principalId eq "))
        {
            None => None,
            Some(Some(quoted)) => Some(quoted.trim().trim_matches('\'').to_owned()),
            Some(None) => {
                let message = "Unsupported filter clause.";
                return Err(Refusal::from(graph_error(
                    tenant,
                    &headers,
                    StatusCode::BAD_REQUEST,
                    "Request_UnsupportedQuery",
                    message,
                )));
            }
        };
        let expand = query
            .get("$expand")
            .is_some_and(|list| list.contains("roleDefinition"));
        let mut value = Vec::new();
        for user in &tenant.world.users {
            if principal
                .as_ref()
                .is_some_and(|wanted| !wanted.eq_ignore_ascii_case(&user.id))
            {
                continue;
            }
            for role in &user.roles {
                let mut entry = json!({
                    "id": format!("{role}-{}", user.id),
                    "principalId": user.id,
                    "roleDefinitionId": role,
                    "directoryScopeId": "/",
                });
                if expand {
                    entry["roleDefinition"] = json!(
                        known_definitions()
                            .find(|known| known.template == *role)
                            .map(shown)
                    );
                }
                value.push(entry);
            }
        }
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
