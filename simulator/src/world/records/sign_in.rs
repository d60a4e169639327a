//! Sign-ins, as diagnostic settings and the unified audit log write them.
//!
//! Source: Azure Monitor, `SigninLogs`, `AADNonInteractiveUserSignInLogs`, `AADServicePrincipalSignInLogs`;
//! Office 365 Management Activity API schema, record type 15.

use serde_json::{Map, Value, json};

use super::frame::{TenantFacts, UnifiedAuditFields, diagnostic, extend, location, named_values};
use super::outcome::SignInOutcome;
use crate::world::chance::Chance;
use crate::world::moment;
use crate::world::places::{ClientApplication, Origin};
use crate::world::users::User;

/// How a person proves who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SignInManner {
    /// With password and second factor, or with what an earlier sign-in has left.
    Usual,
    /// A mail client hands over the password, and nothing else is asked for.
    PasswordOnly,
    /// With the password, and a prompt is sent to the phone.
    Prompted,
    /// A device hands over the password to send mail, and nothing else is asked for.
    MailSubmission,
    /// A program without a browser shows a code, which the person types in elsewhere.
    DeviceCode,
}

impl SignInManner {
    const fn asks_for_password_only(self) -> bool {
        matches!(self, Self::PasswordOnly | Self::MailSubmission)
    }

    /// `authenticationProtocol`.
    const fn protocol(self) -> &'static str {
        match self {
            Self::PasswordOnly | Self::MailSubmission => "ropc",
            Self::DeviceCode => "deviceCode",
            Self::Usual | Self::Prompted => "none",
        }
    }

    /// `originalTransferMethod`.
    const fn transfer(self) -> &'static str {
        match self {
            Self::DeviceCode => "deviceCodeFlow",
            _ => "none",
        }
    }
}

/// A person's sign-in, as who tells of it knows it.
#[derive(Clone, Copy)]
pub(crate) struct SignIn<'a> {
    pub(crate) user: &'a User,
    pub(crate) origin: &'a Origin,
    pub(crate) app: ClientApplication<'a>,
    pub(crate) outcome: SignInOutcome,
    pub(crate) interactive: bool,
    pub(crate) manner: SignInManner,
    pub(crate) session_id: &'a str,
    /// Of the attempt to sign in that several records tell of; one of its own if none.
    pub(crate) correlation_id: Option<&'a str>,
    pub(crate) at_us: i64,
}

impl<'a> SignIn<'a> {
    /// The usual one: interactive, from where the person is, in the person's session, and as the account lets it end.
    pub(crate) fn usual(user: &'a User, app: ClientApplication<'a>, at_us: i64) -> Self {
        Self {
            user,
            origin: &user.origin,
            app,
            outcome: user.sign_in_outcome(),
            interactive: true,
            manner: SignInManner::Usual,
            session_id: &user.session_id,
            correlation_id: None,
            at_us,
        }
    }
}

/// The ids of the records that tell of a sign-in, all by its name.
pub(crate) struct SignInIds {
    /// Of the record in diagnostic settings.
    pub(crate) id: String,
    /// Of the record in the unified audit log.
    pub(crate) logon_id: String,
    pub(crate) correlation_id: String,
    pub(crate) token_id: String,
}

impl SignInIds {
    /// The ids of the sign-in of a name.
    pub(crate) fn new(chance: Chance, name: &str, sign_in: &SignIn<'_>) -> Self {
        let own = || chance.uuid(&["correlation", name]);
        Self {
            id: chance.uuid(&["sign-in", name]),
            logon_id: chance.uuid(&["logon", name]),
            correlation_id: sign_in.correlation_id.map_or_else(own, str::to_owned),
            token_id: token_id(chance, name),
        }
    }
}

/// The unique token identifier of the sign-in of a name.
pub(crate) fn token_id(chance: Chance, name: &str) -> String {
    chance.hex(&["token", name])[..22].to_owned()
}

