//! Graph: security alerts.
//!
//! Source: Microsoft Graph v1.0, list `alerts_v2`: the filters that it documents, at most 1,000 on a page,
//! newest first where the caller does not say.

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use serde_json::{Value, json};

use super::caller::{Caller, shown};
use crate::shared::SharedTenant;

pub(super) fn routes() -> Router<Arc<SharedTenant>> {
    Router::new().route("/v1.0/security/alerts_v2", get(alerts))
}

/// Roles of which one is asked for.
const ROLES: &[&str] = &["SecurityAlert.Read.All", "SecurityAlert.ReadWrite.All"];
/// Most alerts on a page.
const PAGE_MAX: usize = 1_000;
/// Largest `$skip`.
const SKIP_MAX: usize = 500;
/// Properties that are filtered by time.
const TIMES: &[&str] = &["createdDateTime", "lastUpdateDateTime"];
/// Properties that are filtered by equality.
const WORDS: &[&str] = &[
    "assignedTo",
    "classification",
    "determination",
    "severity",
    "serviceSource",
    "status",
];

/// One clause of a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Clause {
    Time {
        property: &'static str,
        operator: Operator,
        time_us: i64,
    },
    Word {
        property: &'static str,
        value: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Ge,
    Gt,
    Le,
    Lt,
    Eq,
}

fn clause(text: &str) -> Option<Clause> {
    let mut words = text.trim().splitn(3, ' ');
    let (property, operator, value) = (words.next()?, words.next()?, words.next()?.trim());
    let known = |list: &[&'static str]| list.iter().find(|known| **known == property).copied();
    if let Some(property) = known(TIMES) {
        let operator = match operator {
            "ge" => Operator::Ge,
            "gt" => Operator::Gt,
            "le" => Operator::Le,
            "lt" => Operator::Lt,
            "eq" => Operator::Eq,
            _ => return None,
        };
        return Some(Clause::Time {
            property,
            operator,
            time_us: schemas::time::parse_us(value)?,
        });
    }
    let property = known(WORDS)?;
    let value = value.strip_prefix('\'')?.strip_suffix('\'')?;
    (operator == "eq").then(|| Clause::Word {
        property,
        value: value.to_owned(),
    })
}

/// The clauses of a filter, or none if Graph would not take it.
fn clauses(filter: Option<&str>) -> Option<Vec<Clause>> {
    filter.map_or_else(
        || Some(Vec::new()),
        |text| text.split(" and ").map(clause).collect(),
    )
}

fn time_us(alert: &Value, property: &str) -> i64 {
    alert[property]
        .as_str()
        .and_then(schemas::time::parse_us)
        .unwrap_or_default()
}

fn holds(alert: &Value, clause: &Clause) -> bool {
    match clause {
        Clause::Word { property, value } => alert[*property].as_str() == Some(value),
        Clause::Time {
            property,
            operator,
            time_us: bound,
        } => {
            let found = time_us(alert, property);
            match operator {
                Operator::Ge => found >= *bound,
                Operator::Gt => found > *bound,
                Operator::Le => found <= *bound,
                Operator::Lt => found < *bound,
                Operator::Eq => found == *bound,
            }
        }
    }
}

/// `GET /security/alerts_v2`.
async fn alerts(caller: Caller) -> Response {
    caller.graph(ROLES, |tenant, _| {
        let query = &caller.query;
        let bad =
            |message: &str| caller.refuse(tenant, StatusCode::BAD_REQUEST, "BadRequest", message);
        let clauses = clauses(query.get("$filter")).ok_or_else(|| bad("Invalid filter clause."))?;
        let number = |name: &str| query.get(name).map(str::parse::<usize>).transpose();
        let top = number("$top").map_err(|_| bad("Invalid $top."))?;
        let top = top.unwrap_or(tenant.config.alerts_page).clamp(1, PAGE_MAX);
        let skip = number("$skip")
            .map_err(|_| bad("Invalid $skip."))?
            .unwrap_or(0);
        if skip > SKIP_MAX {
            return Err(bad("$skip may be 500 at most."));
        }
        let first = number("$skiptoken").map_err(|_| bad("Invalid $skiptoken."))?;
        let first = first.unwrap_or(skip);
        let order = query.get("$orderby").unwrap_or("createdDateTime desc");
        let mut order = order.split(' ');
        let property = order.next().unwrap_or_default();
        if !TIMES.contains(&property) {
            return Err(bad("Invalid $orderby."));
        }
        let fits = |alert: &&Value| clauses.iter().all(|clause| holds(alert, clause));
        let mut matching: Vec<&Value> = tenant.alerts.values().filter(fits).collect();
        matching.sort_by_key(|alert| time_us(alert, property));
        if order.next() == Some("desc") {
            matching.reverse();
        }
        let page: Vec<&Value> = matching.iter().skip(first).take(top).copied().collect();
        let mut body =
            json!({"@odata.context": caller.context("security/alerts_v2"), "value": page});
        if first + top < matching.len() {
            let next = query.with("$skiptoken", &(first + top).to_string());
            let host = caller.host();
            body["@odata.nextLink"] = json!(format!("{host}/v1.0/security/alerts_v2?{next}"));
        }
        shown(body)
    })
}

#[cfg(test)]
mod tests {
    use super::{clauses, holds};
    use serde_json::json;

    #[test]
    fn filters_by_time_and_word_and_refuses_the_rest() {
        let alert = json!({"lastUpdateDateTime": "2026-09-14T08:20:00.5Z", "severity": "high"});
        let check = |filter: &str| {
            clauses(Some(filter)).map(|all| all.iter().all(|one| holds(&alert, one)))
        };
        assert_eq!(
            check("lastUpdateDateTime ge 2026-09-14T08:20:00.5Z"),
            Some(true)
        );
        assert_eq!(
            check("lastUpdateDateTime gt 2026-09-14T08:20:00.5Z"),
            Some(false)
        );
        assert_eq!(
            check("severity eq 'high' and lastUpdateDateTime lt 2026-09-15T00:00:00Z"),
            Some(true)
        );
        assert_eq!(check("title eq 'x'"), None);
        assert_eq!(check("severity eq high"), None);
    }
}
