//! Sign-ins, in the shape of Entra's sign-in log.

use serde_json::{Value, json};

use super::error_codes::code_of;
use super::identity::{Identity, is_guid};
use super::record::{Record, object, value};

/// Operations of a sign-in; the status beside them tells of the request, not of the sign-in.
const SUCCEEDED: &str = "UserLoggedIn";
const FAILED: &str = "UserLoginFailed";

/// `AzureActiveDirectoryAccountLogon` and `AzureActiveDirectoryStsLogon`.
///
/// Source: Office 365 Management Activity API schema, `AuditLogRecordType`.
const RECORD_TYPES: [i64; 2] = [9, 15];

/// Whether a record is of a sign-in.
pub(super) fn is_one(record: Record<'_>, operation: &str) -> bool {
    let is_of_type = record
        .number("RecordType")
        .is_some_and(|kind| RECORD_TYPES.contains(&kind));
    is_of_type || [SUCCEEDED, FAILED].contains(&operation)
}

/// The record in the shape of category `SignInLogs`.
pub(super) fn retold(record: Record<'_>, operation: &str) -> Value {
    let actor = Identity::of(record, "Actor");
    let time = value(record.text("CreationTime"));
    let error_code = error_code(record, operation);
    let extended = |name| value(record.property("ExtendedProperties", name));
    let user_id = actor.object_id;
    let user_id = user_id.or(record.text("UserKey").filter(|key| is_guid(key)));
    let name = record.text("UserId").filter(|name| name.contains('@'));
    let status = object([
        ("errorCode", error_code.map(Value::from)),
        ("failureReason", value(record.text("LogonError"))),
    ]);
    let properties = object([
        ("id", value(record.first_text(&["IntraSystemId", "Id"]))),
        ("createdDateTime", time.clone()),
        (
            "userPrincipalName",
            value(actor.user_principal_name.or(name)),
        ),
        ("userId", value(user_id)),
        ("appId", value(record.text("ApplicationId"))),
        ("resourceId", value(resource_id(record))),
        ("ipAddress", value(record.address())),
        ("userAgent", extended("UserAgent")),
        ("correlationId", value(record.text("InterSystemsId"))),
        (
            "sessionId",
            value(record.property("DeviceProperties", "SessionId")),
        ),
        ("requestType", extended("RequestType")),
        ("status", Some(status)),
        ("deviceDetail", Some(device_detail(record))),
    ]);
    object([
        ("time", time),
        ("category", value(Some("SignInLogs"))),
        ("operationName", value(Some("Sign-in activity"))),
        ("tenantId", value(record.text("OrganizationId"))),
        (
            "resultType",
            error_code.map(|code| Value::from(code.to_string())),
        ),
        ("resultDescription", value(record.text("LogonError"))),
        ("callerIpAddress", value(record.address())),
        ("properties", Some(properties)),
    ])
}

/// The number, or what the name of the error is the name of; a success has none in older records.
fn error_code(record: Record<'_>, operation: &str) -> Option<i64> {
    let number = record.number("ErrorNumber");
    let named = || record.text("LogonError").and_then(code_of);
    let by_operation = || (operation == SUCCEEDED).then_some(0);
    // A failure whose number is that of success says nothing by it.
    let number = number.filter(|code| *code != 0 || operation != FAILED);
    number.or_else(named).or_else(by_operation)
}

fn resource_id(record: Record<'_>) -> Option<&str> {
    record.text("ObjectId").filter(|id| is_guid(id))
}

fn device_detail(record: Record<'_>) -> Value {
    let told = |name| record.property("DeviceProperties", name);
    let is = |name| told(name).map(|text| json!(text.eq_ignore_ascii_case("true")));
    let is_both = is("IsCompliantAndManaged");
    object([
        ("deviceId", value(told("Id"))),
        ("displayName", value(told("DisplayName"))),
        ("operatingSystem", value(told("OS"))),
        ("browser", value(told("BrowserType"))),
        ("isCompliant", is("IsCompliant").or_else(|| is_both.clone())),
        ("isManaged", is("IsManaged").or(is_both)),
        ("trustType", value(told("TrustType"))),
    ])
}
