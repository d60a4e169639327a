//! The help desk on an ordinary day: passwords that were forgotten, and telephones that are new.

use rand::Rng;

use super::plans::{Errand, Occasion};
use super::rates::{ErrandRate, RunBy, at_work};
use super::sign_ins::sign_in_anew;
use super::workday::Workday;
use crate::world::moment::{MINUTE_US, SECOND_US, seconds};
use crate::world::records::directory_audit::{AuditEntry, AuditTarget, PropertyChange};
use crate::world::records::security_info;

/// One person in two hundred and fifty forgets the password on a day; telephones last for two or three years.
pub(super) const RATES: &[ErrandRate] = &[
    at_work(Errand::ResetPassword, RunBy::HelpDesk, 40),
    at_work(Errand::RegisterTelephone, RunBy::Staff, 12),
];

/// Of so many people who forgot the password, one has lost the telephone too.
const TELEPHONE_LOST_OF: u32 = 4;
/// What people carried before, and what they carry now.
const TELEPHONES: (&str, &str) = ("Galaxy A15", "Galaxy S25");
/// The steps of a password reset.
const SIGNED_IN: u32 = 1;
const REGISTERED: u32 = 2;

/// The help desk resets a password, the person signs in with the new one, and registers a telephone if need be.
pub(super) fn reset_password(day: &mut Workday<'_>, occasion: Occasion, at_us: i64) {
    let person = day.concerned(occasion);
    let mut dice = day
        .scene
        .chance
        .stream(&["password reset", &occasion.name()]);
    let telephone_is_lost = dice.random_ratio(1, TELEPHONE_LOST_OF);
    let signs_in_after_us = dice.random_range(2 * MINUTE_US..12 * MINUTE_US);
    let registers_after_us = dice.random_range(60 * SECOND_US..4 * MINUTE_US);
    match occasion.step {
        0 => {
            tell_reset(day, occasion, person, telephone_is_lost, at_us);
            day.scene.users[person].sessions_valid_from_us = at_us;
            day.plans
                .go_on(occasion, SIGNED_IN, at_us + signs_in_after_us);
        }
        // Who is in the air by then finds out later.
        _ if day.is_in_flight(person, at_us) => {}
        SIGNED_IN => {
            sign_in_anew(day, person, &occasion.step_name(), at_us);
            if telephone_is_lost {
                day.plans
                    .go_on(occasion, REGISTERED, at_us + registers_after_us);
            }
        }
        _ if day.scene.users[person].enabled => register_telephone(day, occasion, person, at_us),
        _ => {}
    }
}

fn tell_reset(
    day: &mut Workday<'_>,
    occasion: Occasion,
    person: usize,
    telephone_is_lost: bool,
    at_us: i64,
) {
    let person = day.scene.users[person].clone();
    let reset = AuditEntry {
        activity: "Reset user password",
        category: "UserManagement",
        service: "Core Directory",
        operation_type: "Update",
        target: AuditTarget::person(&person),
        further_targets: &[],
        changes: &[],
        initiator: None,
    };
    day.tell(occasion, at_us, &reset);
    let by_admin = AuditEntry {
        activity: "Reset password (by admin)",
        service: "Self-service Password Management",
        ..reset
    };
    day.tell(occasion, at_us, &by_admin);
    let since = serde_json::json!([seconds(at_us)]).to_string();
    let before = serde_json::json!([seconds(person.sessions_valid_from_us)]).to_string();
    let changes: &[PropertyChange<'_>] = &[
        ("StsRefreshTokensValidFrom", &before, &since),
        (
            "Included Updated Properties",
            "",
            "StsRefreshTokensValidFrom",
        ),
    ];
    let revoked = AuditEntry {
        activity: "Update StsRefreshTokenValidFrom Timestamp",
        changes,
        ..reset
    };
    day.tell(occasion, at_us, &revoked);
    if telephone_is_lost {
        let deleted = AuditEntry {
            activity: "Admin deleted security info",
            service: "Authentication Methods",
            operation_type: "Delete",
            ..reset
        };
        day.tell(occasion, at_us + 40 * SECOND_US, &deleted);
    }
}

/// A person registers a telephone that is new.
pub(super) fn register_telephone(
    day: &mut Workday<'_>,
    occasion: Occasion,
    person: usize,
    at_us: i64,
) {
    let user = day.scene.users[person].clone();
    let (old, new) = TELEPHONES;
    let described = |name: &str| {
        serde_json::json!([{"DeviceName": name, "PhoneAppVersion": "6.2510.7210"}]).to_string()
    };
    let (before, after) = (described(old), described(new));
    // It is the person's own doing, even where the help desk began it.
    let own = Occasion { person, ..occasion };
    security_info::write(&user, (&before, &after), &mut |entry| {
        day.tell(own, at_us, entry);
    });
}
