//! What responders do to the tenant, and the records that it leaves.

use super::records::directory_audit::{
    AuditEntry, AuditTarget, ChangeValues, DirectoryAudit, Initiator, PropertyChange,
};
use super::records::mail::{Cmdlet, Mailbox};
use super::scene::Scene;

/// The application that acts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ActingApplication<'a> {
    pub(crate) name: &'a str,
    pub(crate) app_id: &'a str,
    pub(crate) principal_id: &'a str,
}

/// Blocks or allows the sign-in of a user, from now on.
pub(crate) fn set_enabled(
    scene: &mut Scene,
    user: usize,
    enabled: bool,
    actor: ActingApplication<'_>,
) {
    if scene.users[user].enabled == enabled {
        return;
    }
    scene.users[user].enabled = enabled;
    let (activity, old, new) = if enabled {
        ("Enable account", "[false]", "[true]")
    } else {
        ("Disable account", "[true]", "[false]")
    };
    audit(
        scene,
        user,
        activity,
        &[("AccountEnabled", old, new)],
        actor,
    );
}

/// Revokes the sessions of a user that were issued until now.
pub(crate) fn revoke_sessions(scene: &mut Scene, user: usize, actor: ActingApplication<'_>) {
    // A guest's sessions belong to the home tenant: the call succeeds and changes nothing there.
    if scene.users[user].user_type() != "Guest" {
        scene.users[user].sessions_valid_from_us = scene.now_us;
    }
    audit(
        scene,
        user,
        "Update StsRefreshTokenValidFrom Timestamp",
        &[("StsRefreshTokensValidFrom", "[]", "[\"now\"]")],
        actor,
    );
}

/// Turns an inbox rule on or off, from now on.
pub(crate) fn set_rule_enabled(
    scene: &mut Scene,
    user: usize,
    rule: usize,
    enabled: bool,
    actor: ActingApplication<'_>,
) {
    let known = &mut scene.users[user].inbox_rules[rule];
    if known.enabled == enabled {
        return;
    }
    known.enabled = enabled;
    let name = known.name.clone();
    let serial = next_serial(scene);
    let person = &scene.users[user];
    let id = scene.chance.uuid(&["response mail", &serial]);
    let mailbox = Mailbox {
        session_id: "",
        app_id: actor.app_id,
        client: "Client=REST;",
        ..Mailbox::own(&id, person, scene.now_us)
    };
    let cmdlet = Cmdlet {
        operation: if enabled {
            "Enable-InboxRule"
        } else {
            "Disable-InboxRule"
        },
        object: &name,
        parameters: &[("Identity", &name), ("Mailbox", &person.principal_name)],
        user_type: 0,
    };
    scene.recorder.cmdlet(&mailbox, &cmdlet);
}

fn audit(
    scene: &mut Scene,
    user: usize,
    activity: &str,
    changes: &[PropertyChange<'_>],
    actor: ActingApplication<'_>,
) {
    let name = ["response", &next_serial(scene)];
    scene.recorder.audit(&DirectoryAudit {
        number: scene.chance.number(&name),
        at_us: scene.now_us,
        entry: &AuditEntry {
            activity,
            category: "UserManagement",
            service: "Core Directory",
            operation_type: "Update",
            target: AuditTarget::person(&scene.users[user]),
            further_targets: &[],
            changes,
            initiator: None,
        },
        initiator: Initiator::Application {
            name: actor.name,
            app_id: actor.app_id,
            principal_id: actor.principal_id,
        },
        values: ChangeValues::Texts,
        user_agent: "",
        correlation_id: &scene.chance.uuid(&name),
    });
}

/// Counts a response, so that its records have ids of their own.
fn next_serial(scene: &mut Scene) -> String {
    scene.responses += 1;
    scene.responses.to_string()
}
