//! Columns of Entra's logs, from diagnostic records (`properties.…`) and from Graph objects (top level).
//!
//! Source: Azure Monitor tables of the same (`LocationDetails`, and `Location` as a country's code);
//! Entra diagnostic settings, categories `*SignInLogs`, `AuditLogs`, `*Risk*`, `ProvisioningLogs`;
//! Microsoft Graph `signIn`, `directoryAudit`, `riskDetection`; Intune's `AuditLogs` and Graph's `auditEvent`,
//! which name the actor and the targets in another way.

use super::column::{Kind, Side, changes, column};
use super::spec::TableSpec;

#[rustfmt::skip]
pub(super) const SIGNINS: TableSpec = TableSpec::events("signins", &[
    column("user_principal_name", Kind::Category, &["properties.userPrincipalName", "userPrincipalName"]),
    column("user_id", Kind::Category, &["properties.userId", "userId"]),
    column("user_display_name", Kind::Category, &["properties.userDisplayName", "userDisplayName", "identity"]),
    column("user_type", Kind::Category, &["properties.userType", "userType"]),
    column("app_id", Kind::Category, &["properties.appId", "appId"]),
    column("app_display_name", Kind::Category, &["properties.appDisplayName", "appDisplayName"]),
    column("resource_display_name", Kind::Category, &["properties.resourceDisplayName", "resourceDisplayName"]),
    column("resource_id", Kind::Category, &["properties.resourceId", "resourceIdentity"]),
    column("ip_address", Kind::Ip, &["properties.ipAddress", "ipAddress", "callerIpAddress"]),
    column("client_app_used", Kind::Category, &["properties.clientAppUsed", "clientAppUsed"]),
    column("user_agent", Kind::Category, &["properties.userAgent", "userAgent"]),
    column("operation_name", Kind::Category, &["operationName"]),
    column("result_type", Kind::Category, &["resultType", "properties.status.errorCode", "status.errorCode"]),
    column("result_signature", Kind::Category, &["resultSignature"]),
    column("result_description", Kind::Category, &["resultDescription"]),
    column("failure_reason", Kind::Category, &["properties.status.failureReason", "status.failureReason"]),
    column("conditional_access_status", Kind::Category, &["properties.conditionalAccessStatus", "conditionalAccessStatus"]),
    column("authentication_requirement", Kind::Category, &["properties.authenticationRequirement", "authenticationRequirement"]),
    column("authentication_protocol", Kind::Category, &["properties.authenticationProtocol", "authenticationProtocol"]),
    column("original_transfer_method", Kind::Category, &["properties.originalTransferMethod", "originalTransferMethod"]),
    column("incoming_token_type", Kind::Category, &["properties.incomingTokenType", "incomingTokenType"]),
    column("is_interactive", Kind::Boolean, &["properties.isInteractive", "isInteractive"]),
    column("country", Kind::Category, &["properties.location.countryOrRegion", "location.countryOrRegion", "locationDetails.countryOrRegion", "location?"]),
    column("city", Kind::Category, &["properties.location.city", "location.city", "locationDetails.city"]),
    column("state", Kind::Category, &["properties.location.state", "location.state", "locationDetails.state"]),
    column("latitude", Kind::Number, &["properties.location.geoCoordinates.latitude", "location.geoCoordinates.latitude", "locationDetails.geoCoordinates.latitude"]),
    column("longitude", Kind::Number, &["properties.location.geoCoordinates.longitude", "location.geoCoordinates.longitude", "locationDetails.geoCoordinates.longitude"]),
    column("autonomous_system_number", Kind::Integer, &["properties.autonomousSystemNumber", "autonomousSystemNumber"]),
    column("device_id", Kind::Category, &["properties.deviceDetail.deviceId", "deviceDetail.deviceId"]),
    column("operating_system", Kind::Category, &["properties.deviceDetail.operatingSystem", "deviceDetail.operatingSystem"]),
    column("browser", Kind::Category, &["properties.deviceDetail.browser", "deviceDetail.browser"]),
    column("is_compliant", Kind::Boolean, &["properties.deviceDetail.isCompliant", "deviceDetail.isCompliant"]),
    column("is_managed", Kind::Boolean, &["properties.deviceDetail.isManaged", "deviceDetail.isManaged"]),
    column("trust_type", Kind::Category, &["properties.deviceDetail.trustType", "deviceDetail.trustType"]),
    column("risk_level_aggregated", Kind::Category, &["properties.riskLevelAggregated", "riskLevelAggregated"]),
    column("risk_level_during_sign_in", Kind::Category, &["properties.riskLevelDuringSignIn", "riskLevelDuringSignIn"]),
    column("risk_state", Kind::Category, &["properties.riskState", "riskState"]),
    column("risk_detail", Kind::Category, &["properties.riskDetail", "riskDetail"]),
    column("risk_event_types", Kind::Json, &["properties.riskEventTypes_v2", "riskEventTypes_v2"]),
    column("session_id", Kind::Text, &["properties.sessionId", "sessionId"]),
    column("unique_token_identifier", Kind::Text, &["properties.uniqueTokenIdentifier", "uniqueTokenIdentifier"]),
    // One attempt is written as several records, which share the id of the first request.
    column("attempt_id", Kind::Text, &["properties.originalRequestId", "originalRequestId", "properties.id", "id"]),
    column("correlation_id", Kind::Text, &["properties.correlationId", "correlationId"]),
    column("cross_tenant_access_type", Kind::Category, &["properties.crossTenantAccessType", "crossTenantAccessType"]),
    column("home_tenant_id", Kind::Category, &["properties.homeTenantId", "homeTenantId"]),
    column("resource_tenant_id", Kind::Category, &["properties.resourceTenantId", "resourceTenantId"]),
    column("token_issuer_type", Kind::Category, &["properties.tokenIssuerType", "tokenIssuerType"]),
    column("service_principal_id", Kind::Category, &["properties.servicePrincipalId", "servicePrincipalId"]),
    column("service_principal_name", Kind::Category, &["properties.servicePrincipalName", "servicePrincipalName"]),
    column("client_credential_type", Kind::Category, &["properties.clientCredentialType", "clientCredentialType"]),
]);

