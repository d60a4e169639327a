//! Fields of rules reach the values of records of real shape, whatever style their names and values are written in.

#[path = "corpus/records.rs"]
mod records;

use records::{found, records};
use serde_json::{Value, json};
use sigma::mapping::UserMapping;
use sigma::{RuleCollection, Ruleset};

/// True if a rule with this one detection item finds `event` in `table`.
fn finds(user_mapping: &UserMapping, table: &str, item: &str, event: &Value) -> bool {
    let (product, service) = match table {
        "signins" => ("azure", "signinlogs"),
        "directory_audits" => ("azure", "auditlogs"),
        "risk_events" => ("azure", "riskdetection"),
        "azure_activity" => ("azure", "activitylogs"),
        "acme" => ("acme", "logons"),
        _ => ("m365", "audit"),
    };
    let rule = format!(
        "title: t\nid: 6ef3f7c2-8c0f-4a57-b0d4-9e1f2a3b4c5d\nlogsource: {{product: {product}, service: {service}}}\n\
         detection:\n  s:\n    {item}\n  condition: s\n"
    );
    let mut collection = RuleCollection::extended(user_mapping.clone());
    collection.add("t.yml", rule.as_bytes());
    let rules = Ruleset::compile(&mut collection);
    assert!(
        collection.rejected.is_empty(),
        "{item}: {:?}",
        collection.rejected
    );
    let table = if table == "acme" { "signins" } else { table };
    !found(&rules, table, event).is_empty()
}

#[track_caller]
fn check(table: &str, item: &str, event: &Value, expected: bool) {
    assert_eq!(
        finds(&UserMapping::default(), table, item, event),
        expected,
        "{table} {item}"
    );
}

