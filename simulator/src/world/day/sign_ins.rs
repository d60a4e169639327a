//! Sign-ins on an ordinary day that are not from the desk, or not at the first attempt.

use rand::Rng;

use super::plans::{Errand, Occasion};
use super::rates::{ErrandRate, RunBy, at_work};
use super::workday::Workday;
use crate::world::moment::{MINUTE_US, SECOND_US};
use crate::world::places::{COMMAND_LINE, COMPANY_EGRESS, OFFICE_HOME, OUTLOOK_WEB, Origin, PHONE};
use crate::world::records::outcome::SignInOutcome;
use crate::world::records::sign_in::{SignIn, SignInManner};
use crate::world::users::habitual_origin;

/// A third look at mail on the way, one in twenty connects to the company, and few decline a prompt, mistype the
/// password until the account is locked, or use a code.
pub(super) const RATES: &[ErrandRate] = &[
    at_work(Errand::UsePhone, RunBy::Staff, 3_000),
    at_work(Errand::ConnectToCompany, RunBy::Staff, 500),
    at_work(Errand::DeclinePrompt, RunBy::Staff, 8),
    at_work(Errand::LockAccount, RunBy::Staff, 10),
    at_work(Errand::UseDeviceCode, RunBy::Developers, 12),
];

/// Addresses at which the company's traffic reaches the internet.
const EGRESS_ADDRESSES: [&str; 2] = ["192.0.2.200", "192.0.2.201"];
/// How long somebody stays connected.
const CONNECTED_MINUTES: std::ops::Range<i64> = 60..240;
/// How often somebody mistypes the password until the account is locked.
const MISTYPED: std::ops::RangeInclusive<u32> = 5..=9;
/// From a prompt that was declined to the next one.
const NEXT_PROMPT_US: i64 = 45 * SECOND_US;

/// A person signs in with password and second factor from where they are, and has a new session.
pub(super) fn sign_in_anew(day: &mut Workday<'_>, person: usize, name: &str, at_us: i64) {
    let scene = &mut *day.scene;
    if scene.users[person].sign_in_outcome().succeeded() {
        let session_id = scene.chance.uuid(&["session", "errand", name]);
        let known = &mut scene.users[person];
        known.session_id = session_id;
        known.session_issued_us = at_us;
    }
    let seen = SignIn::usual(&scene.users[person], OFFICE_HOME, at_us);
    scene.recorder.sign_in(&["errand", name], &seen);
}

/// The phone signs in from somewhere, in a session of its own.
pub(super) fn sign_in_from(day: &mut Workday<'_>, occasion: Occasion, origin: &Origin, at_us: i64) {
    let scene = &mut *day.scene;
    let name = occasion.step_name();
    let seen = SignIn {
        origin,
        session_id: &scene.chance.uuid(&["session", "phone", &name]),
        ..SignIn::usual(&scene.users[occasion.person], OUTLOOK_WEB, at_us)
    };
    scene.recorder.sign_in(&["errand", &name], &seen);
}

/// The phone refreshes its session over a mobile network, wherever the person is.
pub(super) fn use_phone(day: &mut Workday<'_>, occasion: Occasion, at_us: i64) {
    let scene = &mut *day.scene;
    let name = occasion.step_name();
    let person = &scene.users[occasion.person];
    let mut place = person.origin.place;
    // Mobile networks have operators of their own, of numbers that nobody has.
    place.autonomous_system += 512;
    let number = scene.chance.number(&["mobile address", &name]);
    let origin = Origin {
        ip: format!("198.19.{}.{}", 64 + number % 64, 10 + (number >> 8) % 240),
        place,
        device: PHONE,
        device_id: String::new(),
    };
    // The phone has a session of its own, which ends with the others.
    let session_id = scene
        .chance
        .uuid(&["session", "phone", &occasion.person.to_string()]);
    let seen = SignIn {
        origin: &origin,
        outcome: person.refresh_outcome(person.session_issued_us),
        interactive: false,
        session_id: &session_id,
        ..SignIn::usual(person, OUTLOOK_WEB, at_us)
    };
    scene.recorder.sign_in(&["errand", &name], &seen);
}

