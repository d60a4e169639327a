//! Sharing on an ordinary day: links, and guests whom people invite one at a time.

use rand::Rng;
use serde_json::Value;

use super::habits::FILES;
use super::plans::{Errand, Occasion};
use super::rates::{ErrandRate, RunBy, at_work};
use super::workday::Workday;
use crate::world::moment::{MINUTE_US, SECOND_US};
use crate::world::places::{ClientDevice, DEVICES, OFFICE_HOME, Origin, PARTNER_OFFICE};
use crate::world::records::directory_audit::{AuditEntry, AuditTarget, Initiator, PropertyChange};
use crate::world::records::files::{self, Library, LibraryOperation, LinkScope};
use crate::world::records::outcome::SignInOutcome;
use crate::world::records::sign_in::SignIn;
use crate::world::users::{User, UserKind};

/// One person in ten shares inside on a day; links that open without sign-in and guests are rare.
pub(super) const RATES: &[ErrandRate] = &[
    at_work(Errand::ShareInside, RunBy::Staff, 1_000),
    at_work(Errand::ShareWithAnybody, RunBy::Staff, 60),
    at_work(Errand::InviteGuest, RunBy::Staff, 25),
];

/// Of so many invitations, all but one are accepted on the same day.
const ACCEPTED_BUT_OF: u32 = 3;
/// From the invitation to its acceptance.
const ACCEPTED_AFTER_MINUTES: std::ops::Range<i64> = 5..180;

/// A link makes two records: the permission, and the link.
pub(super) fn share_file(day: &mut Workday<'_>, occasion: Occasion, at_us: i64) {
    let name = occasion.name();
    let scope = if occasion.errand == Errand::ShareWithAnybody {
        LinkScope::Anonymous
    } else {
        LinkScope::Organization
    };
    let link_id = day.scene.chance.uuid(&["errand link", &name]);
    let item_id = day.scene.chance.uuid(&["errand item", &name]);
    let permission = files::link_permission(scope, &item_id, &link_id);
    let created = files::link_created(&link_id);
    for (operation, members) in [("SharingSet", permission), (scope.operation(), created)] {
        tell_sharing(day, occasion, operation, &item_id, members, at_us);
    }
}

fn tell_sharing(
    day: &mut Workday<'_>,
    occasion: Occasion,
    operation: &str,
    item_id: &str,
    members: Value,
    at_us: i64,
) {
    let scene = &mut *day.scene;
    let id = scene
        .chance
        .uuid(&["errand sharing", operation, &occasion.name()]);
    let user = &scene.users[occasion.person];
    let facts = LibraryOperation {
        id: &id,
        at_us,
        operation,
        record_type: 14,
        user,
        origin: &user.origin,
        session_id: &user.session_id,
        library: if occasion.serial.is_multiple_of(2) {
            Library::Own
        } else {
            Library::Department
        },
        file: FILES[occasion.serial as usize % FILES.len()],
        item_id,
    };
    scene.recorder.library_file(&facts, members);
}

/// A person invites somebody of a partner, who accepts and signs in.
pub(super) fn invite_guest(day: &mut Workday<'_>, occasion: Occasion, at_us: i64) {
    let mut dice = day.scene.chance.stream(&["invitation", &occasion.name()]);
    let accepts = !dice.random_ratio(1, ACCEPTED_BUT_OF);
    let accepted_after_us = dice.random_range(ACCEPTED_AFTER_MINUTES) * MINUTE_US;
    let guest = guest(day, occasion);
    if occasion.step == 0 {
        tell_invitation(day, occasion, &guest, at_us);
        if accepts {
            day.plans.go_on(occasion, 1, at_us + accepted_after_us);
        }
        return;
    }
    let redeemed = AuditEntry {
        activity: "Redeem external user invite",
        category: "UserManagement",
        service: "Invited Users",
        operation_type: "Update",
        target: AuditTarget::person(&guest),
        further_targets: &[],
        changes: &[],
        initiator: Some(Initiator::Person(&guest, &guest.origin.ip)),
    };
    day.tell(occasion, at_us, &redeemed);
    let seen = SignIn {
        outcome: SignInOutcome::Success,
        ..SignIn::usual(&guest, OFFICE_HOME, at_us + 3 * SECOND_US)
    };
    let name = ["errand", &occasion.step_name()];
    day.scene.recorder.sign_in(&name, &seen);
}

fn tell_invitation(day: &mut Workday<'_>, occasion: Occasion, guest: &User, at_us: i64) {
    let invited = AuditEntry {
        activity: "Invite external user",
        category: "UserManagement",
        service: "Invited Users",
        operation_type: "Add",
        target: AuditTarget::person(guest),
        further_targets: &[],
        changes: &[],
        initiator: None,
    };
    day.tell(occasion, at_us, &invited);
    let name = serde_json::json!([guest.principal_name]).to_string();
    let changes: &[PropertyChange<'_>] = &[
        ("AccountEnabled", "[]", "[true]"),
        ("UserPrincipalName", "[]", &name),
        ("UserType", "[]", r#"["Guest"]"#),
        (
            "Included Updated Properties",
            "",
            "AccountEnabled, UserPrincipalName, UserType",
        ),
    ];
    let added = AuditEntry {
        activity: "Add user",
        service: "Core Directory",
        changes,
        ..invited
    };
    day.tell(occasion, at_us, &added);
}

/// Whom an invitation reaches: somebody of another tenant, at their own desk.
fn guest(day: &Workday<'_>, occasion: Occasion) -> User {
    let name = occasion.name();
    let number = day.scene.chance.number(&["guest", &name]);
    User {
        id: day.scene.chance.uuid(&["guest", &name]),
        principal_name: format!(
            "contact{}_partner.example#EXT#@{}",
            number % 1_000_000,
            day.scene.recorder.tenant.domain
        ),
        display_name: format!("Contact {} (Partner)", number % 1_000_000),
        kind: UserKind::Guest,
        origin: Origin {
            ip: format!("198.19.220.{}", 10 + number % 200),
            place: PARTNER_OFFICE,
            // Another tenant's device is not known here.
            device: ClientDevice {
                managed: false,
                ..DEVICES[0]
            },
            device_id: String::new(),
        },
        session_id: day.scene.chance.uuid(&["session", "guest", &name]),
        inbox_rules: Vec::new(),
        roles: Vec::new(),
        ..day.scene.users[occasion.person].clone()
    }
}
