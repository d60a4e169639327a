//! Requests to Microsoft Graph, as diagnostic settings write them.
//!
//! Source: Azure Monitor, category `MicrosoftGraphActivityLogs`.

use serde_json::{Map, Value, json};

use super::frame::{TenantFacts, diagnostic, extend};
use crate::world::moment::{self, SECOND_US};
use crate::world::places::Origin;
use crate::world::users::User;

/// The facts of a request in a person's name.
pub(crate) struct GraphRequest<'a> {
    pub(crate) id: &'a str,
    pub(crate) at_us: i64,
    pub(crate) user: &'a User,
    pub(crate) origin: &'a Origin,
    pub(crate) app_id: &'a str,
    pub(crate) scopes: &'a str,
    /// Names the sign-in that the token is from.
    pub(crate) token_id: &'a str,
    pub(crate) token_issued_us: i64,
    pub(crate) session_id: &'a str,
    /// Path and query below the version.
    pub(crate) path: &'a str,
    pub(crate) answer_bytes: u64,
}

/// A successful `GET` in diagnostic settings.
pub(crate) fn request(tenant: &TenantFacts, facts: &GraphRequest<'_>) -> Map<String, Value> {
    let properties = json!({
        "__UDI_RequiredFields_TenantId": tenant.id,
        "__UDI_RequiredFields_UniqueId": facts.id,
        "__UDI_RequiredFields_RegionScope": "EU",
        "timeGenerated": moment::ticks(facts.at_us),
        "location": "West Europe",
        "requestId": facts.id,
        "operationId": facts.id,
        "clientRequestId": facts.id,
        "apiVersion": "v1.0",
        "requestMethod": "GET",
        "requestUri": format!("https://graph.microsoft.com/v1.0/{}", facts.path),
        "responseStatusCode": 200,
        "durationMs": 214_337,
        "responseSizeBytes": facts.answer_bytes,
        "tenantId": tenant.id,
        "appId": facts.app_id,
        "userId": facts.user.id,
        "UserPrincipalObjectID": facts.user.id,
        "signInActivityId": facts.token_id,
        "sessionId": facts.session_id,
        "scopes": facts.scopes,
        "roles": "",
        "wids": "b79fbf4d-3ef9-4689-8143-76b194e85509",
        "identityProvider": "",
        "clientAuthMethod": "1",
        "C_Idtyp": "user",
        "C_Iat": (facts.token_issued_us / SECOND_US).to_string(),
        "ipAddress": facts.origin.ip,
        "userAgent": facts.origin.device.user_agent,
        "tokenIssuedAt": moment::ticks(facts.token_issued_us),
        "atContentP": "",
        "atContentH": "",
    });
    let mut record = diagnostic(
        tenant,
        "MicrosoftGraphActivityLogs",
        "Microsoft Graph Activity",
        properties,
    );
    extend(
        &mut record,
        json!({
            "operationVersion": "v1.0",
            "resultSignature": "200",
            "callerIpAddress": facts.origin.ip,
            "correlationId": facts.id,
            "location": "West Europe",
        }),
    );
    record
}
