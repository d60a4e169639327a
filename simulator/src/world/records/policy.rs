//! What Entra writes when a conditional access policy changes.
//!
//! Source: Microsoft Graph, `directoryAudit`, category `Policy`; `conditionalAccessPolicy`.

use serde_json::json;

use super::directory_audit::{AuditEntry, AuditTarget, PropertyChange};

/// What differs between two versions of a policy.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PolicyVersion<'a> {
    /// `enabled`, `disabled` or `enabledForReportingButNotEnforced`.
    pub(crate) state: &'a str,
    /// Ids of the users who are excepted.
    pub(crate) excluded: &'a [&'a str],
}

/// The facts of a change of a policy that demands a second factor.
pub(crate) struct PolicyChange<'a> {
    pub(crate) id: &'a str,
    pub(crate) name: &'a str,
    pub(crate) old: PolicyVersion<'a>,
    pub(crate) new: PolicyVersion<'a>,
}

impl PolicyChange<'_> {
    fn version(&self, policy: PolicyVersion<'_>) -> String {
        json!({
            "id": self.id,
            "displayName": self.name,
            "state": policy.state,
            "conditions": {
                "applications": {"includeApplications": ["All"], "excludeApplications": []},
                "users": {"includeUsers": ["All"], "excludeUsers": policy.excluded, "excludeGroups": [], "excludeRoles": []},
                "clientAppTypes": ["all"],
            },
            "grantControls": {"operator": "OR", "builtInControls": ["mfa"]},
        })
        .to_string()
    }
}

/// Tells the two entries of a change: of the policy, and of its object in the directory.
pub(crate) fn write(facts: &PolicyChange<'_>, enter: &mut dyn FnMut(&AuditEntry<'_>)) {
    let (old, new) = (facts.version(facts.old), facts.version(facts.new));
    let by_policy_service = AuditEntry {
        activity: "Update conditional access policy",
        category: "Policy",
        service: "Conditional Access",
        operation_type: "Update",
        target: AuditTarget {
            kind: "Policy",
            id: facts.id,
            name: facts.name,
        },
        further_targets: &[],
        changes: &[("ConditionalAccessPolicy", &old, &new)],
        initiator: None,
    };
    enter(&by_policy_service);
    let (old, new) = (json!([old]).to_string(), json!([new]).to_string());
    let changes: &[PropertyChange<'_>] = &[
        ("PolicyDetail", &old, &new),
        ("Included Updated Properties", "", "PolicyDetail"),
    ];
    // The unified audit log knows only the object in the directory.
    enter(&AuditEntry {
        activity: "Update policy",
        service: "Core Directory",
        changes,
        ..by_policy_service
    });
}
