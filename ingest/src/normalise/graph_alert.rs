//! Microsoft Graph's security alerts: one event for each (id, lastUpdateDateTime). Pure.
//!
//! Source: Microsoft Graph v1.0, `microsoft.graph.security.alert`.

use schemas::tables::Table;
use serde_json::Value;

use super::reading::{Reading, has, word};

/// The reading of an alert; none if it is something else.
pub(super) fn read(record: &Value) -> Option<Reading> {
    let is_typed = word(record, &["@odata.type"])
        .is_some_and(|name| name.eq_ignore_ascii_case("#microsoft.graph.security.alert"));
    let is_alert = is_typed
        || (has(record, &["lastUpdateDateTime"])
            && has(record, &["serviceSource", "providerAlertId", "alertWebUrl"]));
    if !is_alert {
        return None;
    }
    Some(Reading {
        name: "an alert of Microsoft's",
        table: Table::GraphAlerts,
        category: "alerts_v2".to_owned(),
        id: &[&["id"], &["lastUpdateDateTime"]],
        id_prefix: String::new(),
        time: &["lastUpdateDateTime", "createdDateTime"],
    })
}