/// The 55 field names of the public rules: table, the rule whose record is looked at, item that holds, one that does not.
#[rustfmt::skip]
const NAMES: &[(&str, &str, &str, &str)] = &[
    ("signins", "azure_legacy_authentication_protocols", "ActivityDetails: Sign-ins", "ActivityDetails: Sign-outs"),
    ("signins", "azure_ad_only_single_factor_auth_required", "AuthenticationRequirement: singleFactorAuthentication", "AuthenticationRequirement: multiFactorAuthentication"),
    ("signins", "azure_legacy_authentication_protocols", "ClientApp: SMTP", "ClientApp: IMAP"),
    ("signins", "azure_ad_sign_ins_from_unknown_devices", "DeviceDetail.deviceId: ''", "DeviceDetail.deviceId: null"),
    ("signins", "azure_ad_sign_ins_from_noncompliant_devices", "DeviceDetail.isCompliant: 'false'", "DeviceDetail.isCompliant: 'true'"),
    ("signins", "azure_ad_sign_ins_from_noncompliant_devices", "DeviceDetail.trusttype: Azure AD registered", "DeviceDetail.trusttype: ''"),
    ("signins", "azure_ad_sign_ins_from_unknown_devices", "NetworkLocationDetails: '[]'", "NetworkLocationDetails|contains: Office"),
    ("signins", "azure_ad_device_registration_or_join_without_mfa", "ResourceDisplayName: Device Registration Service", "ResourceDisplayName: Microsoft Graph"),
    ("signins", "azure_blocked_account_attempt", "ResultDescription: Failure", "ResultDescription: Success"),
    ("signins", "azure_blocked_account_attempt", "Resultdescription|contains: account is disabled", "Resultdescription|contains: locked"),
    ("signins", "azure_account_lockout", "ResultType: 50053", "ResultType: 50057"),
    ("signins", "azure_ad_risky_sign_ins_with_singlefactorauth_from_unknown_devices", "RiskState: atRisk", "RiskState: none"),
    ("signins", "azure_mfa_denies", "Status|contains: MFA Denied", "Status: Success"),
    ("signins", "azure_legacy_authentication_protocols", "Username: UPN", "Username: null"),
    ("signins", "azure_conditional_access_failure", "conditionalAccessStatus: failure", "conditionalAccessStatus: success"),
    ("signins", "azure_app_ropc_authentication", "properties.message: ROPC", "properties.message: Device Code"),
    ("signins", "azure_ad_azurehound_discovery", "userAgent|contains: azurehound", "userAgent|contains: roadtools"),
    ("directory_audits", "azure_federation_modified", "ActivityDisplayName: Set federation settings on domain", "ActivityDisplayName: Set domain authentication"),
    ("directory_audits", "azure_user_password_change", "ActivityType|contains: Password reset", "ActivityType|contains: Change password"),
    ("directory_audits", "azure_auditlogs_laps_credential_dumping", "activityType|contains: Recover device", "activityType|contains: Delete device"),
    ("directory_audits", "azure_ad_bitlocker_key_retrieval", "Category: KeyManagement", "Category: AuditLogs"),
    ("directory_audits", "azure_auditlogs_laps_credential_dumping", "category: Device", "category: AuditLogs"),
    ("directory_audits", "azure_app_end_user_consent", "ConsentContext.IsAdminConsent: 'false'", "ConsentContext.IsAdminConsent: 'true'"),
    ("directory_audits", "azure_user_password_change", "Initiatedby: UPN", "Initiatedby: admin@contoso.example"),
    ("directory_audits", "azure_change_to_authentication_method", "LoggedByService: Authentication Methods", "LoggedByService: Core Directory"),
    ("directory_audits", "azure_ad_new_root_ca_added", "OperationName: Set Company Information", "OperationName: Set domain authentication"),
    ("directory_audits", "azure_mfa_disabled", "operationName: Disable Strong Authentication", "operationName: Enable Strong Authentication"),
    ("directory_audits", "azure_tap_added", "Status: Admin registered temporary access pass method for user", "Status: failure"),
    ("directory_audits", "azure_user_password_change", "Target|contains: gijs@contoso.example", "Target|contains: amir@contoso.example"),
    ("directory_audits", "azure_ad_users_added_to_device_admin_roles", "TargetResources|contains: 7698a772-787b-4ac8-901f-60d6b08affd2", "TargetResources|contains: 62e90394-69f5-4237-9190-012177145e10"),
    ("directory_audits", "azure_user_account_mfa_disable", "TargetResources.ModifiedProperties.DisplayName: StrongAuthenticationRequirement", "TargetResources.ModifiedProperties.DisplayName: StrongAuthenticationMethod"),
    ("directory_audits", "azure_user_account_mfa_disable", "TargetResources.ModifiedProperties.NewValue|contains: 'State\":0'", "TargetResources.ModifiedProperties.NewValue|contains: 'State\":1'"),
    ("directory_audits", "azure_ad_certificate_based_authencation_enabled", "TargetResources.modifiedProperties|contains: AuthenticationMethodsPolicy", "TargetResources.modifiedProperties|contains: ConditionalAccessPolicy"),
    ("directory_audits", "azure_ad_new_root_ca_added", "TargetResources.modifiedProperties.newValue|contains: TrustedCAsForPasswordlessAuth", "TargetResources.modifiedProperties.newValue|contains: MarketingNotificationEmails"),
    ("directory_audits", "azure_auditlogs_laps_credential_dumping", "additionalDetails.additionalInfo|contains: Successfully recovered", "additionalDetails.additionalInfo|contains: Failed"),
    ("directory_audits", "azure_app_end_user_consent_blocked", "failure_status_reason: Microsoft.online.Security.userConsentBlockedForRiskyAppsExceptions", "failure_status_reason: ''"),
    ("directory_audits", "azure_group_user_addition_ca_modification", "properties.message: Add member from group", "properties.message: Remove member from group"),
    ("directory_audits", "azure_mfa_disabled", "properties.result: success", "properties.result: failure"),
    ("directory_audits", "azure_ad_user_added_to_admin_role", "properties.targetResources|contains: Administrator", "properties.targetResources|contains: Global Reader"),
    ("directory_audits", "azure_app_role_added", "targetResources.type: Service Principal", "targetResources.type: User"),
    ("risk_events", "azure_identity_protection_impossible_travel", "riskEventType: impossibleTravel", "riskEventType: unlikelyTravel"),
    ("m365_activity", "microsoft365_susp_inbox_forwarding", "eventName: Suspicious inbox forwarding", "eventName: AlertTriggered"),
    ("m365_activity", "microsoft365_susp_inbox_forwarding", "eventSource: SecurityComplianceCenter", "eventSource: Exchange"),
    ("m365_activity", "microsoft365_new_federated_domain_added_exchange", "status: success", "status: failed"),
    ("m365_activity", "microsoft365_pst_export_alert_using_new_compliancesearchaction", "Payload|contains|all: [New-ComplianceSearchAction, Export, pst]", "Payload|contains|all: [New-ComplianceSearchAction, Purge]"),
    ("m365_activity", "microsoft365_bypass_conditional_access", "ApplicationId: 9ba1a5c7-f17a-4de9-a1f1-6178c8d51223", "ApplicationId: 04b07795-8ddb-461a-bbee-02f9e1bf7b46"),
    ("m365_activity", "microsoft365_suspicious_email_delivered", "DeliveryAction: DeliveredAsSpam", "DeliveryAction: Blocked"),
    ("m365_activity", "microsoft365_suspicious_email_delivered", "Directionality: Inbound", "Directionality: Outbound"),
    ("m365_activity", "microsoft365_bypass_conditional_access", "ObjectId: 00000002-0000-0000-c000-000000000000", "ObjectId: 0000000a-0000-0000-c000-000000000000"),
    ("m365_activity", "microsoft365_disabling_mfa", "Operation|contains: Disable Strong Authentication.", "Operation|contains: Enable Strong Authentication."),
    ("m365_activity", "microsoft365_bypass_conditional_access", "RequestType: Cmsi:Cmsi", "RequestType: Login:login"),
    ("m365_activity", "microsoft365_bypass_conditional_access", "ResultStatus: Success", "ResultStatus: Failed"),
    ("m365_activity", "microsoft365_suspicious_email_delivered", "Workload: ThreatIntelligence", "Workload: Exchange"),
    ("azure_activity", "azure_aadhybridhealth_adfs_new_server", "CategoryValue: Administrative", "CategoryValue: Policy"),
    ("azure_activity", "azure_aadhybridhealth_adfs_new_server", "OperationNameValue: Microsoft.ADHybridHealthService/services/servicemembers/action", "OperationNameValue: Microsoft.ADHybridHealthService/services/delete"),
    ("azure_activity", "azure_aadhybridhealth_adfs_new_server", "ResourceId|contains: AdFederationService", "ResourceId|contains: AdDomainService"),
    ("azure_activity", "azure_aadhybridhealth_adfs_new_server", "ResourceProviderValue: Microsoft.ADHybridHealthService", "ResourceProviderValue: Microsoft.Network"),
    ("azure_activity", "azure_new_cloudshell_created", "operationName: MICROSOFT.PORTAL/CONSOLES/WRITE", "operationName: MICROSOFT.PORTAL/CONSOLES/DELETE"),
    ("azure_activity", "azure_new_cloudshell_created", "properties.message|contains: consoles/write", "properties.message|contains: Delete device"),
];

