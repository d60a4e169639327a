//! Administration on an ordinary day: people come, move and need things, and a policy proves itself.

use rand::Rng;
use serde_json::json;

use super::plans::{Errand, Occasion};
use super::rates::{ErrandRate, RunBy, RunWhen, at_work};
use super::workday::Workday;
use crate::world::moment::SECOND_US;
use crate::world::records::directory_audit::{
    AuditEntry, AuditTarget, ChangeValues, DirectoryAudit, Initiator, PropertyChange,
};
use crate::world::records::policy::{self, PolicyChange, PolicyVersion};

/// Groups and licenses change daily; a tenth of the people changes in a year; a policy is a matter of weeks.
pub(super) const RATES: &[ErrandRate] = &[
    at_work(Errand::AdministerAccount, RunBy::HelpDesk, 200),
    at_work(Errand::AddUser, RunBy::HelpDesk, 8),
    ErrandRate {
        errand: Errand::WelcomeNewcomers,
        by: RunBy::HelpDesk,
        when: RunWhen::FirstHourOfMonday,
        times: 4,
    },
    at_work(Errand::EnforcePolicy, RunBy::Administrators, 1),
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

/// An administrator changes an account, a group or a license.
pub(super) fn administer(day: &mut Workday<'_>, user: usize, name: &str, at_us: i64) {
    let scene = &mut *day.scene;
    let mut dice = scene.chance.stream(&["administer", name]);
    let target = &scene.users[dice.random_range(4..scene.users.len())];
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
    let (category, operation_type) = if activity == "Add member to group" {
        ("GroupManagement", "Assign")
    } else {
        ("UserManagement", "Update")
    };
    let person = &scene.users[user];
    scene.recorder.audit(&DirectoryAudit {
        number: scene.chance.number(&["administered", name]),
        at_us,
        entry: &AuditEntry {
            activity,
            category,
            service: "Core Directory",
            operation_type,
            target: AuditTarget::person(target),
            further_targets: &[],
            changes: &[(property, old, new)],
            initiator: None,
        },
        initiator: Initiator::Person(person, &person.origin.ip),
        values: ChangeValues::Texts,
        user_agent: person.origin.device.user_agent,
        correlation_id: &scene.chance.uuid(&["administered", name]),
    });
}

/// Somebody new gets an account, and on Mondays several do.
pub(super) fn add_users(day: &mut Workday<'_>, occasion: Occasion, at_us: i64) {
    let mut dice = day.scene.chance.stream(&["newcomers", &occasion.name()]);
    if occasion.errand == Errand::WelcomeNewcomers && occasion.step == 0 {
        for number in (1..dice.random_range(NEWCOMERS)).zip(1_i64..) {
            let (step, distance) = number;
            day.plans
                .go_on(occasion, step, at_us + distance * NEXT_ACCOUNT_US);
        }
    }
    let name = occasion.step_name();
    let number = day.scene.chance.number(&["newcomer", &name]) % 1_000_000;
    let principal_name = format!("newcomer{number}@{}", day.scene.recorder.tenant.domain);
    let id = day.scene.chance.uuid(&["newcomer", &name]);
    let listed = |value: &str| json!([value]).to_string();
    let (named, shown) = (
        listed(&principal_name),
        listed(&format!("Newcomer {number}")),
    );
    let changes: &[PropertyChange<'_>] = &[
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
    let added = AuditEntry {
        activity: "Add user",
        category: "UserManagement",
        service: "Core Directory",
        operation_type: "Add",
        target: AuditTarget {
            kind: "User",
            id: &id,
            name: &principal_name,
        },
        further_targets: &[],
        changes,
        initiator: None,
    };
    day.tell(occasion, at_us, &added);
    let licensed = AuditEntry {
        activity: "Change user license",
        operation_type: "Update",
        changes: &[("AssignedLicense", "[]", "[\"E5\"]")],
        ..added
    };
    day.tell(occasion, at_us + 20 * SECOND_US, &licensed);
}

/// A policy that has proved itself in reports is enforced.
pub(super) fn enforce_policy(day: &mut Workday<'_>, occasion: Occasion, at_us: i64) {
    let mut dice = day.scene.chance.stream(&["tried policy", &occasion.name()]);
    let name = TRIED_POLICIES[dice.random_range(0..TRIED_POLICIES.len())];
    let facts = PolicyChange {
        id: &day.scene.chance.uuid(&["conditional access policy", name]),
        name,
        old: PolicyVersion {
            state: "enabledForReportingButNotEnforced",
            excluded: &[],
        },
        new: PolicyVersion {
            state: "enabled",
            excluded: &[],
        },
    };
    policy::write(&facts, &mut |entry| day.tell(occasion, at_us, entry));
}
