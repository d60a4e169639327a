//! OCSF 1.8.0: an event of one class for each kind; what the class has no attribute for stays whole in `unmapped`. Pure.
//!
//! | kind | class |
//! |---|---|
//! | alert | Detection Finding 2004 |
//! | case | Incident Finding 2005 |
//! | action | Remediation Activity 7001 |
//! | gap, source failure, expiring secret | Application Error 6008: what vedette itself could not see, or soon cannot |
//!
//! Source: <https://schema.ocsf.io/1.8.0/>; the schema as data in the PyPI package `ocsf-json-schema`, by which the tests
//! check every event.

use schemas::alert::AlertState;
use schemas::case::CaseStatus;
use schemas::severity::Severity;
use serde_json::{Map, Value, json};

use super::attack;
use super::made;
use super::mapping::{self, Line, Origin};
use crate::contract::{Notice, NoticeKind};

/// The version of OCSF whose classes these are.
pub const OCSF_VERSION: &str = "1.8.0";

/// What every class has.
const ALL: &[Line] = &[
    ("time", Origin::Made("/time", made::milliseconds)),
    ("timezone_offset", Origin::Number(0)),
    ("severity_id", Origin::Made("/severity", severity_id)),
    ("severity", Origin::Made("/severity", severity_caption)),
    ("message", Origin::At("/title")),
    ("status_detail", Origin::At("/severity_reason")),
    ("metadata.version", Origin::Word(OCSF_VERSION)),
    ("metadata.product.name", Origin::Word("vedette")),
    ("metadata.product.vendor_name", Origin::Word("vedette")),
    (
        "metadata.product.version",
        Origin::Word(env!("CARGO_PKG_VERSION")),
    ),
    ("metadata.uid", Origin::Made("", unique)),
    ("metadata.sequence", Origin::At("/sequence")),
    ("metadata.tenant_uid", Origin::At("/tenant_id")),
    ("metadata.event_code", Origin::At("/label")),
    ("metadata.log_name", Origin::At("/kind")),
    ("observables", Origin::Made("/entities", observables)),
    (
        "unmapped",
        Origin::Made("", |document| Some(document.clone())),
    ),
];

const ALERT: &[Line] = &[
    ("category_uid", Origin::Number(2)),
    ("category_name", Origin::Word("Findings")),
    ("class_uid", Origin::Number(2004)),
    ("class_name", Origin::Word("Detection Finding")),
    (
        "activity_id",
        Origin::Made("/state", |state| {
            alert_state(state).map(|(activity, ..)| activity.into())
        }),
    ),
    (
        "activity_name",
        Origin::Made("/state", |state| {
            alert_state(state).map(|(_, name, _)| name.into())
        }),
    ),
    (
        "status_id",
        Origin::Made("/state", |state| {
            alert_state(state).map(|(.., status)| status.into())
        }),
    ),
    ("status", Origin::At("/state")),
    ("is_alert", Origin::Flag(true)),
    ("count", Origin::At("/event_count")),
    (
        "start_time",
        Origin::Made("/first_event_time", made::milliseconds),
    ),
    (
        "end_time",
        Origin::Made("/last_event_time", made::milliseconds),
    ),
    ("finding_info.uid", Origin::At("/id")),
    ("finding_info.title", Origin::At("/title")),
    ("finding_info.desc", Origin::At("/description")),
    ("finding_info.types", Origin::Made("/category", made::alone)),
    ("finding_info.src_url", Origin::At("/links/0/url")),
    (
        "finding_info.created_time",
        Origin::Made("/detected_time", made::milliseconds),
    ),
    (
        "finding_info.first_seen_time",
        Origin::Made("/first_event_time", made::milliseconds),
    ),
    (
        "finding_info.last_seen_time",
        Origin::Made("/last_event_time", made::milliseconds),
    ),
    ("finding_info.analytic.uid", Origin::At("/rule/id")),
    ("finding_info.analytic.uid", Origin::At("/label")),
    ("finding_info.analytic.name", Origin::At("/title")),
    ("finding_info.analytic.category", Origin::At("/category")),
    ("finding_info.analytic.type_id", Origin::Number(1)),
    ("finding_info.analytic.type", Origin::Word("Rule")),
    ("finding_info.attacks", Origin::Made("", attack::attacks)),
    ("evidences", Origin::Made("", evidences)),
    ("resources", Origin::Made("/entities/user", resources)),
    (
        "remediation.desc",
        Origin::Made("/check_first", made::steps),
    ),
];

