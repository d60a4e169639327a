//! Names that rules use for fields of Entra's directory audits.

use super::{Alias, Source, column};
use schemas::tables::Table;

#[rustfmt::skip]
const ALIASES: &[Alias] = &[
    column(&["properties.message", "ActivityDisplayName", "ActivityType", "Activity"], "activity_display_name").operation(),
    column(&["OperationName", "operationName", "Operation"], "operation_name").operation(),
    column(&["Category"], "audit_category"),
    column(&["Status", "Result", "properties.result"], "result"),
    column(&["failure_status_reason", "ResultReason", "ResultDescription"], "result_reason"),
    column(&["Initiatedby", "InitiatedBy.user.userPrincipalName", "Actor"], "user_principal_name"),
    column(&["Target"], "target_resources"),
    column(&["TargetResources", "properties.targetResources"], "target_resources"),
    column(&["TargetUserPrincipalName"], "target_user_principal_name"),
];

pub(super) const SOURCE: Source = Source {
    table: Table::DirectoryAudits,
    products: &["azure", "entra", "entraid", "azuread"],
    services: &["auditlogs", "audit", "directoryaudits"],
    aliases: ALIASES,
    paths: &[
        "properties.{}",
        "{}",
        "properties.targetResources.modifiedProperties[{}].newValue",
        "properties.additionalDetails[{}]",
        "targetResources.modifiedProperties[{}].newValue",
        "additionalDetails[{}]",
    ],
};
