//! Rogue administrator: back doors for later, and what would tell of them switched off.
//!
//! Everything comes from the administrator's own account and device; only what is done tells. The unified audit log
//! goes on all the same: Microsoft obeys the switch late.

use serde_json::json;

use super::cast::{Addresses, Begins, Cast, Casting, Opening, Victim};
use super::story::{GroundTruth, Phase, Played, Story, StoryTurn, step};
use crate::world::chance::Chance;
use crate::world::moment::MINUTE_US;
use crate::world::places::{
    ADMIN_PORTAL, EXCHANGE_POWERSHELL, PIM_APP, RENTED_MACHINES, SCRIPT_DEVICE,
};
use crate::world::records::credential::{self, CredentialChange};
use crate::world::records::directory_audit::{AuditEntry, AuditTarget, Initiator, PropertyChange};
use crate::world::records::mail::{Cmdlet, Mailbox};
use crate::world::records::policy::{self, PolicyChange, PolicyVersion};
use crate::world::records::sign_in::{ApplicationSignIn, SignIn};
use crate::world::scene::Scene;
use crate::world::users::{GLOBAL_ADMINISTRATOR, story_member};

/// Template of the Privileged Role Administrator role.
const PRIVILEGED_ROLE_ADMINISTRATOR: &str = "e8611ab8-c189-46e8-94e1-60213ab1f814";
/// The domain that gets a token issuer of the attacker's.
const DOMAIN: &str = "harbour-logistics.example";
/// The application of the tenant that gets a credential.
const APPLICATION: usize = 1;

/// The accomplice's place in the order of chance.
const ACCOMPLICE: usize = 4;

/// A step of the story.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AdministratorStep {
    SignedIn,
    CredentialAdded,
    RoleMemberAdded,
    RoleMadeEligible,
    ConditionalAccessChanged,
    AuditLogSwitchedOff,
    DomainFederated,
    CredentialUsed,
}

/// Back doors, and what would tell of them switched off.
pub(crate) struct RogueAdministrator {
    /// Whether the administrator could sign in.
    entered: bool,
    /// Whether the application has the further secret.
    credential_added: bool,
}

impl Story for RogueAdministrator {
    type Step = AdministratorStep;

    const NAME: &'static str = "rogue_administrator";
    const SENTENCE: &'static str =
        "The administrator builds back doors and switches off what would tell of them.";
    const PHASES: &'static [Phase<AdministratorStep>] = &[
        step(
            AdministratorStep::SignedIn,
            "signed_in",
            "The administrator signs in to the portal.",
        ),
        step(
            AdministratorStep::CredentialAdded,
            "credential_added",
            "An application gets a further secret.",
        ),
        step(
            AdministratorStep::RoleMemberAdded,
            "role_member_added",
            "An accomplice becomes Global Administrator.",
        ),
        step(
            AdministratorStep::RoleMadeEligible,
            "role_made_eligible",
            "The accomplice may become Privileged Role Administrator at any time.",
        ),
        step(
            AdministratorStep::ConditionalAccessChanged,
            "conditional_access_changed",
            "The accomplice is excepted from the policy that demands a second factor.",
        ),
        step(
            AdministratorStep::AuditLogSwitchedOff,
            "audit_log_switched_off",
            "The unified audit log is switched off.",
        ),
        step(
            AdministratorStep::DomainFederated,
            "domain_federated",
            "A new domain trusts a foreign issuer of tokens.",
        ),
        step(
            AdministratorStep::CredentialUsed,
            "credential_used",
            "The application signs in with the new secret, from elsewhere.",
        ),
    ];
    const TRUTH: GroundTruth = GroundTruth {
        fires: &[
            "azure_app_credential_added",
            "azure_domain_added",
            "azure_domain_federated",
            "azure_privileged_role_member_added",
            "azure_service_principal_credential_used_elsewhere",
            "azure_sign_in_policy_weakened",
            "m365_audit_log_not_switched_on_again",
            "m365_audit_log_switched_off",
        ],
        silent: &[
            "azure_app_grant_for_everybody",
            "azure_app_owner_added",
            "azure_guest_promoted",
        ],
    };
    const CASTING: Casting = Casting {
        victim: Victim::Administrator,
        begins: Begins::AtWork(52),
        attacker: Addresses {
            network: "203.0.113",
            from: 200,
            count: 1,
            place: RENTED_MACHINES,
            device: SCRIPT_DEVICE,
        },
        acts_from_outside: false,
    };

    fn begin(_cast: &Cast, _opening: &Opening<'_>) -> Self {
        Self {
            entered: false,
            credential_added: false,
        }
    }

    fn turns(&self, _cast: &Cast, _opening: &Opening<'_>) -> Vec<StoryTurn<AdministratorStep>> {
        use AdministratorStep as Step;
        let once = |step, minutes| StoryTurn::once(step, minutes * MINUTE_US);
        vec![
            once(Step::SignedIn, 0),
            once(Step::CredentialAdded, 4),
            once(Step::RoleMemberAdded, 9),
            once(Step::RoleMadeEligible, 12),
            once(Step::ConditionalAccessChanged, 17),
            once(Step::AuditLogSwitchedOff, 22),
            once(Step::DomainFederated, 28),
            StoryTurn::again(Step::CredentialUsed, 35 * MINUTE_US, 3, 5 * MINUTE_US),
        ]
    }

    fn play(
        &mut self,
        scene: &mut Scene,
        cast: &Cast,
        step: AdministratorStep,
        serial: u32,
        at_us: i64,
    ) -> Option<Played> {
        match step {
            AdministratorStep::SignedIn => {
                let seen = SignIn {
                    origin: &cast.acting,
                    session_id: &cast.session_id,
                    ..SignIn::usual(&scene.users[cast.victim], ADMIN_PORTAL, at_us)
                };
                self.entered = seen.outcome.succeeded();
                let name = ["rogue_administrator", "sign-in"];
                let ids = scene.recorder.sign_in(&name, &seen);
                return Some(Played::by(seen.outcome, ids));
            }
            // The secret lives on when its maker is blocked.
            AdministratorStep::CredentialUsed if self.credential_added => {
                let id = use_credential(scene, cast, serial, at_us);
                return Some(Played::done(vec![id]));
            }
            AdministratorStep::CredentialUsed => return Some(Played::refused()),
            _ if !(self.entered && cast.victim(scene).enabled) => return Some(Played::refused()),
            _ => {}
        }
        Some(Played::done(match step {
            AdministratorStep::CredentialAdded => {
                self.credential_added = true;
                add_credential(scene, cast, at_us)
            }
            AdministratorStep::RoleMemberAdded => add_role_member(scene, cast, at_us),
            AdministratorStep::RoleMadeEligible => make_eligible(scene, cast, at_us),
            AdministratorStep::ConditionalAccessChanged => except_from_policy(scene, cast, at_us),
            AdministratorStep::AuditLogSwitchedOff => switch_off_log(scene, cast, at_us),
            AdministratorStep::DomainFederated => federate(scene, cast, at_us),
            AdministratorStep::SignedIn | AdministratorStep::CredentialUsed => Vec::new(),
        }))
    }
}

