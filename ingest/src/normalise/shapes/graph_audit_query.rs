//! Microsoft Graph's audit log query (`security/auditLog/queries/…/records`). Sample: `graph_audit_query.sample.json`.
//!
//! What stands around `auditData` is always filled; `auditData` differs by workload and may be empty. Where both speak,
//! the record inside counts.

use crate::normalise::shape::{Place, Shape, same};

pub(super) const SHAPE: Shape = Shape {
    name: "a record of Graph's audit log query",
    known_by: &["auditLogRecordType", "operation"],
    record: Place::Inside(&["auditData"]),
    whole: &["Id", "Operation", "CreationTime"],
    says: &[
        same("Id", &["id"]),
        same("CreationTime", &["createdDateTime"]),
        same("Operation", &["operation"]),
        same("OrganizationId", &["organizationId"]),
        same("RecordType", &["auditLogRecordType"]),
        same("UserType", &["userType"]),
        same("UserId", &["userPrincipalName", "userId"]),
        same("Workload", &["service"]),
        same("ObjectId", &["objectId"]),
        same("ClientIP", &["clientIp"]),
    ],
    is_kept: false,
};
