//! What Entra writes of a consent: the application appears, gets its permissions, and its people.
//!
//! Source: Microsoft Graph, `directoryAudit`, category `ApplicationManagement`.

use serde_json::json;

use super::directory_audit::{AuditEntry, AuditTarget, PropertyChange};
use crate::world::places::GRAPH_RESOURCE;
use crate::world::users::User;

/// For whom an application may act from now on.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ConsentExtent<'a> {
    /// For the person who consents.
    Person(&'a User),
    /// For everybody, which an administrator grants.
    Everybody,
}

impl ConsentExtent<'_> {
    const fn consent_type(self) -> &'static str {
        match self {
            Self::Person(_) => "Principal",
            Self::Everybody => "AllPrincipals",
        }
    }

    /// What the three contexts of the consent say of it.
    const fn is_for_all(self) -> &'static str {
        match self {
            Self::Person(_) => "False",
            Self::Everybody => "True",
        }
    }
}

/// The facts of a consent to permissions of Microsoft Graph.
pub(crate) struct ConsentFacts<'a> {
    /// Name of the application.
    pub(crate) application: &'a str,
    pub(crate) app_id: &'a str,
    pub(crate) principal_id: &'a str,
    /// The service principal of Microsoft Graph.
    pub(crate) graph_id: &'a str,
    pub(crate) grant_id: &'a str,
    pub(crate) scopes: &'a str,
    pub(crate) extent: ConsentExtent<'a>,
    /// Whether the tenant did not have the application before.
    pub(crate) is_new: bool,
}

/// Tells the entries of a consent in the order in which Entra writes them.
pub(crate) fn write(facts: &ConsentFacts<'_>, enter: &mut dyn FnMut(&AuditEntry<'_>)) {
    let application = AuditTarget {
        kind: "ServicePrincipal",
        id: facts.principal_id,
        name: facts.application,
    };
    let graph = AuditTarget {
        id: facts.graph_id,
        name: "Microsoft Graph",
        ..application
    };
    if facts.is_new {
        write_principal(facts, application, enter);
    }
    let delegated = [
        ("DelegatedPermissionGrant.Scope", "", facts.scopes),
        (
            "DelegatedPermissionGrant.ConsentType",
            "",
            facts.extent.consent_type(),
        ),
        ("ServicePrincipal.ObjectID", "", facts.principal_id),
        ("ServicePrincipal.DisplayName", "", facts.application),
        ("ServicePrincipal.AppId", "", facts.app_id),
        ("TargetId.ServicePrincipalNames", "", GRAPH_RESOURCE),
    ];
    let grant = "Add delegated permission grant";
    enter(&entry(grant, "Assign", graph, &delegated));
    if let ConsentExtent::Person(person) = facts.extent {
        let assigned = [
            ("AppRole.Id", "", "00000000-0000-0000-0000-000000000000"),
            ("User.ObjectID", "", &person.id),
            ("User.UPN", "", &person.principal_name),
            ("TargetId.ServicePrincipalNames", "", facts.app_id),
        ];
        let assignment = "Add app role assignment grant to user";
        enter(&entry(assignment, "Assign", application, &assigned));
    }
    let for_all = facts.extent.is_for_all();
    let permissions = permissions(facts);
    let consented = [
        ("ConsentContext.IsAdminConsent", "", for_all),
        ("ConsentContext.IsAppOnly", "", "False"),
        ("ConsentContext.OnBehalfOfAll", "", for_all),
        (
            "ConsentContext.Tags",
            "",
            "WindowsAzureActiveDirectoryIntegratedApp",
        ),
        ("ConsentAction.Permissions", "", &permissions),
        ("TargetId.ServicePrincipalNames", "", facts.app_id),
    ];
    let consent = "Consent to application";
    enter(&entry(consent, "Assign", application, &consented));
}

fn write_principal(
    facts: &ConsentFacts<'_>,
    application: AuditTarget<'_>,
    enter: &mut dyn FnMut(&AuditEntry<'_>),
) {
    let listed = |value: &str| json!([value]).to_string();
    let (named, numbered) = (listed(facts.application), listed(facts.app_id));
    let created = [
        ("AccountEnabled", "[]", "[true]"),
        ("AppPrincipalId", "[]", numbered.as_str()),
        ("DisplayName", "[]", &named),
        ("ServicePrincipalName", "[]", &numbered),
        (
            "Included Updated Properties",
            "",
            "AccountEnabled, AppPrincipalId, DisplayName, ServicePrincipalName",
        ),
        ("TargetId.ServicePrincipalNames", "", facts.app_id),
    ];
    enter(&entry(
        "Add service principal",
        "Add",
        application,
        &created,
    ));
}

fn permissions(facts: &ConsentFacts<'_>) -> String {
    let person_id = match facts.extent {
        ConsentExtent::Person(person) => person.id.as_str(),
        ConsentExtent::Everybody => "",
    };
    format!(
        "[] => [[Id: {}, ClientId: {}, PrincipalId: {person_id}, ResourceId: {}, ConsentType: {}, Scope: {}, \
         CreatedDateTime: , LastModifiedDateTime ]]; ",
        facts.grant_id,
        facts.principal_id,
        facts.graph_id,
        facts.extent.consent_type(),
        facts.scopes,
    )
}

fn entry<'a>(
    activity: &'a str,
    operation_type: &'a str,
    target: AuditTarget<'a>,
    changes: &'a [PropertyChange<'a>],
) -> AuditEntry<'a> {
    AuditEntry {
        activity,
        category: "ApplicationManagement",
        service: "Core Directory",
        operation_type,
        target,
        further_targets: &[],
        changes,
        initiator: None,
    }
}