fn accomplice(scene: &Scene) -> usize {
    story_member(scene.chance, scene.users.len(), ACCOMPLICE)
}

fn new_key(chance: Chance) -> String {
    chance.uuid(&["rogue_administrator", "key"])
}

fn add_credential(scene: &mut Scene, cast: &Cast, at_us: i64) -> Vec<String> {
    let known = scene.service_principals[APPLICATION].clone();
    let (first, new) = (
        scene.chance.uuid(&["key", known.name]),
        new_key(scene.chance),
    );
    let facts = CredentialChange {
        application: known.name,
        object_id: &scene.chance.uuid(&["application object", known.name]),
        principal_id: &known.id,
        before: &[(&first, "export")],
        after: &[(&first, "export"), (&new, "maintenance")],
        initiator: None,
    };
    let mut ids = Vec::new();
    credential::write(&facts, &mut |entry| {
        ids.extend(cast.audit(scene, at_us, entry));
    });
    ids
}

fn add_role_member(scene: &mut Scene, cast: &Cast, at_us: i64) -> Vec<String> {
    let accomplice = accomplice(scene);
    scene.users[accomplice].roles.push(GLOBAL_ADMINISTRATOR);
    let user = scene.users[accomplice].clone();
    let role_id = scene.chance.uuid(&["role", GLOBAL_ADMINISTRATOR]);
    let changes: &[PropertyChange<'_>] = &[
        ("Role.ObjectID", "", &role_id),
        ("Role.DisplayName", "", "Global Administrator"),
        ("Role.TemplateId", "", GLOBAL_ADMINISTRATOR),
        ("Role.WellKnownObjectName", "", "TenantAdmins"),
    ];
    let entry = AuditEntry {
        activity: "Add member to role",
        category: "RoleManagement",
        service: "Core Directory",
        operation_type: "Assign",
        target: AuditTarget::person(&user),
        further_targets: &[AuditTarget {
            kind: "Role",
            id: &role_id,
            name: "Global Administrator",
        }],
        changes,
        initiator: None,
    };
    cast.audit(scene, at_us, &entry)
}

