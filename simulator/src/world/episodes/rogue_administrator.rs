//! Rogue administrator: back doors for later, and what would tell of them switched off.
//!
//! Everything comes from the administrator's own account and device; only what is done tells.

use serde::Serialize;
use serde_json::json;

use super::super::moment::MINUTE_US;
use super::super::places::{ADMIN_PORTAL, EXCHANGE_POWERSHELL, PIM_APP};
use super::super::records::credential::{self, Credentials};
use super::super::records::directory_audit::{Change, Entry, Initiator, Target};
use super::super::records::extend;
use super::super::records::mail::{self, Mailbox};
use super::super::records::policy::{self, Policy, PolicyChange};
use super::super::records::sign_in::{self, ApplicationSignIn, Manner};
use super::super::users::{GLOBAL_ADMINISTRATOR, episode_victim};
use super::super::{ContentType, Feed, Seen, World};
use super::{Episode, Played, Scene, Turn, rank};

/// Template of the Privileged Role Administrator role.
const PRIVILEGED_ROLE_ADMINISTRATOR: &str = "e8611ab8-c189-46e8-94e1-60213ab1f814";
/// The domain that gets a token issuer of the attacker's.
const DOMAIN: &str = "harbour-logistics.example";
/// The application of the tenant that gets a credential.
const APPLICATION: usize = 1;

/// A step of the story.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AdministratorStep {
    /// The administrator signs in to the portal.
    SignedIn,
    /// An application gets a further secret.
    CredentialAdded,
    /// An accomplice becomes Global Administrator.
    RoleMemberAdded,
    /// The accomplice may become Privileged Role Administrator at any time.
    RoleMadeEligible,
    /// The accomplice is excepted from the policy that demands a second factor.
    ConditionalAccessChanged,
    /// The unified audit log is switched off.
    AuditLogSwitchedOff,
    /// A new domain trusts a foreign issuer of tokens.
    DomainFederated,
    /// The application signs in with the new secret, from elsewhere.
    CredentialUsed,
}

pub(super) fn turns() -> Vec<Turn> {
    use AdministratorStep as Step;
    let once = |step, minutes| Turn::once(Scene::Administrator(step), minutes * MINUTE_US);
    vec![
        once(Step::SignedIn, 0),
        once(Step::CredentialAdded, 4),
        once(Step::RoleMemberAdded, 9),
        once(Step::RoleMadeEligible, 12),
        once(Step::ConditionalAccessChanged, 17),
        once(Step::AuditLogSwitchedOff, 22),
        once(Step::DomainFederated, 28),
        Turn::again(
            Scene::Administrator(Step::CredentialUsed),
            35 * MINUTE_US,
            3,
            5 * MINUTE_US,
        ),
    ]
}

impl World {
    pub(super) fn play_administrator(
        &mut self,
        episode: &mut Episode,
        step: AdministratorStep,
        serial: u32,
        at_us: i64,
    ) -> Played {
        match step {
            AdministratorStep::SignedIn => {
                let outcome = self.users[episode.victim].sign_in_outcome();
                episode.entered = outcome.succeeded();
                let seen = Seen {
                    at_us,
                    app: ADMIN_PORTAL,
                    outcome,
                    interactive: true,
                    session_id: &episode.session_id,
                    manner: Manner::Usual,
                    correlation_id: None,
                };
                let name = ["rogue_administrator", "sign-in"];
                let ids = self.record_sign_in(episode.victim, &episode.acting, &name, &seen);
                return Played::by(outcome, ids);
            }
            AdministratorStep::CredentialUsed => {
                // The secret lives on when its maker is blocked.
                let added = Scene::Administrator(AdministratorStep::CredentialAdded);
                if episode.succeeded_in(added) {
                    return Played::done(vec![self.use_credential(episode, serial, at_us)]);
                }
                return Played::refused();
            }
            _ if !self.is_in(episode) => return Played::refused(),
            _ => {}
        }
        Played::done(match step {
            AdministratorStep::CredentialAdded => self.add_credential(episode, at_us),
            AdministratorStep::RoleMemberAdded => self.add_role_member(episode, at_us),
            AdministratorStep::RoleMadeEligible => self.make_eligible(episode, at_us),
            AdministratorStep::ConditionalAccessChanged => self.except_from_policy(episode, at_us),
            AdministratorStep::AuditLogSwitchedOff => vec![self.switch_off_log(episode, at_us)],
            AdministratorStep::DomainFederated => self.federate(episode, at_us),
            AdministratorStep::SignedIn | AdministratorStep::CredentialUsed => Vec::new(),
        })
    }

