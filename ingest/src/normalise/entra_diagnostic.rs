//! Entra and Azure diagnostic records: `{"time","category","properties":{…}}`. Pure.
//!
//! Source: Azure Monitor resource log common schema; Entra diagnostic settings categories.

use schemas::tables::Table;
use serde_json::Value;

use super::reading::{Reading, has, word};

/// What a category's records look like.
struct Shape {
    table: Table,
    id: &'static [&'static [&'static str]],
    time: &'static [&'static str],
    /// The id names a record only together with its category.
    is_id_shared: bool,
}

impl Shape {
    const fn new(
        table: Table,
        id: &'static [&'static [&'static str]],
        time: &'static [&'static str],
    ) -> Self {
        Self {
            table,
            id,
            time,
            is_id_shared: false,
        }
    }
}

const ID: &[&[&str]] = &[&["properties.id"]];

/// Every sign-in category. `time` is when the record was sent, minutes later.
const SIGN_IN: Shape = Shape::new(Table::Signins, ID, &["properties.createdDateTime", "time"]);

/// Entra's audits, and Intune's, which come under the same category.
const AUDIT: Shape = Shape::new(
    Table::DirectoryAudits,
    &[&["properties.id", "properties.AuditEventId"]],
    &["properties.activityDateTime", "time"],
);

const PROVISIONING: Shape = Shape::new(
    Table::Provisioning,
    ID,
    &["properties.activityDateTime", "time"],
);

/// The same detection comes again when its state changes: the lake keeps that as a revision.
const RISK_EVENT: Shape = Shape::new(
    Table::RiskEvents,
    ID,
    &[
        "properties.activityDateTime",
        "properties.detectedDateTime",
        "time",
    ],
);

/// The id is the account's, so it names no record without category and version.
const RISKY_ACCOUNT: Shape = Shape {
    table: Table::RiskEvents,
    id: &[
        &["properties.id"],
        &["properties.riskLastUpdatedDateTime", "time"],
    ],
    time: &["properties.riskLastUpdatedDateTime", "time"],
    is_id_shared: true,
};

const GRAPH_ACTIVITY: Shape = Shape::new(
    Table::GraphActivity,
    &[&["properties.requestId"]],
    &["properties.timeGenerated", "time"],
);

const AZURE: Shape = Shape::new(
    Table::AzureActivity,
    &[&["properties.eventDataId", "eventDataId"]],
    &["properties.eventTimestamp", "time"],
);

/// Kept, not known.
const OTHER: Shape = Shape {
    table: Table::OtherEvents,
    id: ID,
    time: &["properties.createdDateTime", "properties.Timestamp", "time"],
    is_id_shared: true,
};

/// The shape of a category in lower case.
fn shape(category: &str) -> &'static Shape {
    match category {
        name if name.ends_with("signinlogs") => &SIGN_IN,
        "auditlogs" => &AUDIT,
        "provisioninglogs" => &PROVISIONING,
        "userriskevents" | "serviceprincipalriskevents" => &RISK_EVENT,
        "riskyusers" | "riskyserviceprincipals" => &RISKY_ACCOUNT,
        "microsoftgraphactivitylogs" | "azureadgraphactivitylogs" => &GRAPH_ACTIVITY,
        name if AZURE_ACTIVITY.contains(&name) => &AZURE,
        _ => &OTHER,
    }
}

/// The reading of a diagnostic record; none if it is something else.
pub(super) fn read(record: &Value) -> Option<Reading> {
    let category = word(record, &["category"])?;
    let is_diagnostic = has(record, &["properties"])
        && has(record, &["time", "resourceId", "properties.timeGenerated"])
        && has(record, &["operationName", "resourceId"]);
    if !is_diagnostic || super::log_analytics::is_row(record) {
        return None;
    }
    let lower = category.to_ascii_lowercase();
    let shape = shape(&lower);
    Some(Reading {
        name: "a diagnostic record of Azure Monitor",
        table: shape.table,
        category: category.into_owned(),
        id: shape.id,
        id_prefix: if shape.is_id_shared {
            lower
        } else {
            String::new()
        },
        time: shape.time,
    })
}

/// Categories of Azure's activity log.
const AZURE_ACTIVITY: &[&str] = &[
    "administrative",
    "security",
    "servicehealth",
    "alert",
    "recommendation",
    "policy",
    "autoscale",
    "resourcehealth",
    "action",
    "write",
    "delete",
];
