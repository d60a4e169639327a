//! Risk detections, as diagnostic settings write them.
//!
//! Source: Azure Monitor, `AADUserRiskEvents`; times are in the American form, as seen there.

use serde_json::{Map, Value, json};

use super::frame::{TenantFacts, diagnostic, extend, location};
use crate::world::moment;
use crate::world::places::Origin;
use crate::world::users::User;

/// The facts of a risk detection.
pub(crate) struct RiskEvent<'a> {
    pub(crate) id: &'a str,
    /// When the risky thing happened.
    pub(crate) activity_us: i64,
    /// When it was found.
    pub(crate) detected_us: i64,
    pub(crate) user: &'a User,
    pub(crate) origin: &'a Origin,
    pub(crate) kind: &'a str,
    pub(crate) level: &'a str,
    pub(crate) request_id: &'a str,
}

/// The detection in diagnostic settings.
pub(crate) fn user_risk_event(tenant: &TenantFacts, facts: &RiskEvent<'_>) -> Map<String, Value> {
    let agent = json!([{"Key": "userAgent", "Value": facts.origin.device.user_agent}]).to_string();
    let properties = json!({
        "id": facts.id,
        "requestId": facts.request_id,
        "correlationId": facts.request_id,
        "riskType": facts.kind,
        "riskEventType": facts.kind,
        "riskState": "atRisk",
        "riskLevel": facts.level,
        "riskDetail": "none",
        "source": "IdentityProtection",
        "detectionTimingType": "offline",
        "activity": "signin",
        "ipAddress": facts.origin.ip,
        "location": location(facts.origin),
        "activityDateTime": moment::milliseconds(facts.activity_us),
        "detectedDateTime": moment::milliseconds(facts.detected_us),
        "lastUpdatedDateTime": moment::milliseconds(facts.detected_us),
        "userId": facts.user.id,
        "userDisplayName": facts.user.display_name,
        "userPrincipalName": facts.user.principal_name,
        "userType": "member",
        "additionalInfo": agent,
        "tokenIssuerType": "AzureAD",
        "homeTenantId": tenant.id,
        "resourceTenantId": null,
        "crossTenantAccessType": "none",
    });
    let mut record = diagnostic(tenant, "UserRiskEvents", "User Risk Detection", properties);
    extend(
        &mut record,
        json!({
            "resultSignature": "None",
            "callerIpAddress": facts.origin.ip,
            "correlationId": facts.id,
            "identity": facts.user.display_name,
            "location": facts.origin.place.country.to_lowercase(),
        }),
    );
    record
}
