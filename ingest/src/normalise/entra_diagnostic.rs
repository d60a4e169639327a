//! Entra and Azure diagnostic records: `{"time","category","properties":{…}}`. Pure.
//!
//! Source: Azure Monitor resource log common schema; Entra diagnostic settings categories.

use schemas::tables::Table;
use serde_json::Value;

use super::describe::{Reading, has, word};

/// Times of sign-ins: `time` is when the record was sent, minutes later.
const SIGN_IN_TIME: &[&str] = &["properties.createdDateTime", "time"];

/// The reading of a diagnostic record; none if it is something else.
pub(super) fn read(record: &Value) -> Option<Reading> {
    let category = word(record, &["category"])?;
    let is_diagnostic = has(record, &["properties"])
        && has(record, &["time", "resourceId"])
        && has(record, &["operationName", "resourceId"]);
    if !is_diagnostic {
        return None;
    }
    let lower = category.to_ascii_lowercase();
    let mut id_prefix = String::new();
    let (table, id, time): (Table, &'static [&'static [&'static str]], _) = match lower.as_str() {
        // P30: every sign-in category.
        name if name.ends_with("signinlogs") => {
            (Table::Signins, &[&["properties.id"]], SIGN_IN_TIME)
        }
        "auditlogs" => (
            Table::DirectoryAudits,
            &[&["properties.id"]],
            &["properties.activityDateTime", "time"] as &[_],
        ),
        "provisioninglogs" => (
            Table::Provisioning,
            &[&["properties.id"]],
            &["properties.activityDateTime", "time"],
        ),
        "userriskevents" | "serviceprincipalriskevents" => (
            Table::RiskEvents,
            // The same detection comes again when its state changes: the lake keeps that as a revision.
            &[&["properties.id"]],
            &[
                "properties.activityDateTime",
                "properties.detectedDateTime",
                "time",
            ],
        ),
        "riskyusers" | "riskyserviceprincipals" => {
            // The id is the account's, so it names no record without category and version.
            id_prefix.clone_from(&lower);
            (
                Table::RiskEvents,
                &[
                    &["properties.id"],
                    &["properties.riskLastUpdatedDateTime", "time"],
                ],
                &["properties.riskLastUpdatedDateTime", "time"],
            )
        }
        "microsoftgraphactivitylogs" => (
            Table::GraphActivity,
            &[&["properties.requestId"]],
            &["properties.timeGenerated", "time"],
        ),
        name if AZURE_ACTIVITY.contains(&name) => (
            Table::AzureActivity,
            &[&["properties.eventDataId", "eventDataId"]],
            &["properties.eventTimestamp", "time"],
        ),
        // P17: kept, not known.
        _ => (
            Table::OtherEvents,
            &[&["properties.id"]],
            &["properties.createdDateTime", "properties.Timestamp", "time"],
        ),
    };
    if table == Table::OtherEvents {
        id_prefix.clone_from(&lower);
    }
    Some(Reading {
        table,
        category: category.into_owned(),
        id,
        id_prefix,
        time,
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