#[test]
fn every_field_name_in_use_reaches_its_value() {
    let mut names: Vec<&str> = Vec::new();
    for (table, rule, holds, fails) in NAMES {
        let all = records(&format!("{table}.ndjson"));
        let record = all.iter().find(|record| record.rule == *rule).unwrap();
        check(&record.table, holds, &record.event, true);
        check(&record.table, fails, &record.event, false);
        names.push(holds.split(['|', ':']).next().unwrap());
    }
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 55);
}

/// A number is a number however it is written, in the rule and in the record.
#[test]
fn numbers_and_texts_of_numbers_are_equal() {
    for record in [
        json!({"resultType": "0", "properties": {"status": {"errorCode": 0}, "autonomousSystemNumber": 64500, "processingTimeInMilliseconds": 300}}),
        json!({"resultType": 0, "properties": {"status": {"errorCode": "0"}, "autonomousSystemNumber": "64500", "processingTimeInMilliseconds": "300"}}),
        json!({"properties": {"status": {"errorCode": 0}, "autonomousSystemNumber": "64500.0", "processingTimeInMilliseconds": 300.0}}),
    ] {
        for item in [
            "ResultType: 0",
            "ResultType: '0'",
            "Status: Success",
            "ResultType|lt: 1",
            "autonomousSystemNumber: 64500",
            "autonomousSystemNumber: '64500'",
            "processingTimeInMilliseconds: 300",
            "processingTimeInMilliseconds: '300'",
            "processingTimeInMilliseconds|gte: '300'",
        ] {
            check("signins", item, &record, true);
        }
        for item in [
            "ResultType: 1",
            "ResultType: ''",
            "Status: Failure",
            "autonomousSystemNumber: '645000'",
            "processingTimeInMilliseconds: '30'",
        ] {
            check("signins", item, &record, false);
        }
    }
}

