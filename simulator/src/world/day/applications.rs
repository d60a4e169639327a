//! Applications on an ordinary day: they sign in, people consent to them, administrators look after them.

use rand::Rng;
use rand::seq::IndexedRandom;

use super::errands::{By, Errand, Occasion, Rate, at_work};
use crate::world::chance::Chance;
use crate::world::moment::{MINUTE_US, SECOND_US};
use crate::world::outbox::Feed;
use crate::world::places::{App, GRAPH_RESOURCE, Origin, SERVER_DEVICE, VENDOR_SERVER};
use crate::world::records::consent::{self, Consent, Extent};
use crate::world::records::credential::{self, Credentials};
use crate::world::records::directory_audit::{Change, Entry, Initiator, Target};
use crate::world::records::sign_in::{self, ApplicationSignIn, Manner, Outcome};
use crate::world::{Seen, World};

/// Every day some people try an application; secrets live for half a year, and owners and grants change rarely.
pub(super) const RATES: &[Rate] = &[
    at_work(Errand::ConsentToApplication, By::Staff, 20),
    at_work(Errand::GrantForEverybody, By::Administrators, 2),
    at_work(Errand::AddOwner, By::Administrators, 2),
    at_work(Errand::RotateSecret, By::Administrators, 6),
];

/// Applications that every tenant has.
const FIRST_APPLICATIONS: &[&str] = &["Backup service", "Payroll export", "Ticket desk"];
/// Applications that larger companies have besides, one for every hundred people; the first exchanges secrets.
const FURTHER_APPLICATIONS: &[&str] = &[
    "Secret rotation",
    "Warehouse labels",
    "Crane telemetry",
    "Invoice scanning",
    "Shift planning",
    "Visitor badges",
    "Customs filing",
    "Fleet tracking",
    "Training records",
    "Fuel accounts",
    "Intranet search",
    "Meeting room panels",
];
/// Fewest further applications of a company: one exchanges the secrets of another.
const FURTHER_APPLICATIONS_MIN: usize = 2;
/// How long the old secret lives beside the new one.
const SECRETS_OVERLAP_US: i64 = 45 * MINUTE_US;

/// Applications of verified publishers and what they ask people for.
const OFFERS: &[(&str, &str)] = &[
    (
        "Meeting Polls",
        "openid profile email offline_access User.Read Calendars.Read",
    ),
    ("Whiteboard Studio", "openid profile email"),
    ("Expense Scanner", "openid profile User.Read"),
    (
        "Learning Hub",
        "openid profile email offline_access User.Read",
    ),
    (
        "Travel Planner",
        "openid profile offline_access User.Read Calendars.Read",
    ),
    ("Diagram Editor", "openid profile email User.Read"),
];
/// How many of them somebody has consented to before the day.
const OFFERS_KNOWN: usize = 4;

/// The application that keeps customers' mail, and what it may do.
pub(super) const CORRESPONDENCE: (&str, &str) = (
    "Customer Relations",
    "openid profile offline_access User.Read Mail.ReadWrite Mail.Send Contacts.ReadWrite",
);

/// What administrators grant for everybody, and how often of a hundred: hardly ever more than a name and a calendar.
const GRANTS: &[(&str, &str, u32)] = &[
    ("Fleet Planner", "openid profile email User.Read", 30),
    (
        "Survey Builder",
        "openid profile email offline_access User.Read",
        25,
    ),
    (
        "Desk Booking",
        "openid profile User.Read Calendars.ReadWrite",
        20,
    ),
    (
        "Service Portal",
        "openid profile User.Read GroupMember.Read.All",
        17,
    ),
    (CORRESPONDENCE.0, CORRESPONDENCE.1, 8),
];

/// An application of the tenant.
#[derive(Debug, Clone)]
pub(crate) struct Principal {
    pub(crate) id: String,
    pub(crate) app_id: String,
    pub(crate) name: &'static str,
    key_id: String,
    /// The secret before the one in use, while it lives.
    old_key_id: Option<String>,
    ip: String,
}

