//! Administration on an ordinary day: people come, move and need things, and a policy proves itself.

use rand::Rng;
use serde_json::json;

use super::errands::{By, Errand, Occasion, Rate, When, at_work};
use crate::world::moment::SECOND_US;
use crate::world::records::directory_audit::{
    Change, DirectoryAudit, Entry, Initiator, Target, Values,
};
use crate::world::records::policy::{self, Policy, PolicyChange};
use crate::world::{World, record_audit};

/// Groups and licenses change daily; a tenth of the people changes in a year; a policy is a matter of weeks.
pub(super) const RATES: &[Rate] = &[
    at_work(Errand::AdministerAccount, By::HelpDesk, 200),
    at_work(Errand::AddUser, By::HelpDesk, 8),
    Rate {
        errand: Errand::WelcomeNewcomers,
        by: By::HelpDesk,
        when: When::FirstHourOfMonday,
        times: 4,
    },
    at_work(Errand::EnforcePolicy, By::Administrators, 1),
];

/// How many people begin on the same Monday at one site.
const NEWCOMERS: std::ops::RangeInclusive<u32> = 3..=10;
/// From one account to the next.
const NEXT_ACCOUNT_US: i64 = 50 * SECOND_US;
/// Policies that prove themselves in reports before they are enforced.
const TRIED_POLICIES: &[&str] = &[
    "Second factor for guests",
    "Managed devices for finance",
    "No old protocols",
    "Second factor for administration",
];

impl World {
    /// An administrator changes an account, a group or a license.
    pub(super) fn administer(&mut self, user: usize, name: &str, at_us: i64) {
        let mut dice = self.chance.stream(&["administer", name]);
        let target = &self.users[dice.random_range(4..self.users.len())];
        let (activity, property, old, new) = match dice.random_range(0..3) {
            0 => ("Update user", "JobTitle", "[]", "[\"Lead\"]"),
            1 => (
                "Add member to group",
                "Group.DisplayName",
                "",
                "Harbour office",
            ),
            _ => ("Change user license", "AssignedLicense", "[]", "[\"E5\"]"),
        };
        let person = &self.users[user];
        let audit = DirectoryAudit {
            number: self.chance.number(&["administered", name]),
            at_us,
            activity,
            category: if activity == "Add member to group" {
                "GroupManagement"
            } else {
                "UserManagement"
            },
            service: "Core Directory",
            operation_type: if activity == "Add member to group" {
                "Assign"
            } else {
                "Update"
            },
            initiator: Initiator::Person(person, &person.origin.ip),
            target_type: "User",
            target_id: &target.id,
            target_name: &target.principal_name,
            changes: &[(property, old, new)],
            values: Values::Texts,
            further_targets: &[],
            user_agent: person.origin.device.user_agent,
            correlation_id: &self.chance.uuid(&["administered", name]),
        };
        record_audit(&mut self.outbox, &self.tenant, self.chance, &audit);
    }

    /// Somebody new gets an account, and on Mondays several do.
    pub(super) fn add_users(&mut self, occasion: Occasion, at_us: i64) {
        let mut dice = self.chance.stream(&["newcomers", &occasion.name()]);
        if occasion.errand == Errand::WelcomeNewcomers && occasion.step == 0 {
            for number in (1..dice.random_range(NEWCOMERS)).zip(1_i64..) {
                let (step, distance) = number;
                self.go_on(occasion, step, at_us + distance * NEXT_ACCOUNT_US);
            }
        }
        let name = occasion.step_name();
        let number = self.chance.number(&["newcomer", &name]) % 1_000_000;
        let principal_name = format!("newcomer{number}@{}", self.tenant.domain);
        let id = self.chance.uuid(&["newcomer", &name]);
        let listed = |value: &str| json!([value]).to_string();
        let (named, shown) = (
            listed(&principal_name),
            listed(&format!("Newcomer {number}")),
        );
        let changes: &[Change<'_>] = &[
            ("AccountEnabled", "[]", "[true]"),
            ("DisplayName", "[]", &shown),
            ("UserPrincipalName", "[]", &named),
            ("UserType", "[]", r#"["Member"]"#),
            (
                "Included Updated Properties",
                "",
                "AccountEnabled, DisplayName, UserPrincipalName, UserType",
            ),
        ];
        let added = Entry {
            activity: "Add user",
            category: "UserManagement",
            service: "Core Directory",
            operation_type: "Add",
            target: Target {
                kind: "User",
                id: &id,
                name: &principal_name,
            },
            further_targets: &[],
            changes,
            initiator: None,
        };
        self.tell(occasion, at_us, &added);
        let licensed = Entry {
            activity: "Change user license",
            operation_type: "Update",
            changes: &[("AssignedLicense", "[]", "[\"E5\"]")],
            ..added
        };
        self.tell(occasion, at_us + 20 * SECOND_US, &licensed);
    }

    /// A policy that has proved itself in reports is enforced.
    pub(super) fn enforce_policy(&mut self, occasion: Occasion, at_us: i64) {
        let mut dice = self.chance.stream(&["tried policy", &occasion.name()]);
        let name = TRIED_POLICIES[dice.random_range(0..TRIED_POLICIES.len())];
        let facts = PolicyChange {
            id: &self.chance.uuid(&["conditional access policy", name]),
            name,
            old: Policy {
                state: "enabledForReportingButNotEnforced",
                excluded: &[],
            },
            new: Policy {
                state: "enabled",
                excluded: &[],
            },
        };
        policy::write(&facts, &mut |entry| self.tell(occasion, at_us, entry));
    }
}
