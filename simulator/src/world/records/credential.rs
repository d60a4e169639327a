//! What Entra writes when the secrets of an application change.
//!
//! Source: Microsoft Graph, `directoryAudit`, category `ApplicationManagement`.

use serde_json::json;

use super::directory_audit::{AuditEntry, AuditTarget, Initiator, PropertyChange};

/// The facts of a change of an application's secrets; a secret is its key id and its name.
pub(crate) struct CredentialChange<'a> {
    /// Name of the application.
    pub(crate) application: &'a str,
    pub(crate) object_id: &'a str,
    pub(crate) principal_id: &'a str,
    pub(crate) before: &'a [(&'a str, &'a str)],
    pub(crate) after: &'a [(&'a str, &'a str)],
    /// Who did it, if not the one whom it is told of.
    pub(crate) initiator: Option<Initiator<'a>>,
}

/// Tells the two entries of a change: of the application, and of its service principal.
pub(crate) fn write(facts: &CredentialChange<'_>, enter: &mut dyn FnMut(&AuditEntry<'_>)) {
    let (old, new) = (described(facts.before), described(facts.after));
    let changes: &[PropertyChange<'_>] = &[
        ("KeyDescription", &old, &new),
        ("Included Updated Properties", "", "KeyDescription"),
    ];
    let of_application = AuditEntry {
        // The dash and the blank at the end are Microsoft's.
        activity: "Update application – Certificates and secrets management ",
        category: "ApplicationManagement",
        service: "Core Directory",
        operation_type: "Update",
        target: AuditTarget {
            kind: "Application",
            id: facts.object_id,
            name: facts.application,
        },
        further_targets: &[],
        changes,
        initiator: facts.initiator,
    };
    let of_principal = AuditEntry {
        activity: if facts.after.len() < facts.before.len() {
            "Remove service principal credentials"
        } else {
            "Add service principal credentials"
        },
        target: AuditTarget {
            kind: "ServicePrincipal",
            id: facts.principal_id,
            name: facts.application,
        },
        ..of_application
    };
    enter(&of_application);
    enter(&of_principal);
}

fn described(secrets: &[(&str, &str)]) -> String {
    let all: Vec<String> = secrets
        .iter()
        .map(|(key, name)| {
            format!("[KeyIdentifier={key},KeyType=Password,KeyUsage=Verify,DisplayName={name}]")
        })
        .collect();
    json!(all).to_string()
}
