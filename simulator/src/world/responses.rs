//! What responders do to the tenant, and the records that it leaves.

use super::chance::Chance;
use super::outbox::ContentType;
use super::records::directory_audit::{Change, DirectoryAudit, Initiator, Values};
use super::records::mail::{self, Mailbox};
use super::{World, record_audit};

/// The application that acts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Actor<'a> {
    pub(crate) name: &'a str,
    pub(crate) app_id: &'a str,
    pub(crate) principal_id: &'a str,
}

impl World {
    /// Blocks or allows the sign-in of a user, from now on.
    pub(crate) fn set_enabled(&mut self, user: usize, enabled: bool, actor: Actor<'_>) {
        if self.users[user].enabled == enabled {
            return;
        }
        self.users[user].enabled = enabled;
        let (activity, old, new) = if enabled {
            ("Enable account", "[false]", "[true]")
        } else {
            ("Disable account", "[true]", "[false]")
        };
        self.response_audit(user, activity, &[("AccountEnabled", old, new)], actor);
    }

    /// Revokes the sessions of a user that were issued until now.
    pub(crate) fn revoke_sessions(&mut self, user: usize, actor: Actor<'_>) {
        // A guest's sessions belong to the home tenant: the call succeeds and changes nothing there.
        if self.users[user].user_type() != "Guest" {
            self.users[user].sessions_valid_from_us = self.now_us;
        }
        self.response_audit(
            user,
            "Update StsRefreshTokenValidFrom Timestamp",
            &[("StsRefreshTokensValidFrom", "[]", "[\"now\"]")],
            actor,
        );
    }

    /// Turns an inbox rule on or off, from now on.
    pub(crate) fn set_rule_enabled(
        &mut self,
        user: usize,
        rule: usize,
        enabled: bool,
        actor: Actor<'_>,
    ) {
        let known = &mut self.users[user].inbox_rules[rule];
        if known.enabled == enabled {
            return;
        }
        known.enabled = enabled;
        let name = known.name.clone();
        let id = self
            .next_response()
            .uuid(&["response mail", &self.responses.to_string()]);
        let person = &self.users[user];
        let facts = Mailbox {
            id: &id,
            at_us: self.now_us,
            user: person,
            origin: &person.origin,
            session_id: "",
            app_id: actor.app_id,
            client: "Client=REST;",
        };
        let operation = if enabled {
            "Enable-InboxRule"
        } else {
            "Disable-InboxRule"
        };
        let parameters = [
            ("Identity", name.as_str()),
            ("Mailbox", person.principal_name.as_str()),
        ];
        let record = mail::cmdlet(&self.tenant, &facts, operation, &name, &parameters);
        self.outbox
            .send_to_activity(ContentType::Exchange, &id, &record, self.now_us);
    }

    fn response_audit(
        &mut self,
        user: usize,
        activity: &str,
        changes: &[Change<'_>],
        actor: Actor<'_>,
    ) {
        let chance = self.next_response();
        let serial = self.responses.to_string();
        let target = &self.users[user];
        let audit = DirectoryAudit {
            number: chance.number(&["response", &serial]),
            at_us: self.now_us,
            activity,
            category: "UserManagement",
            service: "Core Directory",
            operation_type: "Update",
            initiator: Initiator::Application {
                name: actor.name,
                app_id: actor.app_id,
                principal_id: actor.principal_id,
            },
            target_type: "User",
            target_id: &target.id,
            target_name: &target.principal_name,
            changes,
            values: Values::Texts,
            further_targets: &[],
            user_agent: "",
            correlation_id: &chance.uuid(&["response", &serial]),
        };
        record_audit(&mut self.outbox, &self.tenant, chance, &audit);
    }

    /// Counts a response, so that its records have ids of their own.
    fn next_response(&mut self) -> Chance {
        self.responses += 1;
        self.chance
    }
}
