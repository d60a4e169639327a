//! The audit search: `Search-UnifiedAuditLog` in CSV and JSON, Purview's portal of both generations, Microsoft-Extractor-
//! Suite, Hawk, Untitled Goose. Sample: `audit_search.sample.csv`.
//!
//! The record is text in `AuditData`; the columns beside it repeat it, and are all there is where Excel has cut it.

use crate::normalise::shape::{Place, Shape, same};

pub(super) const SHAPE: Shape = Shape {
    name: "a row of the audit search",
    known_by: &["AuditData"],
    record: Place::Inside(&["AuditData"]),
    whole: &["Id", "Operation", "CreationTime"],
    says: &[
        same("Id", &["RecordId", "Identity", "Id"]),
        same("CreationTime", &["CreationTime", "CreationDate"]),
        same("Operation", &["Operation", "Operations"]),
        same("UserId", &["UserId", "UserIds"]),
        same("RecordType", &["RecordType"]),
        same("Workload", &["Workload"]),
        same("OrganizationId", &["OrganizationId"]),
        same("ClientIP", &["ClientIP", "ClientIPAddress"]),
    ],
    is_kept: false,
};
