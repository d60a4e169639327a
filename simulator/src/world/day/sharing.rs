//! Sharing on an ordinary day: links, and guests whom people invite one at a time.

use rand::Rng;
use serde_json::Value;

use super::FILES;
use super::errands::{By, Errand, Occasion, Rate, at_work};
use crate::world::moment::{MINUTE_US, SECOND_US};
use crate::world::outbox::ContentType;
use crate::world::places::{DEVICES, OFFICE_HOME, Origin, PARTNER_OFFICE};
use crate::world::records::directory_audit::{Change, Entry, Initiator, Target};
use crate::world::records::files::{self, Library, LibraryOperation, LinkScope};
use crate::world::records::sign_in::{Manner, Outcome};
use crate::world::users::{Kind, User};
use crate::world::{Seen, World, record_sign_in};

/// One person in ten shares inside on a day; links that open without sign-in and guests are rare.
pub(super) const RATES: &[Rate] = &[
    at_work(Errand::ShareInside, By::Staff, 1_000),
    at_work(Errand::ShareWithAnybody, By::Staff, 60),
    at_work(Errand::InviteGuest, By::Staff, 25),
];

/// Of so many invitations, all but one are accepted on the same day.
const ACCEPTED_BUT_OF: u32 = 3;
/// From the invitation to its acceptance.
const ACCEPTED_AFTER_MINUTES: std::ops::Range<i64> = 5..180;

impl World {
    /// A link makes two records: the permission, and the link.
    pub(super) fn share_file(&mut self, occasion: Occasion, at_us: i64) {
        let name = occasion.name();
        let scope = if occasion.errand == Errand::ShareWithAnybody {
            LinkScope::Anonymous
        } else {
            LinkScope::Organization
        };
        let link_id = self.chance.uuid(&["errand link", &name]);
        let item_id = self.chance.uuid(&["errand item", &name]);
        let permission = files::link_permission(scope, &item_id, &link_id);
        let created = files::link_created(&link_id);
        for (operation, members) in [("SharingSet", permission), (scope.operation(), created)] {
            self.tell_sharing(occasion, operation, &item_id, members, at_us);
        }
    }

    fn tell_sharing(
        &mut self,
        occasion: Occasion,
        operation: &str,
        item_id: &str,
        members: Value,
        at_us: i64,
    ) {
        let id = self
            .chance
            .uuid(&["errand sharing", operation, &occasion.name()]);
        let user = &self.users[occasion.person];
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
        let record = files::library_file(&self.tenant, &facts, members);
        self.outbox
            .send_to_activity(ContentType::SharePoint, &id, &record, at_us);
    }

    /// A person invites somebody of a partner, who accepts and signs in.
    pub(super) fn invite_guest(&mut self, occasion: Occasion, at_us: i64) {
        let mut dice = self.chance.stream(&["invitation", &occasion.name()]);
        let accepts = !dice.random_ratio(1, ACCEPTED_BUT_OF);
        let accepted_after_us = dice.random_range(ACCEPTED_AFTER_MINUTES) * MINUTE_US;
        let guest = self.guest(occasion);
        if occasion.step == 0 {
            self.tell_invitation(occasion, &guest, at_us);
            if accepts {
                self.go_on(occasion, 1, at_us + accepted_after_us);
            }
            return;
        }
        let redeemed = Entry {
            activity: "Redeem external user invite",
            category: "UserManagement",
            service: "Invited Users",
            operation_type: "Update",
            target: Target::person(&guest),
            further_targets: &[],
            changes: &[],
            initiator: Some(Initiator::Person(&guest, &guest.origin.ip)),
        };
        self.tell(occasion, at_us, &redeemed);
        let seen = Seen {
            at_us: at_us + 3 * SECOND_US,
            app: OFFICE_HOME,
            outcome: Outcome::Success,
            interactive: true,
            session_id: &guest.session_id,
            manner: Manner::Usual,
            correlation_id: None,
        };
        record_sign_in(
            &mut self.outbox,
            &self.tenant,
            self.chance,
            &guest,
            &guest.origin,
            &["errand", &occasion.step_name()],
            &seen,
        );
    }

    fn tell_invitation(&mut self, occasion: Occasion, guest: &User, at_us: i64) {
        let invited = Entry {
            activity: "Invite external user",
            category: "UserManagement",
            service: "Invited Users",
            operation_type: "Add",
            target: Target::person(guest),
            further_targets: &[],
            changes: &[],
            initiator: None,
        };
        self.tell(occasion, at_us, &invited);
        let name = serde_json::json!([guest.principal_name]).to_string();
        let changes: &[Change<'_>] = &[
            ("AccountEnabled", "[]", "[true]"),
            ("UserPrincipalName", "[]", &name),
            ("UserType", "[]", r#"["Guest"]"#),
            (
                "Included Updated Properties",
                "",
                "AccountEnabled, UserPrincipalName, UserType",
            ),
        ];
        let added = Entry {
            activity: "Add user",
            service: "Core Directory",
            changes,
            ..invited
        };
        self.tell(occasion, at_us, &added);
    }

    /// Whom an invitation reaches: somebody of another tenant, at their own desk.
    fn guest(&self, occasion: Occasion) -> User {
        let name = occasion.name();
        let number = self.chance.number(&["guest", &name]);
        User {
            id: self.chance.uuid(&["guest", &name]),
            principal_name: format!(
                "contact{}_partner.example#EXT#@{}",
                number % 1_000_000,
                self.tenant.domain
            ),
            display_name: format!("Contact {} (Partner)", number % 1_000_000),
            kind: Kind::Guest,
            origin: Origin {
                ip: format!("198.19.220.{}", 10 + number % 200),
                place: PARTNER_OFFICE,
                // Another tenant's device is not known here.
                device: crate::world::places::Device {
                    managed: false,
                    ..DEVICES[0]
                },
                device_id: String::new(),
            },
            session_id: self.chance.uuid(&["session", "guest", &name]),
            inbox_rules: Vec::new(),
            roles: Vec::new(),
            ..self.users[occasion.person].clone()
        }
    }
}
