//! Exchange records of the unified audit log.
//!
//! Source: Office 365 Management Activity API schema, record types 1, 2 and 50.

use serde_json::{Map, Value, json};

use super::frame::{TenantFacts, UnifiedAuditFields, extend, named_values};
use crate::world::places::{OUTLOOK_WEB, Origin};
use crate::world::users::User;

/// The facts that all Exchange records share.
pub(crate) struct Mailbox<'a> {
    pub(crate) id: &'a str,
    pub(crate) at_us: i64,
    pub(crate) user: &'a User,
    pub(crate) origin: &'a Origin,
    pub(crate) session_id: &'a str,
    /// Application that asked, empty for Outlook itself.
    pub(crate) app_id: &'a str,
    /// How the client describes itself.
    pub(crate) client: &'a str,
}

impl<'a> Mailbox<'a> {
    /// The owner at work: in Outlook on the web, from where the person is, in the person's session.
    pub(crate) fn own(id: &'a str, user: &'a User, at_us: i64) -> Self {
        Self {
            id,
            at_us,
            user,
            origin: &user.origin,
            session_id: &user.session_id,
            app_id: OUTLOOK_WEB.id,
            client: "Client=OWA;Action=ViaProxy",
        }
    }

    fn record(
        &self,
        tenant: &TenantFacts,
        operation: &str,
        record_type: u32,
        result: &str,
    ) -> Map<String, Value> {
        let common = UnifiedAuditFields {
            id: self.id,
            at_us: self.at_us,
            operation,
            record_type,
            workload: "Exchange",
            result,
            user_id: &self.user.principal_name,
            user_key: &self.user.key(),
            user_type: 0,
        };
        let mut record = common.record(tenant);
        extend(
            &mut record,
            json!({
                "AppId": self.app_id,
                "ClientAppId": self.app_id,
                "ExternalAccess": false,
                "OrganizationName": tenant.domain,
                "OriginatingServer": "HB1PR01MB0001 (15.20.9000.000)\r\n",
                "SessionId": self.session_id,
                "AppAccessContext": {"AADSessionId": self.session_id, "CorrelationId": self.id},
            }),
        );
        record
    }

    fn mailbox_fields(&self) -> Value {
        json!({
            "ClientIPAddress": self.origin.ip,
            "ClientInfoString": self.client,
            "InternalLogonType": 0,
            "LogonType": 0,
            "MailboxGuid": self.user.id,
            "MailboxOwnerUPN": self.user.principal_name,
        })
    }
}

/// A cmdlet of Exchange, such as `New-InboxRule`.
pub(crate) struct Cmdlet<'a> {
    pub(crate) operation: &'a str,
    pub(crate) object: &'a str,
    pub(crate) parameters: &'a [(&'a str, &'a str)],
    /// 2 for administrators, and for people who set their own mailbox.
    pub(crate) user_type: u32,
}

/// What Exchange writes of a cmdlet.
pub(crate) fn cmdlet(
    tenant: &TenantFacts,
    facts: &Mailbox<'_>,
    cmdlet: &Cmdlet<'_>,
) -> Map<String, Value> {
    let mut record = facts.record(tenant, cmdlet.operation, 1, "True");
    extend(
        &mut record,
        json!({
            "ClientIP": format!("{}:41822", facts.origin.ip),
            "ObjectId": cmdlet.object,
            "Parameters": named_values(cmdlet.parameters),
            "UserType": cmdlet.user_type,
        }),
    );
    record
}

/// `MailItemsAccessed`: `Bind` lists the messages, `Sync` names the folder only.
pub(crate) fn items_accessed(
    tenant: &TenantFacts,
    facts: &Mailbox<'_>,
    access: &str,
    messages: &[String],
) -> Map<String, Value> {
    let mut record = facts.record(tenant, "MailItemsAccessed", 50, "Succeeded");
    let items: Vec<Value> = messages
        .iter()
        .map(|id| json!({"InternetMessageId": id}))
        .collect();
    extend(&mut record, facts.mailbox_fields());
    extend(
        &mut record,
        json!({
            "OperationProperties": named_values(&[("MailAccessType", access), ("IsThrottled", "False")]),
            "OperationCount": messages.len().max(1),
            "Folders": [{"Id": facts.user.id, "Path": "\\Inbox", "FolderItems": items}],
        }),
    );
    record
}

/// `Send`: a message left the mailbox.
pub(crate) fn sent(
    tenant: &TenantFacts,
    facts: &Mailbox<'_>,
    subject: &str,
    message_id: &str,
) -> Map<String, Value> {
    let mut record = facts.record(tenant, "Send", 2, "Succeeded");
    extend(&mut record, facts.mailbox_fields());
    extend(
        &mut record,
        json!({"Item": {
            "Id": facts.id,
            "InternetMessageId": message_id,
            "ParentFolder": {"Id": facts.user.id, "Path": "\\Drafts"},
            "Subject": subject,
        }}),
    );
    record
}