/// Lists of name and value pairs are folded by name, and still searchable as text.
#[test]
fn lists_of_pairs_are_folded_and_searchable() {
    let event = json!({"Operation": "Set-Mailbox", "Workload": "Exchange",
        "Parameters": [{"Name": "Identity", "Value": "noor"}, {"Name": "AuditLogAgeLimit", "Value": "00:00:00"}, {"Name": "ForwardingSmtpAddress", "Value": "smtp:x@mail.test"}],
        "ExtendedProperties": [{"Name": "RequestType", "Value": "OAuth2:Token"}, {"Name": "additionalDetails", "Value": "{\"User-Agent\":\"EvoSTS\"}"}],
        "ModifiedProperties": [{"Name": "Role.DisplayName", "NewValue": "Global Administrator", "OldValue": ""}, {"Name": "Group.DisplayName", "NewValue": "", "OldValue": "Admins"}],
        "OperationProperties": [{"Name": "MailAccessType", "Value": "Sync"}]});
    for item in [
        "Parameters.AuditLogAgeLimit: '00:00:00'",
        "AuditLogAgeLimit|exists: true",
        "parameters.forwardingsmtpaddress|endswith: '@mail.test'",
        "Parameters|contains: smtp:x@mail.test",
        "Parameters|contains|all: [AuditLogAgeLimit, noor]",
        "RequestType: OAuth2:Token",
        "ExtendedProperties.RequestType: oauth2:token",
        "ExtendedProperties|contains: EvoSTS",
        "ExtendedProperties.additionalDetails|contains: EvoSTS",
        "Role.DisplayName: Global Administrator",
        "ModifiedProperties.Role.DisplayName: Global Administrator",
        "ModifiedProperties.Role.DisplayName.NewValue|startswith: Global",
        "ModifiedProperties.Group.DisplayName.OldValue: Admins",
        "ModifiedProperties.NewValue: Global Administrator",
        "ModifiedProperties|contains: Admins",
        "OperationProperties.MailAccessType: Sync",
    ] {
        check("m365_activity", item, &event, true);
    }
    for item in [
        "Parameters.AuditLogAgeLimit: noor",
        "ForwardTo|exists: true",
        "ModifiedProperties.Group.DisplayName: Admins",
        "Parameters|contains: Administrator",
    ] {
        check("m365_activity", item, &event, false);
    }
}

