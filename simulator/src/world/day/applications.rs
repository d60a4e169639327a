//! Applications on an ordinary day: they sign in, people consent to them, administrators look after them.

use rand::Rng;
use rand::seq::IndexedRandom;

use super::plans::{Errand, Occasion};
use super::rates::{ErrandRate, RunBy, at_work};
use super::workday::Workday;
use crate::world::moment::{MINUTE_US, SECOND_US};
use crate::world::places::ClientApplication;
use crate::world::records::consent::{self, ConsentExtent, ConsentFacts};
use crate::world::records::credential::{self, CredentialChange};
use crate::world::records::directory_audit::{AuditEntry, AuditTarget, Initiator, PropertyChange};
use crate::world::records::outcome::SignInOutcome;
use crate::world::records::sign_in::SignIn;
use crate::world::service_principals::{CORRESPONDENCE, FIRST_APPLICATIONS, OFFERS, server_of};

/// Every day some people try an application; secrets live for half a year, and owners and grants change rarely.
pub(super) const RATES: &[ErrandRate] = &[
    at_work(Errand::ConsentToApplication, RunBy::Staff, 20),
    at_work(Errand::GrantForEverybody, RunBy::Administrators, 2),
    at_work(Errand::AddOwner, RunBy::Administrators, 2),
    at_work(Errand::RotateSecret, RunBy::Administrators, 6),
];

/// How long the old secret lives beside the new one.
const SECRETS_OVERLAP_US: i64 = 45 * MINUTE_US;

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

/// A person is asked for consent, gives it, and the application's server refreshes its token later.
pub(super) fn consent_to_application(day: &mut Workday<'_>, occasion: Occasion, at_us: i64) {
    let mut dice = day.scene.chance.stream(&["consent", &occasion.name()]);
    let Some((application, scopes)) = OFFERS.choose(&mut dice).copied() else {
        return;
    };
    let outcome = day.scene.users[occasion.person].sign_in_outcome();
    match occasion.step {
        0 => {
            offer_sign_in(
                day,
                occasion,
                application,
                SignInOutcome::ConsentRequired,
                at_us,
            );
            let later_us = dice.random_range(15..90) * SECOND_US;
            day.plans.go_on(occasion, 1, at_us + later_us);
        }
        1 if outcome.succeeded() => {
            give_consent_to(day, occasion, application, scopes, at_us);
            offer_sign_in(day, occasion, application, outcome, at_us + 2 * SECOND_US);
            if scopes.contains("offline_access") {
                let later_us = dice.random_range(50..75) * MINUTE_US;
                day.plans.go_on(occasion, 2, at_us + later_us);
            }
        }
        1 => {}
        _ => offer_sign_in(day, occasion, application, outcome, at_us),
    }
}

fn give_consent_to(
    day: &mut Workday<'_>,
    occasion: Occasion,
    application: &'static str,
    scopes: &str,
    at_us: i64,
) {
    let person = day.scene.users[occasion.person].clone();
    let facts = ConsentFacts {
        application,
        app_id: &day.scene.chance.uuid(&["application", application]),
        principal_id: &day.scene.chance.uuid(&["principal", application]),
        graph_id: &day.scene.chance.uuid(&["principal", "Microsoft Graph"]),
        grant_id: &day.scene.chance.hex(&["grant", &occasion.name()])[..20],
        scopes,
        extent: ConsentExtent::Person(&person),
        is_new: day.company.applications.insert(application),
    };
    consent::write(&facts, &mut |entry| day.tell(occasion, at_us, entry));
}

/// A sign-in to an application: by the person, and from its server in the end.
fn offer_sign_in(
    day: &mut Workday<'_>,
    occasion: Occasion,
    application: &'static str,
    outcome: SignInOutcome,
    at_us: i64,
) {
    let scene = &mut *day.scene;
    let is_refresh = occasion.step == 2;
    let person = &scene.users[occasion.person];
    let server = server_of(application);
    let app_id = scene.chance.uuid(&["application", application]);
    let seen = SignIn {
        origin: if is_refresh { &server } else { &person.origin },
        outcome,
        interactive: !is_refresh,
        ..SignIn::usual(
            person,
            ClientApplication::over_graph(&app_id, application),
            at_us,
        )
    };
    let name = ["errand", &occasion.step_name()];
    scene.recorder.sign_in(&name, &seen);
}

pub(super) fn grant_for_everybody(day: &mut Workday<'_>, occasion: Occasion, at_us: i64) {
    let name = occasion.name();
    let mut dice = day.scene.chance.stream(&["grant", &name]);
    let Ok((application, scopes, _)) = GRANTS.choose_weighted(&mut dice, |(_, _, often)| *often)
    else {
        return;
    };
    let facts = ConsentFacts {
        application,
        app_id: &day.scene.chance.uuid(&["application", application]),
        principal_id: &day.scene.chance.uuid(&["principal", application]),
        graph_id: &day.scene.chance.uuid(&["principal", "Microsoft Graph"]),
        grant_id: &day.scene.chance.hex(&["grant", &name])[..20],
        scopes,
        extent: ConsentExtent::Everybody,
        is_new: day.company.applications.insert(application),
    };
    consent::write(&facts, &mut |entry| day.tell(occasion, at_us, entry));
}

pub(super) fn add_owner(day: &mut Workday<'_>, occasion: Occasion, at_us: i64) {
    let owner = day.scene.users[day.concerned(occasion)].clone();
    let mut dice = day.scene.chance.stream(&["owned", &occasion.name()]);
    let Some(known) = day.scene.service_principals.choose(&mut dice).cloned() else {
        return;
    };
    let object_id = day.scene.chance.uuid(&["application object", known.name]);
    let changes: &[PropertyChange<'_>] = &[
        ("Application.ObjectID", "", &object_id),
        ("Application.DisplayName", "", known.name),
        ("Application.AppId", "", &known.app_id),
    ];
    let entry = AuditEntry {
        activity: "Add owner to application",
        category: "ApplicationManagement",
        service: "Core Directory",
        operation_type: "Assign",
        target: AuditTarget::person(&owner),
        further_targets: &[AuditTarget {
            kind: "Application",
            id: &object_id,
            name: known.name,
        }],
        changes,
        initiator: None,
    };
    day.tell(occasion, at_us, &entry);
}

/// An application gives another a new secret, and takes away the old one when the new one is in use.
pub(super) fn rotate_secret(day: &mut Workday<'_>, occasion: Occasion, at_us: i64) {
    let first = FIRST_APPLICATIONS.len();
    let Some(others) = day.scene.service_principals.len().checked_sub(first + 1) else {
        return;
    };
    let name = occasion.name();
    let mut dice = day.scene.chance.stream(&["rotation", &name]);
    let index = first + 1 + dice.random_range(0..others.max(1));
    let rotator = day.scene.service_principals[first].clone();
    let new = day.scene.chance.uuid(&["rotated key", &name]);
    let Some(known) = day.scene.service_principals.get_mut(index) else {
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
    let facts = CredentialChange {
        application: known.name,
        object_id: &day.scene.chance.uuid(&["application object", known.name]),
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
    credential::write(&facts, &mut |entry| day.tell(occasion, at_us, entry));
    if occasion.step == 0 {
        day.plans.go_on(occasion, 1, at_us + SECRETS_OVERLAP_US);
    }
}
