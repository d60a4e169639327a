//! Records of the unified audit log, and what Entra's own logs would say of them.

use schemas::tables::Table;
use schemas::wire::Event;
use serde_json::{Value, json};

use super::{retold, retold_event};

const TENANT: &str = "7f3c1d52-0000-4000-8000-00000000c0de";
const EVE: &str = "1f20b6a4-0000-4000-8000-0000000000e1";
const ROLE: &str = "7d000000-0000-4000-8000-000000000001";

fn changed(operation: &str, more: &Value) -> Value {
    let mut record = json!({
        "CreationTime": "2026-09-14T08:07:00", "Id": "b1", "Operation": operation, "OrganizationId": TENANT,
        "RecordType": 8, "ResultStatus": "Success", "Workload": "AzureActiveDirectory", "UserId": "eve@contoso.test",
        "ActorIpAddress": "203.0.113.57", "InterSystemsId": "c1",
        "Actor": [
            {"ID": "eve@contoso.test", "Type": 5}, {"ID": "10032001266C162C", "Type": 3},
            {"ID": format!("User_{EVE}"), "Type": 2}, {"ID": EVE, "Type": 2}, {"ID": "User", "Type": 2},
        ],
    });
    let members = more.as_object().unwrap().clone();
    record.as_object_mut().unwrap().extend(members);
    record
}

fn at<'a>(record: &'a Value, path: &str) -> Option<&'a str> {
    record.pointer(path).and_then(Value::as_str)
}

#[test]
fn a_role_that_was_given_names_who_whom_and_the_role() {
    let record = changed(
        "Add member to role.",
        &json!({
            "Target": [{"ID": "mal@contoso.test", "Type": 5}, {"ID": "User", "Type": 2}],
            "ModifiedProperties": [
                {"Name": "Role.ObjectID", "NewValue": ROLE, "OldValue": ""},
                {"Name": "Role.DisplayName", "NewValue": "Global Administrator", "OldValue": ""},
            ],
            "ExtendedProperties": [
                {"Name": "extendedAuditEventCategory", "Value": "Role"},
                {"Name": "additionalDetails", "Value": "{\"User-Agent\":\"EvoSTS\",\"n\":1}"},
            ],
        }),
    );
    let told = retold(&record).unwrap();
    assert_eq!(
        (told.table, told.event_id.as_str()),
        (Table::DirectoryAudits, "b1")
    );
    for (path, expected) in [
        ("/tenantId", TENANT),
        ("/category", "AuditLogs"),
        ("/operationName", "Add member to role"),
        ("/correlationId", "c1"),
        ("/properties/activityDisplayName", "Add member to role"),
        ("/properties/category", "RoleManagement"),
        ("/properties/result", "success"),
        ("/properties/operationType", "Add"),
        (
            "/properties/initiatedBy/user/userPrincipalName",
            "eve@contoso.test",
        ),
        ("/properties/initiatedBy/user/id", EVE),
        ("/properties/initiatedBy/user/ipAddress", "203.0.113.57"),
        (
            "/properties/targetResources/0/userPrincipalName",
            "mal@contoso.test",
        ),
        ("/properties/targetResources/0/type", "User"),
        (
            "/properties/targetResources/0/modifiedProperties/1/newValue",
            "Global Administrator",
        ),
        (
            "/properties/targetResources/1/displayName",
            "Global Administrator",
        ),
        ("/properties/targetResources/1/id", ROLE),
        ("/properties/targetResources/1/type", "Role"),
        ("/properties/additionalDetails/0/value", "EvoSTS"),
    ] {
        assert_eq!(at(&told.record, path), Some(expected), "{path}");
    }
    // An empty text is no old value.
    let old = "/properties/targetResources/0/modifiedProperties/1/oldValue";
    assert_eq!(told.record.pointer(old), None);
}

#[test]
fn a_role_that_was_taken_is_named_by_what_was_before() {
    let record = changed(
        "Remove member from role.",
        &json!({
            "Target": [{"ID": "mal@contoso.test", "Type": 5}],
            "ModifiedProperties": [{"Name": "Role.DisplayName", "OldValue": "Global Administrator", "NewValue": ""}],
            "ResultStatus": "Failure",
        }),
    );
    let told = retold(&record).unwrap().record;
    assert_eq!(at(&told, "/properties/operationType"), Some("Delete"));
    assert_eq!(at(&told, "/properties/result"), Some("failure"));
    let role = "/properties/targetResources/1/displayName";
    assert_eq!(at(&told, role), Some("Global Administrator"));
    let new = "/properties/targetResources/0/modifiedProperties/0/newValue";
    assert_eq!(at(&told, new), None);
}

