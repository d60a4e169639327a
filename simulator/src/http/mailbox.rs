//! Graph: inbox rules.
//!
//! Source: Microsoft Graph v1.0, `messageRule`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::access::{Refusal, answered, graph_caller, graph_error};
use super::graph::{actor_name, found};
use crate::fault::Effect;
use crate::shared::Shared;
use crate::tenant::Tenant;
use crate::world::responses::Actor;

/// The mailbox of a path: guests have none here.
fn mailbox(tenant: &Tenant, headers: &HeaderMap, key: &str) -> Result<usize, Refusal> {
    let user = found(tenant, headers, key)?;
    if tenant.world.users[user].user_type() == "Guest" {
        let message = "The mailbox is either inactive, soft-deleted, or is hosted on-premise.";
        return Err(Refusal::from(graph_error(
            tenant,
            headers,
            StatusCode::NOT_FOUND,
            "MailboxNotEnabledForRESTAPI",
            message,
        )));
    }
    Ok(user)
}

fn position(
    tenant: &Tenant,
    headers: &HeaderMap,
    user: usize,
    rule_id: &str,
) -> Result<usize, Refusal> {
    tenant.world.users[user]
        .inbox_rules
        .iter()
        .position(|rule| rule.id == rule_id)
        .ok_or_else(|| {
            let message = "The specified object was not found in the store.";
            Refusal::from(graph_error(
                tenant,
                headers,
                StatusCode::NOT_FOUND,
                "ErrorItemNotFound",
                message,
            ))
        })
}

/// `GET …/messageRules`.
pub(super) async fn rules(
    State(shared): State<Arc<Shared>>,
    Path(key): Path<String>,
    headers: HeaderMap,
) -> Response {
    answered(shared.with(|tenant| {
        graph_caller(tenant, &headers, &["MailboxSettings.Read", "MailboxSettings.ReadWrite"])?;
        let user = mailbox(tenant, &headers, &key)?;
        let rules: Vec<Value> = tenant.world.users[user].inbox_rules.iter().map(crate::world::users::InboxRule::to_graph).collect();
        Ok(Json(json!({"@odata.context": format!("{}/v1.0/$metadata#messageRules", shared.http_url), "value": rules})).into_response())
    }))
}

/// `GET …/messageRules/{id}`.
pub(super) async fn rule(
    State(shared): State<Arc<Shared>>,
    Path((key, rule_id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    answered(shared.with(|tenant| {
        graph_caller(
            tenant,
            &headers,
            &["MailboxSettings.Read", "MailboxSettings.ReadWrite"],
        )?;
        let user = mailbox(tenant, &headers, &key)?;
        let rule = position(tenant, &headers, user, &rule_id)?;
        Ok(Json(tenant.world.users[user].inbox_rules[rule].to_graph()).into_response())
    }))
}

/// `PATCH …/messageRules/{id}`: turns a rule on or off.
pub(super) async fn update_rule(
    State(shared): State<Arc<Shared>>,
    Path((key, rule_id)): Path<(String, String)>,
    effect: Option<Extension<Effect>>,
    headers: HeaderMap,
    body: String,
) -> Response {
    answered(shared.with(|tenant| {
        let claims = graph_caller(tenant, &headers, &["MailboxSettings.ReadWrite"])?;
        let user = mailbox(tenant, &headers, &key)?;
        let rule = position(tenant, &headers, user, &rule_id)?;
        let change: Option<Value> = serde_json::from_str(&body).ok();
        let Some(enabled) = change.and_then(|change| change["isEnabled"].as_bool()) else {
            let message = "The simulated mailbox changes isEnabled only.";
            return Err(Refusal::from(graph_error(
                tenant,
                &headers,
                StatusCode::BAD_REQUEST,
                "ErrorInvalidRequest",
                message,
            )));
        };
        if !matches!(effect, Some(Extension(Effect::Ineffective))) {
            let name = actor_name(tenant, &claims);
            let actor = Actor {
                name,
                app_id: &claims.appid,
                principal_id: &claims.oid,
            };
            tenant.world.set_rule_enabled(user, rule, enabled, actor);
        }
        let mut shown = tenant.world.users[user].inbox_rules[rule].to_graph();
        shown["isEnabled"] = json!(enabled);
        Ok(Json(shown).into_response())
    }))
}
