//! Sign-ins on an ordinary day that are not from the desk, or not at the first attempt.

use rand::Rng;

use super::errands::{By, Errand, Occasion, Rate, at_work};
use crate::world::moment::{MINUTE_US, SECOND_US};
use crate::world::places::{COMMAND_LINE, COMPANY_EGRESS, OFFICE_HOME, OUTLOOK_WEB, Origin, PHONE};
use crate::world::records::sign_in::{Manner, Outcome};
use crate::world::users::habitual_origin;
use crate::world::{Seen, World};

/// A third look at mail on the way, one in twenty connects to the company, and few decline a prompt, mistype the
/// password until the account is locked, or use a code.
pub(super) const RATES: &[Rate] = &[
    at_work(Errand::UsePhone, By::Staff, 3_000),
    at_work(Errand::ConnectToCompany, By::Staff, 500),
    at_work(Errand::DeclinePrompt, By::Staff, 8),
    at_work(Errand::LockAccount, By::Staff, 10),
    at_work(Errand::UseDeviceCode, By::Developers, 12),
];

/// Addresses at which the company's traffic reaches the internet.
const EGRESS_ADDRESSES: [&str; 2] = ["192.0.2.200", "192.0.2.201"];
/// How long somebody stays connected.
const CONNECTED_MINUTES: std::ops::Range<i64> = 60..240;
/// How often somebody mistypes the password until the account is locked.
const MISTYPED: std::ops::RangeInclusive<u32> = 5..=9;
/// From a prompt that was declined to the next one.
const NEXT_PROMPT_US: i64 = 45 * SECOND_US;

impl World {
    /// A person signs in with password and second factor from where they are, and has a new session.
    pub(super) fn sign_in_anew(&mut self, person: usize, name: &str, at_us: i64) {
        let outcome = self.users[person].sign_in_outcome();
        if outcome.succeeded() {
            let session_id = self.chance.uuid(&["session", "errand", name]);
            let known = &mut self.users[person];
            known.session_id = session_id;
            known.session_issued_us = at_us;
        }
        let (origin, session_id) = (
            self.users[person].origin.clone(),
            self.users[person].session_id.clone(),
        );
        let seen = Seen {
            at_us,
            app: OFFICE_HOME,
            outcome,
            interactive: true,
            session_id: &session_id,
            manner: Manner::Usual,
            correlation_id: None,
        };
        self.record_sign_in(person, &origin, &["errand", name], &seen);
    }

    /// The phone signs in from somewhere, in a session of its own.
    pub(super) fn sign_in_from(&mut self, occasion: Occasion, origin: &Origin, at_us: i64) {
        let name = occasion.step_name();
        let seen = Seen {
            at_us,
            app: OUTLOOK_WEB,
            outcome: self.users[occasion.person].sign_in_outcome(),
            interactive: true,
            session_id: &self.chance.uuid(&["session", "phone", &name]),
            manner: Manner::Usual,
            correlation_id: None,
        };
        self.record_sign_in(occasion.person, origin, &["errand", &name], &seen);
    }

    /// The phone refreshes its session over a mobile network, wherever the person is.
    pub(super) fn use_phone(&mut self, occasion: Occasion, at_us: i64) {
        let name = occasion.step_name();
        let person = &self.users[occasion.person];
        let mut place = person.origin.place;
        // Mobile networks have operators of their own, of numbers that nobody has.
        place.autonomous_system += 512;
        let number = self.chance.number(&["mobile address", &name]);
        let origin = Origin {
            ip: format!("198.19.{}.{}", 64 + number % 64, 10 + (number >> 8) % 240),
            place,
            device: PHONE,
            device_id: String::new(),
        };
        // The phone has a session of its own, which ends with the others.
        let session_id = self
            .chance
            .uuid(&["session", "phone", &occasion.person.to_string()]);
        let seen = Seen {
            at_us,
            app: OUTLOOK_WEB,
            outcome: person.refresh_outcome(person.session_issued_us),
            interactive: false,
            session_id: &session_id,
            manner: Manner::Usual,
            correlation_id: None,
        };
        self.record_sign_in(occasion.person, &origin, &["errand", &name], &seen);
    }

