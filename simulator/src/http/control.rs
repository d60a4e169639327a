//! The control plane: what a test or a demonstration asks the simulator itself.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::query::Query;
use crate::fault::{Fault, Script};
use crate::shared::Shared;
use crate::telling;
use crate::tenant::Tenant;
use crate::world::moment;

/// `GET /simulator/ledger`: what was made available so far; `?ids=1` with the ids.
pub(super) async fn ledger(
    State(shared): State<Arc<Shared>>,
    RawQuery(query): RawQuery,
) -> Response {
    let with_ids = Query::read(query.as_deref()).get("ids") == Some("1");
    shared.with(|tenant| {
        let current: Vec<String> = tenant
            .alerts
            .iter()
            .map(|(id, alert)| {
                format!(
                    "{id}:{}",
                    alert["lastUpdateDateTime"].as_str().unwrap_or_default()
                )
            })
            .collect();
        Json(json!({
            "complete": tenant.world.is_complete(),
            "simulated_time": moment::milliseconds(tenant.world.now_us),
            "simulated_us": tenant.world.now_us,
            "feeds": tenant.ledger.to_json(with_ids),
            // A version that was replaced before anybody asked cannot be had from the API.
            "graph_alerts_current": current,
            "partitions": tenant.partitions.iter().map(Vec::len).collect::<Vec<_>>(),
        }))
        .into_response()
    })
}

/// `GET /simulator/calls`: every mutating call of Graph, in order.
pub(super) async fn calls(State(shared): State<Arc<Shared>>) -> Response {
    shared.with(|tenant| Json(json!({"calls": tenant.calls})).into_response())
}

/// `GET /simulator/story`: what the attacker did and achieved, and the other stories in `stories`.
pub(super) async fn story(State(shared): State<Arc<Shared>>) -> Response {
    shared.with(|tenant| Json(told(tenant)).into_response())
}

fn told(tenant: &Tenant) -> Value {
    let wall = |at_us| ("wall_us", json!(tenant.pace.wall(at_us)));
    let others: Vec<Value> = tenant
        .world
        .episodes
        .iter()
        .map(|episode| telling::episode(&tenant.world, episode, wall))
        .collect();
    let Some(story) = &tenant.world.story else {
        return json!({"story": null, "complete": tenant.world.is_complete(), "stories": others});
    };
    let victim = &tenant.world.users[story.victim];
    json!({
        "story": "AiTM to BEC",
        "complete": tenant.world.is_complete(),
        "victim": {
            "id": victim.id,
            "user_principal_name": victim.principal_name,
            "display_name": victim.display_name,
            "enabled": victim.enabled,
            "sessions_valid_from_us": victim.sessions_valid_from_us,
            "inbox_rules": victim.inbox_rules.iter().map(crate::world::users::InboxRule::to_graph).collect::<Vec<_>>(),
        },
        "attacker": {
            "proxy_ip": story.proxy.ip,
            "desk_ip": story.desk.ip,
            "session_id": story.session_id,
            "app_id": story.app_id,
            "refresh_token": story.session_issued_us.map(|issued_us| tenant.refresh_token(story.victim, issued_us)),
            "has_access": story.has_access(victim),
        },
        "begins_us": story.begins_us,
        "begins_wall_us": tenant.pace.wall(story.begins_us),
        "steps": telling::happened(&story.steps, wall),
        "attempts": telling::happened(&story.attempts, wall),
        "mail_arrived": story.mail_arrived,
        "mail_forwarded": story.mail_forwarded,
        "last_forwarded_us": story.last_forwarded_us,
        "last_forwarded_wall_us": story.last_forwarded_us.map(|at_us| tenant.pace.wall(at_us)),
        "stories": others,
    })
}

/// `GET /simulator/faults`: how many wait.
pub(super) async fn faults(State(shared): State<Arc<Shared>>) -> Response {
    shared.with(|tenant| Json(json!({"waiting": tenant.faults.len()})).into_response())
}

/// `DELETE /simulator/faults`: forgets all.
pub(super) async fn clear_faults(State(shared): State<Arc<Shared>>) -> Response {
    shared.with(|tenant| tenant.faults.clear());
    StatusCode::NO_CONTENT.into_response()
}

/// `POST /simulator/faults`: one fault, or a list of them.
pub(super) async fn add_faults(State(shared): State<Arc<Shared>>, body: String) -> Response {
    let scripts = serde_json::from_str::<Vec<Script>>(&body)
        .or_else(|_| serde_json::from_str(&body).map(|one| vec![one]));
    let faults: Option<Vec<Fault>> = match scripts {
        Ok(scripts) => scripts.into_iter().map(Script::fault).collect(),
        Err(refusal) => return (StatusCode::BAD_REQUEST, refusal.to_string()).into_response(),
    };
    let Some(faults) = faults else {
        return (StatusCode::BAD_REQUEST, "a fault names exactly one effect").into_response();
    };
    let taken = shared.with(|tenant| faults.into_iter().all(|fault| take(tenant, fault)));
    shared.ring();
    if taken {
        StatusCode::NO_CONTENT.into_response()
    } else {
        (
            StatusCode::BAD_REQUEST,
            "too many faults, or no such partition",
        )
            .into_response()
    }
}

fn take(tenant: &mut Tenant, fault: Fault) -> bool {
    match fault {
        Fault::Request {
            path_contains,
            method,
            times,
            effect,
        } => tenant.faults.add(path_contains, method, times, effect),
        Fault::Detach { partition } => tenant
            .detached
            .get_mut(partition)
            .map(|times| *times += 1)
            .is_some(),
        Fault::Grow { partitions } => tenant.grow(partitions),
    }
}
