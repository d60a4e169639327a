//! Graph: the groups that somebody is in, and the roles that are held or can be taken through them.
//!
//! Source: Microsoft Graph v1.0, `List a user's memberships (direct and transitive)`, `unifiedRoleAssignment`,
//! `unifiedRoleEligibilityScheduleInstance`; Use Microsoft Entra groups to manage role assignments.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::access::{answered, graph_caller};
use super::graph::found;
use super::query::Query;
use super::roles::{entry, principal_asked};
use crate::privileges::Privileges;
use crate::shared::Shared;

/// `GET /users/{id or UPN}/transitiveMemberOf`.
pub(super) async fn member_of(
    State(shared): State<Arc<Shared>>,
    Path(key): Path<String>,
    headers: HeaderMap,
) -> Response {
    answered(shared.with(|tenant| {
        graph_caller(tenant, &headers, &["User.Read.All", "Directory.Read.All"])?;
        let user = found(tenant, &headers, &key)?;
        let groups = tenant.privileges.groups_of(&tenant.world.users[user].id);
        let value: Vec<Value> = groups
            .into_iter()
            .map(|group| {
                json!({
                    "@odata.type": "#microsoft.graph.group",
                    "id": group.id,
                    "displayName": group.name,
                    "isAssignableToRole": group.is_assignable_to_role.then_some(true),
                    "securityEnabled": true,
                })
            })
            .collect();
        Ok(Json(json!({"value": value})).into_response())
    }))
}

/// `GET /roleManagement/directory/roleEligibilityScheduleInstances`, filtered by principal or whole.
pub(super) async fn eligibilities(
    State(shared): State<Arc<Shared>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let query = Query::read(query.as_deref());
    answered(shared.with(|tenant| {
        graph_caller(tenant, &headers, &["RoleManagement.Read.Directory"])?;
        let principal = principal_asked(tenant, &headers, &query)?;
        if tenant.privileges.is_unlicensed {
            let message = "The tenant needs to have Microsoft Entra ID P2 or Microsoft Entra ID Governance license.";
            return Err(super::access::graph_error(
                tenant,
                &headers,
                StatusCode::BAD_REQUEST,
                "AadPremiumLicenseRequired",
                message,
            )
            .into());
        }
        let eligible = tenant.privileges.eligible.iter();
        let value: Vec<Value> = eligible
            .filter(|one| {
                principal
                    .as_ref()
                    .is_none_or(|wanted| wanted.eq_ignore_ascii_case(&one.principal_id))
            })
            .map(|one| entry(&one.principal_id, &one.role, &query))
            .collect();
        Ok(Json(json!({"value": value})).into_response())
    }))
}

/// `PUT /simulator/privileges`: the groups with roles and the roles that can be taken are these.
pub(super) async fn replace(State(shared): State<Arc<Shared>>, body: String) -> Response {
    match serde_json::from_str::<Privileges>(&body) {
        Ok(privileges) => {
            shared.with(|tenant| tenant.privileges = privileges);
            StatusCode::NO_CONTENT.into_response()
        }
        Err(refusal) => (StatusCode::BAD_REQUEST, refusal.to_string()).into_response(),
    }
}