    fn accomplice(&self) -> usize {
        let rank = rank(crate::config::StoryName::RogueAdministrator);
        episode_victim(self.chance, self.users.len(), rank)
    }

    fn new_key(&self) -> String {
        self.chance.uuid(&["rogue_administrator", "key"])
    }

    fn add_credential(&mut self, episode: &Episode, at_us: i64) -> Vec<String> {
        let known = self.principals[APPLICATION].clone();
        let (first, new) = (self.chance.uuid(&["key", known.name]), self.new_key());
        let facts = Credentials {
            application: known.name,
            object_id: &self.chance.uuid(&["application object", known.name]),
            principal_id: &known.id,
            before: &[(&first, "export")],
            after: &[(&first, "export"), (&new, "maintenance")],
            initiator: None,
        };
        let mut ids = Vec::new();
        credential::write(&facts, &mut |entry| {
            ids.extend(self.enter(episode, at_us, entry));
        });
        ids
    }

    fn add_role_member(&mut self, episode: &Episode, at_us: i64) -> Vec<String> {
        let accomplice = self.accomplice();
        self.users[accomplice].roles.push(GLOBAL_ADMINISTRATOR);
        let user = self.users[accomplice].clone();
        let role_id = self.chance.uuid(&["role", GLOBAL_ADMINISTRATOR]);
        let changes: &[Change<'_>] = &[
            ("Role.ObjectID", "", &role_id),
            ("Role.DisplayName", "", "Global Administrator"),
            ("Role.TemplateId", "", GLOBAL_ADMINISTRATOR),
            ("Role.WellKnownObjectName", "", "TenantAdmins"),
        ];
        let entry = Entry {
            activity: "Add member to role",
            category: "RoleManagement",
            service: "Core Directory",
            operation_type: "Assign",
            target: Target::person(&user),
            further_targets: &[Target {
                kind: "Role",
                id: &role_id,
                name: "Global Administrator",
            }],
            changes,
            initiator: None,
        };
        self.enter(episode, at_us, &entry)
    }

    /// Privileged Identity Management tells what was asked for and done, and the directory what it did for it.
    fn make_eligible(&mut self, episode: &Episode, at_us: i64) -> Vec<String> {
        let user = self.users[self.accomplice()].clone();
        let role_id = self.chance.uuid(&["role", PRIVILEGED_ROLE_ADMINISTRATOR]);
        let request_id = self.chance.uuid(&["rogue_administrator", "request"]);
        let service_id = self.chance.uuid(&["principal", "MS-PIM"]);
        let target = |kind, id, name| Target { kind, id, name };
        let role = target("Role", &role_id, "Privileged Role Administrator");
        let further = [target("Request", &request_id, ""), Target::person(&user)];
        let asked = Entry {
            activity: "Add eligible member to role in PIM requested (permanent)",
            category: "RoleManagement",
            service: "PIM",
            operation_type: "Create",
            target: role,
            further_targets: &further,
            changes: &[],
            initiator: None,
        };
        let done = Entry {
            activity: "Add eligible member to role in PIM completed (permanent)",
            ..asked
        };
        let changes: &[Change<'_>] = &[
            ("Role.ObjectID", "", &role_id),
            ("Role.DisplayName", "", "Privileged Role Administrator"),
            ("Role.TemplateId", "", PRIVILEGED_ROLE_ADMINISTRATOR),
        ];
        let in_directory = Entry {
            activity: "Add eligible member to role",
            category: "RoleManagement",
            service: "Core Directory",
            operation_type: "AssignEligible",
            target: Target::person(&user),
            further_targets: &[role],
            changes,
            initiator: Some(Initiator::Application {
                name: "MS-PIM",
                app_id: PIM_APP,
                principal_id: &service_id,
            }),
        };
        let mut ids = vec![
            self.enter_diagnostic(episode, at_us, &asked),
            self.enter_diagnostic(episode, at_us, &done),
        ];
        ids.extend(self.enter(episode, at_us, &in_directory));
        ids
    }