const CASE: &[Line] = &[
    ("category_uid", Origin::Number(2)),
    ("category_name", Origin::Word("Findings")),
    ("class_uid", Origin::Number(2005)),
    ("class_name", Origin::Word("Incident Finding")),
    (
        "activity_id",
        Origin::Made("", |case| Some(case_activity(case).0.into())),
    ),
    (
        "activity_name",
        Origin::Made("", |case| Some(case_activity(case).1.into())),
    ),
    ("status_id", Origin::Made("/state", case_status)),
    ("status", Origin::At("/state")),
    (
        "start_time",
        Origin::Made("/opened_time", made::milliseconds),
    ),
    (
        "end_time",
        Origin::Made("/changed_time", made::milliseconds),
    ),
    ("desc", Origin::At("/title")),
    ("count", Origin::At("/alert_count")),
    ("finding_info_list", Origin::Made("", findings)),
    // The class wants somebody; vedette assigns a case to nobody.
    ("assignee_group.name", Origin::Word("unassigned")),
];

const ACTION: &[Line] = &[
    ("category_uid", Origin::Number(7)),
    ("category_name", Origin::Word("Remediation")),
    ("class_uid", Origin::Number(7001)),
    ("class_name", Origin::Word("Remediation Activity")),
    (
        "activity_id",
        Origin::Made("/action", |action| Some(action_activity(action).0.into())),
    ),
    (
        "activity_name",
        Origin::Made("/action", |action| Some(action_activity(action).1.into())),
    ),
    (
        "status_id",
        Origin::Made("/outcome", |outcome| Some(action_status(outcome).into())),
    ),
    ("status", Origin::At("/state")),
    ("status_code", Origin::At("/state")),
    ("command_uid", Origin::At("/id")),
    ("countermeasures", Origin::Made("/action", countermeasures)),
];

const ERROR: &[Line] = &[
    ("category_uid", Origin::Number(6)),
    ("category_name", Origin::Word("Application Activity")),
    ("class_uid", Origin::Number(6008)),
    ("class_name", Origin::Word("Application Error")),
    ("activity_id", Origin::Number(1)),
    ("activity_name", Origin::Word("General Error")),
    ("status_id", Origin::Number(2)),
    ("status", Origin::At("/state")),
    (
        "start_time",
        Origin::Made("/range/from_time", made::milliseconds),
    ),
    (
        "end_time",
        Origin::Made("/range/to_time", made::milliseconds),
    ),
    (
        "start_time",
        Origin::Made("/since_time", made::milliseconds),
    ),
];

/// The notice as an OCSF event.
pub fn event(notice: &Notice) -> Map<String, Value> {
    let own = match notice.kind {
        NoticeKind::Alert => ALERT,
        NoticeKind::Case => CASE,
        NoticeKind::Action => ACTION,
        NoticeKind::Gap | NoticeKind::SourceFailure | NoticeKind::ExpiringSecret => ERROR,
    };
    let mut event = mapping::nested(own.iter().chain(ALL), &notice.document);
    let number = |name: &str| event.get(name).and_then(Value::as_i64).unwrap_or(0);
    let type_uid = number("class_uid") * 100 + number("activity_id");
    event.insert("type_uid".to_owned(), type_uid.into());
    event
}

/// Identity of the version: what removes the second of two deliveries.
fn unique(document: &Value) -> Option<Value> {
    let word = |name: &str| document[name].as_str();
    Some(format!("{}-{}-{}", word("kind")?, word("id")?, word("version")?).into())
}

fn severity_id(value: &Value) -> Option<Value> {
    Some(
        match made::severity(value)? {
            Severity::Informational => 1,
            Severity::Low => 2,
            Severity::Medium => 3,
            Severity::High => 4,
            Severity::Critical => 5,
        }
        .into(),
    )
}

fn severity_caption(value: &Value) -> Option<Value> {
    let word = made::severity(value)?.as_str();
    Some(format!("{}{}", word[..1].to_ascii_uppercase(), &word[1..]).into())
}

/// Activity, its name, and status.
fn alert_state(state: &Value) -> Option<(i64, &'static str, i64)> {
    Some(match state.as_str()?.parse() {
        Ok(AlertState::Raised) => (1, "Create", 1),
        Ok(AlertState::Amended) => (2, "Update", 1),
        Ok(AlertState::Withdrawn) => (3, "Close", 4),
        Err(_) => (99, "Other", 99),
    })
}

fn case_activity(case: &Value) -> (i64, &'static str) {
    let status = case["state"].as_str().and_then(|word| word.parse().ok());
    match (status, case["sequence"].as_u64()) {
        (Some(CaseStatus::Resolved | CaseStatus::Closed), _) => (3, "Close"),
        (_, Some(1)) => (1, "Create"),
        _ => (2, "Update"),
    }
}

