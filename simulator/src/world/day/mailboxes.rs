//! Mailboxes on an ordinary day: rules that sort, and colleagues who stand in for one another.

use serde_json::json;

use super::plans::{Errand, Occasion};
use super::rates::{ErrandRate, RunBy, at_work};
use super::workday::Workday;
use crate::world::places::{EXCHANGE_POWERSHELL, OUTLOOK_WEB};
use crate::world::records::mail::{Cmdlet, Mailbox};
use crate::world::users::{InboxRule, User};

/// Beside the rules for newsletters; holidays begin on one day in a hundred, and few set a forward for them.
pub(super) const RATES: &[ErrandRate] = &[
    at_work(Errand::SilenceNotifications, RunBy::Staff, 60),
    at_work(Errand::ForwardToColleague, RunBy::Staff, 15),
    at_work(Errand::ForwardForHoliday, RunBy::Staff, 5),
    at_work(Errand::DelegateMailbox, RunBy::Administrators, 8),
    at_work(Errand::DelegateSending, RunBy::Administrators, 6),
    at_work(Errand::ShareCalendar, RunBy::Staff, 30),
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

/// With what somebody runs a cmdlet: application, and how it describes itself.
type Client = (&'static str, &'static str);
/// In Outlook on the web.
const BY_OWNER: Client = (OUTLOOK_WEB.id, "Client=OWA;Action=ViaProxy");
/// In PowerShell.
const BY_ADMINISTRATOR: Client = (EXCHANGE_POWERSHELL, "");

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

/// A person makes an inbox rule that marks notifications as read, or forwards to a colleague.
pub(super) fn make_rule(day: &mut Workday<'_>, occasion: Occasion, at_us: i64) {
    let colleague = day.scene.users[day.concerned(occasion)]
        .principal_name
        .clone();
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
        id: day.scene.chance.hex(&["rule", &occasion.name()]),
        name: name.to_owned(),
        sequence: 1,
        enabled: true,
        conditions,
        actions,
    };
    let object = format!(
        "{}\\{name}",
        day.scene.users[occasion.person].principal_name
    );
    let cmdlet = Cmdlet {
        operation: "New-InboxRule",
        object: &object,
        parameters: &parameters,
        user_type: 0,
    };
    run_cmdlet(day, occasion, at_us, &cmdlet, BY_OWNER);
    day.scene.users[occasion.person].inbox_rules.push(rule);
}

/// A person lets a colleague stand in, or an administrator lets an assistant.
pub(super) fn set_mailbox(day: &mut Workday<'_>, occasion: Occasion, at_us: i64) {
    let (other, assistant) = day.concerned_two(occasion);
    let [own, other, assistant] =
        [occasion.person, other, assistant].map(|index| day.scene.users[index].clone());
    let (to, calendar) = (
        format!("smtp:{}", other.principal_name),
        format!("{}:\\Calendar", own.principal_name),
    );
    let (operation, object, parameters, client): (_, _, Vec<(&str, &str)>, _) =
        match occasion.errand {
            Errand::ForwardForHoliday => (
                "Set-Mailbox",
                account(&own),
                vec![
                    ("Identity", account(&own)),
                    ("ForwardingSmtpAddress", &to),
                    ("DeliverToMailboxAndForward", "True"),
                ],
                BY_OWNER,
            ),
            Errand::ShareCalendar => (
                "Add-MailboxFolderPermission",
                calendar.as_str(),
                vec![
                    ("Identity", &calendar),
                    ("User", &other.principal_name),
                    ("AccessRights", "Reviewer"),
                ],
                BY_OWNER,
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
                BY_ADMINISTRATOR,
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
                BY_ADMINISTRATOR,
            ),
        };
    let cmdlet = Cmdlet {
        operation,
        object,
        parameters: &parameters,
        user_type: 2,
    };
    run_cmdlet(day, occasion, at_us, &cmdlet, client);
}

fn run_cmdlet(
    day: &mut Workday<'_>,
    occasion: Occasion,
    at_us: i64,
    cmdlet: &Cmdlet<'_>,
    (app_id, client): Client,
) {
    let scene = &mut *day.scene;
    let id = scene.chance.uuid(&["errand mail", &occasion.step_name()]);
    let mailbox = Mailbox {
        app_id,
        client,
        ..Mailbox::own(&id, &scene.users[occasion.person], at_us)
    };
    scene.recorder.cmdlet(&mailbox, cmdlet);
}
