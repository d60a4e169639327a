//! Writes what happens into every log that tells of it, and sends the records on their way.
//!
//! | what | diagnostic settings | unified audit log | Graph |
//! |---|---|---|---|
//! | sign-in of a person | yes | if interactive | |
//! | sign-in of an application | yes | | |
//! | directory audit | yes | if the directory itself tells of it | |
//! | page of mail read over Graph | the request | the messages | |
//! | mail, files, conversations | | yes | |
//! | risk detection | yes | | |
//! | alert | | | yes |
//!
//! A log of another shape is written here, beside the ones above: who tells of something names facts, never a log.
//! Every function returns the ids of the records that it wrote.

use serde_json::{Map, Value};

use super::chance::Chance;
use super::outbox::{ContentType, Feed, Outbox};
use super::records::directory_audit::DirectoryAudit;
use super::records::files::{self, FileOperation, LibraryOperation};
use super::records::frame::TenantFacts;
use super::records::mail::{self, Cmdlet, Mailbox};
use super::records::mail_page::{self, MailPage};
use super::records::risk_event::{self, RiskEvent};
use super::records::sign_in::{self, ApplicationSignIn, SignIn, SignInIds};
use super::users::User;

/// What writes the tenant's records.
pub(crate) struct Recorder {
    pub(crate) tenant: TenantFacts,
    pub(super) outbox: Outbox,
    chance: Chance,
}

impl Recorder {
    pub(super) fn new(tenant: TenantFacts, chance: Chance, outbox: Outbox) -> Self {
        Self {
            tenant,
            outbox,
            chance,
        }
    }

    /// A sign-in of a person, by its name: in Entra, and an interactive one in the unified audit log too.
    pub(crate) fn sign_in(&mut self, name: &[&str], facts: &SignIn<'_>) -> Vec<String> {
        let ids = SignInIds::new(self.chance, &name.join("/"), facts);
        let record = sign_in::user_sign_in(&self.tenant, facts, &ids);
        let mut written = vec![ids.id.clone()];
        if facts.interactive {
            let logon = sign_in::logon(&self.tenant, facts, &ids);
            self.outbox.send_to_activity(
                ContentType::AzureActiveDirectory,
                &ids.logon_id,
                &logon,
                facts.at_us,
            );
            written.push(ids.logon_id);
        }
        self.outbox
            .send_to_hub(Feed::Signins, &ids.id, record, facts.at_us);
        written
    }

    /// A sign-in of an application.
    pub(crate) fn application_sign_in(&mut self, facts: &ApplicationSignIn<'_>) -> String {
        let record = sign_in::application_sign_in(&self.tenant, facts);
        self.outbox
            .send_to_hub(Feed::Signins, facts.id, record, facts.at_us);
        facts.id.to_owned()
    }

    /// A directory audit, in the logs that tell of its service.
    pub(crate) fn audit(&mut self, audit: &DirectoryAudit<'_>) -> Vec<String> {
        if audit.entry.is_in_unified_log() {
            self.audit_in_both(audit)
        } else {
            vec![self.audit_in_diagnostics(audit)]
        }
    }

    /// The same in both logs, whatever the service.
    pub(crate) fn audit_in_both(&mut self, audit: &DirectoryAudit<'_>) -> Vec<String> {
        let id = self.audit_in_diagnostics(audit);
        let activity_id = self.chance.uuid(&["audit", &id]);
        let record = audit.activity(&self.tenant, &activity_id);
        self.outbox.send_to_activity(
            ContentType::AzureActiveDirectory,
            &activity_id,
            &record,
            audit.at_us,
        );
        vec![id, activity_id]
    }

    fn audit_in_diagnostics(&mut self, audit: &DirectoryAudit<'_>) -> String {
        let id = audit.id();
        let record = audit.diagnostic(&self.tenant);
        self.outbox
            .send_to_hub(Feed::DirectoryAudits, &id, record, audit.at_us);
        id
    }

