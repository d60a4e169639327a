//! Roles on an ordinary day: who is eligible takes one for some hours, and loses it again.

use rand::Rng;
use rand::seq::IndexedRandom;

use super::plans::{Errand, Occasion};
use super::rates::{ErrandRate, RunBy, at_work};
use super::workday::Workday;
use crate::world::moment::{HOUR_US, SECOND_US};
use crate::world::places::{ADMIN_PORTAL, PIM_APP};
use crate::world::records::directory_audit::{AuditEntry, AuditTarget, Initiator, PropertyChange};
use crate::world::records::sign_in::SignIn;
use crate::world::users::{DirectoryRole, GLOBAL_ADMINISTRATOR};

/// Every helper takes a role every other day, every administrator daily.
pub(super) const RATES: &[ErrandRate] = &[
    at_work(Errand::ActivateDeskRole, RunBy::HelpDesk, 20),
    at_work(Errand::ActivateRole, RunBy::EligibleAdministrators, 10),
];

/// From the sign-in to the portal to the activation.
const TO_ACTIVATION_US: i64 = 50 * SECOND_US;
/// How long a role is taken for, in hours.
const ROLE_HOURS: std::ops::RangeInclusive<i64> = 1..=4;

const fn role(template: &'static str, name: &'static str, object: &'static str) -> DirectoryRole {
    DirectoryRole {
        template,
        name,
        object,
    }
}

/// What helpers take.
pub(crate) const DESK_ROLES: &[DirectoryRole] = &[
    role(
        "729827e3-9c14-49f7-bb1b-9608f156bbb8",
        "Helpdesk Administrator",
        "HelpdeskAdmins",
    ),
    role(
        "fe930be7-5e62-47db-91af-98c3a49a38b1",
        "User Administrator",
        "UserAccountAdmins",
    ),
    role(
        "4d6ac14f-3453-41d0-bef9-a3e0c569773a",
        "License Administrator",
        "LicenseAdmins",
    ),
];

/// What administrators take, the first of them most often and the last rarely.
pub(crate) const ADMINISTRATION_ROLES: &[DirectoryRole] = &[
    role(
        "29232cdf-9323-42fd-ade2-1d097af3e4de",
        "Exchange Administrator",
        "ExchangeServiceAdmins",
    ),
    role(
        "69091246-20e8-4a56-aa4d-066075b2a7a8",
        "Teams Administrator",
        "TeamsServiceAdmins",
    ),
    role(
        "f28a1f50-f6e7-4571-818b-6a12f2af6b6c",
        "SharePoint Administrator",
        "SharePointServiceAdmins",
    ),
    role(
        "194ae4cb-b126-40b2-bd5b-6091b380977d",
        "Security Administrator",
        "SecurityAdmins",
    ),
    role(GLOBAL_ADMINISTRATOR, "Global Administrator", "TenantAdmins"),
];
/// How often each of them, of a hundred.
const ADMINISTRATION_OFTEN: [u32; 5] = [40, 25, 20, 9, 6];

/// A role is taken, and lost when its time is over.
pub(super) fn use_role(day: &mut Workday<'_>, occasion: Occasion, at_us: i64) {
    let mut dice = day.scene.chance.stream(&["role", &occasion.name()]);
    let taken = if occasion.errand == Errand::ActivateDeskRole {
        DESK_ROLES.choose(&mut dice)
    } else {
        let weighted: Vec<(&DirectoryRole, u32)> = ADMINISTRATION_ROLES
            .iter()
            .zip(ADMINISTRATION_OFTEN)
            .collect();
        weighted
            .choose_weighted(&mut dice, |(_, often)| *often)
            .ok()
            .map(|(role, _)| *role)
    };
    let Some(role) = taken.copied() else {
        return;
    };
    let held = &mut day.scene.users[occasion.person].roles;
    if occasion.step > 0 {
        if let Some(place) = held.iter().position(|one| *one == role.template) {
            held.remove(place);
            tell_loss(day, occasion, role, at_us);
        }
    } else if !held.contains(&role.template) {
        held.push(role.template);
        sign_in_to_portal(day, occasion, at_us);
        tell_activation(day, occasion, role, at_us + TO_ACTIVATION_US);
        let hours = dice.random_range(ROLE_HOURS);
        day.plans.go_on(occasion, 1, at_us + hours * HOUR_US);
    }
}