#[test]
fn an_application_that_acts_by_itself_is_no_user() {
    let record = changed(
        "Update application – Certificates and secrets management ",
        &json!({
            "UserId": "ServicePrincipal_5e41c0de-0000-4000-8000-0000000000b2",
            "Actor": [
                {"ID": "Sync Tool", "Type": 1},
                {"ID": "ServicePrincipal_5e41c0de-0000-4000-8000-0000000000b2", "Type": 2},
                {"ID": "6c41c0de-0000-4000-8000-0000000000b3", "Type": 4},
            ],
            "Target": [{"ID": "Application_7a41c0de-0000-4000-8000-0000000000b4", "Type": 2}, {"ID": "Payroll", "Type": 1}],
        }),
    );
    let told = retold(&record).unwrap().record;
    let by = "/properties/initiatedBy";
    assert_eq!(
        at(&told, &format!("{by}/app/displayName")),
        Some("Sync Tool")
    );
    assert_eq!(
        at(&told, &format!("{by}/app/servicePrincipalId")),
        Some("5e41c0de-0000-4000-8000-0000000000b2")
    );
    assert_eq!(told.pointer(&format!("{by}/user")), None);
    let target = "/properties/targetResources/0";
    assert_eq!(at(&told, &format!("{target}/displayName")), Some("Payroll"));
    assert_eq!(at(&told, &format!("{target}/type")), Some("Application"));
    assert_eq!(
        at(&told, "/operationName"),
        Some("Update application – Certificates and secrets management")
    );
}

#[test]
fn a_sign_in_has_the_id_that_entra_gave_it() {
    let mut record = changed(
        "UserLoginFailed",
        &json!({
            "RecordType": 15, "IntraSystemId": "s1", "ApplicationId": "d3590ed6-52b3-4102-aeff-aad2292ab01c",
            "ObjectId": "00000002-0000-0ff1-ce00-000000000000", "ErrorNumber": "50126",
            "LogonError": "InvalidUserNameOrPassword", "Actor": [{"ID": EVE, "Type": 0}], "ActorIpAddress": "<null>",
            "ClientIP": "198.51.100.20",
            "ExtendedProperties": [{"Name": "UserAgent", "Value": "curl/8"}, {"Name": "RequestType", "Value": "OAuth2:Token"}],
            "DeviceProperties": [{"Name": "OS", "Value": "Windows 10"}, {"Name": "IsCompliantAndManaged", "Value": "False"},
                {"Name": "SessionId", "Value": "9e"}],
        }),
    );
    let told = retold(&record).unwrap();
    assert_eq!((told.table, told.event_id.as_str()), (Table::Signins, "s1"));
    for (path, expected) in [
        ("/resultType", "50126"),
        ("/properties/userId", EVE),
        ("/properties/userPrincipalName", "eve@contoso.test"),
        ("/properties/ipAddress", "198.51.100.20"),
        ("/properties/userAgent", "curl/8"),
        ("/properties/sessionId", "9e"),
        (
            "/properties/status/failureReason",
            "InvalidUserNameOrPassword",
        ),
        (
            "/properties/resourceId",
            "00000002-0000-0ff1-ce00-000000000000",
        ),
    ] {
        assert_eq!(at(&told.record, path), Some(expected), "{path}");
    }
    assert_eq!(
        told.record.pointer("/properties/deviceDetail/isManaged"),
        Some(&json!(false))
    );
    // The name of the error is enough; of a success, the operation.
    record["ErrorNumber"] = json!("0");
    assert_eq!(
        at(&retold(&record).unwrap().record, "/resultType"),
        Some("50126")
    );
    record["LogonError"] = json!("SomethingNew");
    assert_eq!(at(&retold(&record).unwrap().record, "/resultType"), None);
    record["Operation"] = json!("UserLoggedIn");
    assert_eq!(
        at(&retold(&record).unwrap().record, "/resultType"),
        Some("0")
    );
}

#[test]
fn what_is_not_of_entra_is_not_told_again() {
    for record in [
        json!({"Workload": "Exchange", "Operation": "New-InboxRule", "Id": "1"}),
        json!({"Operation": "Add user.", "Id": "1"}),
        json!({"Workload": "AzureActiveDirectory", "Id": "1"}),
        json!({"Workload": 1, "Operation": [], "Id": {}}),
        json!([]),
    ] {
        assert_eq!(retold(&record), None);
    }
    // Hostile members are as good as none.
    let record = json!({"workload": "azureactivedirectory", "OPERATION": "Add user.", "Id": "1", "Actor": {}, "Target": [1],
        "ModifiedProperties": "x", "ExtendedProperties": [{"Name": "additionalDetails", "Value": "[]"}]});
    let told = retold(&record).unwrap().record;
    assert_eq!(at(&told, "/operationName"), Some("Add user"));
}

#[test]
fn an_event_is_told_again_under_its_id_in_the_other_log_and_as_no_third_one() {
    let record = json!({
        "Id": "u1", "IntraSystemId": "s1", "CreationTime": "2026-09-14T08:07:00", "Operation": "UserLoginFailed",
        "OrganizationId": TENANT, "RecordType": 15, "Workload": "AzureActiveDirectory", "UserId": "ada@contoso.test",
    });
    let event = Event {
        event_id: "u1".to_owned(),
        tenant_id: TENANT.to_owned(),
        category: "Audit.AzureActiveDirectory".to_owned(),
        raw: record.to_string().into(),
        ..Event::default()
    };
    let told = retold_event(&event, Table::Signins).unwrap();
    assert_eq!(
        (told.event_id.as_str(), told.tenant_id.as_str()),
        ("s1", TENANT)
    );
    assert_ne!(told.category, event.category);
    assert_eq!(retold_event(&event, Table::DirectoryAudits), None);
    let elsewhere = Event {
        raw: "{".into(),
        ..event
    };
    assert_eq!(retold_event(&elsewhere, Table::Signins), None);
}