/// A person at home connects to the company: for some hours everything comes from the company's address.
pub(super) fn connect_to_company(day: &mut Workday<'_>, occasion: Occasion, at_us: i64) {
    let index = u32::try_from(occasion.person).unwrap_or_default();
    let home = habitual_origin(day.scene.chance, index);
    let egress = EGRESS_ADDRESSES[occasion.person % EGRESS_ADDRESSES.len()];
    let mut dice = day.scene.chance.stream(&["connected", &occasion.name()]);
    let connected_us = dice.random_range(CONNECTED_MINUTES) * MINUTE_US;
    let origin = &mut day.scene.users[occasion.person].origin;
    if occasion.step == 0 && origin.ip == home.ip {
        egress.clone_into(&mut origin.ip);
        origin.place = COMPANY_EGRESS;
        day.plans.go_on(occasion, 1, at_us + connected_us);
    } else if occasion.step == 1 && origin.ip == egress {
        origin.ip = home.ip;
        origin.place = home.place;
    }
}

/// A person declines a prompt by mistake, and accepts the next one.
pub(super) fn decline_prompt(day: &mut Workday<'_>, occasion: Occasion, at_us: i64) {
    let scene = &mut *day.scene;
    let name = occasion.step_name();
    let person = &scene.users[occasion.person];
    let answer = if occasion.step == 0 {
        SignInOutcome::SecondFactorDeclined
    } else {
        SignInOutcome::Success
    };
    let correlation_id = scene.chance.uuid(&["prompt", &name]);
    let both = [
        ("asked", at_us, SignInOutcome::SecondFactorRequired),
        ("answered", at_us + 11 * SECOND_US, answer),
    ];
    for (kind, at_us, outcome) in both {
        let seen = SignIn {
            outcome,
            manner: SignInManner::Prompted,
            correlation_id: Some(&correlation_id),
            ..SignIn::usual(person, OFFICE_HOME, at_us)
        };
        scene.recorder.sign_in(&["errand", kind, &name], &seen);
    }
    if occasion.step == 0 {
        day.plans.go_on(occasion, 1, at_us + NEXT_PROMPT_US);
    }
}

/// A person mistypes the password until the account is locked, and gives up for a while.
pub(super) fn lock_account(day: &mut Workday<'_>, occasion: Occasion, at_us: i64) {
    let scene = &mut *day.scene;
    let mut dice = scene.chance.stream(&["mistyped", &occasion.name()]);
    let last = dice.random_range(MISTYPED);
    let seen = SignIn {
        outcome: if occasion.step == last {
            SignInOutcome::Locked
        } else {
            SignInOutcome::BadPassword
        },
        ..SignIn::usual(&scene.users[occasion.person], OFFICE_HOME, at_us)
    };
    let name = occasion.step_name();
    scene.recorder.sign_in(&["errand", &name], &seen);
    if occasion.step < last {
        let mut dice = scene.chance.stream(&["mistyped", &name]);
        let again_us = dice.random_range(6..25) * SECOND_US;
        day.plans
            .go_on(occasion, occasion.step + 1, at_us + again_us);
    }
}

/// A developer signs in a terminal with a code, from the usual address.
pub(super) fn use_device_code(day: &mut Workday<'_>, occasion: Occasion, at_us: i64) {
    let scene = &mut *day.scene;
    let name = occasion.step_name();
    let seen = SignIn {
        // A terminal is no browser: what is signed in there has a session of its own.
        session_id: &scene.chance.uuid(&["device code", &name]),
        manner: SignInManner::DeviceCode,
        ..SignIn::usual(&scene.users[occasion.person], COMMAND_LINE, at_us)
    };
    scene.recorder.sign_in(&["errand", &name], &seen);
}
