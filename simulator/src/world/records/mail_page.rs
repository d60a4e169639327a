//! A page of messages that an application reads over Microsoft Graph in a person's name.
//!
//! Exchange tells of the messages, and Graph of the request.

use serde_json::{Map, Value, json};

use super::frame::{TenantFacts, extend};
use super::graph_activity::{self, GraphRequest};
use super::mail::{self, Mailbox};
use crate::world::moment::seconds;
use crate::world::places::{GRAPH_RESOURCE, Origin};
use crate::world::users::User;

/// The facts of a page.
pub(crate) struct MailPage<'a> {
    /// Of the record of Exchange.
    pub(crate) mail_id: &'a str,
    /// Of the request.
    pub(crate) request_id: &'a str,
    pub(crate) at_us: i64,
    pub(crate) user: &'a User,
    pub(crate) origin: &'a Origin,
    pub(crate) app_id: &'a str,
    pub(crate) scopes: &'a str,
    /// Names the sign-in that the token is from.
    pub(crate) token_id: &'a str,
    pub(crate) token_issued_us: i64,
    pub(crate) session_id: &'a str,
    /// Messages before this page.
    pub(crate) first: u32,
    /// Most messages of a page.
    pub(crate) size: u32,
    pub(crate) messages: &'a [String],
    pub(crate) answer_bytes: u64,
}

/// What Exchange writes of the messages.
pub(crate) fn messages(tenant: &TenantFacts, facts: &MailPage<'_>) -> Map<String, Value> {
    let mailbox = Mailbox {
        id: facts.mail_id,
        at_us: facts.at_us,
        user: facts.user,
        origin: facts.origin,
        session_id: facts.session_id,
        app_id: facts.app_id,
        client: "Client=REST;Client=RESTSystem;;",
    };
    let mut record = mail::items_accessed(tenant, &mailbox, "Bind", facts.messages);
    let context = json!({"AppAccessContext": {
        "AADSessionId": facts.session_id,
        "APIId": GRAPH_RESOURCE,
        "ClientAppId": facts.app_id,
        "CorrelationId": facts.mail_id,
        "IssuedAtTime": seconds(facts.token_issued_us),
        "UniqueTokenId": facts.token_id,
    }});
    extend(&mut record, context);
    record
}

/// What Graph writes of the request.
pub(crate) fn request(tenant: &TenantFacts, facts: &MailPage<'_>) -> Map<String, Value> {
    let (size, first) = (facts.size, facts.first);
    let request = GraphRequest {
        id: facts.request_id,
        at_us: facts.at_us,
        user: facts.user,
        origin: facts.origin,
        app_id: facts.app_id,
        scopes: facts.scopes,
        token_id: facts.token_id,
        token_issued_us: facts.token_issued_us,
        session_id: facts.session_id,
        path: &format!("me/mailFolders/inbox/messages?$top={size}&$skip={first}"),
        answer_bytes: facts.answer_bytes,
    };
    graph_activity::request(tenant, &request)
}
