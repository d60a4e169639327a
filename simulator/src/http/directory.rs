//! Graph: changes of users and groups, and the tenant's domains.
//!
//! Source: Microsoft Graph v1.0, `user: delta`, `group: delta`, `List domains`; delta query overview: a link that is
//! unknown or too old is answered by 410, and the client begins anew.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::access::{Refusal, answered, graph_caller, graph_error};
use super::graph::selected;
use super::query::Query;
use crate::directory::{Collection, Round, domains as all_domains};
use crate::fault::Effect;
use crate::shared::Shared;
use crate::tenant::Tenant;
use crate::world::moment::HOUR_US;

/// Objects on a page where the caller prefers no other number.
const PAGE: usize = 100;
/// Most objects on a page, whatever the caller prefers.
const PAGE_MAX: usize = 200;
/// How long a link of the directory is known, in microseconds on the wall clock.
const LINK_LIFETIME_US: i64 = 7 * 24 * HOUR_US;

/// `GET /users/delta`.
pub(super) async fn users(
    State(shared): State<Arc<Shared>>,
    RawQuery(query): RawQuery,
    effect: Option<Extension<Effect>>,
    headers: HeaderMap,
) -> Response {
    let query = Query::read(query.as_deref());
    let links = links(&shared, effect);
    answered(shared.with(|tenant| {
        graph_caller(tenant, &headers, &["User.Read.All", "Directory.Read.All"])?;
        let tenant_id = &tenant.world.tenant.id;
        let users = tenant.world.users.iter();
        let objects: Vec<Value> = users.map(|user| user.to_graph(tenant_id)).collect();
        delta(
            tenant,
            &headers,
            &query,
            Collection::Users,
            &objects,
            &links,
        )
    }))
}

/// `GET /groups/delta`.
pub(super) async fn groups(
    State(shared): State<Arc<Shared>>,
    RawQuery(query): RawQuery,
    effect: Option<Extension<Effect>>,
    headers: HeaderMap,
) -> Response {
    let query = Query::read(query.as_deref());
    let links = links(&shared, effect);
    answered(shared.with(|tenant| {
        let roles = [
            "GroupMember.Read.All",
            "Group.Read.All",
            "Directory.Read.All",
        ];
        graph_caller(tenant, &headers, &roles)?;
        let objects = tenant.groups.clone();
        delta(
            tenant,
            &headers,
            &query,
            Collection::Groups,
            &objects,
            &links,
        )
    }))
}

/// `GET /domains`.
pub(super) async fn domains(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    answered(shared.with(|tenant| {
        graph_caller(tenant, &headers, &["Domain.Read.All", "Directory.Read.All"])?;
        let context = format!("{}/v1.0/$metadata#domains", shared.http_url);
        Ok(Json(json!({"@odata.context": context, "value": all_domains()})).into_response())
    }))
}

/// Scheme and host of the links of an answer.
fn links(shared: &Shared, effect: Option<Extension<Effect>>) -> String {
    match effect {
        Some(Extension(Effect::ForeignNextPage(host))) => host,
        _ => shared.http_url.clone(),
    }
}

/// A page of what changed, as the caller stands.
fn delta(
    tenant: &mut Tenant,
    headers: &HeaderMap,
    query: &Query,
    collection: Collection,
    objects: &[Value],
    links: &str,
) -> Result<Response, Refusal> {
    let changed = tenant.changes.observe(collection, objects);
    let round = round(tenant, headers, query, collection)?;
    let selects = Query::read(
        round
            .select
            .as_ref()
            .map(|list| format!("$select={list}"))
            .as_deref(),
    );
    let mut page = Vec::new();
    let mut next = None;
    let size = page_size(headers);
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
    let given = Round {
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
    let mut body =
        json!({"@odata.context": format!("{links}/v1.0/$metadata#{name}"), "value": page});
    body[member] = json!(format!("{links}/v1.0/{name}/delta?{parameter}={token}"));
    Ok(Json(body).into_response())
}

/// Where the caller stands: at the beginning, on a page, or after a round that ended.
///
/// # Errors
/// 410 for a token that this tenant did not give for the collection, or gave too long ago.
fn round(
    tenant: &Tenant,
    headers: &HeaderMap,
    query: &Query,
    collection: Collection,
) -> Result<Round, Refusal> {
    let last = tenant.changes.last();
    let Some(token) = query.get("$deltatoken").or(query.get("$skiptoken")) else {
        return Ok(Round {
            collection,
            select: query.get("$select").map(str::to_owned),
            since: 0,
            until: last,
            next: 0,
            is_over: false,
            given_us: tenant.wall_us,
        });
    };
    let known = tenant.unseal::<Round>(token).filter(|round| {
        round.collection == collection
            && tenant.wall_us.saturating_sub(round.given_us) <= LINK_LIFETIME_US
    });
    match known {
        Some(round) if round.is_over => Ok(Round {
            since: round.until,
            until: last,
            next: 0,
            ..round
        }),
        Some(round) => Ok(round),
        None => Err(Refusal::from(graph_error(
            tenant,
            headers,
            StatusCode::GONE,
            "syncStateNotFound",
            "The sync state generation is not found.",
        ))),
    }
}

/// How many objects the caller prefers on a page; `$top` says nothing here.
fn page_size(headers: &HeaderMap) -> usize {
    headers
        .get_all("prefer")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(','))
        .find_map(|wish| wish.trim().strip_prefix("odata.maxpagesize=")?.parse().ok())
        .unwrap_or(PAGE)
        .clamp(1, PAGE_MAX)
}
