//! The HTTP side: one port for the token endpoint, Graph, the Management Activity API and the control plane.
//!
//! To add an endpoint: a handler that takes a [`GraphCaller`], and a line in the `routes` of its file; a new file is named in
//! [`microsoft`] or [`control_plane`].

mod alerts;
mod caller;
mod control;
mod directory;
mod door;
mod mailbox;
mod management_activity;
mod privileges;
mod query;
mod roles;
mod token;
mod users;

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::Response;
use axum::routing::get;

use crate::connection::Connection;
use crate::shared::SharedTenant;
use caller::Caller;

/// Everything that is served over HTTP.
pub(crate) fn router(shared: Arc<SharedTenant>, connection: Connection) -> Router {
    let microsoft = microsoft()
        .layer(from_fn_with_state(Arc::clone(&shared), door::pass))
        .with_state(Arc::clone(&shared));
    let control = control_plane(connection)
        .layer(from_fn(door::loopback_only))
        .with_state(shared);
    control.merge(microsoft)
}

fn microsoft() -> Router<Arc<SharedTenant>> {
    Router::new()
        .merge(token::routes())
        .merge(management_activity::routes())
        .merge(users::routes())
        .merge(directory::routes())
        .merge(privileges::routes())
        .merge(mailbox::routes())
        .merge(alerts::routes())
        .merge(roles::routes())
        .fallback(unknown)
}

fn control_plane(connection: Connection) -> Router<Arc<SharedTenant>> {
    let connection = get(move || async move { axum::Json(connection) });
    control::routes().route("/simulator/connection", connection)
}

/// Anything else.
async fn unknown(caller: Caller) -> Response {
    caller.anybody(|tenant| {
        let message = "Resource not found for the segment.";
        Err(caller.refuse(tenant, StatusCode::NOT_FOUND, "BadRequest", message))
    })
}
