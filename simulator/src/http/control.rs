//! The control plane: what a test or a demonstration asks the simulator itself.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use axum::{Json, Router};
use serde_json::{Value, json};

use super::query::Query;
use crate::shared::SharedTenant;
use crate::tenant::Tenant;
use crate::tenant::fault::{Fault, FaultScript};
use crate::tenant::privileges::Privileges;
use crate::world::moment;
use crate::world::stories::telling;
use crate::world::users::InboxRule;

pub(super) fn routes() -> Router<Arc<SharedTenant>> {
    Router::new()
        .route("/simulator/ledger", get(ledger))
        .route("/simulator/calls", get(calls))
        .route("/simulator/story", get(story))
        .route(
            "/simulator/faults",
            get(faults).post(add_faults).delete(clear_faults),
        )
        .route("/simulator/privileges", put(replace_privileges))
}

/// `GET /simulator/ledger`: what was made available so far; `?ids=1` with the ids.
async fn ledger(State(shared): State<Arc<SharedTenant>>, RawQuery(query): RawQuery) -> Response {
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
            "simulated_time": moment::milliseconds(tenant.world.scene.now_us),
            "simulated_us": tenant.world.scene.now_us,
            "feeds": tenant.ledger.to_json(with_ids),
            // A version that was replaced before anybody asked cannot be had from the API.
            "graph_alerts_current": current,
            "partitions": tenant.partitions.iter().map(Vec::len).collect::<Vec<_>>(),
        }))
        .into_response()
    })
}

/// `GET /simulator/calls`: every mutating call of Graph, in order.
async fn calls(State(shared): State<Arc<SharedTenant>>) -> Response {
    shared.with(|tenant| Json(json!({"calls": tenant.calls})).into_response())
}

/// `GET /simulator/story`: what the attacker did and achieved, and the other stories in `stories`.
async fn story(State(shared): State<Arc<SharedTenant>>) -> Response {
    shared.with(|tenant| Json(told(tenant)).into_response())
}

fn told(tenant: &Tenant) -> Value {
    let wall = |at_us| ("wall_us", json!(tenant.pace.wall(at_us)));
    let scene = &tenant.world.scene;
    let is_complete = tenant.world.is_complete();
    let (first, others) = tenant.world.performances_by_holdings();
    let mut first = first.into_iter();
    let shown = first.next();
    let others: Vec<Value> = first
        .map(|(one, _)| one)
        .chain(others)
        .map(|one| telling::performance(scene, one, wall))
        .collect();
    let Some((story, holdings)) = shown else {
        return json!({"story": null, "complete": is_complete, "stories": others});
    };
    let cast = &story.cast;
    let victim = cast.victim(scene);
    let refresh_token = |issued_us| tenant.refresh_token(cast.victim, issued_us);
    json!({
        "story": "AiTM to BEC",
        "complete": is_complete,
        "victim": {
            "id": victim.id,
            "user_principal_name": victim.principal_name,
            "display_name": victim.display_name,
            "enabled": victim.enabled,
            "sessions_valid_from_us": victim.sessions_valid_from_us,
            "inbox_rules": victim.inbox_rules.iter().map(InboxRule::to_graph).collect::<Vec<_>>(),
        },
        "attacker": {
            "proxy_ip": cast.other_origin().ip,
            "desk_ip": cast.acting.ip,
            "session_id": cast.session_id,
            "app_id": holdings.app_id,
            "refresh_token": holdings.session_issued_us.map(refresh_token),
            "has_access": holdings.has_access,
        },
        "begins_us": cast.begins_us,
        "begins_wall_us": tenant.pace.wall(cast.begins_us),
        "steps": telling::happened(&story.steps, wall),
        "attempts": telling::happened(story.attempts.as_deref().unwrap_or_default(), wall),
        "mail_arrived": holdings.mail_arrived,
        "mail_forwarded": holdings.mail_forwarded,
        "last_forwarded_us": holdings.last_forwarded_us,
        "last_forwarded_wall_us": holdings.last_forwarded_us.map(|at_us| tenant.pace.wall(at_us)),
        "stories": others,
    })
}

/// `GET /simulator/faults`: how many wait.
async fn faults(State(shared): State<Arc<SharedTenant>>) -> Response {
    shared.with(|tenant| Json(json!({"waiting": tenant.faults.len()})).into_response())
}

/// `DELETE /simulator/faults`: forgets all.
async fn clear_faults(State(shared): State<Arc<SharedTenant>>) -> Response {
    shared.with(|tenant| tenant.faults.clear());
    StatusCode::NO_CONTENT.into_response()
}

/// `POST /simulator/faults`: one fault, or a list of them.
async fn add_faults(State(shared): State<Arc<SharedTenant>>, body: String) -> Response {
    let scripts = serde_json::from_str::<Vec<FaultScript>>(&body)
        .or_else(|_| serde_json::from_str(&body).map(|one| vec![one]));
    let faults: Option<Vec<Fault>> = match scripts {
        Ok(scripts) => scripts.into_iter().map(FaultScript::fault).collect(),
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

/// `PUT /simulator/privileges`: the groups with roles and the roles that can be taken are these.
async fn replace_privileges(State(shared): State<Arc<SharedTenant>>, body: String) -> Response {
    match serde_json::from_str::<Privileges>(&body) {
        Ok(privileges) => {
            shared.with(|tenant| tenant.privileges = privileges);
            StatusCode::NO_CONTENT.into_response()
        }
        Err(refusal) => (StatusCode::BAD_REQUEST, refusal.to_string()).into_response(),
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
