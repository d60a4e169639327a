//! Views under the names and with the columns that analysts type by heart.
//!
//! Source: the tables of Log Analytics (`SigninLogs`, `AuditLogs`, `OfficeActivity`, …); dynamic columns are JSON text.

use schemas::tables::Table;

/// A view.
pub(crate) struct View {
    pub(crate) name: &'static str,
    /// The tables that it reads.
    pub(crate) tables: &'static [Table],
    pub(crate) sql: &'static str,
}

/// The columns of sign-ins of users, and the clause that tells the kinds of sign-in apart.
macro_rules! user_sign_ins {
    ($where:literal) => {
        concat!(
            r#"SELECT event_time AS "TimeGenerated", event_id AS "Id", category AS "Category",
            operation_name AS "OperationName", result_type AS "ResultType", result_signature AS "ResultSignature",
            coalesce(result_description, failure_reason) AS "ResultDescription",
            user_principal_name AS "UserPrincipalName", user_id AS "UserId", user_display_name AS "UserDisplayName",
            user_type AS "UserType", app_id AS "AppId", app_display_name AS "AppDisplayName",
            resource_display_name AS "ResourceDisplayName", resource_id AS "ResourceIdentity",
            ip_address AS "IPAddress", client_app_used AS "ClientAppUsed", user_agent AS "UserAgent",
            conditional_access_status AS "ConditionalAccessStatus",
            authentication_requirement AS "AuthenticationRequirement",
            authentication_protocol AS "AuthenticationProtocol", original_transfer_method AS "OriginalTransferMethod",
            incoming_token_type AS "IncomingTokenType", is_interactive AS "IsInteractive",
            country AS "Location", city AS "City", state AS "State", latitude AS "Latitude", longitude AS "Longitude",
            autonomous_system_number AS "AutonomousSystemNumber", device_id AS "DeviceId",
            operating_system AS "OperatingSystem", browser AS "Browser", is_compliant AS "IsCompliant",
            is_managed AS "IsManaged", trust_type AS "TrustType", risk_level_aggregated AS "RiskLevelAggregated",
            risk_level_during_sign_in AS "RiskLevelDuringSignIn", risk_state AS "RiskState",
            risk_detail AS "RiskDetail", risk_event_types AS "RiskEventTypes_V2", session_id AS "SessionId",
            unique_token_identifier AS "UniqueTokenIdentifier", correlation_id AS "CorrelationId",
            cross_tenant_access_type AS "CrossTenantAccessType", home_tenant_id AS "HomeTenantId",
            resource_tenant_id AS "ResourceTenantId", tenant_id AS "AADTenantId", raw AS "Raw"
            FROM signins WHERE "#,
            $where
        )
    };
}

/// The columns of sign-ins of applications.
macro_rules! app_sign_ins {
    ($where:literal) => {
        concat!(
            r#"SELECT event_time AS "TimeGenerated", event_id AS "Id", category AS "Category",
            operation_name AS "OperationName", result_type AS "ResultType",
            coalesce(result_description, failure_reason) AS "ResultDescription",
            service_principal_id AS "ServicePrincipalId", service_principal_name AS "ServicePrincipalName",
            app_id AS "AppId", client_credential_type AS "ClientCredentialType",
            resource_display_name AS "ResourceDisplayName", resource_id AS "ResourceIdentity",
            ip_address AS "IPAddress", country AS "Location", conditional_access_status AS "ConditionalAccessStatus",
            unique_token_identifier AS "UniqueTokenIdentifier", correlation_id AS "CorrelationId",
            tenant_id AS "AADTenantId", raw AS "Raw"
            FROM signins WHERE "#,
            $where
        )
    };
}

macro_rules! graph_activity {
    ($where:literal) => {
        concat!(
            r#"SELECT event_time AS "TimeGenerated", request_id AS "RequestId", operation_id AS "OperationId",
            api_version AS "ApiVersion", request_method AS "RequestMethod", request_uri AS "RequestUri",
            response_status_code AS "ResponseStatusCode", response_size_bytes AS "ResponseSizeBytes",
            app_id AS "AppId", service_principal_id AS "ServicePrincipalId", user_id AS "UserId", scopes AS "Scopes",
            roles AS "Roles", client_auth_method AS "ClientAuthMethod", ip_address AS "IPAddress",
            user_agent AS "UserAgent", unique_token_identifier AS "SignInActivityId", session_id AS "SessionId",
            tenant_id AS "AadTenantId", raw AS "Raw"
            FROM graph_activity WHERE "#,
            $where
        )
    };
}

