//! Mass exfiltration: before leaving, somebody takes the files, opens ways to come back for more, and cleans up.

use serde_json::{Value, json};

use super::cast::{Addresses, Begins, Cast, Casting, Opening, Victim};
use super::story::{GroundTruth, Phase, Played, Story, StoryTurn, step};
use crate::world::moment::{MINUTE_US, SECOND_US};
use crate::world::places::{OFFICE_HOME, RENTED_MACHINES, SCRIPT_DEVICE};
use crate::world::records::files::{self, Library, LibraryOperation, LinkScope};
use crate::world::records::mail::{Cmdlet, Mailbox};
use crate::world::records::sign_in::SignIn;
use crate::world::scene::Scene;

/// Where the leaver has mail forwarded to.
const FORWARD_ADDRESS: &str = "smtp:my.archive@post.example";
/// Files that are downloaded.
const DOWNLOADS: u32 = 420;
/// Files that are deleted.
const DELETIONS: u32 = 180;
/// Kinds of files, by turns.
const KINDS: &[(&str, &str)] = &[
    ("Customer contract", "pdf"),
    ("Price calculation", "xlsx"),
    ("Tender", "docx"),
    ("Drawing", "dwg"),
    ("Contacts", "csv"),
];

/// A step of the story.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExfiltrationStep {
    SignedIn,
    FileDownloaded,
    LinkCreated,
    ForwardingSet,
    FileDeleted,
}

/// A leaver takes the files.
pub(crate) struct MassExfiltration {
    /// Whether the leaver could sign in.
    entered: bool,
}

impl Story for MassExfiltration {
    type Step = ExfiltrationStep;

    const NAME: &'static str = "mass_exfiltration";
    const SENTENCE: &'static str =
        "A leaver downloads hundreds of files, shares and forwards, and deletes what is left.";
    const PHASES: &'static [Phase<ExfiltrationStep>] = &[
        step(
            ExfiltrationStep::SignedIn,
            "signed_in",
            "The leaver signs in as always.",
        ),
        step(
            ExfiltrationStep::FileDownloaded,
            "file_downloaded",
            "A file is downloaded.",
        ),
        step(
            ExfiltrationStep::LinkCreated,
            "link_created",
            "A file is shared by a link that needs no sign-in.",
        ),
        step(
            ExfiltrationStep::ForwardingSet,
            "forwarding_set",
            "The mailbox forwards everything outside.",
        ),
        step(
            ExfiltrationStep::FileDeleted,
            "file_deleted",
            "A file is deleted.",
        ),
    ];
    const TRUTH: GroundTruth = GroundTruth {
        fires: &[
            "m365_files_downloaded_in_mass",
            "m365_files_taken_then_removed_or_shared",
            "m365_mailbox_forwards",
        ],
        silent: &[
            "m365_files_deleted_in_mass",
            "m365_files_downloaded_by_script",
            "m365_files_opened_to_anyone_in_mass",
            "m365_inbox_rule_forwards",
        ],
    };
    const CASTING: Casting = Casting {
        victim: Victim::Member(3),
        begins: Begins::AtWork(62),
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
        Self { entered: false }
    }

    fn turns(&self, _cast: &Cast, _opening: &Opening<'_>) -> Vec<StoryTurn<ExfiltrationStep>> {
        use ExfiltrationStep::{FileDeleted, FileDownloaded, ForwardingSet, LinkCreated, SignedIn};
        vec![
            StoryTurn::once(SignedIn, 0),
            StoryTurn::again(FileDownloaded, 3 * MINUTE_US, DOWNLOADS, 7 * SECOND_US),
            StoryTurn::again(LinkCreated, 55 * MINUTE_US, 15, 20 * SECOND_US),
            StoryTurn::once(ForwardingSet, 62 * MINUTE_US),
            StoryTurn::again(FileDeleted, 65 * MINUTE_US, DELETIONS, 6 * SECOND_US),
        ]
    }

    fn play(
        &mut self,
        scene: &mut Scene,
        cast: &Cast,
        step: ExfiltrationStep,
        serial: u32,
        at_us: i64,
    ) -> Option<Played> {
        if step == ExfiltrationStep::SignedIn {
            let seen = SignIn {
                origin: &cast.acting,
                session_id: &cast.session_id,
                ..SignIn::usual(&scene.users[cast.victim], OFFICE_HOME, at_us)
            };
            self.entered = seen.outcome.succeeded();
            let name = ["mass_exfiltration", "sign-in"];
            let ids = scene.recorder.sign_in(&name, &seen);
            return Some(Played::by(seen.outcome, ids));
        }
        if !(self.entered && cast.victim(scene).enabled) {
            return Some(Played::refused());
        }
        Some(Played::done(match step {
            ExfiltrationStep::SignedIn => Vec::new(),
            ExfiltrationStep::FileDownloaded => {
                let members =
                    json!({"FileSizeBytes": 18_000 + u64::from(serial) * 7_919 % 4_000_000});
                handle_library(scene, cast, "FileDownloaded", 6, serial, at_us, members)
            }
            ExfiltrationStep::FileDeleted => {
                handle_library(scene, cast, "FileDeleted", 6, serial, at_us, json!({}))
            }
            ExfiltrationStep::LinkCreated => share(scene, cast, serial, at_us),
            ExfiltrationStep::ForwardingSet => forward_mail(scene, cast, at_us),
        }))
    }
}