/// The tenant's own applications.
pub(crate) fn principals(chance: Chance, people: usize) -> Vec<Principal> {
    let further = match people / 100 {
        0 => 0,
        hundreds => hundreds.max(FURTHER_APPLICATIONS_MIN),
    };
    FIRST_APPLICATIONS
        .iter()
        .chain(FURTHER_APPLICATIONS.iter().take(further))
        .zip(10..)
        .map(|(name, address)| Principal {
            id: chance.uuid(&["principal", name]),
            app_id: chance.uuid(&["application", name]),
            name,
            key_id: chance.uuid(&["key", name]),
            old_key_id: None,
            ip: format!("192.0.2.{address}"),
        })
        .collect()
}

/// From where the server of an application that people use refreshes tokens.
pub(super) fn server_of(application: &str) -> Origin {
    let number = OFFERS
        .iter()
        .take_while(|(name, _)| *name != application)
        .count();
    Origin {
        ip: format!("198.19.200.{}", 10 + number),
        place: VENDOR_SERVER,
        device: SERVER_DEVICE,
        device_id: String::new(),
    }
}

/// What somebody has consented to before the day.
pub(super) fn known() -> std::collections::BTreeSet<&'static str> {
    OFFERS
        .iter()
        .take(OFFERS_KNOWN)
        .map(|(name, _)| *name)
        .chain([CORRESPONDENCE.0])
        .collect()
}

impl World {
    pub(crate) fn application_signs_in(&mut self, principal: usize, serial: u32, at_us: i64) {
        let name = format!("{principal}/{serial}");
        let id = self.chance.uuid(&["application sign-in", &name]);
        let known = &self.principals[principal];
        let facts = ApplicationSignIn {
            id: &id,
            at_us,
            app_id: &known.app_id,
            principal_id: &known.id,
            name: known.name,
            key_id: &known.key_id,
            ip: &known.ip,
            token_id: &self.chance.uuid(&["application token", &name]),
        };
        let record = sign_in::application_sign_in(&self.tenant, &facts);
        self.outbox.send_to_hub(Feed::Signins, &id, record, at_us);
    }

    /// A person is asked for consent, gives it, and the application's server refreshes its token later.
    pub(super) fn consent_to_application(&mut self, occasion: Occasion, at_us: i64) {
        let mut dice = self.chance.stream(&["consent", &occasion.name()]);
        let Some((application, scopes)) = OFFERS.choose(&mut dice).copied() else {
            return;
        };
        let outcome = self.users[occasion.person].sign_in_outcome();
        match occasion.step {
            0 => {
                self.offer_sign_in(occasion, application, Outcome::ConsentRequired, at_us);
                let later_us = dice.random_range(15..90) * SECOND_US;
                self.go_on(occasion, 1, at_us + later_us);
            }
            1 if outcome.succeeded() => {
                self.give_consent_to(occasion, application, scopes, at_us);
                self.offer_sign_in(occasion, application, outcome, at_us + 2 * SECOND_US);
                if scopes.contains("offline_access") {
                    let later_us = dice.random_range(50..75) * MINUTE_US;
                    self.go_on(occasion, 2, at_us + later_us);
                }
            }
            1 => {}
            _ => self.offer_sign_in(occasion, application, outcome, at_us),
        }
    }

    fn give_consent_to(
        &mut self,
        occasion: Occasion,
        application: &'static str,
        scopes: &str,
        at_us: i64,
    ) {
        let person = self.users[occasion.person].clone();
        let facts = Consent {
            application,
            app_id: &self.chance.uuid(&["application", application]),
            principal_id: &self.chance.uuid(&["principal", application]),
            graph_id: &self.chance.uuid(&["principal", "Microsoft Graph"]),
            grant_id: &self.chance.hex(&["grant", &occasion.name()])[..20],
            scopes,
            extent: Extent::Person(&person),
            is_new: self.company.applications.insert(application),
        };
        consent::write(&facts, &mut |entry| self.tell(occasion, at_us, entry));
    }