fn sign_in_to_portal(day: &mut Workday<'_>, occasion: Occasion, at_us: i64) {
    let scene = &mut *day.scene;
    let person = &scene.users[occasion.person];
    let name = ["errand", &occasion.step_name()];
    scene
        .recorder
        .sign_in(&name, &SignIn::usual(person, ADMIN_PORTAL, at_us));
}

/// Privileged Identity Management tells what was asked for and done, and the directory what it did for it.
fn tell_activation(day: &mut Workday<'_>, occasion: Occasion, role: DirectoryRole, at_us: i64) {
    let user = day.scene.users[occasion.person].clone();
    let role_id = day.scene.chance.uuid(&["role", role.template]);
    let request_id = day.scene.chance.uuid(&["role request", &occasion.name()]);
    let principal_id = pim_principal_id(day);
    let role_target = target("Role", &role_id, role.name);
    let further = [
        target("Request", &request_id, ""),
        AuditTarget::person(&user),
    ];
    let asked = AuditEntry {
        activity: "Add member to role requested (PIM activation)",
        category: "RoleManagement",
        service: "PIM",
        operation_type: "Create",
        target: role_target,
        further_targets: &further,
        changes: &[],
        initiator: None,
    };
    day.tell(occasion, at_us, &asked);
    let done = AuditEntry {
        activity: "Add member to role completed (PIM activation)",
        operation_type: "Update",
        ..asked
    };
    day.tell(occasion, at_us, &done);
    let changes: &[PropertyChange<'_>] = &[
        ("Role.ObjectID", "", &role_id),
        ("Role.DisplayName", "", role.name),
        ("Role.TemplateId", "", role.template),
        ("Role.WellKnownObjectName", "", role.object),
    ];
    let in_directory = AuditEntry {
        activity: "Add member to role",
        service: "Core Directory",
        operation_type: "Assign",
        target: AuditTarget::person(&user),
        further_targets: &[role_target],
        changes,
        initiator: Some(pim(&principal_id)),
        ..asked
    };
    day.tell(occasion, at_us, &in_directory);
}

fn tell_loss(day: &mut Workday<'_>, occasion: Occasion, role: DirectoryRole, at_us: i64) {
    let user = day.scene.users[occasion.person].clone();
    let role_id = day.scene.chance.uuid(&["role", role.template]);
    let principal_id = pim_principal_id(day);
    let role_target = target("Role", &role_id, role.name);
    let expired = AuditEntry {
        activity: "Remove member from role (PIM activation expired)",
        category: "RoleManagement",
        service: "PIM",
        operation_type: "Update",
        target: role_target,
        further_targets: &[AuditTarget::person(&user)],
        changes: &[],
        initiator: Some(pim(&principal_id)),
    };
    day.tell(occasion, at_us, &expired);
    let changes: &[PropertyChange<'_>] = &[
        ("Role.ObjectID", &role_id, ""),
        ("Role.DisplayName", role.name, ""),
        ("Role.TemplateId", role.template, ""),
        ("Role.WellKnownObjectName", role.object, ""),
    ];
    let in_directory = AuditEntry {
        activity: "Remove member from role",
        service: "Core Directory",
        operation_type: "Unassign",
        target: AuditTarget::person(&user),
        further_targets: &[role_target],
        changes,
        ..expired
    };
    day.tell(occasion, at_us, &in_directory);
}

fn pim_principal_id(day: &Workday<'_>) -> String {
    day.scene.chance.uuid(&["principal", "MS-PIM"])
}

/// What acts for Privileged Identity Management in the directory.
fn pim(principal_id: &str) -> Initiator<'_> {
    Initiator::Application {
        name: "MS-PIM",
        app_id: PIM_APP,
        principal_id,
    }
}

fn target<'a>(kind: &'a str, id: &'a str, name: &'a str) -> AuditTarget<'a> {
    AuditTarget { kind, id, name }
}
