//! "Download sign-ins" and "Download audit logs" of the Entra admin center, as CSV.
//! Samples: `entra_portal_sign_ins.sample.csv`, `entra_portal_audits.sample.csv`.
//!
//! The headings say UTC, so only the order of day and month can be open. Which kind of sign-in it is only the name of the
//! file tells. Its JSON is Graph's and needs no description.

use serde_json::{Map, Value, json};

use crate::normalise::shape::{Form, Place, Shape, is_said, same, says};

pub(super) const SIGN_INS: Shape = Shape {
    name: "a row of the Entra portal's sign-ins",
    known_by: &["Request ID", "Date (UTC)", "Sign-in error code|Status"],
    record: Place::Said,
    whole: &[],
    says: &[
        same("id", &["Request ID"]),
        same("createdDateTime", &["Date (UTC)"]),
        same("tenantId", &["Resource tenant ID", "Home tenant ID"]),
        same("userDisplayName", &["User"]),
        same("userPrincipalName", &["Username", "Sign-in identifier"]),
        same("userId", &["User ID"]),
        says("userType", &["User type"], Form::Word),
        same("servicePrincipalId", &["Service principal ID"]),
        same("servicePrincipalName", &["Service principal name"]),
        same("clientCredentialType", &["Client credential type"]),
        same("correlationId", &["Correlation ID"]),
        same("appId", &["Application ID"]),
        same("appDisplayName", &["Application"]),
        same("resourceDisplayName", &["Resource"]),
        same("resourceIdentity", &["Resource ID"]),
        same("resourceTenantId", &["Resource tenant ID"]),
        same("homeTenantId", &["Home tenant ID"]),
        says(
            "crossTenantAccessType",
            &["Cross tenant access type"],
            Form::Word,
        ),
        same("ipAddress", &["IP address"]),
        says("location.city", &["Location"], Form::First),
        says("location.state", &["Location"], Form::Middle),
        says("location.countryOrRegion", &["Location"], Form::Last),
        says(
            "autonomousSystemNumber",
            &["Autonomous system number"],
            Form::Number,
        ),
        says("status.errorCode", &["Sign-in error code"], Form::Number),
        same("status.failureReason", &["Failure reason"]),
        same("clientAppUsed", &["Client app"]),
        same("userAgent", &["User agent"]),
        same("deviceDetail.deviceId", &["Device ID"]),
        same("deviceDetail.browser", &["Browser"]),
        same("deviceDetail.operatingSystem", &["Operating System"]),
        says("deviceDetail.isCompliant", &["Compliant"], Form::Flag),
        says("deviceDetail.isManaged", &["Managed"], Form::Flag),
        same("deviceDetail.trustType", &["Join Type"]),
        says(
            "authenticationRequirement",
            &["Authentication requirement"],
            Form::Made(requirement),
        ),
        says(
            "authenticationProtocol",
            &["Authentication Protocol"],
            Form::Word,
        ),
        says(
            "originalTransferMethod",
            &["Original transfer method"],
            Form::Word,
        ),
        says("incomingTokenType", &["Incoming token type"], Form::Word),
        says(
            "conditionalAccessStatus",
            &["Conditional Access"],
            Form::Word,
        ),
        same("sessionId", &["Session ID"]),
        same("uniqueTokenIdentifier", &["Unique token identifier"]),
        same("tokenIssuerType", &["Token issuer type"]),
    ],
    is_kept: false,
};