fn handle_library(
    scene: &mut Scene,
    cast: &Cast,
    operation: &str,
    record_type: u32,
    serial: u32,
    at_us: i64,
    members: Value,
) -> Vec<String> {
    let number = serial.to_string();
    let id = scene
        .chance
        .uuid(&["mass_exfiltration", operation, &number]);
    let (kind, extension) = KINDS[serial as usize % KINDS.len()];
    let facts = LibraryOperation {
        id: &id,
        at_us,
        operation,
        record_type,
        user: &scene.users[cast.victim],
        origin: &cast.acting,
        session_id: &cast.session_id,
        library: if serial.is_multiple_of(3) {
            Library::Own
        } else {
            Library::Department
        },
        file: &format!("{kind} {:04}.{extension}", serial + 1),
        item_id: &scene.chance.uuid(&["mass_exfiltration", "item", &number]),
    };
    scene.recorder.library_file(&facts, members)
}

/// A link makes two records: the permission, and the link.
fn share(scene: &mut Scene, cast: &Cast, serial: u32, at_us: i64) -> Vec<String> {
    let link = scene
        .chance
        .uuid(&["mass_exfiltration", "link", &serial.to_string()]);
    let item = scene
        .chance
        .uuid(&["mass_exfiltration", "item", &serial.to_string()]);
    let scope = LinkScope::Anonymous;
    let permission = files::link_permission(scope, &item, &link);
    let created = files::link_created(&link);
    let mut ids = handle_library(scene, cast, "SharingSet", 14, serial, at_us, permission);
    ids.extend(handle_library(
        scene,
        cast,
        scope.operation(),
        14,
        serial,
        at_us,
        created,
    ));
    ids
}

fn forward_mail(scene: &mut Scene, cast: &Cast, at_us: i64) -> Vec<String> {
    let id = scene.chance.uuid(&["mass_exfiltration", "forwarding"]);
    let user = &scene.users[cast.victim];
    let mailbox = Mailbox {
        origin: &cast.acting,
        session_id: &cast.session_id,
        ..Mailbox::own(&id, user, at_us)
    };
    let account = user.principal_name.split('@').next().unwrap_or_default();
    let cmdlet = Cmdlet {
        operation: "Set-Mailbox",
        object: account,
        parameters: &[
            ("Identity", account),
            ("ForwardingSmtpAddress", FORWARD_ADDRESS),
            ("DeliverToMailboxAndForward", "True"),
        ],
        // Exchange writes people who set their own mailbox as administrators.
        user_type: 2,
    };
    scene.recorder.cmdlet(&mailbox, &cmdlet)
}