#[rustfmt::skip]
pub(super) const DIRECTORY_AUDITS: TableSpec = TableSpec::events("directory_audits", &[
    column("operation_name", Kind::Category, &["operationName", "properties.activityDisplayName", "activityDisplayName", "activityType"]),
    column("activity_display_name", Kind::Category, &["properties.activityDisplayName", "activityDisplayName"]),
    column("audit_category", Kind::Category, &["properties.category", "category"]),
    column("operation_type", Kind::Category, &["properties.operationType", "operationType"]),
    column("result", Kind::Category, &["properties.result", "result", "resultType", "activityResult"]),
    column("result_reason", Kind::Category, &["properties.resultReason", "resultReason"]),
    column("logged_by_service", Kind::Category, &["properties.loggedByService", "loggedByService"]),
    column("user_principal_name", Kind::Category, &["properties.initiatedBy.user.userPrincipalName", "initiatedBy.user.userPrincipalName", "properties.Actor.UPN", "actor.userPrincipalName"]),
    column("user_id", Kind::Category, &["properties.initiatedBy.user.id", "initiatedBy.user.id", "properties.Actor.ObjectId", "actor.userId"]),
    column("ip_address", Kind::Ip, &["properties.initiatedBy.user.ipAddress", "initiatedBy.user.ipAddress", "callerIpAddress"]),
    column("app_display_name", Kind::Category, &["properties.initiatedBy.app.displayName", "initiatedBy.app.displayName", "properties.Actor.ApplicationName", "actor.applicationDisplayName"]),
    column("app_id", Kind::Category, &["properties.initiatedBy.app.appId", "initiatedBy.app.appId", "properties.Actor.Application", "actor.applicationId"]),
    column("service_principal_id", Kind::Category, &["properties.initiatedBy.app.servicePrincipalId", "initiatedBy.app.servicePrincipalId"]),
    column("target_id", Kind::Text, &["properties.targetResources.0.id", "targetResources.0.id", "properties.TargetObjectIds.0", "resources.0.resourceId"]),
    column("target_type", Kind::Category, &["properties.targetResources.0.type", "targetResources.0.type"]),
    column("target_display_name", Kind::Category, &["properties.targetResources.0.displayName", "targetResources.0.displayName", "properties.TargetDisplayNames.0", "resources.0.displayName"]),
    column("target_user_principal_name", Kind::Category, &["properties.targetResources.0.userPrincipalName", "targetResources.0.userPrincipalName"]),
    column("modified_properties", Kind::Json, &["properties.targetResources.0.modifiedProperties[]", "targetResources.0.modifiedProperties[]"]),
    column("additional_details", Kind::Json, &["properties.additionalDetails[]", "additionalDetails[]"]),
    column("target_resources", Kind::Json, &["properties.targetResources", "targetResources"]),
    changes("values_added", Side::Added, &["properties.targetResources", "targetResources"]),
    changes("values_removed", Side::Removed, &["properties.targetResources", "targetResources"]),
    column("correlation_id", Kind::Text, &["properties.correlationId", "correlationId"]),
]);