macro_rules! risk_events {
    ($where:literal) => {
        concat!(
            r#"SELECT event_time AS "TimeGenerated", event_id AS "Id", operation_name AS "OperationName",
            risk_event_type AS "RiskEventType", risk_level AS "RiskLevel", risk_state AS "RiskState",
            risk_detail AS "RiskDetail", detection_source AS "Source", detection_timing_type AS "DetectionTimingType",
            activity AS "Activity", user_principal_name AS "UserPrincipalName", user_id AS "UserId",
            service_principal_id AS "ServicePrincipalId", app_id AS "AppId", ip_address AS "IpAddress",
            country AS "Location", request_id AS "RequestId", correlation_id AS "CorrelationId",
            additional_info AS "AdditionalInfo", tenant_id AS "AADTenantId", raw AS "Raw"
            FROM risk_events WHERE "#,
            $where
        )
    };
}

/// The newest content of each of Microsoft's alerts.
const GRAPH_ALERTS_CURRENT: &str = "SELECT * EXCEPT (newest) FROM (
    SELECT *, row_number() OVER (
        PARTITION BY tenant_id, coalesce(alert_id, event_id)
        ORDER BY last_update_time DESC NULLS LAST, event_time DESC NULLS LAST, ingest_time DESC, event_id DESC
    ) AS newest FROM graph_alerts) WHERE newest = 1";

/// What each alert says now; those that do not hold any more are in it, as withdrawn.
const ALERTS_CURRENT: &str = "SELECT * EXCEPT (newest) FROM (
    SELECT *, row_number() OVER (
        PARTITION BY tenant_id, alert_id ORDER BY counted DESC, detected_time DESC, version_id
    ) AS newest FROM alerts) WHERE newest = 1";

