//! The help desk on an ordinary day: passwords that were forgotten, and telephones that are new.

use rand::Rng;

use super::errands::{By, Errand, Occasion, Rate, at_work};
use crate::world::World;
use crate::world::moment::{MINUTE_US, SECOND_US, seconds};
use crate::world::records::directory_audit::{Change, Entry, Target};

/// One person in two hundred and fifty forgets the password on a day; telephones last for two or three years.
pub(super) const RATES: &[Rate] = &[
    at_work(Errand::ResetPassword, By::HelpDesk, 40),
    at_work(Errand::RegisterTelephone, By::Staff, 12),
];

/// Of so many people who forgot the password, one has lost the telephone too.
const TELEPHONE_LOST_OF: u32 = 4;
/// What people carried before, and what they carry now.
const TELEPHONES: (&str, &str) = ("Galaxy A15", "Galaxy S25");
/// The steps of a password reset.
const SIGNED_IN: u32 = 1;
const REGISTERED: u32 = 2;

impl World {
    /// The help desk resets a password, the person signs in with the new one, and registers a telephone if need be.
    pub(super) fn reset_password(&mut self, occasion: Occasion, at_us: i64) {
        let person = self.concerned(occasion);
        let mut dice = self.chance.stream(&["password reset", &occasion.name()]);
        let telephone_is_lost = dice.random_ratio(1, TELEPHONE_LOST_OF);
        let signs_in_after_us = dice.random_range(2 * MINUTE_US..12 * MINUTE_US);
        let registers_after_us = dice.random_range(60 * SECOND_US..4 * MINUTE_US);
        match occasion.step {
            0 => {
                self.tell_reset(occasion, person, telephone_is_lost, at_us);
                self.users[person].sessions_valid_from_us = at_us;
                self.go_on(occasion, SIGNED_IN, at_us + signs_in_after_us);
            }
            // Who is in the air by then finds out later.
            _ if self.is_in_flight(person, at_us) => {}
            SIGNED_IN => {
                self.sign_in_anew(person, &occasion.step_name(), at_us);
                if telephone_is_lost {
                    self.go_on(occasion, REGISTERED, at_us + registers_after_us);
                }
            }
            _ if self.users[person].enabled => self.register_telephone(occasion, person, at_us),
            _ => {}
        }
    }

    fn tell_reset(
        &mut self,
        occasion: Occasion,
        person: usize,
        telephone_is_lost: bool,
        at_us: i64,
    ) {
        let person = self.users[person].clone();
        let reset = Entry {
            activity: "Reset user password",
            category: "UserManagement",
            service: "Core Directory",
            operation_type: "Update",
            target: Target::person(&person),
            further_targets: &[],
            changes: &[],
            initiator: None,
        };
        self.tell(occasion, at_us, &reset);
        let by_admin = Entry {
            activity: "Reset password (by admin)",
            service: "Self-service Password Management",
            ..reset
        };
        self.tell(occasion, at_us, &by_admin);
        let since = serde_json::json!([seconds(at_us)]).to_string();
        let before = serde_json::json!([seconds(person.sessions_valid_from_us)]).to_string();
        let changes: &[Change<'_>] = &[
            ("StsRefreshTokensValidFrom", &before, &since),
            (
                "Included Updated Properties",
                "",
                "StsRefreshTokensValidFrom",
            ),
        ];
        let revoked = Entry {
            activity: "Update StsRefreshTokenValidFrom Timestamp",
            changes,
            ..reset
        };
        self.tell(occasion, at_us, &revoked);
        if telephone_is_lost {
            let deleted = Entry {
                activity: "Admin deleted security info",
                service: "Authentication Methods",
                operation_type: "Delete",
                ..reset
            };
            self.tell(occasion, at_us + 40 * SECOND_US, &deleted);
        }
    }

    /// A person registers a telephone that is new.
    pub(super) fn register_telephone(&mut self, occasion: Occasion, person: usize, at_us: i64) {
        let user = self.users[person].clone();
        let registered = Entry {
            activity: "User registered security info",
            category: "UserManagement",
            service: "Authentication Methods",
            operation_type: "Add",
            target: Target::person(&user),
            further_targets: &[],
            changes: &[],
            initiator: None,
        };
        let (old, new) = TELEPHONES;
        let described = |name: &str| {
            serde_json::json!([{"DeviceName": name, "PhoneAppVersion": "6.2510.7210"}]).to_string()
        };
        let (before, after) = (described(old), described(new));
        let changes: &[Change<'_>] = &[
            ("StrongAuthenticationPhoneAppDetail", &before, &after),
            (
                "Included Updated Properties",
                "",
                "StrongAuthenticationPhoneAppDetail",
            ),
        ];
        let updated = Entry {
            activity: "Update user",
            service: "Core Directory",
            operation_type: "Update",
            changes,
            ..registered
        };
        // It is the person's own doing, even where the help desk began it.
        let own = Occasion { person, ..occasion };
        self.tell(own, at_us, &registered);
        self.tell(own, at_us, &updated);
    }
}
