//! Defender's `EntraIdSignInEvents` (`AADSignInEventsBeta` before): a sign-in under other names.
//! Sample: `entra_sign_in_events.sample.json`.
//!
//! Its request id is the id of the sign-in, so that the same one from Entra is known.

use serde_json::{Value, json};

use crate::normalise::shape::{Form, Place, Shape, same, says};

pub(super) const SHAPE: Shape = Shape {
    name: "a row of EntraIdSignInEvents",
    known_by: &[
        "RequestId",
        "ErrorCode",
        "AccountUpn|AccountObjectId",
        "Application|ApplicationId",
    ],
    record: Place::Said,
    whole: &[],
    says: &[
        same("id", &["RequestId"]),
        same("createdDateTime", &["Timestamp", "TimeGenerated"]),
        same("userPrincipalName", &["AccountUpn"]),
        same("userId", &["AccountObjectId"]),
        same("userDisplayName", &["AccountDisplayName"]),
        same("appId", &["ApplicationId"]),
        same("appDisplayName", &["Application"]),
        same("resourceDisplayName", &["ResourceDisplayName"]),
        same("resourceIdentity", &["ResourceId"]),
        same("resourceTenantId", &["ResourceTenantId"]),
        same("AADTenantId", &["AADTenantId", "tenantId"]),
        same("correlationId", &["CorrelationId"]),
        same("sessionId", &["SessionId"]),
        same("uniqueTokenIdentifier", &["UniqueTokenId"]),
        says("signInEventTypes", &["LogonType"], Form::Made(kinds)),
        says("status.errorCode", &["ErrorCode"], Form::Number),
        same("ipAddress", &["IPAddress"]),
        same("location.countryOrRegion", &["Country"]),
        same("location.state", &["State"]),
        same("location.city", &["City"]),
        same("location.geoCoordinates.latitude", &["Latitude"]),
        same("location.geoCoordinates.longitude", &["Longitude"]),
        same("clientAppUsed", &["ClientAppUsed"]),
        same("userAgent", &["UserAgent"]),
        same("deviceDetail.deviceId", &["EntraIdDeviceId", "AadDeviceId"]),
        same("deviceDetail.displayName", &["DeviceName"]),
        same("deviceDetail.operatingSystem", &["OSPlatform"]),
        same("deviceDetail.browser", &["Browser"]),
        same("deviceDetail.trustType", &["DeviceTrustType"]),
        says("deviceDetail.isManaged", &["IsManaged"], Form::Flag),
        says("deviceDetail.isCompliant", &["IsCompliant"], Form::Flag),
        same("authenticationRequirement", &["AuthenticationRequirement"]),
        same("tokenIssuerType", &["TokenIssuerType"]),
        says(
            "conditionalAccessStatus",
            &["ConditionalAccessStatus"],
            Form::Made(conditional_access),
        ),
        same("autonomousSystemNumber", &["AutonomousSystemNumber"]),
    ],
    is_kept: false,
};

/// The kinds of sign-in, which are a list in text.
fn kinds(row: &Value) -> Option<Value> {
    let kinds = row.get("LogonType")?;
    let text = kinds
        .as_str()
        .map_or_else(|| kinds.to_string(), str::to_owned);
    let known = [
        "interactiveUser",
        "nonInteractiveUser",
        "servicePrincipal",
        "managedIdentity",
    ];
    let words: Vec<&str> = text
        .split(|letter: char| !letter.is_ascii_alphanumeric())
        .collect();
    let is_said = |kind: &&str| words.iter().any(|word| word.eq_ignore_ascii_case(kind));
    let found: Vec<&str> = known.into_iter().filter(is_said).collect();
    (!found.is_empty()).then(|| json!(found))
}

/// What conditional access said, which is a number here.
fn conditional_access(row: &Value) -> Option<Value> {
    let status = row.get("ConditionalAccessStatus")?;
    let number = status.as_i64().or_else(|| status.as_str()?.parse().ok());
    match number {
        Some(0) => Some("success".into()),
        Some(1) => Some("failure".into()),
        Some(2) => Some("notApplied".into()),
        _ => Some(status.clone()),
    }
}