#[rustfmt::skip]
pub(super) const RISK_EVENTS: TableSpec = TableSpec::events("risk_events", &[
    column("risk_event_type", Kind::Category, &["properties.riskEventType", "riskEventType"]),
    column("risk_level", Kind::Category, &["properties.riskLevel", "riskLevel"]),
    column("risk_state", Kind::Category, &["properties.riskState", "riskState"]),
    column("risk_detail", Kind::Category, &["properties.riskDetail", "riskDetail"]),
    column("detection_source", Kind::Category, &["properties.source", "source"]),
    column("detection_timing_type", Kind::Category, &["properties.detectionTimingType", "detectionTimingType"]),
    column("activity", Kind::Category, &["properties.activity", "activity"]),
    column("user_principal_name", Kind::Category, &["properties.userPrincipalName", "userPrincipalName"]),
    column("user_id", Kind::Category, &["properties.userId", "userId"]),
    column("service_principal_id", Kind::Category, &["properties.servicePrincipalId", "servicePrincipalId"]),
    column("app_id", Kind::Category, &["properties.appId", "appId"]),
    column("ip_address", Kind::Ip, &["properties.ipAddress", "ipAddress"]),
    column("country", Kind::Category, &["properties.location.countryOrRegion", "location.countryOrRegion"]),
    column("request_id", Kind::Text, &["properties.requestId", "requestId"]),
    column("correlation_id", Kind::Text, &["properties.correlationId", "correlationId"]),
    column("operation_name", Kind::Category, &["operationName"]),
    column("additional_info", Kind::Json, &["properties.additionalInfo", "additionalInfo"]),
]);

#[rustfmt::skip]
pub(super) const PROVISIONING: TableSpec = TableSpec::events("provisioning", &[
    column("operation_name", Kind::Category, &["operationName", "properties.provisioningAction", "provisioningAction"]),
    column("result", Kind::Category, &["properties.provisioningStatusInfo.status", "provisioningStatusInfo.status", "resultType"]),
    column("job_id", Kind::Text, &["properties.jobId", "jobId"]),
    column("cycle_id", Kind::Text, &["properties.cycleId", "cycleId"]),
    column("change_id", Kind::Text, &["properties.changeId", "changeId"]),
    column("service_principal_id", Kind::Category, &["properties.servicePrincipal.id", "servicePrincipal.id"]),
    column("service_principal_name", Kind::Category, &["properties.servicePrincipal.name", "properties.servicePrincipal.displayName", "servicePrincipal.name", "servicePrincipal.displayName"]),
    column("source_identity", Kind::Json, &["properties.sourceIdentity", "sourceIdentity"]),
    column("target_identity", Kind::Json, &["properties.targetIdentity", "targetIdentity"]),
]);
