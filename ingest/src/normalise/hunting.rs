//! Rows of Defender's hunting tables, from its portal, its stream and Sentinel. Pure.
//!
//! Source: Advanced hunting schema. A report id names a row only together with its table and time.

use std::borrow::Cow;

use schemas::tables::Table;
use serde_json::Value;

use super::reading::{Reading, has, word};

/// The reading of a row; none if it is something else.
pub(super) fn read(record: &Value) -> Option<Reading> {
    let is_row = has(record, &["Timestamp", "TimeGenerated"])
        && has(record, &["ReportId"])
        && has(
            record,
            &["ActionType", "NetworkMessageId", "Url", "DeviceId", "Type"],
        );
    if !is_row {
        return None;
    }
    let category =
        word(record, &["Type"]).map_or_else(|| of_members(record).to_owned(), Cow::into_owned);
    Some(Reading {
        name: "a row of Defender's hunting",
        table: Table::OtherEvents,
        id_prefix: category.to_ascii_lowercase(),
        category,
        id: &[&["ReportId"], &["Timestamp", "TimeGenerated"]],
        time: &["Timestamp", "TimeGenerated"],
    })
}

/// The table that rows without its name belong to.
fn of_members(record: &Value) -> &'static str {
    let has = |paths: &[&str]| has(record, paths);
    if has(&["RawEventData"]) {
        "CloudAppEvents"
    } else if has(&["Url"]) && has(&["Workload", "IsClickedThrough"]) {
        "UrlClickEvents"
    } else if has(&["NetworkMessageId"]) {
        "EmailEvents"
    } else if has(&["LogonType", "Protocol"]) && has(&["AccountUpn", "AccountSid", "AccountName"]) {
        "IdentityLogonEvents"
    } else {
        ""
    }
}