/// A person's sign-in in diagnostic settings.
pub(crate) fn user_sign_in(
    tenant: &TenantFacts,
    facts: &SignIn<'_>,
    ids: &SignInIds,
) -> Map<String, Value> {
    let category = if facts.interactive {
        "SignInLogs"
    } else {
        "NonInteractiveUserSignInLogs"
    };
    let mut record = diagnostic(
        tenant,
        category,
        "Sign-in activity",
        properties(tenant, facts, ids),
    );
    let code = facts.outcome.code();
    extend(
        &mut record,
        json!({
            "resultType": code.to_string(),
            "resultSignature": if code == 0 { "SUCCESS" } else { "FAILURE" },
            "resultDescription": (code != 0).then(|| facts.outcome.reason()),
            "callerIpAddress": facts.origin.ip,
            "correlationId": ids.correlation_id,
            "identity": facts.user.display_name,
            "location": facts.origin.place.country,
        }),
    );
    record
}

fn properties(tenant: &TenantFacts, facts: &SignIn<'_>, ids: &SignInIds) -> Value {
    let mut properties = Map::new();
    extend(&mut properties, who_and_what(tenant, facts, ids));
    extend(&mut properties, how(facts));
    Value::Object(properties)
}

fn who_and_what(tenant: &TenantFacts, facts: &SignIn<'_>, ids: &SignInIds) -> Value {
    let user = facts.user;
    json!({
        "id": ids.id,
        "createdDateTime": moment::ticks_with_offset(facts.at_us),
        "userDisplayName": user.display_name,
        "userPrincipalName": user.principal_name,
        "userId": user.id,
        "userType": user.user_type(),
        "appId": facts.app.id,
        "appDisplayName": facts.app.name,
        "resourceId": facts.app.resource_id,
        "resourceDisplayName": facts.app.resource,
        "resourceTenantId": tenant.id,
        "homeTenantId": tenant.id,
        "tenantId": tenant.id,
        "crossTenantAccessType": if user.user_type() == "Guest" { "b2bCollaboration" } else { "none" },
        "ipAddress": facts.origin.ip,
        "location": location(facts.origin),
        "autonomousSystemNumber": facts.origin.place.autonomous_system,
        "correlationId": ids.correlation_id,
        "originalRequestId": ids.id,
        "sessionId": facts.session_id,
        "uniqueTokenIdentifier": ids.token_id,
        "alternateSignInName": user.principal_name,
        "signInIdentifier": user.principal_name,
        "servicePrincipalId": "",
    })
}

fn how(facts: &SignIn<'_>) -> Value {
    let code = facts.outcome.code();
    let device = facts.origin.device;
    let password_only = facts.manner.asks_for_password_only();
    json!({
        "status": {
            "errorCode": code,
            "failureReason": facts.outcome.reason(),
            "additionalDetails": details(facts),
        },
        "isInteractive": facts.interactive,
        "clientAppUsed": client_app(facts),
        "userAgent": device.user_agent,
        "deviceDetail": {
            "deviceId": facts.origin.device_id,
            "operatingSystem": device.operating_system,
            "browser": device.browser,
            "isCompliant": device.managed,
            "isManaged": device.managed,
            "trustType": if device.managed { "Azure AD joined" } else { "" },
        },
        "conditionalAccessStatus": "notApplied",
        "appliedConditionalAccessPolicies": [],
        "authenticationDetails": steps(facts),
        "authenticationRequirement": if password_only { "singleFactorAuthentication" } else { "multiFactorAuthentication" },
        "authenticationProtocol": facts.manner.protocol(),
        "originalTransferMethod": facts.manner.transfer(),
        "incomingTokenType": if facts.interactive { "none" } else { "refreshToken" },
        "clientCredentialType": "none",
        "tokenIssuerType": "AzureAD",
        "tokenIssuerName": "",
        "signInTokenProtectionStatus": "none",
        "processingTimeInMilliseconds": 87,
        "flaggedForReview": false,
        "riskDetail": "none",
        "riskLevelAggregated": "none",
        "riskLevelDuringSignIn": "none",
        "riskState": "none",
        "riskEventTypes": [],
        "riskEventTypes_v2": [],
    })
}

