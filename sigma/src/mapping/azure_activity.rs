//! Names that rules use for fields of Azure's activity log.

use super::{Alias, Source, column, raw};
use schemas::tables::Table;

#[rustfmt::skip]
const ALIASES: &[Alias] = &[
    column(&["operationName", "OperationNameValue"], "operation_name").operation(),
    column(&["CategoryValue", "category"], "audit_category"),
    column(&["ActivityStatus", "ActivityStatusValue", "status"], "result_type"),
    column(&["ResourceId", "_ResourceId"], "resource_id"),
    raw(&["ResourceProviderValue", "ResourceProvider"], &["resourceProviderName.value", "resourceProvider", "ResourceProviderValue"]),
];

pub(super) const SOURCE: Source = Source {
    table: Table::AzureActivity,
    products: &["azure"],
    services: &[
        "activitylogs",
        "activity",
        "azureactivity",
        "administrative",
    ],
    aliases: ALIASES,
    paths: &["{}", "properties.{}", "identity.claims.{}"],
};
