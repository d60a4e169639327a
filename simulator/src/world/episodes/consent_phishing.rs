//! Consent phishing: a link leads to the consent page of a malicious application of another tenant.
//!
//! The person signs in as always, from the own device; what follows comes from the application's server.

use rand::Rng;
use serde::Serialize;

use super::super::chance::Chance;
use super::super::moment::{MINUTE_US, SECOND_US};
use super::super::places::{App, GRAPH_RESOURCE};
use super::super::records::consent::{self, Consent, Extent};
use super::super::records::mail_page::MailPage;
use super::super::records::sign_in::{Manner, Outcome};
use super::super::{Seen, World, record_mail_page, token_id};
use super::{Episode, Played, Scene, Turn};

/// Name of the malicious application.
const APPLICATION: &str = "Document Signing Desk";
/// What it asks for.
const SCOPES: &str =
    "openid profile offline_access User.Read Mail.Read Mail.ReadWrite Contacts.Read";

/// When the application's server gets the token with which it reads, after the link was followed.
const FIRST_REFRESH_US: i64 = 4 * MINUTE_US;
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
            FIRST_REFRESH_US,
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

    /// One page of messages.
    fn application_reads(&mut self, episode: &Episode, serial: u32, at_us: i64) -> Vec<String> {
        let number = serial.to_string();
        let (app_id, _) = self.malicious_application();
        let first = serial * PAGE_MESSAGES;
        let last = (first + PAGE_MESSAGES).min(inbox_messages(self.chance));
        let messages: Vec<String> = (0..last.saturating_sub(first))
            .map(|message| {
                let name = ["consent_phishing", "message", &number, &message.to_string()];
                format!("<{}@{}>", self.chance.hex(&name), self.tenant.domain)
            })
            .collect();
        let (fewest, most) = MESSAGE_BYTES;
        let mut dice = self.chance.stream(&["consent_phishing", "answer", &number]);
        let bytes = messages.iter().map(|_| dice.random_range(fewest..=most));
        let token = ["consent_phishing", &refresh_name(0)].join("/");
        let page = MailPage {
            mail_id: &self.chance.uuid(&["consent_phishing", "mail", &number]),
            request_id: &self.chance.uuid(&["consent_phishing", "request", &number]),
            at_us,
            user: &self.users[episode.victim],
            origin: episode.elsewhere.first().unwrap_or(&episode.acting),
            app_id: &app_id,
            scopes: SCOPES,
            token_id: &token_id(self.chance, &token),
            token_issued_us: episode.begins_us + FIRST_REFRESH_US,
            session_id: &episode.session_id,
            first,
            size: PAGE_MESSAGES,
            messages: &messages,
            answer_bytes: bytes.sum(),
        };
        record_mail_page(&mut self.outbox, &self.tenant, &page)
    }
}

fn refresh_name(serial: u32) -> String {
    format!("refresh {serial}")
}
