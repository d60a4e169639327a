//! Elastic: a hit of a search, and what Filebeat and the integrations make of Microsoft's logs. Sample:
//! `elastic.sample.ndjson`.
//!
//! `event.original` is the record as it came; without it the record is what was kept of it under other names.

use schemas::path::find;
use serde_json::{Map, Value};

use super::snake_case;
use crate::normalise::shape::{Form, Place, Says, Shape, is_said, same, says};

pub(super) const HIT: Shape = Shape {
    name: "a hit of Elastic's",
    known_by: &["_source", "_index|_id"],
    record: Place::Inside(&["_source"]),
    whole: &[],
    says: &[],
    is_kept: false,
};

pub(super) const ORIGINAL: Shape = Shape {
    name: "an event of Elastic's",
    known_by: &["event.original", "@timestamp|ecs|agent"],
    record: Place::Inside(&["event.original"]),
    whole: &[],
    says: &[],
    is_kept: false,
};

pub(super) const AUDIT_LOG: Shape = Shape {
    name: "an audit event of Elastic's without its original",
    known_by: &["o365.audit"],
    record: Place::Inside(&["o365.audit"]),
    whole: &[],
    says: &[
        same("CreationTime", &["@timestamp"]),
        same("Id", &["event.id"]),
        same("Operation", &["event.action"]),
        same("Workload", &["event.provider"]),
        same("OrganizationId", &["organization.id"]),
        same("UserId", &["user.id", "user.email"]),
        same("ClientIP", &["client.ip", "source.ip"]),
        same("UserAgent", &["user_agent.original"]),
    ],
    is_kept: false,
};

pub(super) const SIGN_INS: Shape = azure(
    "a sign-in of Elastic's without its original",
    &["azure.signinlogs"],
    |event| inner(event, "signinlogs", "SignInLogs"),
);

pub(super) const AUDITS: Shape = azure(
    "a directory audit of Elastic's without its original",
    &["azure.auditlogs"],
    |event| inner(event, "auditlogs", "AuditLogs"),
);

pub(super) const ACTIVITY: Shape = azure(
    "an Azure activity of Elastic's without its original",
    &["azure.activitylogs"],
    |event| inner(event, "activitylogs", "Administrative"),
);

/// One of the logs that the integration keeps under `azure`, with names in snake case.
const fn azure(
    name: &'static str,
    known_by: &'static [&'static str],
    change: fn(&Value) -> Option<Value>,
) -> Shape {
    Shape {
        name,
        known_by,
        record: Place::Changed(change),
        whole: &[],
        says: &[],
        is_kept: false,
    }
}

/// The record as the stream of Azure Monitor would have it.
fn inner(event: &Value, log: &str, category: &str) -> Option<Value> {
    let azure = find(event, "azure")?;
    let Value::Object(mut record) = snake_case::camel(azure.get(log)?) else {
        return None;
    };
    for one in AROUND {
        let is_there = record.get(one.member).is_some_and(is_said);
        if !is_there && let Some((value, _)) = one.value(event) {
            record.insert(one.member.to_owned(), value);
        }
    }
    record.entry("category").or_insert_with(|| category.into());
    record
        .entry("properties")
        .or_insert_with(|| Value::Object(Map::new()));
    Some(Value::Object(record))
}

const AROUND: &[Says] = &[
    says("time", &["@timestamp"], Form::Same),
    same("operationName", &["event.action"]),
    same("tenantId", &["azure.tenant_id"]),
    same("resourceId", &["azure.resource.id"]),
    same("correlationId", &["azure.correlation_id"]),
    same("callerIpAddress", &["source.ip", "client.ip"]),
];
