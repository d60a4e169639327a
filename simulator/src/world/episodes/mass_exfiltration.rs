//! Mass exfiltration: before leaving, somebody takes the files, opens ways to come back for more, and cleans up.

use serde::Serialize;
use serde_json::{Value, json};

use super::super::moment::{MINUTE_US, SECOND_US};
use super::super::places::{OFFICE_HOME, OUTLOOK_WEB};
use super::super::records::extend;
use super::super::records::files::{self, Library, LibraryOperation, LinkScope};
use super::super::records::mail::{self, Mailbox};
use super::super::records::sign_in::Manner;
use super::super::{ContentType, Seen, World};
use super::{Episode, Played, Scene, Turn};

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ExfiltrationStep {
    /// The leaver signs in as always.
    SignedIn,
    /// A file is downloaded.
    FileDownloaded,
    /// A file is shared by a link that needs no sign-in.
    LinkCreated,
    /// The mailbox forwards everything outside.
    ForwardingSet,
    /// A file is deleted.
    FileDeleted,
}

pub(super) fn turns() -> Vec<Turn> {
    use ExfiltrationStep::{FileDeleted, FileDownloaded, ForwardingSet, LinkCreated, SignedIn};
    let scene = Scene::Exfiltration;
    vec![
        Turn::once(scene(SignedIn), 0),
        Turn::again(
            scene(FileDownloaded),
            3 * MINUTE_US,
            DOWNLOADS,
            7 * SECOND_US,
        ),
        Turn::again(scene(LinkCreated), 55 * MINUTE_US, 15, 20 * SECOND_US),
        Turn::once(scene(ForwardingSet), 62 * MINUTE_US),
        Turn::again(scene(FileDeleted), 65 * MINUTE_US, DELETIONS, 6 * SECOND_US),
    ]
}

impl World {
    pub(super) fn play_exfiltration(
        &mut self,
        episode: &mut Episode,
        step: ExfiltrationStep,
        serial: u32,
        at_us: i64,
    ) -> Played {
        if step == ExfiltrationStep::SignedIn {
            let outcome = self.users[episode.victim].sign_in_outcome();
            episode.entered = outcome.succeeded();
            let seen = Seen {
                at_us,
                app: OFFICE_HOME,
                outcome,
                interactive: true,
                session_id: &episode.session_id,
                manner: Manner::Usual,
                correlation_id: None,
            };
            let name = ["mass_exfiltration", "sign-in"];
            let ids = self.record_sign_in(episode.victim, &episode.acting, &name, &seen);
            return Played::by(outcome, ids);
        }
        if !self.is_in(episode) {
            return Played::refused();
        }
        Played::done(match step {
            ExfiltrationStep::SignedIn => Vec::new(),
            ExfiltrationStep::FileDownloaded => {
                let members =
                    json!({"FileSizeBytes": 18_000 + u64::from(serial) * 7_919 % 4_000_000});
                vec![self.handle_library(episode, "FileDownloaded", 6, serial, at_us, members)]
            }
            ExfiltrationStep::FileDeleted => {
                vec![self.handle_library(episode, "FileDeleted", 6, serial, at_us, json!({}))]
            }
            ExfiltrationStep::LinkCreated => self.share(episode, serial, at_us),
            ExfiltrationStep::ForwardingSet => vec![self.forward_mail(episode, at_us)],
        })
    }

    fn handle_library(
        &mut self,
        episode: &Episode,
        operation: &str,
        record_type: u32,
        serial: u32,
        at_us: i64,
        members: Value,
    ) -> String {
        let number = serial.to_string();
        let id = self.chance.uuid(&["mass_exfiltration", operation, &number]);
        let (kind, extension) = KINDS[serial as usize % KINDS.len()];
        let facts = LibraryOperation {
            id: &id,
            at_us,
            operation,
            record_type,
            user: &self.users[episode.victim],
            origin: &episode.acting,
            session_id: &episode.session_id,
            library: if serial.is_multiple_of(3) {
                Library::Own
            } else {
                Library::Department
            },
            file: &format!("{kind} {:04}.{extension}", serial + 1),
            item_id: &self.chance.uuid(&["mass_exfiltration", "item", &number]),
        };
        let record = files::library_file(&self.tenant, &facts, members);
        self.outbox
            .send_to_activity(ContentType::SharePoint, &id, &record, at_us);
        id
    }

    /// A link makes two records: the permission, and the link.
    fn share(&mut self, episode: &Episode, serial: u32, at_us: i64) -> Vec<String> {
        let link = self
            .chance
            .uuid(&["mass_exfiltration", "link", &serial.to_string()]);
        let item = self
            .chance
            .uuid(&["mass_exfiltration", "item", &serial.to_string()]);
        let scope = LinkScope::Anonymous;
        let permission = files::link_permission(scope, &item, &link);
        let created = files::link_created(&link);
        vec![
            self.handle_library(episode, "SharingSet", 14, serial, at_us, permission),
            self.handle_library(episode, scope.operation(), 14, serial, at_us, created),
        ]
    }

    fn forward_mail(&mut self, episode: &Episode, at_us: i64) -> String {
        let id = self.chance.uuid(&["mass_exfiltration", "forwarding"]);
        let user = &self.users[episode.victim];
        let facts = Mailbox {
            id: &id,
            at_us,
            user,
            origin: &episode.acting,
            session_id: &episode.session_id,
            app_id: OUTLOOK_WEB.id,
            client: "Client=OWA;Action=ViaProxy",
        };
        let account = user.principal_name.split('@').next().unwrap_or_default();
        let parameters = [
            ("Identity", account),
            ("ForwardingSmtpAddress", FORWARD_ADDRESS),
            ("DeliverToMailboxAndForward", "True"),
        ];
        let mut record = mail::cmdlet(&self.tenant, &facts, "Set-Mailbox", account, &parameters);
        // Exchange writes people who set their own mailbox as administrators.
        extend(&mut record, json!({"UserType": 2}));
        self.outbox
            .send_to_activity(ContentType::Exchange, &id, &record, at_us);
        id
    }
}