    /// A person at home connects to the company: for some hours everything comes from the company's address.
    pub(super) fn connect_to_company(&mut self, occasion: Occasion, at_us: i64) {
        let index = u32::try_from(occasion.person).unwrap_or_default();
        let home = habitual_origin(self.chance, index);
        let egress = EGRESS_ADDRESSES[occasion.person % EGRESS_ADDRESSES.len()];
        let mut dice = self.chance.stream(&["connected", &occasion.name()]);
        let connected_us = dice.random_range(CONNECTED_MINUTES) * MINUTE_US;
        let origin = &mut self.users[occasion.person].origin;
        if occasion.step == 0 && origin.ip == home.ip {
            egress.clone_into(&mut origin.ip);
            origin.place = COMPANY_EGRESS;
            self.go_on(occasion, 1, at_us + connected_us);
        } else if occasion.step == 1 && origin.ip == egress {
            origin.ip = home.ip;
            origin.place = home.place;
        }
    }

    /// A person declines a prompt by mistake, and accepts the next one.
    pub(super) fn decline_prompt(&mut self, occasion: Occasion, at_us: i64) {
        let name = occasion.step_name();
        let person = &self.users[occasion.person];
        let answer = if occasion.step == 0 {
            Outcome::SecondFactorDeclined
        } else {
            Outcome::Success
        };
        let (origin, session_id) = (person.origin.clone(), person.session_id.clone());
        let correlation_id = self.chance.uuid(&["prompt", &name]);
        let both = [
            ("asked", at_us, Outcome::SecondFactorRequired),
            ("answered", at_us + 11 * SECOND_US, answer),
        ];
        for (kind, at_us, outcome) in both {
            let seen = Seen {
                at_us,
                app: OFFICE_HOME,
                outcome,
                interactive: true,
                session_id: &session_id,
                manner: Manner::Prompted,
                correlation_id: Some(&correlation_id),
            };
            self.record_sign_in(occasion.person, &origin, &["errand", kind, &name], &seen);
        }
        if occasion.step == 0 {
            self.go_on(occasion, 1, at_us + NEXT_PROMPT_US);
        }
    }

    /// A person mistypes the password until the account is locked, and gives up for a while.
    pub(super) fn lock_account(&mut self, occasion: Occasion, at_us: i64) {
        let mut dice = self.chance.stream(&["mistyped", &occasion.name()]);
        let last = dice.random_range(MISTYPED);
        let person = &self.users[occasion.person];
        let (origin, session_id) = (person.origin.clone(), person.session_id.clone());
        let seen = Seen {
            at_us,
            app: OFFICE_HOME,
            outcome: if occasion.step == last {
                Outcome::Locked
            } else {
                Outcome::BadPassword
            },
            interactive: true,
            session_id: &session_id,
            manner: Manner::Usual,
            correlation_id: None,
        };
        let name = occasion.step_name();
        self.record_sign_in(occasion.person, &origin, &["errand", &name], &seen);
        if occasion.step < last {
            let mut dice = self.chance.stream(&["mistyped", &name]);
            let again_us = dice.random_range(6..25) * SECOND_US;
            self.go_on(occasion, occasion.step + 1, at_us + again_us);
        }
    }

    /// A developer signs in a terminal with a code, from the usual address.
    pub(super) fn use_device_code(&mut self, occasion: Occasion, at_us: i64) {
        let person = &self.users[occasion.person];
        let origin = person.origin.clone();
        let name = occasion.step_name();
        // A terminal is no browser: what is signed in there has a session of its own.
        let session_id = self.chance.uuid(&["device code", &name]);
        let seen = Seen {
            at_us,
            app: COMMAND_LINE,
            outcome: person.sign_in_outcome(),
            interactive: true,
            session_id: &session_id,
            manner: Manner::DeviceCode,
            correlation_id: None,
        };
        self.record_sign_in(occasion.person, &origin, &["errand", &name], &seen);
    }
}