/// Privileged Identity Management tells what was asked for and done, and the directory what it did for it.
fn make_eligible(scene: &mut Scene, cast: &Cast, at_us: i64) -> Vec<String> {
    let user = scene.users[accomplice(scene)].clone();
    let role_id = scene.chance.uuid(&["role", PRIVILEGED_ROLE_ADMINISTRATOR]);
    let request_id = scene.chance.uuid(&["rogue_administrator", "request"]);
    let service_id = scene.chance.uuid(&["principal", "MS-PIM"]);
    let target = |kind, id, name| AuditTarget { kind, id, name };
    let role = target("Role", &role_id, "Privileged Role Administrator");
    let further = [
        target("Request", &request_id, ""),
        AuditTarget::person(&user),
    ];
    let asked = AuditEntry {
        activity: "Add eligible member to role in PIM requested (permanent)",
        category: "RoleManagement",
        service: "PIM",
        operation_type: "Create",
        target: role,
        further_targets: &further,
        changes: &[],
        initiator: None,
    };
    let done = AuditEntry {
        activity: "Add eligible member to role in PIM completed (permanent)",
        ..asked
    };
    let changes: &[PropertyChange<'_>] = &[
        ("Role.ObjectID", "", &role_id),
        ("Role.DisplayName", "", "Privileged Role Administrator"),
        ("Role.TemplateId", "", PRIVILEGED_ROLE_ADMINISTRATOR),
    ];
    let in_directory = AuditEntry {
        activity: "Add eligible member to role",
        category: "RoleManagement",
        service: "Core Directory",
        operation_type: "AssignEligible",
        target: AuditTarget::person(&user),
        further_targets: &[role],
        changes,
        initiator: Some(Initiator::Application {
            name: "MS-PIM",
            app_id: PIM_APP,
            principal_id: &service_id,
        }),
    };
    let mut ids = cast.audit(scene, at_us, &asked);
    ids.extend(cast.audit(scene, at_us, &done));
    ids.extend(cast.audit(scene, at_us, &in_directory));
    ids
}

fn except_from_policy(scene: &mut Scene, cast: &Cast, at_us: i64) -> Vec<String> {
    let accomplice = scene.users[accomplice(scene)].id.clone();
    let facts = PolicyChange {
        id: &scene.chance.uuid(&["conditional access policy"]),
        name: "Second factor for everybody",
        old: PolicyVersion {
            state: "enabled",
            excluded: &[],
        },
        new: PolicyVersion {
            state: "enabled",
            excluded: &[&accomplice],
        },
    };
    let mut ids = Vec::new();
    policy::write(&facts, &mut |entry| {
        ids.extend(cast.audit(scene, at_us, entry));
    });
    ids
}

fn switch_off_log(scene: &mut Scene, cast: &Cast, at_us: i64) -> Vec<String> {
    let id = scene.chance.uuid(&["rogue_administrator", "audit log"]);
    let mailbox = Mailbox {
        origin: &cast.acting,
        session_id: &cast.session_id,
        app_id: EXCHANGE_POWERSHELL,
        client: "",
        ..Mailbox::own(&id, &scene.users[cast.victim], at_us)
    };
    let cmdlet = Cmdlet {
        operation: "Set-AdminAuditLogConfig",
        object: "Admin Audit Log Settings",
        parameters: &[("UnifiedAuditLogIngestionEnabled", "False")],
        user_type: 2,
    };
    scene.recorder.cmdlet(&mailbox, &cmdlet)
}

fn federate(scene: &mut Scene, cast: &Cast, at_us: i64) -> Vec<String> {
    let issuer = json!(["http://tokens.signing-desk.example/issuer"]).to_string();
    let signs_in_at = json!(["https://tokens.signing-desk.example/sign-in"]).to_string();
    let name = json!([DOMAIN]).to_string();
    let added: &[PropertyChange<'_>] = &[
        ("Name", "[]", &name),
        ("LiveType", "[]", r#"["Managed"]"#),
        ("Included Updated Properties", "", "Name,LiveType"),
    ];
    let verified: &[PropertyChange<'_>] = &[
        ("Verified", "[false]", "[true]"),
        ("Included Updated Properties", "", "Verified"),
    ];
    let federated: &[PropertyChange<'_>] = &[
        ("LiveType", r#"["Managed"]"#, r#"["Federated"]"#),
        ("Included Updated Properties", "", "LiveType"),
    ];
    let settings: &[PropertyChange<'_>] = &[
        ("IssuerUri", "[]", &issuer),
        ("PassiveLogOnUri", "[]", &signs_in_at),
        (
            "Included Updated Properties",
            "",
            "IssuerUri,PassiveLogOnUri,SigningCertificate",
        ),
    ];
    let activities = [
        ("Add unverified domain", "Add", added),
        ("Verify domain", "Update", verified),
        ("Set domain authentication", "Update", federated),
        ("Set federation settings on domain", "Update", settings),
    ];
    let mut ids = Vec::new();
    for (activity, operation_type, changes) in activities {
        let entry = AuditEntry {
            activity,
            category: "DirectoryManagement",
            service: "Core Directory",
            operation_type,
            target: AuditTarget {
                kind: "Domain",
                id: DOMAIN,
                name: DOMAIN,
            },
            further_targets: &[],
            changes,
            initiator: None,
        };
        ids.extend(cast.audit(scene, at_us, &entry));
    }
    ids
}

fn use_credential(scene: &mut Scene, cast: &Cast, serial: u32, at_us: i64) -> String {
    let number = serial.to_string();
    let known = &scene.service_principals[APPLICATION];
    scene.recorder.application_sign_in(&ApplicationSignIn {
        id: &scene
            .chance
            .uuid(&["rogue_administrator", "sign-in", &number]),
        at_us,
        app_id: &known.app_id,
        principal_id: &known.id,
        name: known.name,
        key_id: &new_key(scene.chance),
        ip: &cast.other_origin().ip,
        token_id: &scene
            .chance
            .uuid(&["rogue_administrator", "token", &number]),
    })
}
