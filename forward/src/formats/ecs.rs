//! Elastic Common Schema 9.4: one document for each kind; what ECS has no field for stays whole under `vedette`. Pure.
//!
//! Source: <https://www.elastic.co/docs/reference/ecs/ecs-field-reference>; the schema as data in the npm package
//! `@elastic/ecs`, by which the tests check every document.

use serde_json::{Map, Value, json};

use super::attack;
use super::made;
use super::mapping::{self, Line, Origin};
use crate::contract::{Notice, NoticeKind};

/// The version of ECS whose fields these are.
pub const ECS_VERSION: &str = "9.4.0";

/// What every kind has.
const ALL: &[Line] = &[
    ("@timestamp", Origin::At("/time")),
    ("ecs.version", Origin::Word(ECS_VERSION)),
    ("message", Origin::At("/title")),
    ("event.id", Origin::At("/id")),
    ("event.sequence", Origin::At("/sequence")),
    ("event.module", Origin::Word("vedette")),
    ("event.provider", Origin::Word("vedette")),
    (
        "event.severity",
        Origin::Made("/severity", made::severity_of_ten),
    ),
    ("event.reason", Origin::At("/description")),
    ("event.reason", Origin::At("/why")),
    ("event.reason", Origin::At("/detail")),
    ("event.url", Origin::At("/links/0/url")),
    ("log.level", Origin::At("/severity")),
    ("cloud.provider", Origin::Word("azure")),
    ("cloud.account.id", Origin::At("/tenant_id")),
    ("user.name", Origin::At("/entities/user/name")),
    ("user.id", Origin::At("/entities/user/id")),
    (
        "user.email",
        Origin::Made("/entities/user/name", made::mail),
    ),
    ("source.ip", Origin::Made("/entities/ip/address", made::ip)),
    (
        "related.user",
        Origin::Made("/entities/user", made::members),
    ),
    (
        "related.ip",
        Origin::Made("/entities/ip/address", |value| {
            made::alone(&made::ip(value)?)
        }),
    ),
    (
        "vedette",
        Origin::Made("", |document| Some(document.clone())),
    ),
];

const ALERT: &[Line] = &[
    ("event.kind", Origin::Word("alert")),
    ("event.dataset", Origin::Word("vedette.alert")),
    (
        "event.category",
        Origin::Made("", |_| Some(json!(["intrusion_detection"]))),
    ),
    ("event.type", Origin::Made("", |_| Some(json!(["info"])))),
    (
        "event.action",
        Origin::Made("/state", |state| {
            Some(format!("alert-{}", state.as_str()?).into())
        }),
    ),
    ("event.code", Origin::At("/label")),
    ("event.start", Origin::At("/first_event_time")),
    ("event.end", Origin::At("/last_event_time")),
    ("event.created", Origin::At("/detected_time")),
    ("rule.id", Origin::At("/rule/id")),
    ("rule.name", Origin::At("/title")),
    ("rule.description", Origin::At("/description")),
    ("rule.category", Origin::At("/category")),
    ("rule.ruleset", Origin::At("/rule/source")),
    (
        "threat.framework",
        Origin::Made("/techniques", |value| {
            made::word_if(value, attack::FRAMEWORK)
        }),
    ),
    (
        "threat.framework",
        Origin::Made("/tactics", |value| made::word_if(value, attack::FRAMEWORK)),
    ),
    (
        "threat.technique.id",
        Origin::Made("/techniques", attack::techniques),
    ),
    (
        "threat.technique.reference",
        Origin::Made("/techniques", attack::references),
    ),
    (
        "threat.technique.subtechnique.id",
        Origin::Made("/techniques", attack::subtechniques),
    ),
    (
        "threat.tactic.name",
        Origin::Made("/tactics", attack::tactic_names),
    ),
];

const CASE: &[Line] = &[
    ("event.kind", Origin::Word("state")),
    ("event.dataset", Origin::Word("vedette.case")),
    (
        "event.category",
        Origin::Made("", |_| Some(json!(["intrusion_detection"]))),
    ),
    ("event.type", Origin::Made("", |_| Some(json!(["info"])))),
    (
        "event.action",
        Origin::Made("/state", |state| {
            Some(format!("case-{}", state.as_str()?).into())
        }),
    ),
    ("event.start", Origin::At("/opened_time")),
];

const ACTION: &[Line] = &[
    ("event.kind", Origin::Word("event")),
    ("event.dataset", Origin::Word("vedette.action")),
    ("event.category", Origin::Made("", |_| Some(json!(["iam"])))),
    (
        "event.type",
        Origin::Made("", |_| Some(json!(["user", "change"]))),
    ),
    ("event.action", Origin::At("/action")),
    ("event.outcome", Origin::Made("/outcome", outcome)),
];

const GAP: &[Line] = &[
    ("event.kind", Origin::Word("event")),
    ("event.dataset", Origin::Word("vedette.gap")),
    (
        "event.action",
        Origin::Made("/state", |state| {
            Some(format!("coverage-{}", state.as_str()?).into())
        }),
    ),
    ("event.start", Origin::At("/range/from_time")),
    ("event.end", Origin::At("/range/to_time")),
];

const SOURCE_FAILURE: &[Line] = &[
    ("event.kind", Origin::Word("event")),
    ("event.dataset", Origin::Word("vedette.source_failure")),
    ("event.action", Origin::Word("source-failed")),
    ("event.start", Origin::At("/since_time")),
];

const EXPIRING_SECRET: &[Line] = &[
    ("event.kind", Origin::Word("event")),
    ("event.dataset", Origin::Word("vedette.expiring_secret")),
    ("event.action", Origin::Word("secret-expires")),
    ("event.end", Origin::At("/expires_time")),
];

/// The notice as an ECS document.
pub fn document(notice: &Notice) -> Map<String, Value> {
    let own = match notice.kind {
        NoticeKind::Alert => ALERT,
        NoticeKind::Case => CASE,
        NoticeKind::Action => ACTION,
        NoticeKind::Gap => GAP,
        NoticeKind::SourceFailure => SOURCE_FAILURE,
        NoticeKind::ExpiringSecret => EXPIRING_SECRET,
    };
    mapping::nested(own.iter().chain(ALL), &notice.document)
}

/// ECS knows three outcomes; what has not ended has none.
fn outcome(outcome: &Value) -> Option<Value> {
    match outcome.as_str()? {
        "success" => Some("success".into()),
        "failure" | "not_done" => Some("failure".into()),
        "unknown" => Some("unknown".into()),
        _ => None,
    }
}
