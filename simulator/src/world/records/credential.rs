//! What Entra writes when the secrets of an application change.
//!
//! Source: Microsoft Graph, `directoryAudit`, category `ApplicationManagement`.

use serde_json::json;

use super::directory_audit::{Change, Entry, Initiator, Target};

/// The facts of a change of an application's secrets; a secret is its key id and its name.
pub(crate) struct Credentials<'a> {
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
pub(crate) fn write(facts: &Credentials<'_>, enter: &mut dyn FnMut(&Entry<'_>)) {
    let (old, new) = (described(facts.before), described(facts.after));
    let changes: &[Change<'_>] = &[
        ("KeyDescription", &old, &new),
        ("Included Updated Properties", "", "KeyDescription"),
    ];
    let of_application = Entry {
        // The dash and the blank at the end are Microsoft's.
        activity: "Update application – Certificates and secrets management ",
        category: "ApplicationManagement",
        service: "Core Directory",
        operation_type: "Update",
        target: Target {
            kind: "Application",
            id: facts.object_id,
            name: facts.application,
        },
        further_targets: &[],
        changes,
        initiator: facts.initiator,
    };
    let of_principal = Entry {
        activity: if facts.after.len() < facts.before.len() {
            "Remove service principal credentials"
        } else {
            "Add service principal credentials"
        },
        target: Target {
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
