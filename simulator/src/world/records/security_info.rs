//! What Entra writes when a person registers a telephone as a second factor.
//!
//! Source: Microsoft Graph, `directoryAudit`, category `UserManagement`.

use super::directory_audit::{AuditEntry, AuditTarget, PropertyChange};
use crate::world::users::User;

/// What the service of authentication methods tells, in diagnostic settings only.
pub(crate) fn registered<'a>(user: &'a User, changes: &'a [PropertyChange<'a>]) -> AuditEntry<'a> {
    AuditEntry {
        activity: "User registered security info",
        category: "UserManagement",
        service: "Authentication Methods",
        operation_type: "Add",
        target: AuditTarget::person(user),
        further_targets: &[],
        changes,
        initiator: None,
    }
}

/// Tells the two entries of a registration: of the service, and of the directory with the telephones before and after.
pub(crate) fn write(
    user: &User,
    (before, after): (&str, &str),
    enter: &mut dyn FnMut(&AuditEntry<'_>),
) {
    let name = "StrongAuthenticationPhoneAppDetail";
    let of_service = registered(user, &[]);
    enter(&of_service);
    enter(&AuditEntry {
        activity: "Update user",
        service: "Core Directory",
        operation_type: "Update",
        changes: &[
            (name, before, after),
            ("Included Updated Properties", "", name),
        ],
        ..of_service
    });
}