    /// A page of messages that an application has read.
    pub(crate) fn mail_page(&mut self, facts: &MailPage<'_>) -> Vec<String> {
        let messages = mail_page::messages(&self.tenant, facts);
        self.exchange(facts.mail_id, facts.at_us, &messages);
        let request = mail_page::request(&self.tenant, facts);
        self.outbox
            .send_to_hub(Feed::GraphActivity, facts.request_id, request, facts.at_us);
        vec![facts.mail_id.to_owned(), facts.request_id.to_owned()]
    }

    /// A cmdlet of Exchange.
    pub(crate) fn cmdlet(&mut self, facts: &Mailbox<'_>, cmdlet: &Cmdlet<'_>) -> Vec<String> {
        let record = mail::cmdlet(&self.tenant, facts, cmdlet);
        self.exchange(facts.id, facts.at_us, &record)
    }

    /// Messages that were read: `Bind` lists them, `Sync` names the folder only.
    pub(crate) fn mail_read(
        &mut self,
        facts: &Mailbox<'_>,
        access: &str,
        messages: &[String],
    ) -> Vec<String> {
        let record = mail::items_accessed(&self.tenant, facts, access, messages);
        self.exchange(facts.id, facts.at_us, &record)
    }

    /// A message that left a mailbox.
    pub(crate) fn mail_sent(
        &mut self,
        facts: &Mailbox<'_>,
        subject: &str,
        message_id: &str,
    ) -> Vec<String> {
        let record = mail::sent(&self.tenant, facts, subject, message_id);
        self.exchange(facts.id, facts.at_us, &record)
    }

    fn exchange(&mut self, id: &str, at_us: i64, record: &Map<String, Value>) -> Vec<String> {
        self.outbox
            .send_to_activity(ContentType::Exchange, id, record, at_us);
        vec![id.to_owned()]
    }

    /// Something done with a file of a site.
    pub(crate) fn file(&mut self, facts: &FileOperation<'_>) -> Vec<String> {
        let record = files::file(&self.tenant, facts);
        self.outbox
            .send_to_activity(ContentType::SharePoint, facts.id, &record, facts.at_us);
        vec![facts.id.to_owned()]
    }

    /// Something done with a file of a library; `members` are those that this operation has besides.
    pub(crate) fn library_file(
        &mut self,
        facts: &LibraryOperation<'_>,
        members: Value,
    ) -> Vec<String> {
        let record = files::library_file(&self.tenant, facts, members);
        self.outbox
            .send_to_activity(ContentType::SharePoint, facts.id, &record, facts.at_us);
        vec![facts.id.to_owned()]
    }

    /// Something said in a channel of Teams, or in a thread that begins with somebody outside.
    pub(crate) fn conversation(
        &mut self,
        id: &str,
        at_us: i64,
        user: &User,
        thread_id: Option<&str>,
    ) -> Vec<String> {
        let record = match thread_id {
            None => files::teams(&self.tenant, id, at_us, user, "MessageSent"),
            Some(thread_id) => files::outside_chat(&self.tenant, id, at_us, user, thread_id),
        };
        self.outbox
            .send_to_activity(ContentType::General, id, &record, at_us);
        vec![id.to_owned()]
    }

    /// A risk that Microsoft has detected.
    pub(crate) fn risk_event(&mut self, facts: &RiskEvent<'_>) -> Vec<String> {
        let record = risk_event::user_risk_event(&self.tenant, facts);
        self.outbox
            .send_to_hub(Feed::RiskEvents, facts.id, record, facts.detected_us);
        vec![facts.id.to_owned()]
    }

    /// An alert, or its new version, at the time of its last update.
    pub(crate) fn alert(&mut self, id: &str, alert: &Value, at_us: i64) -> Vec<String> {
        self.outbox.send_to_alerts(alert, at_us);
        vec![id.to_owned()]
    }
}
