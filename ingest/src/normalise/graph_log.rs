//! Sign-ins, audits and risk detections as Microsoft Graph and Log Analytics write them: without `properties`. Pure.
//!
//! Source: Microsoft Graph `signIn`, `directoryAudit`, `riskDetection`, Intune's `auditEvent`; Azure Monitor tables `SigninLogs`, `AuditLogs`.

use schemas::tables::Table;
use serde_json::Value;

use super::reading::{Reading, word};

/// The reading of a record of Graph's logs; none if it is something else.
///
/// A sign-in that does not say its kind has the feed's: files of the Entra portal say it in their name.
pub(super) fn read(record: &Value) -> Option<Reading> {
    let has = |paths: &[&str]| super::reading::has(record, paths);
    let is_risk = has(&["riskEventType"]) && has(&["detectedDateTime", "activityDateTime"]);
    let is_audit = has(&["activityDateTime"]) && has(&["activityDisplayName"]);
    let is_of_intune =
        has(&["activityDateTime"]) && has(&["activityType"]) && has(&["componentName"]);
    let is_sign_in = has(&["createdDateTime"])
        && has(&["appId", "appDisplayName"])
        && has(&["userPrincipalName", "servicePrincipalId", "userId"])
        && has(&["status", "resultType", "conditionalAccessStatus"]);
    let (table, category, time): (_, _, &'static [&'static str]) = if is_risk {
        (
            Table::RiskEvents,
            "UserRiskEvents",
            &["activityDateTime", "detectedDateTime"],
        )
    } else if is_audit || is_of_intune {
        (
            Table::DirectoryAudits,
            "AuditLogs",
            &["activityDateTime", "TimeGenerated"],
        )
    } else if is_sign_in {
        (
            Table::Signins,
            sign_in_category(record),
            &["createdDateTime", "TimeGenerated"],
        )
    } else {
        return None;
    };
    Some(Reading {
        name: NAME,
        table,
        category: category.to_owned(),
        id: &[&["id"]],
        id_prefix: String::new(),
        time,
    })
}

const NAME: &str = "a log of Microsoft Graph";

/// The category that Event Hubs would name for a sign-in of Graph's.
fn sign_in_category(record: &Value) -> &'static str {
    let kinds = word(record, &["signInEventTypes"]).unwrap_or_default();
    if kinds.contains("nonInteractiveUser") {
        "NonInteractiveUserSignInLogs"
    } else if kinds.contains("servicePrincipal") {
        "ServicePrincipalSignInLogs"
    } else if kinds.contains("managedIdentity") {
        "ManagedIdentitySignInLogs"
    } else if kinds.is_empty() {
        ""
    } else {
        "SignInLogs"
    }
}
