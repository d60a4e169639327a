//! Graph: the groups that somebody is in, and the roles that are held or can be taken through them.
//!
//! Source: Microsoft Graph v1.0, `List a user's memberships (direct and transitive)`, `unifiedRoleAssignment`,
//! `unifiedRoleEligibilityScheduleInstance`; Use Microsoft Entra groups to manage role assignments.

use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use serde_json::{Value, json};

use super::caller::{Caller, shown};
use super::roles::{ROLES, entry, principal_asked};
use super::users::found;
use crate::shared::SharedTenant;

pub(super) fn routes() -> Router<Arc<SharedTenant>> {
    Router::new()
        .route("/v1.0/users/{user}/transitiveMemberOf", get(member_of))
        .route(
            "/v1.0/roleManagement/directory/roleEligibilityScheduleInstances",
            get(eligibilities),
        )
}

/// `GET /users/{id or UPN}/transitiveMemberOf`.
async fn member_of(caller: Caller, Path(key): Path<String>) -> Response {
    let roles = ["User.Read.All", "Directory.Read.All"];
    caller.graph(&roles, |tenant, _| {
        let user = found(&caller, tenant, &key)?;
        let groups = tenant
            .privileges
            .groups_of(&tenant.world.scene.users[user].id);
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
        shown(json!({"value": value}))
    })
}

/// `GET /roleManagement/directory/roleEligibilityScheduleInstances`, filtered by principal or whole.
async fn eligibilities(caller: Caller) -> Response {
    caller.graph(ROLES, |tenant, _| {
        let principal = principal_asked(&caller, tenant)?;
        if tenant.privileges.is_unlicensed {
            let message = "The tenant needs to have Microsoft Entra ID P2 or Microsoft Entra ID Governance license.";
            let code = "AadPremiumLicenseRequired";
            return Err(caller.refuse(tenant, StatusCode::BAD_REQUEST, code, message));
        }
        let eligible = tenant.privileges.eligible.iter();
        let value: Vec<Value> = eligible
            .filter(|one| {
                principal
                    .as_ref()
                    .is_none_or(|wanted| wanted.eq_ignore_ascii_case(&one.principal_id))
            })
            .map(|one| entry(&one.principal_id, &one.role, &caller.query))
            .collect();
        shown(json!({"value": value}))
    })
}
