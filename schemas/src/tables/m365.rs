//! Columns of the unified audit log.
//!
//! Source: Office 365 Management Activity API, common schema and the schemas of its workloads.

use super::column::{Kind, column};
use super::spec::TableSpec;

#[rustfmt::skip]
pub(super) const M365_ACTIVITY: TableSpec = TableSpec::events("m365_activity", &[
    column("operation", Kind::Category, &["Operation"]),
    column("workload", Kind::Category, &["Workload", "OfficeWorkload"]),
    column("record_type", Kind::Integer, &["RecordType"]),
    column("result_status", Kind::Category, &["ResultStatus"]),
    column("user_id", Kind::Category, &["UserId"]),
    column("user_key", Kind::Category, &["UserKey"]),
    column("user_type_code", Kind::Integer, &["UserType"]),
    column("object_id", Kind::Text, &["ObjectId", "OfficeObjectId"]),
    column("ip_address", Kind::Ip, &["ClientIP", "ClientIPAddress", "ActorIpAddress", "Client_IPAddress"]),
    column("user_agent", Kind::Category, &["UserAgent", "ExtendedProperties[UserAgent]", "ClientInfoString"]),
    column("session_id", Kind::Text, &["SessionId", "AppAccessContext.AADSessionId", "DeviceProperties[SessionId]"]),
    column("unique_token_identifier", Kind::Text, &["AppAccessContext.UniqueTokenId"]),
    // Of mail that is read through Graph the application is Graph; this is the program. Before the next one, so that
    // rules that name it find it.
    column("client_app_id", Kind::Category, &["ClientAppId", "AppAccessContext.ClientAppId"]),
    column("app_id", Kind::Category, &["AppId", "ApplicationId", "ClientAppId", "AppAccessContext.ClientAppId"]),
    column("correlation_id", Kind::Text, &["CorrelationId", "InterSystemsId", "AppAccessContext.CorrelationId"]),
    // Entra
    column("error_number", Kind::Category, &["ErrorNumber", "ErrorCode"]),
    column("logon_error", Kind::Category, &["LogonError"]),
    column("request_type", Kind::Category, &["ExtendedProperties[RequestType]"]),
    column("result_status_detail", Kind::Category, &["ExtendedProperties[ResultStatusDetail]"]),
    column("extended_properties", Kind::Json, &["ExtendedProperties[]"]),
    column("device_properties", Kind::Json, &["DeviceProperties[]"]),
    column("modified_properties", Kind::Json, &["ModifiedProperties[]"]),
    column("target", Kind::Json, &["Target"]),
    column("actor", Kind::Json, &["Actor"]),
    // Exchange
    column("parameters", Kind::Json, &["Parameters[]"]),
    column("rule_name", Kind::Category, &["Parameters[Name]", "OperationProperties[RuleName]"]),
    column("identity", Kind::Category, &["Parameters[Identity]"]),
    column("forward_to", Kind::Category, &["Parameters[ForwardTo]"]),
    column("forward_as_attachment_to", Kind::Category, &["Parameters[ForwardAsAttachmentTo]"]),
    column("redirect_to", Kind::Category, &["Parameters[RedirectTo]"]),
    column("forwarding_smtp_address", Kind::Category, &["Parameters[ForwardingSmtpAddress]"]),
    column("forwarding_address", Kind::Category, &["Parameters[ForwardingAddress]"]),
    column("move_to_folder", Kind::Category, &["Parameters[MoveToFolder]"]),
    column("delete_message", Kind::Category, &["Parameters[DeleteMessage]"]),
    column("mark_as_read", Kind::Category, &["Parameters[MarkAsRead]"]),
    column("stop_processing_rules", Kind::Category, &["Parameters[StopProcessingRules]"]),
    column("access_rights", Kind::Category, &["Parameters[AccessRights]"]),
    column("operation_properties", Kind::Json, &["OperationProperties[]"]),
    column("mail_access_type", Kind::Category, &["OperationProperties[MailAccessType]"]),
    column("is_throttled", Kind::Category, &["OperationProperties[IsThrottled]"]),
    column("operation_count", Kind::Integer, &["OperationCount"]),
    column("logon_type", Kind::Integer, &["LogonType", "Logon_Type"]),
    column("mailbox_owner", Kind::Category, &["MailboxOwnerUPN"]),
    column("external_access", Kind::Boolean, &["ExternalAccess"]),
    // SharePoint, OneDrive, Teams
    column("site_url", Kind::Category, &["SiteUrl", "Site_Url"]),
    column("source_relative_url", Kind::Text, &["SourceRelativeUrl"]),
    column("source_file_name", Kind::Text, &["SourceFileName"]),
    column("source_file_extension", Kind::Category, &["SourceFileExtension"]),
    column("item_type", Kind::Category, &["ItemType"]),
    column("event_source", Kind::Category, &["EventSource"]),
    column("target_user_or_group_name", Kind::Category, &["TargetUserOrGroupName"]),
    column("target_user_or_group_type", Kind::Category, &["TargetUserOrGroupType"]),
    column("event_data", Kind::Text, &["EventData"]),
    // Alerts
    column("alert_name", Kind::Category, &["Name"]),
    column("alert_severity", Kind::Category, &["Severity"]),
    column("alert_category", Kind::Category, &["Category"]),
    column("alert_data", Kind::Json, &["Data"]),
]);
