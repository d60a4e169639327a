//! What the attacker tries again and again, and the mail that a rule forwards.

use serde_json::json;

use super::super::places::OFFICE_HOME;
use super::super::records::mail::{self, Mailbox};
use super::super::records::sign_in::Outcome;
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
    /// Exchange and SharePoint evaluate access continuously, so a revoked session ends at once.
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
        let serial_name = serial.to_string();
        let victim = &self.users[story.victim];
        let refreshed = story.refresh_outcome(victim);
        let signed_in = victim.sign_in_outcome();
        let has_access = story.has_access(victim);
        let tried = match attempt {
            Attempt::Refresh => refreshed.map(|outcome| {
                let seen = Seen {
                    at_us,
                    app: OFFICE_HOME,
                    outcome,
                    interactive: false,
                    session_id: &story.session_id,
                };
                (
                    outcome,
                    self.record_sign_in(
                        story.victim,
                        &story.desk,
                        &["attempt", "refresh", &serial_name],
                        &seen,
                    ),
                )
            }),
            Attempt::SignIn => story.factor_registered.then(|| {
                let session_id = self.chance.uuid(&["attempt", "session", &serial_name]);
                let seen = Seen {
                    at_us,
                    app: OFFICE_HOME,
                    outcome: signed_in,
                    interactive: true,
                    session_id: &session_id,
                };
                if signed_in.succeeded() {
                    story.own_session_issued_us = Some(at_us);
                }
                (
                    signed_in,
                    self.record_sign_in(
                        story.victim,
                        &story.desk,
                        &["attempt", "sign-in", &serial_name],
                        &seen,
                    ),
                )
            }),
            Attempt::SendMail => {
                let sent = has_access.then(|| self.send_invoice(&story, "attempt", serial, at_us));
                // Exchange refuses without a record of its own.
                let ending = if sent.is_some() {
                    Ending::Succeeded
                } else {
                    Ending::Failed
                };
                let record_ids = sent.unwrap_or_default();
                story.attempts.push(Happened {
                    what: attempt,
                    at_us,
                    ending,
                    error_code: 0,
                    record_ids,
                });
                None
            }
        };
        if let Some((outcome, record_ids)) = tried {
            let ending = if outcome.succeeded() {
                Ending::Succeeded
            } else {
                Ending::Failed
            };
            story.attempts.push(Happened {
                what: attempt,
                at_us,
                ending,
                error_code: outcome.code(),
                record_ids,
            });
        }
        self.story = Some(story);
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
            .to_activity(ContentType::Exchange, &id, &record, at_us);
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
