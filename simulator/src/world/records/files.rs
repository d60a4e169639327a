//! File and conversation records of the unified audit log.
//!
//! Source: Office 365 Management Activity API schema, record types 6, 14 and 25.

use serde_json::{Map, Value, json};

use super::frame::{TenantFacts, UnifiedAuditFields, extend};
use crate::world::places::Origin;
use crate::world::users::User;

/// The facts of something done with a file.
pub(crate) struct FileOperation<'a> {
    pub(crate) id: &'a str,
    pub(crate) at_us: i64,
    pub(crate) operation: &'a str,
    pub(crate) user: &'a User,
    pub(crate) origin: &'a Origin,
    pub(crate) session_id: &'a str,
    pub(crate) file: &'a str,
    pub(crate) site: &'a str,
}

/// A file operation.
pub(crate) fn file(tenant: &TenantFacts, facts: &FileOperation<'_>) -> Map<String, Value> {
    let common = UnifiedAuditFields {
        id: facts.id,
        at_us: facts.at_us,
        operation: facts.operation,
        record_type: 6,
        workload: "SharePoint",
        result: "Succeeded",
        user_id: &facts.user.principal_name,
        user_key: &format!(
            "i:0h.f|membership|{}@live.com",
            facts.user.key().to_lowercase()
        ),
        user_type: 0,
    };
    let site = format!("https://harbour.sharepoint.example/sites/{}/", facts.site);
    let extension = facts
        .file
        .rsplit_once('.')
        .map_or("", |(_, extension)| extension);
    let mut record = common.record(tenant);
    extend(
        &mut record,
        json!({
            "ClientIP": facts.origin.ip,
            "ObjectId": format!("{site}Shared Documents/{}", facts.file),
            "SiteUrl": site,
            "SourceRelativeUrl": "Shared Documents",
            "SourceFileName": facts.file,
            "SourceFileExtension": extension,
            "ItemType": "File",
            "EventSource": "SharePoint",
            "UserAgent": facts.origin.device.user_agent,
            "CorrelationId": facts.id,
            "AppAccessContext": {"AADSessionId": facts.session_id, "CorrelationId": facts.id},
        }),
    );
    record
}

/// Where a file of a person lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Library {
    /// In the site of their department.
    Department,
    /// In their own `OneDrive`.
    Own,
}

/// The facts of something done with a file of a library, with the id that `SharePoint` gives it.
pub(crate) struct LibraryOperation<'a> {
    pub(crate) id: &'a str,
    pub(crate) at_us: i64,
    pub(crate) operation: &'a str,
    /// 6 for files, 14 for sharing.
    pub(crate) record_type: u32,
    pub(crate) user: &'a User,
    pub(crate) origin: &'a Origin,
    pub(crate) session_id: &'a str,
    pub(crate) library: Library,
    pub(crate) file: &'a str,
    pub(crate) item_id: &'a str,
}

/// An operation on a file of a library; `members` are those that this operation has besides.
pub(crate) fn library_file(
    tenant: &TenantFacts,
    facts: &LibraryOperation<'_>,
    members: Value,
) -> Map<String, Value> {
    let own = facts.library == Library::Own;
    let common = UnifiedAuditFields {
        id: facts.id,
        at_us: facts.at_us,
        operation: facts.operation,
        record_type: facts.record_type,
        workload: if own { "OneDrive" } else { "SharePoint" },
        result: "Succeeded",
        user_id: &facts.user.principal_name,
        user_key: &format!(
            "i:0h.f|membership|{}@live.com",
            facts.user.key().to_lowercase()
        ),
        user_type: 0,
    };
    let person = facts.user.principal_name.replace(['.', '@'], "_");
    let (site, folder) = if own {
        (
            format!("https://harbour-my.sharepoint.example/personal/{person}/"),
            "Documents",
        )
    } else {
        (
            format!(
                "https://harbour.sharepoint.example/sites/{}/",
                facts.user.department
            ),
            "Shared Documents",
        )
    };
    let extension = facts.file.rsplit('.').next().unwrap_or_default();
    let mut record = common.record(tenant);
    extend(
        &mut record,
        json!({
            "ClientIP": facts.origin.ip,
            "ObjectId": format!("{site}{folder}/{}", facts.file),
            "SiteUrl": site,
            "SourceRelativeUrl": folder,
            "SourceFileName": facts.file,
            "SourceFileExtension": extension,
            "ListItemUniqueId": facts.item_id,
            "ItemType": "File",
            "EventSource": "SharePoint",
            "UserAgent": facts.origin.device.user_agent,
            "CorrelationId": facts.id,
            "HighPriorityMediaProcessing": false,
            "AppAccessContext": {"AADSessionId": facts.session_id, "CorrelationId": facts.id},
        }),
    );
    extend(&mut record, members);
    record
}

/// For whom a sharing link opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LinkScope {
    /// For anybody who has it, without sign-in.
    Anonymous,
    /// For everybody of the organisation.
    Organization,
}

impl LinkScope {
    /// The operation that tells of a new link.
    pub(crate) const fn operation(self) -> &'static str {
        match self {
            Self::Anonymous => "AnonymousLinkCreated",
            Self::Organization => "CompanyLinkCreated",
        }
    }
}

/// What `SharingSet` has besides: the permission that comes with a link.
pub(crate) fn link_permission(scope: LinkScope, item_id: &str, link_id: &str) -> Value {
    let group = match scope {
        LinkScope::Anonymous => "AnonymousView",
        LinkScope::Organization => "OrganizationView",
    };
    json!({
        "EventData": "<Permissions granted>System.LimitedView</Permissions granted><MembersCanShareApplied>False</MembersCanShareApplied>",
        "TargetUserOrGroupType": "SharePointGroup",
        "TargetUserOrGroupName": format!("SharingLinks.{item_id}.{group}.{link_id}"),
    })
}

/// What the creation of a link has besides.
pub(crate) fn link_created(link_id: &str) -> Value {
    json!({
        "EventData": "<Type>View</Type><MembersCanShareApplied>False</MembersCanShareApplied>",
        "UniqueSharingId": link_id,
    })
}

/// A chat that a person begins with somebody of another organisation.
pub(crate) fn outside_chat(
    tenant: &TenantFacts,
    id: &str,
    at_us: i64,
    user: &User,
    thread_id: &str,
) -> Map<String, Value> {
    let mut record = teams(tenant, id, at_us, user, "ChatCreated");
    record.remove("TeamName");
    record.remove("ChannelName");
    extend(
        &mut record,
        json!({
            "CommunicationType": "OneOnOne",
            "ChatThreadId": thread_id,
            "ParticipantInfo": {
                "HasForeignTenantUsers": true,
                "HasGuestUsers": false,
                "HasOtherGuestUsers": false,
                "HasUnauthenticatedUsers": false,
            },
        }),
    );
    record
}

/// Something done in Teams.
pub(crate) fn teams(
    tenant: &TenantFacts,
    id: &str,
    at_us: i64,
    user: &User,
    operation: &str,
) -> Map<String, Value> {
    let common = UnifiedAuditFields {
        id,
        at_us,
        operation,
        record_type: 25,
        workload: "MicrosoftTeams",
        result: "Succeeded",
        user_id: &user.principal_name,
        user_key: &user.id,
        user_type: 0,
    };
    let mut record = common.record(tenant);
    extend(
        &mut record,
        json!({"ClientIP": user.origin.ip, "CommunicationType": "Team", "TeamName": user.department, "ChannelName": "General"}),
    );
    record
}