    fn except_from_policy(&mut self, episode: &Episode, at_us: i64) -> Vec<String> {
        let accomplice = self.users[self.accomplice()].id.clone();
        let facts = PolicyChange {
            id: &self.chance.uuid(&["conditional access policy"]),
            name: "Second factor for everybody",
            old: Policy {
                state: "enabled",
                excluded: &[],
            },
            new: Policy {
                state: "enabled",
                excluded: &[&accomplice],
            },
        };
        let mut ids = Vec::new();
        policy::write(&facts, &mut |entry| {
            if entry.is_in_unified_log() {
                ids.extend(self.enter(episode, at_us, entry));
            } else {
                ids.push(self.enter_diagnostic(episode, at_us, entry));
            }
        });
        ids
    }

    fn switch_off_log(&mut self, episode: &Episode, at_us: i64) -> String {
        let id = self.chance.uuid(&["rogue_administrator", "audit log"]);
        let facts = Mailbox {
            id: &id,
            at_us,
            user: &self.users[episode.victim],
            origin: &episode.acting,
            session_id: &episode.session_id,
            app_id: EXCHANGE_POWERSHELL,
            client: "",
        };
        let mut record = mail::cmdlet(
            &self.tenant,
            &facts,
            "Set-AdminAuditLogConfig",
            "Admin Audit Log Settings",
            &[("UnifiedAuditLogIngestionEnabled", "False")],
        );
        extend(&mut record, json!({"UserType": 2}));
        self.outbox
            .send_to_activity(ContentType::Exchange, &id, &record, at_us);
        id
    }

    fn federate(&mut self, episode: &Episode, at_us: i64) -> Vec<String> {
        let issuer = json!(["http://tokens.signing-desk.example/issuer"]).to_string();
        let signs_in_at = json!(["https://tokens.signing-desk.example/sign-in"]).to_string();
        let name = json!([DOMAIN]).to_string();
        let added: &[Change<'_>] = &[
            ("Name", "[]", &name),
            ("LiveType", "[]", r#"["Managed"]"#),
            ("Included Updated Properties", "", "Name,LiveType"),
        ];
        let verified: &[Change<'_>] = &[
            ("Verified", "[false]", "[true]"),
            ("Included Updated Properties", "", "Verified"),
        ];
        let federated: &[Change<'_>] = &[
            ("LiveType", r#"["Managed"]"#, r#"["Federated"]"#),
            ("Included Updated Properties", "", "LiveType"),
        ];
        let settings: &[Change<'_>] = &[
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
            let entry = Entry {
                activity,
                category: "DirectoryManagement",
                service: "Core Directory",
                operation_type,
                target: Target {
                    kind: "Domain",
                    id: DOMAIN,
                    name: DOMAIN,
                },
                further_targets: &[],
                changes,
                initiator: None,
            };
            ids.extend(self.enter(episode, at_us, &entry));
        }
        ids
    }

    fn use_credential(&mut self, episode: &Episode, serial: u32, at_us: i64) -> String {
        let number = serial.to_string();
        let known = &self.principals[APPLICATION];
        let id = self
            .chance
            .uuid(&["rogue_administrator", "sign-in", &number]);
        let origin = episode.elsewhere.first().unwrap_or(&episode.acting);
        let facts = ApplicationSignIn {
            id: &id,
            at_us,
            app_id: &known.app_id,
            principal_id: &known.id,
            name: known.name,
            key_id: &self.new_key(),
            ip: &origin.ip,
            token_id: &self.chance.uuid(&["rogue_administrator", "token", &number]),
        };
        let record = sign_in::application_sign_in(&self.tenant, &facts);
        self.outbox.send_to_hub(Feed::Signins, &id, record, at_us);
        id
    }
}