fn details(facts: &SignIn<'_>) -> Option<&'static str> {
    match facts.manner {
        SignInManner::Usual | SignInManner::DeviceCode => facts
            .outcome
            .succeeded()
            .then_some("MFA requirement satisfied by claim in the token"),
        SignInManner::PasswordOnly | SignInManner::MailSubmission => None,
        SignInManner::Prompted => facts.outcome.second_factor(),
    }
}

fn client_app(facts: &SignIn<'_>) -> &'static str {
    match (facts.manner, facts.interactive) {
        (SignInManner::PasswordOnly, _) => "IMAP4",
        (SignInManner::MailSubmission, _) => "Authenticated SMTP",
        (SignInManner::Usual | SignInManner::Prompted, true) => "Browser",
        (_, _) => "Mobile Apps and Desktop clients",
    }
}

fn steps(facts: &SignIn<'_>) -> Value {
    let step = |method: &str, detail: &str, succeeded: bool, result: &str, requirement: &str| {
        json!({
            "authenticationStepDateTime": moment::seconds(facts.at_us),
            "authenticationMethod": method,
            "authenticationMethodDetail": detail,
            "succeeded": succeeded,
            "authenticationStepResultDetail": result,
            "authenticationStepRequirement": requirement,
        })
    };
    let password_was_right = facts.outcome.password_was_right();
    let password = step(
        "Password",
        "Password in the cloud",
        password_was_right,
        if password_was_right {
            "Correct password"
        } else {
            "Invalid username or password or Invalid on-premises username or password."
        },
        "Primary authentication",
    );
    let second = |succeeded: bool| {
        step(
            "Mobile app notification",
            "Microsoft Authenticator",
            succeeded,
            facts.outcome.second_factor().unwrap_or_default(),
            "Multifactor authentication",
        )
    };
    match (facts.interactive, facts.outcome) {
        (false, _) => json!([]),
        (true, SignInOutcome::Success) if !facts.manner.asks_for_password_only() => {
            json!([password, second(true)])
        }
        (true, SignInOutcome::SecondFactorDeclined | SignInOutcome::SecondFactorUnanswered) => {
            json!([password, second(false)])
        }
        (true, _) => json!([password]),
    }
}

/// A person's sign-in in the unified audit log: `UserLoggedIn` or `UserLoginFailed`.
pub(crate) fn logon(
    tenant: &TenantFacts,
    facts: &SignIn<'_>,
    ids: &SignInIds,
) -> Map<String, Value> {
    let succeeded = facts.outcome.succeeded();
    let common = UnifiedAuditFields {
        id: &ids.logon_id,
        at_us: facts.at_us,
        operation: if succeeded {
            "UserLoggedIn"
        } else {
            "UserLoginFailed"
        },
        record_type: 15,
        workload: "AzureActiveDirectory",
        result: if succeeded { "Success" } else { "Failed" },
        user_id: &facts.user.principal_name,
        user_key: if facts.outcome == SignInOutcome::UnknownUser {
            "Not Available"
        } else {
            &facts.user.id
        },
        user_type: 0,
    };
    let mut record = common.record(tenant);
    let device = facts.origin.device;
    extend(
        &mut record,
        json!({
            "AzureActiveDirectoryEventType": 1,
            "ActorIpAddress": facts.origin.ip,
            "ClientIP": facts.origin.ip,
            "ActorContextId": tenant.id,
            "TargetContextId": tenant.id,
            "InterSystemsId": ids.correlation_id,
            "IntraSystemId": ids.id,
            "ApplicationId": facts.app.id,
            "ObjectId": facts.app.resource_id,
            "ErrorNumber": facts.outcome.code().to_string(),
            "LogonError": (!succeeded).then(|| facts.outcome.logon_error()),
            "Actor": [{"ID": facts.user.id, "Type": 0}, {"ID": facts.user.principal_name, "Type": 5}],
            "Target": [{"ID": facts.app.resource_id, "Type": 0}],
            "ModifiedProperties": [],
            "ExtendedProperties": named_values(&[
                ("ResultStatusDetail", if succeeded { "Success" } else { "UserError" }),
                ("UserAgent", device.user_agent),
                ("RequestType", request_type(facts)),
            ]),
            "DeviceProperties": named_values(&[
                ("OS", device.operating_system),
                ("BrowserType", device.browser),
                ("IsCompliantAndManaged", if device.managed { "True" } else { "False" }),
                ("SessionId", facts.session_id),
            ]),
        }),
    );
    record
}

fn request_type(facts: &SignIn<'_>) -> &'static str {
    match (facts.manner, facts.outcome) {
        (SignInManner::PasswordOnly | SignInManner::MailSubmission, _) => "OAuth2:Token",
        (SignInManner::DeviceCode, _) => "Cmsi:Cmsi",
        (
            SignInManner::Prompted,
            SignInOutcome::Success
            | SignInOutcome::SecondFactorDeclined
            | SignInOutcome::SecondFactorUnanswered,
        ) => "SAS:ProcessAuth",
        _ if facts.interactive => "Login:login",
        _ => "OAuth2:Token",
    }
}

/// The facts of an application's sign-in.
pub(crate) struct ApplicationSignIn<'a> {
    pub(crate) id: &'a str,
    pub(crate) at_us: i64,
    pub(crate) app_id: &'a str,
    pub(crate) principal_id: &'a str,
    pub(crate) name: &'a str,
    pub(crate) key_id: &'a str,
    pub(crate) ip: &'a str,
    pub(crate) token_id: &'a str,
}

/// An application's sign-in in diagnostic settings.
pub(crate) fn application_sign_in(
    tenant: &TenantFacts,
    facts: &ApplicationSignIn<'_>,
) -> Map<String, Value> {
    let properties = json!({
        "id": facts.id,
        "createdDateTime": moment::ticks_with_offset(facts.at_us),
        "appId": facts.app_id,
        "servicePrincipalId": facts.principal_id,
        "servicePrincipalName": facts.name,
        "servicePrincipalCredentialKeyId": facts.key_id,
        "clientCredentialType": "clientSecret",
        "appOwnerTenantId": tenant.id,
        "resourceDisplayName": "Microsoft Graph",
        "resourceId": "00000003-0000-0000-c000-000000000000",
        "resourceTenantId": tenant.id,
        "homeTenantId": tenant.id,
        "ipAddress": facts.ip,
        "status": {"errorCode": 0},
        "location": {"city": "", "state": "", "countryOrRegion": "", "geoCoordinates": {"latitude": 0.0, "longitude": 0.0}},
        "isInteractive": false,
        "userId": null,
        "correlationId": facts.token_id,
        "uniqueTokenIdentifier": facts.token_id,
        "incomingTokenType": "none",
        "authenticationProtocol": "none",
        "originalTransferMethod": "none",
        "crossTenantAccessType": "none",
        "conditionalAccessStatus": "notApplied",
        "appliedConditionalAccessPolicies": [],
        "tokenIssuerType": "AzureAD",
        "riskLevelDuringSignIn": "none",
        "riskState": "none",
    });
    let mut record = diagnostic(
        tenant,
        "ServicePrincipalSignInLogs",
        "Sign-in activity",
        properties,
    );
    extend(
        &mut record,
        json!({
            "resultType": "0",
            "resultSignature": "SUCCESS",
            "callerIpAddress": facts.ip,
            "correlationId": facts.token_id,
        }),
    );
    record
}