/// JSON that stands inside a string is opened on the way.
#[test]
fn json_inside_strings_is_opened() {
    let event = json!({"category": "NonInteractiveUserSignInLogs", "resultType": "0", "properties": {
        "deviceDetail": "{\"deviceId\":\"\",\"operatingSystem\":\"Linux\",\"isCompliant\":false}",
        "status": "{\"errorCode\":0,\"additionalDetails\":\"MFA denied; user declined\"}",
        "location": "{\"countryOrRegion\":\"NL\"}",
        "networkLocationDetails": "[{\"networkType\":\"namedNetwork\",\"networkNames\":[\"Office\"]}]"}});
    for item in [
        "DeviceDetail.operatingSystem: Linux",
        "properties.deviceDetail.isCompliant: 'false'",
        "Status|contains: MFA Denied",
        "Country: NL",
        "NetworkLocationDetails.networkNames: Office",
    ] {
        check("signins", item, &event, true);
    }
    let alert = json!({"Operation": "AlertTriggered", "Data": "{\"an\":\"Unusual deletion\",\"f3u\":\"amir@contoso.example\"}"});
    check(
        "m365_activity",
        "Data.f3u: amir@contoso.example",
        &alert,
        true,
    );
    let audit = json!({"properties": {"targetResources": [{"modifiedProperties": [{"displayName": "Role.DisplayName", "newValue": "\"Global Administrator\""}]}]}});
    check(
        "directory_audits",
        "Role.DisplayName: Global Administrator",
        &audit,
        true,
    );
}

/// Names of operations compare without trailing periods, kinds of dashes, and blanks.
#[test]
fn names_of_operations_compare_as_people_read_them() {
    for operation in [
        "Update application \u{2013} Certificates and secrets management ",
        "Update application - Certificates and secrets management",
        "Update application \u{2014} certificates and secrets  management.",
    ] {
        let ual = json!({"Operation": operation});
        let audit =
            json!({"operationName": operation, "properties": {"activityDisplayName": operation}});
        for value in [
            "Update application \u{2013} Certificates and secrets management ",
            "Update application - Certificates and secrets management.",
            "Update application*secrets management",
        ] {
            check(
                "m365_activity",
                &format!("Operation: '{value}'"),
                &ual,
                true,
            );
            check(
                "directory_audits",
                &format!("properties.message: '{value}'"),
                &audit,
                true,
            );
            check(
                "directory_audits",
                &format!("OperationName: '{value}'"),
                &audit,
                true,
            );
        }
        check(
            "m365_activity",
            "Operation|endswith: 'secrets management.'",
            &ual,
            true,
        );
        check(
            "m365_activity",
            "Operation|contains: 'application - Cert'",
            &ual,
            true,
        );
        check(
            "m365_activity",
            "Operation: Update application",
            &ual,
            false,
        );
    }
}

const ACME: &str = "
signins:
  logsources:
    - {products: [acme], services: [logons]}
  fields:
    - names: [Outcome]
      column: result_type
      words:
        locked: {one_of: ['50053']}
        from abroad: {where: {Country: {none_of: [NL]}, ResultType: {one_of: ['0']}}}
    - {names: [Ring], paths: ['properties.acme.ring', 'tags[Ring]']}
    - {names: [Anything], anywhere: true}
";

#[test]
fn a_users_file_adds_names_words_and_log_sources() {
    let user_mapping = UserMapping::parse("acme.yml", ACME).unwrap();
    let event = json!({"resultType": "50053", "tags": [{"key": "Ring", "value": "Outer"}], "properties": {"location": {"countryOrRegion": "BE"}}});
    for (item, expected) in [
        ("Outcome: Locked", true),
        ("Outcome: 50053", true),
        ("Outcome: from abroad", false),
        ("Ring: outer", true),
        ("Ring: inner", false),
        ("Anything|contains: countryOrRegion", true),
        ("Username: null", true),
    ] {
        assert_eq!(
            finds(&user_mapping, "acme", item, &event),
            expected,
            "{item}"
        );
    }
    let abroad = json!({"resultType": 0, "properties": {"location": {"countryOrRegion": "BE"}}});
    assert!(finds(
        &user_mapping,
        "acme",
        "Outcome: From Abroad",
        &abroad
    ));
    let mut without = RuleCollection::default();
    without.add("t.yml", b"title: t\nid: 6ef3f7c2-8c0f-4a57-b0d4-9e1f2a3b4c5d\nlogsource: {product: acme, service: logons}\ndetection: {s: {Ring: outer}, condition: s}\n");
    assert_eq!(
        without.rejected.first().map(|rejected| rejected.line),
        Some(Some(3))
    );
}
