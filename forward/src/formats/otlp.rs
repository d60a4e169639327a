//! Log records of OpenTelemetry, in OTLP's JSON form. Pure.
//!
//! Source: <https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>: numbers of 64 bits are written as digits;
//! <https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-severitynumber>.

use schemas::severity::Severity;
use serde_json::{Value, json};

use super::mapping::{self, Line, Origin};
use crate::contract::Notice;

/// Attributes of a record; names of OpenTelemetry's conventions where there are, ours under `vedette`.
const TABLE: &[Line] = &[
    ("vedette.notice.kind", Origin::At("/kind")),
    ("vedette.notice.id", Origin::At("/id")),
    ("vedette.notice.version", Origin::At("/version")),
    ("vedette.notice.state", Origin::At("/state")),
    ("vedette.notice.title", Origin::At("/title")),
    ("vedette.tenant.id", Origin::At("/tenant_id")),
    ("vedette.label", Origin::At("/label")),
    ("vedette.rule.id", Origin::At("/rule/id")),
    ("vedette.attack.techniques", Origin::At("/techniques")),
    ("user.name", Origin::At("/entities/user/name")),
    ("user.id", Origin::At("/entities/user/id")),
    ("source.address", Origin::At("/entities/ip/address")),
    ("session.id", Origin::At("/entities/session/id")),
];

/// A request with a record for each notice, whose body is the text beside it.
pub fn request<'a>(notices: impl Iterator<Item = (&'a Notice, String)>) -> Value {
    let records: Vec<Value> = notices
        .map(|(notice, text)| record(notice, &text))
        .collect();
    json!({
        "resourceLogs": [{
            "resource": {"attributes": [attribute("service.name", "vedette")]},
            "scopeLogs": [{
                "scope": {"name": "vedette.forward", "version": env!("CARGO_PKG_VERSION")},
                "logRecords": records,
            }],
        }],
    })
}

fn record(notice: &Notice, text: &str) -> Value {
    let nanos = i128::from(notice.time_us.max(0)) * 1000;
    let mut attributes = vec![attribute("vedette.notice.key", &notice.idempotency_key())];
    let pairs = mapping::flat(TABLE, &notice.document);
    attributes.extend(pairs.iter().map(|(name, text)| attribute(name, text)));
    json!({
        "timeUnixNano": nanos.to_string(),
        "observedTimeUnixNano": nanos.to_string(),
        "severityNumber": severity_number(notice.severity),
        "severityText": notice.severity.as_str(),
        "eventName": format!("vedette.{}", notice.kind.as_str()),
        "body": {"stringValue": text},
        "attributes": attributes,
    })
}

fn attribute(name: &str, text: &str) -> Value {
    json!({"key": name, "value": {"stringValue": text}})
}

/// INFO, INFO2, WARN, ERROR, FATAL.
const fn severity_number(severity: Severity) -> u8 {
    match severity {
        Severity::Informational => 9,
        Severity::Low => 10,
        Severity::Medium => 13,
        Severity::High => 17,
        Severity::Critical => 21,
    }
}
