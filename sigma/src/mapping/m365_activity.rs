//! Names that rules use for fields of the unified audit log.

use super::{Alias, Meaning, Means, Source, column, raw};
use schemas::tables::Table;

/// Records say "Succeeded", "True", "Success" or nothing at all; failures always say so.
const STATUS: &[Meaning] = &[Meaning {
    word: "success",
    means: Means::NoneOf(&["failed", "failure", "false", "fail"]),
}];

#[rustfmt::skip]
const ALIASES: &[Alias] = &[
    column(&["Operation", "Operations"], "operation").operation(),
    column(&["eventSource", "Workload"], "workload"),
    // Alerts have a name; everything else is called by its operation.
    raw(&["eventName"], &["Name", "Operation"]).operation(),
    raw(&["Name"], &["Name", "Parameters[Name]", "OperationProperties[RuleName]"]),
    column(&["status"], "result_status").meaning(STATUS),
    column(&["RuleName"], "rule_name"),
    column(&["ClientIP", "ip", "IPAddress"], "ip_address"),
    column(&["User", "UserPrincipalName", "UserId"], "user_id"),
];

pub(super) const SOURCE: Source = Source {
    table: Table::M365Activity,
    products: &["m365", "office365", "microsoft365"],
    services: &[
        "audit",
        "exchange",
        "threat_management",
        "threat_detection",
        "sharepoint",
        "onedrive",
        "teams",
        "azureactivedirectory",
        "unifiedauditlog",
    ],
    aliases: ALIASES,
    paths: &[
        "{}",
        "Parameters[{}]",
        "OperationProperties[{}]",
        "ExtendedProperties[{}]",
        "ModifiedProperties[{}].NewValue",
        "DeviceProperties[{}]",
        "AppAccessContext.{}",
    ],
};
