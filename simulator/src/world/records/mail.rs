//! Exchange records of the unified audit log.
//!
//! Source: Office 365 Management Activity API schema, record types 1, 2 and 50.

use serde_json::{Map, Value, json};

use super::{Common, TenantFacts, extend, named_values};
use crate::world::places::Origin;
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

impl Mailbox<'_> {
    fn record(
        &self,
        tenant: &TenantFacts,
        operation: &str,
        record_type: u32,
        result: &str,
    ) -> Map<String, Value> {
        let common = Common {
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
pub(crate) fn cmdlet(
    tenant: &TenantFacts,
    facts: &Mailbox<'_>,
    operation: &str,
    object: &str,
    parameters: &[(&str, &str)],
) -> Map<String, Value> {
    let mut record = facts.record(tenant, operation, 1, "True");
    extend(
        &mut record,
        json!({
            "ClientIP": format!("{}:41822", facts.origin.ip),
            "ObjectId": object,
            "Parameters": named_values(parameters),
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
