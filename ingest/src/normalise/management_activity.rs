//! Records of the unified audit log, from the Management Activity API and from exports. Pure.
//!
//! Source: Office 365 Management Activity API schema, "Common schema".

use schemas::tables::Table;
use serde_json::Value;

use super::reading::{Reading, has, word};

/// The reading of a record of the unified audit log; none if it is something else.
///
/// Unknown operations and record types are taken like known ones.
pub(super) fn read(record: &Value) -> Option<Reading> {
    let is_audit = has(record, &["Operation"])
        && has(
            record,
            &[
                "RecordType",
                "Workload",
                "OfficeWorkload",
                "AuditLogRecordType",
            ],
        );
    if !is_audit {
        return None;
    }
    Some(Reading {
        name: "a record of the unified audit log",
        table: Table::M365Activity,
        category: content_type(record).to_owned(),
        id: &[&["Id", "OfficeId", "Identity"]],
        id_prefix: String::new(),
        time: &["CreationTime", "TimeGenerated", "CreationDate"],
    })
}

/// The content type of the Management Activity API that carries a workload.
fn content_type(record: &Value) -> &'static str {
    let workload = word(record, &["Workload", "OfficeWorkload"])
        .unwrap_or_default()
        .to_ascii_lowercase();
    let record_type = word(record, &["RecordType"]).unwrap_or_default();
    let code = record_type.parse().ok();
    let code = code.or_else(|| schemas::tables::code_of("record_type", &record_type));
    match workload.as_str() {
        _ if matches!(code, Some(11 | 13 | 33)) => "DLP.All",
        "azureactivedirectory" => "Audit.AzureActiveDirectory",
        "exchange" => "Audit.Exchange",
        "sharepoint" | "onedrive" => "Audit.SharePoint",
        "" => "",
        _ => "Audit.General",
    }
}
