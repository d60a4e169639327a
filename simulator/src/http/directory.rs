//! Graph: changes of users and groups, and the tenant's domains.
//!
//! Source: Microsoft Graph v1.0, `user: delta`, `group: delta`, `List domains`; delta query overview: a link that is
//! unknown or too old is answered by 410, and the client begins anew.

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use serde_json::{Value, json};

use super::caller::{Answer, Caller, Refusal, shown};
use super::query::Query;
use super::users::selected;
use crate::shared::SharedTenant;
use crate::tenant::Tenant;
use crate::tenant::directory::{DeltaCollection, DeltaRound, domains as all_domains};
use crate::world::moment::HOUR_US;

pub(super) fn routes() -> Router<Arc<SharedTenant>> {
    Router::new()
        .route("/v1.0/users/delta", get(users))
        .route("/v1.0/groups/delta", get(groups))
        .route("/v1.0/domains", get(domains))
}

/// Objects on a page where the caller prefers no other number.
const PAGE: usize = 100;
/// Most objects on a page, whatever the caller prefers.
const PAGE_MAX: usize = 200;
/// How long a link of the directory is known, in microseconds on the wall clock.
const LINK_LIFETIME_US: i64 = 7 * 24 * HOUR_US;

/// `GET /users/delta`.
async fn users(caller: Caller) -> Response {
    let roles = ["User.Read.All", "Directory.Read.All"];
    caller.graph(&roles, |tenant, _| {
        let users = tenant.world.scene.users.iter();
        let objects: Vec<Value> = users.map(|user| user.to_graph(tenant.id())).collect();
        delta(&caller, tenant, DeltaCollection::Users, &objects)
    })
}

/// `GET /groups/delta`.
async fn groups(caller: Caller) -> Response {
    let roles = [
        "GroupMember.Read.All",
        "Group.Read.All",
        "Directory.Read.All",
    ];
    caller.graph(&roles, |tenant, _| {
        let objects = tenant.groups.clone();
        delta(&caller, tenant, DeltaCollection::Groups, &objects)
    })
}

/// `GET /domains`.
async fn domains(caller: Caller) -> Response {
    caller.graph(&["Domain.Read.All", "Directory.Read.All"], |_, _| {
        shown(json!({"@odata.context": caller.context("domains"), "value": all_domains()}))
    })
}

/// A page of what changed, as the caller stands.
fn delta(
    caller: &Caller,
    tenant: &mut Tenant,
    collection: DeltaCollection,
    objects: &[Value],
) -> Answer {
    let changed = tenant.changes.observe(collection, objects);
    let round = round(caller, tenant, collection)?;
    let selects = Query::read(
        round
            .select
            .as_ref()
            .map(|list| format!("$select={list}"))
            .as_deref(),
    );
    let mut page = Vec::new();
    let mut next = None;
    let size = caller
        .preferred_page_size()
        .unwrap_or(PAGE)
        .clamp(1, PAGE_MAX);
    for (index, object) in objects.iter().enumerate().skip(round.next) {
        if changed.get(index).is_none_or(|at| *at <= round.since) {
            continue;
        }
        if page.len() == size {
            next = Some(index);
            break;
        }
        page.push(selected(object.clone(), &selects));
    }
    let name = collection.name();
    let given = DeltaRound {
        next: next.unwrap_or_default(),
        is_over: next.is_none(),
        given_us: tenant.wall_us,
        ..round
    };
    let (member, parameter) = if given.is_over {
        ("@odata.deltaLink", "$deltatoken")
    } else {
        ("@odata.nextLink", "$skiptoken")
    };
    let token = tenant.seal(&given);
    let links = caller.next_page_host();
    let mut body =
        json!({"@odata.context": format!("{links}/v1.0/$metadata#{name}"), "value": page});
    body[member] = json!(format!("{links}/v1.0/{name}/delta?{parameter}={token}"));
    shown(body)
}

/// Where the caller stands: at the beginning, on a page, or after a round that ended.
///
/// # Errors
/// 410 for a token that this tenant did not give for the collection, or gave too long ago.
fn round(
    caller: &Caller,
    tenant: &Tenant,
    collection: DeltaCollection,
) -> Result<DeltaRound, Refusal> {
    let query = &caller.query;
    let last = tenant.changes.last();
    let Some(token) = query.get("$deltatoken").or(query.get("$skiptoken")) else {
        return Ok(DeltaRound {
            collection,
            select: query.get("$select").map(str::to_owned),
            since: 0,
            until: last,
            next: 0,
            is_over: false,
            given_us: tenant.wall_us,
        });
    };
    let known = tenant.unseal::<DeltaRound>(token).filter(|round| {
        round.collection == collection
            && tenant.wall_us.saturating_sub(round.given_us) <= LINK_LIFETIME_US
    });
    match known {
        Some(round) if round.is_over => Ok(DeltaRound {
            since: round.until,
            until: last,
            next: 0,
            ..round
        }),
        Some(round) => Ok(round),
        None => {
            let message = "The sync state generation is not found.";
            Err(caller.refuse(tenant, StatusCode::GONE, "syncStateNotFound", message))
        }
    }
}
