//! Columns of Microsoft Graph's alerts, objects and activity, and of Azure's activity log.
//!
//! Source: Microsoft Graph `security/alerts_v2`, `users`, `groups`, `domains`; categories `MicrosoftGraphActivityLogs`
//! and `AzureADGraphActivityLogs` (of its predecessor, with other names in the stream); Azure Monitor's activity log schema.

use super::column::{Kind, column};
use super::spec::TableSpec;

#[rustfmt::skip]
pub(super) const GRAPH_ALERTS: TableSpec = TableSpec::events("graph_alerts", &[
    column("alert_id", Kind::Text, &["id"]),
    column("provider_alert_id", Kind::Text, &["providerAlertId"]),
    column("incident_id", Kind::Text, &["incidentId"]),
    column("title", Kind::Category, &["title"]),
    column("description", Kind::Text, &["description"]),
    column("alert_severity", Kind::Category, &["severity"]),
    column("alert_category", Kind::Category, &["category"]),
    column("status", Kind::Category, &["status"]),
    column("classification", Kind::Category, &["classification"]),
    column("determination", Kind::Category, &["determination"]),
    column("service_source", Kind::Category, &["serviceSource"]),
    column("detection_source", Kind::Category, &["detectionSource"]),
    column("product_name", Kind::Category, &["productName"]),
    column("mitre_techniques", Kind::Json, &["mitreTechniques"]),
    column("assigned_to", Kind::Category, &["assignedTo"]),
    column("alert_web_url", Kind::Text, &["alertWebUrl"]),
    column("created_time", Kind::Time, &["createdDateTime"]),
    column("last_update_time", Kind::Time, &["lastUpdateDateTime"]),
    column("first_activity_time", Kind::Time, &["firstActivityDateTime"]),
    column("last_activity_time", Kind::Time, &["lastActivityDateTime"]),
    column("evidence", Kind::Json, &["evidence"]),
]);

#[rustfmt::skip]
pub(super) const GRAPH_ACTIVITY: TableSpec = TableSpec::events("graph_activity", &[
    column("request_id", Kind::Text, &["properties.requestId", "requestId"]),
    column("operation_id", Kind::Text, &["properties.operationId", "operationId"]),
    column("api_version", Kind::Category, &["properties.apiVersion", "apiVersion"]),
    column("request_method", Kind::Category, &["properties.requestMethod", "requestMethod", "properties.httpMethod"]),
    column("request_uri", Kind::Text, &["properties.requestUri", "requestUri"]),
    column("response_status_code", Kind::Integer, &["properties.responseStatusCode", "responseStatusCode", "properties.httpStatusCode"]),
    column("response_size_bytes", Kind::Integer, &["properties.responseSizeBytes", "responseSizeBytes"]),
    column("app_id", Kind::Category, &["properties.appId", "appId"]),
    column("service_principal_id", Kind::Category, &["properties.servicePrincipalId", "servicePrincipalId"]),
    column("user_id", Kind::Category, &["properties.userId", "userId"]),
    column("scopes", Kind::Category, &["properties.scopes", "scopes"]),
    column("roles", Kind::Category, &["properties.roles", "roles"]),
    column("client_auth_method", Kind::Integer, &["properties.clientAuthMethod", "clientAuthMethod"]),
    column("ip_address", Kind::Ip, &["properties.ipAddress", "ipAddress", "properties.callerIpAddress", "callerIpAddress"]),
    column("user_agent", Kind::Category, &["properties.userAgent", "userAgent"]),
    column("unique_token_identifier", Kind::Text, &["properties.signInActivityId", "signInActivityId"]),
    column("session_id", Kind::Text, &["properties.sessionId", "sessionId"]),
]);

#[rustfmt::skip]
pub(super) const AZURE_ACTIVITY: TableSpec = TableSpec::events("azure_activity", &[
    column("operation_name", Kind::Category, &["operationName.value", "operationNameValue", "operationName"]),
    column("audit_category", Kind::Category, &["category.value", "categoryValue", "category"]),
    column("result_type", Kind::Category, &["resultType", "status.value", "activityStatusValue"]),
    column("result_signature", Kind::Category, &["resultSignature", "subStatus.value", "activitySubstatusValue"]),
    column("caller", Kind::Category, &["caller", "identity.claims.name", "claims.name"]),
    column("ip_address", Kind::Ip, &["callerIpAddress", "httpRequest.clientIpAddress", "claims.ipaddr"]),
    column("resource_id", Kind::Category, &["resourceId", "_ResourceId"]),
    column("level", Kind::Category, &["level"]),
    column("correlation_id", Kind::Text, &["correlationId"]),
    column("properties", Kind::Json, &["properties"]),
]);

#[rustfmt::skip]
pub(super) const DIRECTORY_USERS: TableSpec = TableSpec::events("directory_users", &[
    column("object_id", Kind::Text, &["id"]),
    column("user_principal_name", Kind::Category, &["userPrincipalName"]),
    column("user_display_name", Kind::Category, &["displayName"]),
    column("mail", Kind::Text, &["mail"]),
    column("user_type", Kind::Category, &["userType"]),
    column("account_enabled", Kind::Boolean, &["accountEnabled"]),
    column("on_premises_sync_enabled", Kind::Boolean, &["onPremisesSyncEnabled"]),
    column("on_premises_immutable_id", Kind::Text, &["onPremisesImmutableId"]),
    column("proxy_addresses", Kind::Json, &["proxyAddresses"]),
    column("department", Kind::Category, &["department"]),
    column("job_title", Kind::Category, &["jobTitle"]),
    column("created_time", Kind::Time, &["createdDateTime"]),
    // Only of an object that is gone: "changed" if it can be restored, "deleted" if not.
    column("removed_reason", Kind::Category, &["@removed.reason"]),
]);

#[rustfmt::skip]
pub(super) const DIRECTORY_GROUPS: TableSpec = TableSpec::events("directory_groups", &[
    column("object_id", Kind::Text, &["id"]),
    column("group_display_name", Kind::Category, &["displayName"]),
    column("mail", Kind::Text, &["mail"]),
    column("security_enabled", Kind::Boolean, &["securityEnabled"]),
    column("is_assignable_to_role", Kind::Boolean, &["isAssignableToRole"]),
    column("group_types", Kind::Json, &["groupTypes"]),
    column("membership_rule", Kind::Text, &["membershipRule"]),
    column("created_time", Kind::Time, &["createdDateTime"]),
    column("removed_reason", Kind::Category, &["@removed.reason"]),
]);

#[rustfmt::skip]
pub(super) const DIRECTORY_DOMAINS: TableSpec = TableSpec::events("directory_domains", &[
    column("domain", Kind::Text, &["id"]),
    column("is_verified", Kind::Boolean, &["isVerified"]),
    column("is_default", Kind::Boolean, &["isDefault"]),
    column("is_initial", Kind::Boolean, &["isInitial"]),
    column("is_admin_managed", Kind::Boolean, &["isAdminManaged"]),
    column("authentication_type", Kind::Category, &["authenticationType"]),
    column("supported_services", Kind::Json, &["supportedServices"]),
]);
