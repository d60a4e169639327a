//! The HTTP side: one port for the token endpoint, Graph, the Management Activity API and the control plane.

mod access;
mod alerts;
mod control;
mod directory;
mod door;
mod graph;
mod mailbox;
mod management_activity;
mod privileges;
mod query;
mod roles;
mod token;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post, put};

use crate::shared::Shared;
use crate::stage::Connection;

/// Everything that is served over HTTP.
pub(crate) fn router(shared: Arc<Shared>, connection: Connection) -> Router {
    let microsoft = Router::new()
        .route("/{tenant}/oauth2/v2.0/token", post(token::token))
        .merge(activity_feed())
        .merge(graph_resources())
        .fallback(graph::unknown)
        .layer(from_fn_with_state(Arc::clone(&shared), door::pass))
        .with_state(Arc::clone(&shared));
    let control = Router::new()
        .route(
            "/simulator/connection",
            get(move || async move { axum::Json(connection) }),
        )
        .route("/simulator/ledger", get(control::ledger))
        .route("/simulator/calls", get(control::calls))
        .route("/simulator/story", get(control::story))
        .route(
            "/simulator/faults",
            get(control::faults)
                .post(control::add_faults)
                .delete(control::clear_faults),
        )
        .route("/simulator/privileges", put(privileges::replace))
        .layer(axum::middleware::from_fn(door::loopback_only))
        .with_state(shared);
    control.merge(microsoft)
}

fn activity_feed() -> Router<Arc<Shared>> {
    let below = |path: &str| format!("/api/v1.0/{{tenant}}/activity/feed/{path}");
    Router::new()
        .route(
            &below("subscriptions/start"),
            post(management_activity::start),
        )
        .route(
            &below("subscriptions/stop"),
            post(management_activity::stop),
        )
        .route(&below("subscriptions/list"), get(management_activity::list))
        .route(
            &below("subscriptions/content"),
            get(management_activity::content),
        )
        .route(&below("audit/{content}"), get(management_activity::blob))
}

fn graph_resources() -> Router<Arc<Shared>> {
    let user = |path: &str| format!("/v1.0/users/{{user}}{path}");
    let roles = |path: &str| format!("/v1.0/roleManagement/directory/{path}");
    Router::new()
        .route("/v1.0/users", get(graph::users))
        .route("/v1.0/users/delta", get(directory::users))
        .route("/v1.0/groups/delta", get(directory::groups))
        .route("/v1.0/domains", get(directory::domains))
        .route(&user(""), get(graph::user).patch(graph::update_user))
        .route(&user("/revokeSignInSessions"), post(graph::revoke_sessions))
        .route(&user("/transitiveMemberOf"), get(privileges::member_of))
        .route(
            &user("/mailFolders/inbox/messageRules"),
            get(mailbox::rules),
        )
        .route(
            &user("/mailFolders/inbox/messageRules/{rule}"),
            get(mailbox::rule).patch(mailbox::update_rule),
        )
        .route("/v1.0/security/alerts_v2", get(alerts::alerts))
        .route(&roles("roleAssignments"), get(roles::assignments))
        .route(
            &roles("roleEligibilityScheduleInstances"),
            get(privileges::eligibilities),
        )
        .route(&roles("roleDefinitions"), get(roles::definitions))
        .route(&roles("roleDefinitions/{role}"), get(roles::definition))
}
