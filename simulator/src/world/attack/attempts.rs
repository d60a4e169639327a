//! What the attacker tries again and again, and the mail that a rule forwards.

use serde_json::json;

use super::super::places::OFFICE_HOME;
use super::super::records::mail::{self, Mailbox};
use super::super::records::sign_in::{Manner, Outcome};
use super::super::users::User;
use super::super::{ContentType, Seen, World};
use super::{Attempt, Ending, Happened, Story};

impl Story {
    /// How a refresh of the phished session ends; none if no session was phished.
    pub(crate) fn refresh_outcome(&self, victim: &User) -> Option<Outcome> {
        self.session_issued_us
            .map(|issued_us| victim.refresh_outcome(issued_us))
    }

    /// Whether the attacker gets into the mailbox: with a session that is good, of an account that is not blocked.
    ///
    /// Exchange and its siblings evaluate access continuously, so a revoked session ends at once.
    pub(crate) fn has_access(&self, victim: &User) -> bool {
        [self.session_issued_us, self.own_session_issued_us]
            .into_iter()
            .flatten()
            .any(|issued_us| victim.refresh_outcome(issued_us).succeeded())
    }
}

impl World {
    pub(crate) fn try_again(&mut self, attempt: Attempt, serial: u32, at_us: i64) {
        let Some(mut story) = self.story.take() else {
            return;
        };
        let tried = match attempt {
            Attempt::Refresh => self.try_refresh(&story, serial, at_us),
            Attempt::SignIn => self.try_sign_in(&mut story, serial, at_us),
            Attempt::SendMail => Some(self.try_sending(&story, serial, at_us)),
        };
        story.attempts.extend(tried);
        self.story = Some(story);
    }

    /// The phished session is refreshed, if there ever was one.
    fn try_refresh(&mut self, story: &Story, serial: u32, at_us: i64) -> Option<Happened<Attempt>> {
        let outcome = story.refresh_outcome(&self.users[story.victim])?;
        let seen = Seen {
            at_us,
            app: OFFICE_HOME,
            outcome,
            interactive: false,
            session_id: &story.session_id,
            manner: Manner::Usual,
            correlation_id: None,
        };
        let name = ["attempt", "refresh", &serial.to_string()];
        let record_ids = self.record_sign_in(story.victim, &story.desk, &name, &seen);
        Some(ended(Attempt::Refresh, at_us, outcome, record_ids))
    }

    /// The attacker signs in with the password and the factor that was registered, if it was.
    fn try_sign_in(
        &mut self,
        story: &mut Story,
        serial: u32,
        at_us: i64,
    ) -> Option<Happened<Attempt>> {
        if !story.factor_registered {
            return None;
        }
        let serial = serial.to_string();
        let outcome = self.users[story.victim].sign_in_outcome();
        let seen = Seen {
            at_us,
            app: OFFICE_HOME,
            outcome,
            interactive: true,
            session_id: &self.chance.uuid(&["attempt", "session", &serial]),
            manner: Manner::Usual,
            correlation_id: None,
        };
        let name = ["attempt", "sign-in", &serial];
        let record_ids = self.record_sign_in(story.victim, &story.desk, &name, &seen);
        if outcome.succeeded() {
            story.own_session_issued_us = Some(at_us);
        }
        Some(ended(Attempt::SignIn, at_us, outcome, record_ids))
    }

    /// The attacker sends mail; Exchange refuses without a record.
    fn try_sending(&mut self, story: &Story, serial: u32, at_us: i64) -> Happened<Attempt> {
        let (ending, record_ids) = if story.has_access(&self.users[story.victim]) {
            let ids = self.send_invoice(story, "attempt", serial, at_us);
            (Ending::Succeeded, ids)
        } else {
            (Ending::Failed, Vec::new())
        };
        Happened {
            what: Attempt::SendMail,
            at_us,
            ending,
            error_code: 0,
            record_ids,
        }
    }

    /// The attacker sends a message from the victim's mailbox; returns the ids of the records.
    pub(super) fn send_invoice(
        &mut self,
        story: &Story,
        name: &str,
        serial: u32,
        at_us: i64,
    ) -> Vec<String> {
        let serial = serial.to_string();
        let id = self.chance.uuid(&["invoice", name, &serial]);
        let facts = Mailbox {
            id: &id,
            at_us,
            user: &self.users[story.victim],
            origin: &story.desk,
            session_id: &story.session_id,
            app_id: &story.app_id,
            client: "Client=REST;Client=RESTSystem;;",
        };
        let message_id = format!(
            "<{}@{}>",
            self.chance.hex(&["invoice message", name, &serial]),
            self.tenant.domain
        );
        let record = mail::sent(
            &self.tenant,
            &facts,
            "Updated bank details for open invoices",
            &message_id,
        );
        self.outbox
            .send_to_activity(ContentType::Exchange, &id, &record, at_us);
        vec![id]
    }

    /// A message reaches the victim; whatever the account's state, an enabled rule forwards it.
    pub(crate) fn mail_arrives(&mut self, at_us: i64) {
        let Some(story) = &mut self.story else { return };
        story.mail_arrived += 1;
        let forwarded = self.users[story.victim]
            .inbox_rules
            .iter()
            .any(|rule| rule.enabled && rule.forwards_to().is_some());
        if forwarded {
            story.mail_forwarded += 1;
            story.last_forwarded_us = Some(at_us);
        }
    }
}

/// Conditions and actions of the rule that hides answers about money.
pub(super) fn hiding() -> (serde_json::Value, serde_json::Value) {
    (
        json!({"subjectOrBodyContains": ["invoice", "payment", "bank"]}),
        json!({"moveToFolder": "RSS Feeds", "markAsRead": true, "stopProcessingRules": true}),
    )
}

/// Actions of the rule that forwards everything outside.
pub(super) fn forwarding(address: &str) -> serde_json::Value {
    json!({"forwardTo": [{"emailAddress": {"name": address, "address": address}}], "stopProcessingRules": false})
}

fn ended(
    what: Attempt,
    at_us: i64,
    outcome: Outcome,
    record_ids: Vec<String>,
) -> Happened<Attempt> {
    Happened {
        what,
        at_us,
        ending: if outcome.succeeded() {
            Ending::Succeeded
        } else {
            Ending::Failed
        },
        error_code: outcome.code(),
        record_ids,
    }
}