pub(super) const AUDITS: Shape = Shape {
    name: "a row of the Entra portal's audit logs",
    known_by: &[
        "Activity",
        "Date (UTC)|Date",
        "CorrelationId|Correlation ID",
        "Service",
        "Result",
    ],
    record: Place::Said,
    whole: &[],
    says: &[
        same("activityDateTime", &["Date (UTC)", "Date"]),
        same("activityDisplayName", &["Activity"]),
        same("category", &["Category"]),
        says("result", &["Result"], Form::Word),
        same("resultReason", &["ResultReason", "Result reason"]),
        same("loggedByService", &["Service"]),
        same("correlationId", &["CorrelationId", "Correlation ID"]),
        same("userAgent", &["User Agent", "UserAgent"]),
        same("homeTenantId", &["ActorHomeTenantId"]),
        same(
            "initiatedBy.user.userPrincipalName",
            &["ActorUserPrincipalName"],
        ),
        same("initiatedBy.user.ipAddress", &["IPAddress", "IP address"]),
        says(
            "initiatedBy.user.id",
            &["ActorObjectId"],
            Form::Made(user_id),
        ),
        says(
            "initiatedBy.app",
            &["ActorServicePrincipalId"],
            Form::Made(application),
        ),
        says("targetResources", &["Target1Type"], Form::Made(targets)),
        says(
            "additionalDetails",
            &["AdditionalDetail1Key"],
            Form::Made(details),
        ),
    ],
    is_kept: false,
};

fn requirement(row: &Value) -> Option<Value> {
    let text = said(row, "Authentication requirement")?;
    let word = match text.to_ascii_lowercase().as_str() {
        "multifactor authentication" | "multi-factor authentication" => "multiFactorAuthentication",
        "single-factor authentication" | "singlefactor authentication" => {
            "singleFactorAuthentication"
        }
        _ => return Some(text.into()),
    };
    Some(word.into())
}

/// The text of a column, if it says something.
fn said(row: &Value, column: &str) -> Option<String> {
    let value = schemas::path::find(row, column)?;
    is_said(&value)
        .then(|| value.as_str().map(str::to_owned))
        .flatten()
}

/// The actor's object id, which is an application's where there is no user.
fn user_id(row: &Value) -> Option<Value> {
    said(row, "ActorUserPrincipalName")?;
    said(row, "ActorObjectId").map(Value::from)
}

fn application(row: &Value) -> Option<Value> {
    let is_user = said(row, "ActorUserPrincipalName").is_some();
    let name = said(row, "ActorServicePrincipalName")
        .or_else(|| said(row, "ActorDisplayName").filter(|_| !is_user));
    let id = said(row, "ActorServicePrincipalId")
        .or_else(|| said(row, "ActorObjectId").filter(|_| !is_user));
    (name.is_some() || id.is_some()).then(|| json!({"displayName": name, "servicePrincipalId": id}))
}

/// Most targets, and properties and details of one, that the portal writes columns for.
const NUMBERED_MAX: usize = 20;

/// `Target1Type`, `Target1ModifiedProperty1Name`, … as the list that they were.
fn targets(row: &Value) -> Option<Value> {
    let mut targets = Vec::new();
    for number in 1..=NUMBERED_MAX {
        let mut target = Map::new();
        for (member, column) in [
            ("type", "Type"),
            ("displayName", "DisplayName"),
            ("id", "ObjectId"),
            ("userPrincipalName", "UserPrincipalName"),
        ] {
            if let Some(text) = said(row, &format!("Target{number}{column}")) {
                target.insert(member.to_owned(), text.into());
            }
        }
        let properties: Vec<Value> = (1..=NUMBERED_MAX)
            .filter_map(|property| {
                changed(row, &format!("Target{number}ModifiedProperty{property}"))
            })
            .collect();
        if target.is_empty() && properties.is_empty() {
            break;
        }
        target.insert("modifiedProperties".to_owned(), properties.into());
        targets.push(Value::Object(target));
    }
    (!targets.is_empty()).then_some(Value::Array(targets))
}

fn changed(row: &Value, column: &str) -> Option<Value> {
    let name = said(row, &format!("{column}Name"))?;
    let old = said(row, &format!("{column}OldValue"));
    let new = said(row, &format!("{column}NewValue"));
    Some(json!({"displayName": name, "oldValue": old, "newValue": new}))
}

fn details(row: &Value) -> Option<Value> {
    let detail = |number: usize| {
        let key = said(row, &format!("AdditionalDetail{number}Key"))?;
        let value = said(row, &format!("AdditionalDetail{number}Value"));
        Some(json!({"key": key, "value": value}))
    };
    let details: Vec<Value> = (1..=NUMBERED_MAX).map_while(detail).collect();
    (!details.is_empty()).then_some(Value::Array(details))
}