    /// A sign-in to an application: by the person, and from its server in the end.
    fn offer_sign_in(
        &mut self,
        occasion: Occasion,
        application: &'static str,
        outcome: Outcome,
        at_us: i64,
    ) {
        let is_refresh = occasion.step == 2;
        let person = &self.users[occasion.person];
        let session_id = person.session_id.clone();
        let origin = if is_refresh {
            server_of(application)
        } else {
            person.origin.clone()
        };
        let seen = Seen {
            at_us,
            app: App {
                id: &self.chance.uuid(&["application", application]),
                name: application,
                resource_id: GRAPH_RESOURCE,
                resource: "Microsoft Graph",
            },
            outcome,
            interactive: !is_refresh,
            session_id: &session_id,
            manner: Manner::Usual,
            correlation_id: None,
        };
        let name = occasion.step_name();
        self.record_sign_in(occasion.person, &origin, &["errand", &name], &seen);
    }

    pub(super) fn grant_for_everybody(&mut self, occasion: Occasion, at_us: i64) {
        let name = occasion.name();
        let mut dice = self.chance.stream(&["grant", &name]);
        let Ok((application, scopes, _)) =
            GRANTS.choose_weighted(&mut dice, |(_, _, often)| *often)
        else {
            return;
        };
        let facts = Consent {
            application,
            app_id: &self.chance.uuid(&["application", application]),
            principal_id: &self.chance.uuid(&["principal", application]),
            graph_id: &self.chance.uuid(&["principal", "Microsoft Graph"]),
            grant_id: &self.chance.hex(&["grant", &name])[..20],
            scopes,
            extent: Extent::Everybody,
            is_new: self.company.applications.insert(application),
        };
        consent::write(&facts, &mut |entry| self.tell(occasion, at_us, entry));
    }

    pub(super) fn add_owner(&mut self, occasion: Occasion, at_us: i64) {
        let owner = self.users[self.concerned(occasion)].clone();
        let mut dice = self.chance.stream(&["owned", &occasion.name()]);
        let Some(known) = self.principals.choose(&mut dice).cloned() else {
            return;
        };
        let object_id = self.chance.uuid(&["application object", known.name]);
        let changes: &[Change<'_>] = &[
            ("Application.ObjectID", "", &object_id),
            ("Application.DisplayName", "", known.name),
            ("Application.AppId", "", &known.app_id),
        ];
        let entry = Entry {
            activity: "Add owner to application",
            category: "ApplicationManagement",
            service: "Core Directory",
            operation_type: "Assign",
            target: Target::person(&owner),
            further_targets: &[Target {
                kind: "Application",
                id: &object_id,
                name: known.name,
            }],
            changes,
            initiator: None,
        };
        self.tell(occasion, at_us, &entry);
    }

    /// An application gives another a new secret, and takes away the old one when the new one is in use.
    pub(super) fn rotate_secret(&mut self, occasion: Occasion, at_us: i64) {
        let first = FIRST_APPLICATIONS.len();
        let Some(others) = self.principals.len().checked_sub(first + 1) else {
            return;
        };
        let name = occasion.name();
        let mut dice = self.chance.stream(&["rotation", &name]);
        let index = first + 1 + dice.random_range(0..others.max(1));
        let rotator = self.principals[first].clone();
        let new = self.chance.uuid(&["rotated key", &name]);
        let Some(known) = self.principals.get_mut(index) else {
            return;
        };
        let old = if occasion.step == 0 {
            let old = std::mem::replace(&mut known.key_id, new.clone());
            known.old_key_id = Some(old.clone());
            old
        } else {
            known.old_key_id.take().unwrap_or_default()
        };
        let known = known.clone();
        let both = [(old.as_str(), "rotated"), (new.as_str(), "rotated")];
        let facts = Credentials {
            application: known.name,
            object_id: &self.chance.uuid(&["application object", known.name]),
            principal_id: &known.id,
            before: if occasion.step == 0 {
                &both[..1]
            } else {
                &both
            },
            after: if occasion.step == 0 {
                &both
            } else {
                &both[1..]
            },
            initiator: Some(Initiator::Application {
                name: rotator.name,
                app_id: &rotator.app_id,
                principal_id: &rotator.id,
            }),
        };
        credential::write(&facts, &mut |entry| self.tell(occasion, at_us, entry));
        if occasion.step == 0 {
            self.go_on(occasion, 1, at_us + SECRETS_OVERLAP_US);
        }
    }
}
