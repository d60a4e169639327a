//! Rows of Log Analytics and Sentinel: `TimeGenerated`, names in Pascal case, the table in `Type`. Pure.
//!
//! Source: Azure Monitor's reference of tables. `TenantId` is the workspace there, never the tenant.

use schemas::tables::Table;
use serde_json::Value;

use super::reading::{Reading, has, word};

/// A table of Log Analytics.
struct Kept {
    /// Its name, in lower case.
    name: &'static str,
    table: Table,
    /// The category that the same records have in the stream of Azure Monitor.
    category: &'static str,
    id: &'static [&'static [&'static str]],
    time: &'static [&'static str],
}

const ID: &[&[&str]] = &[&["Id"]];
const SIGN_IN_TIME: &[&str] = &["CreatedDateTime", "TimeGenerated"];
const RISKY_ID: &[&[&str]] = &[&["Id"], &["RiskLastUpdatedDateTime", "TimeGenerated"]];
const RISKY_TIME: &[&str] = &["RiskLastUpdatedDateTime", "TimeGenerated"];

#[rustfmt::skip]
const TABLES: &[Kept] = &[
    Kept { name: "signinlogs", table: Table::Signins, category: "SignInLogs", id: ID, time: SIGN_IN_TIME },
    Kept { name: "aadnoninteractiveusersigninlogs", table: Table::Signins, category: "NonInteractiveUserSignInLogs", id: ID, time: SIGN_IN_TIME },
    Kept { name: "aadserviceprincipalsigninlogs", table: Table::Signins, category: "ServicePrincipalSignInLogs", id: ID, time: SIGN_IN_TIME },
    Kept { name: "aadmanagedidentitysigninlogs", table: Table::Signins, category: "ManagedIdentitySignInLogs", id: ID, time: SIGN_IN_TIME },
    Kept { name: "adfssigninlogs", table: Table::Signins, category: "ADFSSignInLogs", id: ID, time: SIGN_IN_TIME },
    Kept { name: "auditlogs", table: Table::DirectoryAudits, category: "AuditLogs", id: ID, time: &["ActivityDateTime", "TimeGenerated"] },
    Kept { name: "intuneauditlogs", table: Table::DirectoryAudits, category: "AuditLogs", id: &[&["Properties.AuditEventId"]], time: &["TimeGenerated"] },
    Kept { name: "aaduserriskevents", table: Table::RiskEvents, category: "UserRiskEvents", id: ID, time: &["ActivityDateTime", "DetectedDateTime", "TimeGenerated"] },
    Kept { name: "aadserviceprincipalriskevents", table: Table::RiskEvents, category: "ServicePrincipalRiskEvents", id: ID, time: &["ActivityDateTime", "DetectedDateTime", "TimeGenerated"] },
    Kept { name: "aadriskyusers", table: Table::RiskEvents, category: "RiskyUsers", id: RISKY_ID, time: RISKY_TIME },
    Kept { name: "aadriskyserviceprincipals", table: Table::RiskEvents, category: "RiskyServicePrincipals", id: RISKY_ID, time: RISKY_TIME },
    Kept { name: "aadprovisioninglogs", table: Table::Provisioning, category: "ProvisioningLogs", id: ID, time: &["TimeGenerated"] },
    Kept { name: "microsoftgraphactivitylogs", table: Table::GraphActivity, category: "MicrosoftGraphActivityLogs", id: &[&["RequestId"]], time: &["TimeGenerated"] },
    Kept { name: "aadgraphactivitylogs", table: Table::GraphActivity, category: "AzureADGraphActivityLogs", id: &[&["RequestId"]], time: &["TimeGenerated"] },
    Kept { name: "azureactivity", table: Table::AzureActivity, category: "", id: &[&["EventDataId"]], time: &["TimeGenerated", "EventSubmissionTimestamp"] },
];

/// True for a row of a workspace.
pub(super) fn is_row(record: &Value) -> bool {
    has(record, &["TimeGenerated"]) && !has(record, &["properties.requestId", "properties.id"])
}

/// The reading of a row; none if it is something else, or of a table that other formats read.
pub(super) fn read(record: &Value) -> Option<Reading> {
    if !is_row(record) {
        return None;
    }
    let named = |name: &str| {
        let name = name.to_ascii_lowercase();
        let of_category = |kept: &&Kept| kept.category.eq_ignore_ascii_case(&name);
        let of_name = TABLES.iter().find(|kept| kept.name == name);
        of_name.or_else(|| TABLES.iter().find(of_category).filter(|_| !name.is_empty()))
    };
    let kept = word(record, &["Type"])
        .and_then(|name| named(&name))
        .or_else(|| word(record, &["Category"]).and_then(|name| named(&name)))
        .or_else(|| of_members(record).and_then(named))?;
    let category = if kept.table == Table::AzureActivity {
        word(record, &["CategoryValue", "Category"]).unwrap_or_default()
    } else {
        kept.category.into()
    };
    let is_risky = kept.id.len() > 1;
    Some(Reading {
        name: "a row of Log Analytics",
        table: kept.table,
        id_prefix: if is_risky {
            kept.category.to_ascii_lowercase()
        } else {
            String::new()
        },
        category: category.into_owned(),
        id: kept.id,
        time: kept.time,
    })
}

/// The table that rows without its name belong to, as a query that chooses columns leaves them.
fn of_members(record: &Value) -> Option<&'static str> {
    let has = |paths: &[&str]| has(record, paths);
    if has(&["RequestUri"]) && has(&["RequestMethod"]) {
        Some("microsoftgraphactivitylogs")
    } else if has(&["OperationNameValue", "ActivityStatusValue"]) {
        Some("azureactivity")
    } else if has(&["TargetResources", "InitiatedBy"])
        && has(&["ActivityDisplayName", "OperationName"])
    {
        Some("auditlogs")
    } else if has(&["AppId", "AppDisplayName"]) && has(&["ResultType", "Status"]) {
        Some("signinlogs")
    } else {
        None
    }
}
