//! Changes of the directory, in the shape of Entra's audit log.

use serde_json::{Value, json};

use super::identity::Identity;
use super::record::{Record, object, value};

/// Kinds of objects that a change names in its properties, beside its target: of whose membership it is.
const CONTAINERS: &[&str] = &["Role", "Group"];

/// The record in the shape of category `AuditLogs`.
pub(super) fn retold(record: Record<'_>, operation: &str) -> Value {
    let activity = operation.strip_suffix('.').unwrap_or(operation).trim_end();
    let time = value(record.text("CreationTime"));
    let correlation_id = value(record.text("InterSystemsId"));
    let properties = object([
        ("id", value(record.text("Id"))),
        ("category", value(category(record))),
        ("correlationId", correlation_id.clone()),
        ("result", value(result(record))),
        ("activityDisplayName", value(Some(activity))),
        ("activityDateTime", time.clone()),
        ("operationType", value(operation_type(activity))),
        ("initiatedBy", Some(initiated_by(record))),
        ("targetResources", Some(target_resources(record))),
        ("additionalDetails", Some(additional_details(record))),
    ]);
    object([
        ("time", time),
        ("category", value(Some("AuditLogs"))),
        ("operationName", value(Some(activity))),
        ("tenantId", value(record.text("OrganizationId"))),
        ("correlationId", correlation_id),
        ("callerIpAddress", value(record.address())),
        ("identity", value(record.text("UserId"))),
        ("properties", Some(properties)),
    ])
}

/// The category that Entra's own log has for the kind of object; unknown ones stay as they are.
fn category(record: Record<'_>) -> Option<&str> {
    let kind = record.property("ExtendedProperties", "extendedAuditEventCategory")?;
    Some(match kind {
        "User" => "UserManagement",
        "Group" => "GroupManagement",
        "Role" => "RoleManagement",
        "Application" | "ServicePrincipal" => "ApplicationManagement",
        "Directory" => "DirectoryManagement",
        other => other,
    })
}

fn result(record: Record<'_>) -> Option<&'static str> {
    let status = record.text("ResultStatus")?.to_ascii_lowercase();
    match status.as_str() {
        "success" | "succeeded" | "true" => Some("success"),
        "failure" | "failed" | "false" => Some("failure"),
        _ => None,
    }
}

fn operation_type(activity: &str) -> Option<&'static str> {
    match activity.split(' ').next()? {
        "Add" => Some("Add"),
        "Update" | "Set" | "Change" | "Reset" => Some("Update"),
        "Delete" | "Remove" | "Hard" => Some("Delete"),
        _ => None,
    }
}

fn initiated_by(record: Record<'_>) -> Value {
    let actor = Identity::of(record, "Actor");
    if actor.is_application() {
        let application = object([
            ("displayName", value(actor.name)),
            ("servicePrincipalId", value(actor.object_id)),
            ("appId", value(actor.application_id)),
        ]);
        return json!({ "app": application });
    }
    let name = record.text("UserId").filter(|name| name.contains('@'));
    let user = object([
        ("id", value(actor.object_id)),
        (
            "userPrincipalName",
            value(actor.user_principal_name.or(name)),
        ),
        ("ipAddress", value(record.address())),
    ]);
    json!({ "user": user })
}

fn target_resources(record: Record<'_>) -> Value {
    let target = Identity::of(record, "Target");
    let changed: Vec<Value> = record
        .objects("ModifiedProperties")
        .map(|property| {
            object([
                ("displayName", value(property.text("Name"))),
                ("oldValue", value(property.text("OldValue"))),
                ("newValue", value(property.text("NewValue"))),
            ])
        })
        .collect();
    let own = object([
        ("id", value(target.object_id)),
        ("displayName", value(target.name)),
        ("type", value(target.kind)),
        ("userPrincipalName", value(target.user_principal_name)),
        ("modifiedProperties", Some(Value::Array(changed))),
    ]);
    let of_membership = CONTAINERS.iter().filter_map(|kind| container(record, kind));
    Value::Array(std::iter::once(own).chain(of_membership).collect())
}

/// The role or group of a membership, which the properties name before the change or after it.
fn container(record: Record<'_>, kind: &str) -> Option<Value> {
    let told = |property: &str| {
        let name = format!("{kind}.{property}");
        let is_it = |changed: &Record<'_>| changed.text("Name") == Some(name.as_str());
        let changed = record.objects("ModifiedProperties").find(is_it)?;
        changed.first_text(&["NewValue", "OldValue"])
    };
    let (id, name) = (told("ObjectID"), told("DisplayName"));
    id.or(name)?;
    Some(object([
        ("id", value(id)),
        ("displayName", value(name)),
        ("type", value(Some(kind))),
        ("modifiedProperties", Some(json!([]))),
    ]))
}

/// An object of details in the one log, a list of keys and values in the other.
fn additional_details(record: Record<'_>) -> Value {
    let details = record.property("ExtendedProperties", "additionalDetails");
    let details = details.and_then(|text| serde_json::from_str::<Value>(text).ok());
    let pair = |(key, value): (&String, &Value)| {
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        json!({ "key": key, "value": text })
    };
    let details = details.as_ref().and_then(Value::as_object);
    Value::Array(details.into_iter().flatten().map(pair).collect())
}
