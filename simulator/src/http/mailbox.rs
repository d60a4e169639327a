//! Graph: inbox rules.
//!
//! Source: Microsoft Graph v1.0, `messageRule`.

use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use serde_json::{Value, json};

use super::caller::{Caller, Refusal, actor, shown};
use super::users::found;
use crate::shared::SharedTenant;
use crate::tenant::Tenant;
use crate::world::responses;
use crate::world::users::InboxRule;

/// Roles of which one is asked for, to read.
const READERS: &[&str] = &["MailboxSettings.Read", "MailboxSettings.ReadWrite"];
/// And to change.
const WRITERS: &[&str] = &["MailboxSettings.ReadWrite"];

pub(super) fn routes() -> Router<Arc<SharedTenant>> {
    let below = "/v1.0/users/{user}/mailFolders/inbox/messageRules";
    Router::new()
        .route(below, get(rules))
        .route(&format!("{below}/{{rule}}"), get(rule).patch(update_rule))
}

/// The mailbox of a path: guests have none here.
fn mailbox(caller: &Caller, tenant: &Tenant, key: &str) -> Result<usize, Refusal> {
    let user = found(caller, tenant, key)?;
    if tenant.world.scene.users[user].user_type() == "Guest" {
        let message = "The mailbox is either inactive, soft-deleted, or is hosted on-premise.";
        let code = "MailboxNotEnabledForRESTAPI";
        return Err(caller.refuse(tenant, StatusCode::NOT_FOUND, code, message));
    }
    Ok(user)
}

/// Owner and place of the rule of a path.
fn known(
    caller: &Caller,
    tenant: &Tenant,
    (key, rule_id): (&str, &str),
) -> Result<(usize, usize), Refusal> {
    let user = mailbox(caller, tenant, key)?;
    let mut rules = tenant.world.scene.users[user].inbox_rules.iter();
    let Some(rule) = rules.position(|rule| rule.id == rule_id) else {
        let message = "The specified object was not found in the store.";
        let code = "ErrorItemNotFound";
        return Err(caller.refuse(tenant, StatusCode::NOT_FOUND, code, message));
    };
    Ok((user, rule))
}

/// `GET …/messageRules`.
async fn rules(caller: Caller, Path(key): Path<String>) -> Response {
    caller.graph(READERS, |tenant, _| {
        let user = mailbox(&caller, tenant, &key)?;
        let rules = tenant.world.scene.users[user].inbox_rules.iter();
        let rules: Vec<Value> = rules.map(InboxRule::to_graph).collect();
        shown(json!({"@odata.context": caller.context("messageRules"), "value": rules}))
    })
}

/// `GET …/messageRules/{id}`.
async fn rule(caller: Caller, Path((key, rule_id)): Path<(String, String)>) -> Response {
    caller.graph(READERS, |tenant, _| {
        let (user, rule) = known(&caller, tenant, (&key, &rule_id))?;
        shown(tenant.world.scene.users[user].inbox_rules[rule].to_graph())
    })
}

/// `PATCH …/messageRules/{id}`: turns a rule on or off.
async fn update_rule(
    caller: Caller,
    Path((key, rule_id)): Path<(String, String)>,
    body: String,
) -> Response {
    caller.graph(WRITERS, |tenant, claims| {
        let (user, rule) = known(&caller, tenant, (&key, &rule_id))?;
        let change: Option<Value> = serde_json::from_str(&body).ok();
        let Some(enabled) = change.and_then(|change| change["isEnabled"].as_bool()) else {
            let message = "The simulated mailbox changes isEnabled only.";
            let code = "ErrorInvalidRequest";
            return Err(caller.refuse(tenant, StatusCode::BAD_REQUEST, code, message));
        };
        if !caller.is_ineffective() {
            let actor = actor(tenant, claims);
            responses::set_rule_enabled(&mut tenant.world.scene, user, rule, enabled, actor);
        }
        let mut after = tenant.world.scene.users[user].inbox_rules[rule].to_graph();
        after["isEnabled"] = json!(enabled);
        shown(after)
    })
}