fn case_status(state: &Value) -> Option<Value> {
    let id = match state.as_str()?.parse() {
        Ok(CaseStatus::New) => 1,
        Ok(CaseStatus::InProgress) => 2,
        Ok(CaseStatus::OnHold) => 3,
        Ok(CaseStatus::Resolved) => 4,
        Ok(CaseStatus::Closed) => 5,
        Err(_) => 99,
    };
    Some(id.into())
}

fn findings(case: &Value) -> Option<Value> {
    let alerts = case["alert_ids"].as_array()?;
    let mut findings: Vec<Value> = alerts.iter().map(|id| json!({"uid": id})).collect();
    if findings.is_empty() {
        // The class wants one; the case itself is what is known.
        findings.push(json!({"uid": case["id"], "title": case["title"]}));
    }
    Some(findings.into())
}

/// What an action does, in D3FEND's words: `Evict` takes access away, `Restore` gives it back.
fn action_activity(action: &Value) -> (i64, &'static str) {
    match action.as_str() {
        Some("block_sign_in" | "revoke_sessions" | "disable_inbox_rules") => (2, "Evict"),
        Some("allow_sign_in" | "enable_inbox_rules") => (3, "Restore"),
        _ => (99, "Other"),
    }
}

/// The countermeasure, where D3FEND has one. Source: <https://d3fend.mitre.org/>.
fn countermeasures(action: &Value) -> Option<Value> {
    let (id, name) = match action.as_str()? {
        "block_sign_in" => ("D3-AL", "Account Locking"),
        "allow_sign_in" => ("D3-ULA", "Unlock Account"),
        "revoke_sessions" => ("D3-ANCI", "Authentication Cache Invalidation"),
        _ => return None,
    };
    Some(json!([{"d3f_technique": {"uid": id, "name": name}}]))
}

fn action_status(outcome: &Value) -> i64 {
    match outcome.as_str() {
        Some("success") => 1,
        Some("failure") => 2,
        Some("unknown") => 0,
        _ => 99,
    }
}

/// Each event behind an alert, and whom it was about.
fn evidences(alert: &Value) -> Option<Value> {
    let entities = &alert["entities"];
    let mut about = Map::new();
    if let Some(user) = user(&entities["user"]) {
        let mut actor = json!({"user": user});
        if let Some(id) = entities.pointer("/session/id") {
            actor["session"] = json!({"uid": id});
        }
        about.insert("actor".to_owned(), actor);
    }
    if let Some(ip) = made::ip(&entities["ip"]["address"]) {
        about.insert("src_endpoint".to_owned(), json!({"ip": ip}));
    }
    let mut all: Vec<Value> = Vec::new();
    if !about.is_empty() {
        all.push(about.into());
    }
    let rows = alert["evidence"].as_array().into_iter().flatten();
    all.extend(rows.map(|row| json!({"uid": row["event_id"], "name": row["table"], "data": row})));
    (!all.is_empty()).then(|| all.into())
}

fn user(user: &Value) -> Option<Value> {
    let mut made = Map::new();
    for (from, to) in [("name", "name"), ("id", "uid")] {
        if let Some(value) = user.get(from) {
            made.insert(to.to_owned(), value.clone());
        }
    }
    if let Some(address) = user.get("name").and_then(made::mail) {
        made.insert("email_addr".to_owned(), address);
    }
    (!made.is_empty()).then(|| made.into())
}

fn resources(of: &Value) -> Option<Value> {
    let mut resource = Map::new();
    for (from, to) in [("name", "name"), ("id", "uid")] {
        if let Some(value) = of.get(from) {
            resource.insert(to.to_owned(), value.clone());
        }
    }
    resource.insert("type".to_owned(), "user".into());
    (resource.len() > 1).then(|| json!([resource]))
}

/// What an analyst pivots on. Source: OCSF 1.8.0, object `observable`, attribute `type_id`.
fn observables(entities: &Value) -> Option<Value> {
    let mut all = Vec::new();
    let mut push = |name: &str, (id, caption): (i64, &str), value: Option<Value>| {
        if let Some(value) = value {
            all.push(json!({"name": name, "type_id": id, "type": caption, "value": value}));
        }
    };
    let at = |pointer: &str| entities.pointer(pointer).cloned();
    push("user.name", (4, "User Name"), at("/user/name"));
    push("user.uid", (31, "User Object: uid"), at("/user/id"));
    push("session.uid", (99, "Session"), at("/session/id"));
    push(
        "src_endpoint.ip",
        (2, "IP Address"),
        entities.pointer("/ip/address").and_then(made::ip),
    );
    (!all.is_empty()).then(|| all.into())
}
