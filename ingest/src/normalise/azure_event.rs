//! Azure's activity log as its REST API, `az` and PowerShell give it: names are `{value, localizedValue}`. Pure.
//!
//! Source: Azure Monitor REST API, `eventtypes/management/values`.

use schemas::tables::Table;
use serde_json::Value;

use super::reading::{Reading, has, word};

/// The reading of an event; none if it is something else.
pub(super) fn read(record: &Value) -> Option<Reading> {
    let is_event = has(record, &["eventDataId"])
        && has(record, &["eventTimestamp", "submissionTimestamp"])
        && has(record, &["operationName", "operationId"]);
    if !is_event {
        return None;
    }
    let category = word(record, &["category.value", "category", "eventSource.value"]);
    Some(Reading {
        name: "an event of Azure's activity log",
        table: Table::AzureActivity,
        category: category.unwrap_or_default().into_owned(),
        id: &[&["eventDataId"]],
        id_prefix: String::new(),
        time: &["eventTimestamp", "submissionTimestamp"],
    })
}
