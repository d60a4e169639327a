//! Consent phishing: a link leads to the consent page of a malicious application of another tenant.
//!
//! The person signs in as always, from the own device; what follows comes from the application's server.

use rand::Rng;
use serde::Serialize;
use serde_json::json;

use super::super::chance::Chance;
use super::super::moment::{MINUTE_US, SECOND_US, seconds};
use super::super::places::{App, GRAPH_RESOURCE};
use super::super::records::consent::{self, Consent, Extent};
use super::super::records::extend;
use super::super::records::graph_activity::{self, GraphRequest};
use super::super::records::mail::{self, Mailbox};
use super::super::records::sign_in::{Manner, Outcome};
use super::super::{ContentType, Feed, Seen, World, token_id};
use super::{Episode, Played, Scene, Turn};

/// Name of the malicious application.
const APPLICATION: &str = "Document Signing Desk";
/// What it asks for.
const SCOPES: &str =
    "openid profile offline_access User.Read Mail.Read Mail.ReadWrite Contacts.Read";

/// Fewest and most messages that the inbox holds.
const INBOX_MESSAGES: (u32, u32) = (1_400, 3_600);
/// Messages that the application asks for at once.
const PAGE_MESSAGES: u32 = 25;
/// How long the application takes for the whole inbox: Graph slows down who asks faster.
const READING_TAKES_US: i64 = 30 * MINUTE_US;
/// Fewest and most bytes of a message in an answer, with its text and without its attachments.
const MESSAGE_BYTES: (u64, u64) = (12_000, 90_000);

/// A step of the story.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ConsentStep {
    /// The person follows the link, signs in, and is asked for consent.
    LinkFollowed,
    /// The person consents.
    Consented,
    /// The application gets its first token.
    SignedIn,
    /// The application refreshes its token from its server.
    TokenRefreshed,
    /// The application reads one page of the inbox over Microsoft Graph, until it has all of it.
    MailRead,
}

/// How many messages the victim's inbox holds.
fn inbox_messages(chance: Chance) -> u32 {
    let (fewest, most) = INBOX_MESSAGES;
    chance
        .stream(&["consent_phishing", "inbox"])
        .random_range(fewest..=most)
}

pub(super) fn turns(chance: Chance) -> Vec<Turn> {
    use ConsentStep::{Consented, LinkFollowed, MailRead, SignedIn, TokenRefreshed};
    let pages = inbox_messages(chance).div_ceil(PAGE_MESSAGES);
    vec![
        Turn::once(Scene::Consent(LinkFollowed), 0),
        Turn::once(Scene::Consent(Consented), 40 * SECOND_US),
        Turn::once(Scene::Consent(SignedIn), 42 * SECOND_US),
        Turn::again(
            Scene::Consent(TokenRefreshed),
            4 * MINUTE_US,
            2,
            55 * MINUTE_US,
        ),
        Turn::again(
            Scene::Consent(MailRead),
            6 * MINUTE_US,
            pages,
            READING_TAKES_US / i64::from(pages),
        ),
    ]
}

impl World {
    pub(super) fn play_consent(
        &mut self,
        episode: &mut Episode,
        step: ConsentStep,
        serial: u32,
        at_us: i64,
    ) -> Played {
        let outcome = self.users[episode.victim].sign_in_outcome();
        match step {
            ConsentStep::LinkFollowed => {
                let asked = if outcome.succeeded() {
                    Outcome::ConsentRequired
                } else {
                    outcome
                };
                let ids = self.application_sign_in(episode, "link", at_us, asked);
                // Entra interrupts the sign-in, which is what the attacker wants.
                let mut played = Played::by(outcome, ids);
                played.error_code = asked.code();
                played
            }
            ConsentStep::Consented => {
                if !outcome.succeeded() {
                    return Played::refused();
                }
                episode.entered = true;
                Played::done(self.give_consent(episode, at_us))
            }
            _ if !episode.entered => Played::refused(),
            ConsentStep::SignedIn => {
                let ids = self.application_sign_in(episode, "first", at_us, outcome);
                Played::by(outcome, ids)
            }
            ConsentStep::TokenRefreshed => {
                let name = refresh_name(serial);
                let ids = self.application_sign_in(episode, &name, at_us, outcome);
                Played::by(outcome, ids)
            }
            ConsentStep::MailRead if outcome.succeeded() => {
                Played::done(self.application_reads(episode, serial, at_us))
            }
            ConsentStep::MailRead => Played::refused(),
        }
    }