/// Every view.
pub(crate) const VIEWS: &[View] = &[
    View {
        name: "graph_alerts_current",
        tables: &[Table::GraphAlerts],
        sql: GRAPH_ALERTS_CURRENT,
    },
    View {
        name: "alerts_current",
        tables: &[Table::Alerts],
        sql: ALERTS_CURRENT,
    },
    View {
        name: "SigninLogs",
        tables: &[Table::Signins],
        sql: user_sign_ins!(
            "category IS NULL OR category NOT IN ('NonInteractiveUserSignInLogs', \
             'ServicePrincipalSignInLogs', 'ManagedIdentitySignInLogs', 'ADFSSignInLogs')"
        ),
    },
    View {
        name: "AADNonInteractiveUserSignInLogs",
        tables: &[Table::Signins],
        sql: user_sign_ins!("category = 'NonInteractiveUserSignInLogs'"),
    },
    View {
        name: "ADFSSignInLogs",
        tables: &[Table::Signins],
        sql: user_sign_ins!("category = 'ADFSSignInLogs'"),
    },
    View {
        name: "AADServicePrincipalSignInLogs",
        tables: &[Table::Signins],
        sql: app_sign_ins!("category = 'ServicePrincipalSignInLogs'"),
    },
    View {
        name: "AADManagedIdentitySignInLogs",
        tables: &[Table::Signins],
        sql: app_sign_ins!("category = 'ManagedIdentitySignInLogs'"),
    },
    View {
        name: "AuditLogs",
        tables: &[Table::DirectoryAudits],
        sql: r#"SELECT event_time AS "TimeGenerated", event_id AS "Id", operation_name AS "OperationName",
            activity_display_name AS "ActivityDisplayName", audit_category AS "Category",
            operation_type AS "AADOperationType", result AS "Result", result_reason AS "ResultReason",
            logged_by_service AS "LoggedByService", user_principal_name AS "InitiatedByUserPrincipalName",
            user_id AS "InitiatedByUserId", ip_address AS "InitiatedByIpAddress",
            app_display_name AS "InitiatedByAppDisplayName", app_id AS "InitiatedByAppId",
            service_principal_id AS "InitiatedByServicePrincipalId", target_resources AS "TargetResources",
            target_display_name AS "TargetDisplayName", target_user_principal_name AS "TargetUserPrincipalName",
            additional_details AS "AdditionalDetails", correlation_id AS "CorrelationId",
            tenant_id AS "AADTenantId", raw AS "Raw" FROM directory_audits"#,
    },
    View {
        name: "OfficeActivity",
        tables: &[Table::M365Activity],
        sql: r#"SELECT event_time AS "TimeGenerated", event_id AS "Id", operation AS "Operation",
            workload AS "OfficeWorkload", record_type AS "RecordType", result_status AS "ResultStatus",
            user_id AS "UserId", user_key AS "UserKey", user_type_code AS "UserType", object_id AS "OfficeObjectId",
            ip_address AS "ClientIP", user_agent AS "UserAgent", session_id AS "SessionId", app_id AS "AppId",
            client_app_id AS "ClientAppId", parameters AS "Parameters", modified_properties AS "ModifiedProperties",
            extended_properties AS "ExtendedProperties", operation_properties AS "OperationProperties",
            logon_type AS "Logon_Type", mailbox_owner AS "MailboxOwnerUPN", external_access AS "ExternalAccess",
            site_url AS "Site_Url", source_relative_url AS "SourceRelativeUrl", source_file_name AS "SourceFileName",
            source_file_extension AS "SourceFileExtension", item_type AS "ItemType", event_source AS "EventSource",
            target_user_or_group_name AS "TargetUserOrGroupName",
            target_user_or_group_type AS "TargetUserOrGroupType",
            tenant_id AS "OrganizationId", raw AS "Raw" FROM m365_activity"#,
    },
    View {
        name: "AADUserRiskEvents",
        tables: &[Table::RiskEvents],
        sql: risk_events!(
            "category IS NULL OR category NOT IN ('ServicePrincipalRiskEvents', 'RiskyUsers', 'RiskyServicePrincipals')"
        ),
    },
    View {
        name: "AADServicePrincipalRiskEvents",
        tables: &[Table::RiskEvents],
        sql: risk_events!("category = 'ServicePrincipalRiskEvents'"),
    },
    View {
        name: "AADRiskyUsers",
        tables: &[Table::RiskEvents],
        sql: risk_events!("category = 'RiskyUsers'"),
    },
    View {
        name: "AADRiskyServicePrincipals",
        tables: &[Table::RiskEvents],
        sql: risk_events!("category = 'RiskyServicePrincipals'"),
    },
    View {
        name: "MicrosoftGraphActivityLogs",
        tables: &[Table::GraphActivity],
        sql: graph_activity!("category IS NULL OR category <> 'AzureADGraphActivityLogs'"),
    },
    View {
        name: "AADGraphActivityLogs",
        tables: &[Table::GraphActivity],
        sql: graph_activity!("category = 'AzureADGraphActivityLogs'"),
    },
    View {
        name: "AzureActivity",
        tables: &[Table::AzureActivity],
        sql: r#"SELECT event_time AS "TimeGenerated", operation_name AS "OperationNameValue",
            audit_category AS "CategoryValue", result_type AS "ActivityStatusValue",
            result_signature AS "ActivitySubstatusValue", caller AS "Caller", ip_address AS "CallerIpAddress",
            resource_id AS "ResourceId", level AS "Level", correlation_id AS "CorrelationId",
            properties AS "Properties", tenant_id AS "TenantId", raw AS "Raw" FROM azure_activity"#,
    },
    View {
        name: "AADProvisioningLogs",
        tables: &[Table::Provisioning],
        sql: r#"SELECT event_time AS "TimeGenerated", event_id AS "Id", operation_name AS "OperationName",
            result AS "ResultType", job_id AS "JobId", cycle_id AS "CycleId", change_id AS "ChangeId",
            service_principal_id AS "ServicePrincipalId", service_principal_name AS "ServicePrincipalName",
            source_identity AS "SourceIdentity", target_identity AS "TargetIdentity",
            tenant_id AS "AADTenantId", raw AS "Raw" FROM provisioning"#,
    },
    View {
        name: "SecurityAlert",
        tables: &[Table::GraphAlerts],
        sql: r#"SELECT event_time AS "TimeGenerated", alert_id AS "SystemAlertId",
            provider_alert_id AS "VendorOriginalId", title AS "AlertName", description AS "Description",
            alert_severity AS "AlertSeverity", alert_category AS "AlertType", status AS "Status",
            service_source AS "ProviderName", product_name AS "ProductName", mitre_techniques AS "Techniques",
            evidence AS "Entities", alert_web_url AS "AlertLink", created_time AS "CreatedTime",
            first_activity_time AS "StartTime", last_activity_time AS "EndTime",
            tenant_id AS "AADTenantId", raw AS "Raw" FROM graph_alerts"#,
    },
];
