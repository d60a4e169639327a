//! Alerts of `alerts_v2`.
//!
//! Source: Microsoft Graph v1.0, `microsoft.graph.security.alert`.

use serde_json::{Map, Value, json};

use super::frame::extend;
use crate::world::moment;
use crate::world::places::Origin;
use crate::world::users::User;

/// The facts of an alert.
pub(crate) struct Alert<'a> {
    pub(crate) id: &'a str,
    pub(crate) tenant_id: &'a str,
    pub(crate) incident: u32,
    pub(crate) title: &'a str,
    pub(crate) description: &'a str,
    pub(crate) severity: &'a str,
    pub(crate) category: &'a str,
    pub(crate) techniques: &'a [&'a str],
    pub(crate) activity_us: i64,
    pub(crate) created_us: i64,
    pub(crate) user: &'a User,
    pub(crate) origin: &'a Origin,
}

/// The alert as it is when it is new.
pub(crate) fn alert(facts: &Alert<'_>) -> Value {
    let mut members = Map::new();
    extend(&mut members, head(facts));
    extend(&mut members, tail(facts));
    Value::Object(members)
}

fn head(facts: &Alert<'_>) -> Value {
    json!({
        "id": facts.id,
        "providerAlertId": facts.id,
        "incidentId": facts.incident.to_string(),
        "status": "new",
        "severity": facts.severity,
        "classification": null,
        "determination": null,
        "serviceSource": "azureAdIdentityProtection",
        "detectionSource": "azureAdIdentityProtection",
        "productName": "Microsoft Entra ID Protection",
        "detectorId": facts.title,
        "tenantId": facts.tenant_id,
        "title": facts.title,
        "description": facts.description,
        "recommendedActions": "",
        "category": facts.category,
        "mitreTechniques": facts.techniques,
    })
}

fn tail(facts: &Alert<'_>) -> Value {
    let created = moment::milliseconds(facts.created_us);
    let activity = moment::milliseconds(facts.activity_us);
    json!({
        "assignedTo": null,
        "actorDisplayName": null,
        "threatDisplayName": null,
        "threatFamilyName": null,
        "resolvedDateTime": null,
        "alertWebUrl": format!("https://security.microsoft.com/alerts/{}?tid={}", facts.id, facts.tenant_id),
        "incidentWebUrl": format!("https://security.microsoft.com/incidents/{}?tid={}", facts.incident, facts.tenant_id),
        "createdDateTime": created,
        "lastUpdateDateTime": created,
        "firstActivityDateTime": activity,
        "lastActivityDateTime": activity,
        "systemTags": [],
        "comments": [],
        "evidence": [user_evidence(facts.user, &created), ip_evidence(facts.origin, &created)],
    })
}

fn user_evidence(user: &User, created: &str) -> Value {
    json!({
        "@odata.type": "#microsoft.graph.security.userEvidence",
        "createdDateTime": created,
        "verdict": "suspicious",
        "remediationStatus": "none",
        "roles": ["compromised"],
        "tags": [],
        "userAccount": {
            "accountName": user.principal_name.split('@').next(),
            "userPrincipalName": user.principal_name,
            "azureAdUserId": user.id,
            "displayName": user.display_name,
        },
    })
}

fn ip_evidence(origin: &Origin, created: &str) -> Value {
    json!({
        "@odata.type": "#microsoft.graph.security.ipEvidence",
        "createdDateTime": created,
        "verdict": "suspicious",
        "remediationStatus": "none",
        "roles": [],
        "tags": [],
        "ipAddress": origin.ip,
        "countryLetterCode": origin.place.country,
    })
}

/// The same alert after somebody changed its status, and nothing else.
pub(crate) fn with_status(mut alert: Value, status: &str, updated_us: i64) -> Value {
    if let Some(members) = alert.as_object_mut() {
        members.insert("status".to_owned(), json!(status));
        members.insert(
            "lastUpdateDateTime".to_owned(),
            json!(moment::milliseconds(updated_us)),
        );
    }
    alert
}
