//! Mailboxes on an ordinary day: rules that sort, and colleagues who stand in for one another.

use serde_json::{Map, Value, json};

use super::errands::{By, Errand, Occasion, Rate, at_work};
use crate::world::World;
use crate::world::outbox::ContentType;
use crate::world::places::{EXCHANGE_POWERSHELL, OUTLOOK_WEB};
use crate::world::records::extend;
use crate::world::records::mail::{self, Mailbox};
use crate::world::users::{InboxRule, User};

/// Beside the rules for newsletters; holidays begin on one day in a hundred, and few set a forward for them.
pub(super) const RATES: &[Rate] = &[
    at_work(Errand::SilenceNotifications, By::Staff, 60),
    at_work(Errand::ForwardToColleague, By::Staff, 15),
    at_work(Errand::ForwardForHoliday, By::Staff, 5),
    at_work(Errand::DelegateMailbox, By::Administrators, 8),
    at_work(Errand::DelegateSending, By::Administrators, 6),
    at_work(Errand::ShareCalendar, By::Staff, 30),
];

/// Names of rules against notifications, and who sends these.
const NOTIFIERS: &[(&str, &str)] = &[
    ("Build messages", "builds@notify.example"),
    ("Ticket updates", "tickets@notify.example"),
    ("Canteen", "canteen@harbour.example"),
    ("Social feed", "feed@social.example"),
];
/// Of so many such rules, one moves what it marks as read.
const MOVES_OF: u32 = 4;

/// A cmdlet's name, its object, its parameters, and who Exchange says ran it.
struct Cmdlet<'a> {
    operation: &'a str,
    object: &'a str,
    parameters: &'a [(&'a str, &'a str)],
    /// 2 for administrators, and for people who set their own mailbox.
    user_type: u32,
    app_id: &'a str,
    client: &'a str,
}

fn account(user: &User) -> &str {
    user.principal_name.split('@').next().unwrap_or_default()
}

pub(super) fn newsletter_rule(id: String) -> InboxRule {
    InboxRule {
        id,
        name: "Newsletters".to_owned(),
        sequence: 1,
        enabled: true,
        conditions: json!({"senderContains": ["news@press.example"]}),
        actions: json!({"moveToFolder": "Newsletters"}),
    }
}

impl World {
    /// A person makes an inbox rule that marks notifications as read, or forwards to a colleague.
    pub(super) fn make_rule(&mut self, occasion: Occasion, at_us: i64) {
        let colleague = self.users[self.concerned(occasion)].principal_name.clone();
        let number = occasion.serial as usize % NOTIFIERS.len();
        let (name, sender) = NOTIFIERS[number];
        let forwards = occasion.errand == Errand::ForwardToColleague;
        let moves = !forwards && occasion.serial.is_multiple_of(MOVES_OF);
        let name = if forwards { "Orders" } else { name };
        let mut parameters = vec![("Name", name)];
        let (conditions, actions) = if forwards {
            parameters.push(("SubjectContainsWords", "order"));
            parameters.push(("ForwardTo", colleague.as_str()));
            (
                json!({"subjectContains": ["order"]}),
                json!({"forwardTo": [{"emailAddress": {"name": colleague, "address": colleague}}]}),
            )
        } else {
            parameters.push(("From", sender));
            parameters.push(("MarkAsRead", "True"));
            let mut actions = json!({"markAsRead": true});
            if moves {
                parameters.push(("MoveToFolder", name));
                actions["moveToFolder"] = json!(name);
            }
            (json!({"senderContains": [sender]}), actions)
        };
        parameters.push(("StopProcessingRules", "False"));
        let rule = InboxRule {
            id: self.chance.hex(&["rule", &occasion.name()]),
            name: name.to_owned(),
            sequence: 1,
            enabled: true,
            conditions,
            actions,
        };
        let object = format!("{}\\{name}", self.users[occasion.person].principal_name);
        self.run_cmdlet(
            occasion,
            at_us,
            &Cmdlet {
                operation: "New-InboxRule",
                object: &object,
                parameters: &parameters,
                user_type: 0,
                app_id: OUTLOOK_WEB.id,
                client: "Client=OWA;Action=ViaProxy",
            },
        );
        self.users[occasion.person].inbox_rules.push(rule);
    }

    /// A person lets a colleague stand in, or an administrator lets an assistant.
    pub(super) fn set_mailbox(&mut self, occasion: Occasion, at_us: i64) {
        let (other, assistant) = self.concerned_two(occasion);
        let [own, other, assistant] =
            [occasion.person, other, assistant].map(|index| self.users[index].clone());
        let by_owner = (OUTLOOK_WEB.id, "Client=OWA;Action=ViaProxy");
        let by_administrator = (EXCHANGE_POWERSHELL, "");
        let (to, calendar) = (
            format!("smtp:{}", other.principal_name),
            format!("{}:\\Calendar", own.principal_name),
        );
        let (operation, object, parameters, (app_id, client)): (_, _, Vec<(&str, &str)>, _) =
            match occasion.errand {
                Errand::ForwardForHoliday => (
                    "Set-Mailbox",
                    account(&own),
                    vec![
                        ("Identity", account(&own)),
                        ("ForwardingSmtpAddress", &to),
                        ("DeliverToMailboxAndForward", "True"),
                    ],
                    by_owner,
                ),
                Errand::ShareCalendar => (
                    "Add-MailboxFolderPermission",
                    calendar.as_str(),
                    vec![
                        ("Identity", &calendar),
                        ("User", &other.principal_name),
                        ("AccessRights", "Reviewer"),
                    ],
                    by_owner,
                ),
                Errand::DelegateSending => (
                    "Add-RecipientPermission",
                    account(&other),
                    vec![
                        ("Identity", account(&other)),
                        ("Trustee", &assistant.principal_name),
                        ("AccessRights", "SendAs"),
                        ("Confirm", "False"),
                    ],
                    by_administrator,
                ),
                _ => (
                    "Add-MailboxPermission",
                    account(&other),
                    vec![
                        ("Identity", account(&other)),
                        ("User", &assistant.principal_name),
                        ("AccessRights", "FullAccess"),
                        ("InheritanceType", "All"),
                        ("AutoMapping", "True"),
                    ],
                    by_administrator,
                ),
            };
        let cmdlet = Cmdlet {
            operation,
            object,
            parameters: &parameters,
            user_type: 2,
            app_id,
            client,
        };
        self.run_cmdlet(occasion, at_us, &cmdlet);
    }

    fn run_cmdlet(&mut self, occasion: Occasion, at_us: i64, cmdlet: &Cmdlet<'_>) {
        let id = self.chance.uuid(&["errand mail", &occasion.step_name()]);
        let user = &self.users[occasion.person];
        let facts = Mailbox {
            id: &id,
            at_us,
            user,
            origin: &user.origin,
            session_id: &user.session_id,
            app_id: cmdlet.app_id,
            client: cmdlet.client,
        };
        let mut record: Map<String, Value> = mail::cmdlet(
            &self.tenant,
            &facts,
            cmdlet.operation,
            cmdlet.object,
            cmdlet.parameters,
        );
        extend(&mut record, json!({"UserType": cmdlet.user_type}));
        self.outbox
            .send_to_activity(ContentType::Exchange, &id, &record, at_us);
    }
}