    fn malicious_application(&self) -> (String, String) {
        (
            self.chance.uuid(&["consent_phishing", "application"]),
            self.chance.uuid(&["consent_phishing", "principal"]),
        )
    }

    /// A sign-in to the application: by the person, or with the token that the application holds.
    fn application_sign_in(
        &mut self,
        episode: &Episode,
        name: &str,
        at_us: i64,
        outcome: Outcome,
    ) -> Vec<String> {
        let refreshes = name.starts_with("refresh");
        let (app_id, _) = self.malicious_application();
        let origin = episode.elsewhere.first().filter(|_| refreshes);
        let seen = Seen {
            at_us,
            app: App {
                id: &app_id,
                name: APPLICATION,
                resource_id: GRAPH_RESOURCE,
                resource: "Microsoft Graph",
            },
            outcome,
            interactive: !refreshes,
            session_id: &episode.session_id,
            manner: Manner::Usual,
            correlation_id: None,
        };
        self.record_sign_in(
            episode.victim,
            origin.unwrap_or(&episode.acting),
            &["consent_phishing", name],
            &seen,
        )
    }

    /// What Entra writes of a consent: the application appears, gets its permissions, and the person.
    fn give_consent(&mut self, episode: &Episode, at_us: i64) -> Vec<String> {
        let (app_id, principal_id) = self.malicious_application();
        let victim = self.users[episode.victim].clone();
        let facts = Consent {
            application: APPLICATION,
            app_id: &app_id,
            principal_id: &principal_id,
            graph_id: &self.chance.uuid(&["principal", "Microsoft Graph"]),
            grant_id: &self.chance.hex(&["consent_phishing", "grant"])[..20],
            scopes: SCOPES,
            extent: Extent::Person(&victim),
            is_new: true,
        };
        let mut ids = Vec::new();
        consent::write(&facts, &mut |entry| {
            ids.extend(self.enter(episode, at_us, entry));
        });
        ids
    }

    /// One page of messages: Graph tells of the request, Exchange of the messages.
    fn application_reads(&mut self, episode: &Episode, serial: u32, at_us: i64) -> Vec<String> {
        let number = serial.to_string();
        let (app_id, _) = self.malicious_application();
        let token_id = token_id(
            self.chance,
            &["consent_phishing", &refresh_name(0)].join("/"),
        );
        let user = &self.users[episode.victim];
        let origin = episode.elsewhere.first().unwrap_or(&episode.acting);
        let mail_id = self.chance.uuid(&["consent_phishing", "mail", &number]);
        let facts = Mailbox {
            id: &mail_id,
            at_us,
            user,
            origin,
            session_id: &episode.session_id,
            app_id: &app_id,
            client: "Client=REST;Client=RESTSystem;;",
        };
        let first = serial * PAGE_MESSAGES;
        let last = (first + PAGE_MESSAGES).min(inbox_messages(self.chance));
        let messages: Vec<String> = (0..last.saturating_sub(first))
            .map(|message| {
                let name = ["consent_phishing", "message", &number, &message.to_string()];
                format!("<{}@{}>", self.chance.hex(&name), self.tenant.domain)
            })
            .collect();
        let mut record = mail::items_accessed(&self.tenant, &facts, "Bind", &messages);
        let context = json!({"AppAccessContext": {
            "AADSessionId": episode.session_id,
            "APIId": GRAPH_RESOURCE,
            "ClientAppId": app_id,
            "CorrelationId": mail_id,
            "IssuedAtTime": seconds(at_us - 2 * MINUTE_US),
            "UniqueTokenId": token_id,
        }});
        extend(&mut record, context);
        self.outbox
            .send_to_activity(ContentType::Exchange, &mail_id, &record, at_us);
        let request_id = self.chance.uuid(&["consent_phishing", "request", &number]);
        let (fewest, most) = MESSAGE_BYTES;
        let mut dice = self.chance.stream(&["consent_phishing", "answer", &number]);
        let request = GraphRequest {
            id: &request_id,
            at_us,
            user,
            origin,
            app_id: &app_id,
            scopes: SCOPES,
            token_id: &token_id,
            session_id: &episode.session_id,
            path: &format!("me/mailFolders/inbox/messages?$top={PAGE_MESSAGES}&$skip={first}"),
            answer_bytes: messages
                .iter()
                .map(|_| dice.random_range(fewest..=most))
                .sum(),
        };
        let record = graph_activity::request(&self.tenant, &request);
        self.outbox
            .send_to_hub(Feed::GraphActivity, &request_id, record, at_us);
        vec![mail_id, request_id]
    }
}

fn refresh_name(serial: u32) -> String {
    format!("refresh {serial}")
}
