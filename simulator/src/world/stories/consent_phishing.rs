//! Consent phishing: a link leads to the consent page of a malicious application of another tenant.
//!
//! The person signs in as always, from the own device; what follows comes from the application's server.

use rand::Rng;

use super::cast::{Addresses, Begins, Cast, Casting, Opening, Victim};
use super::story::{GroundTruth, Phase, Played, Story, StoryTurn, step};
use crate::world::chance::Chance;
use crate::world::moment::{MINUTE_US, SECOND_US};
use crate::world::places::{ATTACKER_SERVER, ClientApplication, SCRIPT_DEVICE};
use crate::world::records::consent::{self, ConsentExtent, ConsentFacts};
use crate::world::records::mail_page::MailPage;
use crate::world::records::outcome::SignInOutcome;
use crate::world::records::sign_in::{SignIn, token_id};
use crate::world::scene::Scene;

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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConsentStep {
    LinkFollowed,
    Consented,
    SignedIn,
    TokenRefreshed,
    MailRead,
}

/// A malicious application is consented to, and reads the mailbox.
pub(crate) struct ConsentPhishing {
    /// Whether the person consented.
    entered: bool,
}

impl Story for ConsentPhishing {
    type Step = ConsentStep;

    const NAME: &'static str = "consent_phishing";
    const SENTENCE: &'static str = "A person consents to a malicious application of another tenant, which then reads the mailbox.";
    const PHASES: &'static [Phase<ConsentStep>] = &[
        step(
            ConsentStep::LinkFollowed,
            "link_followed",
            "The person follows the link, signs in, and is asked for consent.",
        ),
        step(ConsentStep::Consented, "consented", "The person consents."),
        step(
            ConsentStep::SignedIn,
            "signed_in",
            "The application gets its first token.",
        ),
        step(
            ConsentStep::TokenRefreshed,
            "token_refreshed",
            "The application refreshes its token from its server.",
        ),
        step(
            ConsentStep::MailRead,
            "mail_read",
            "The application reads one page of the inbox over Microsoft Graph, until it has all of it.",
        ),
    ];
    const TRUTH: GroundTruth = GroundTruth {
        fires: &[
            "azure_app_consent_granted",
            "m365_app_consent_mail_scopes",
            "m365_mail_read_in_mass",
        ],
        silent: &[
            "azure_app_grant_for_everybody",
            "azure_consent_spreads",
            "azure_signin_impossible_travel",
        ],
    };
    const CASTING: Casting = Casting {
        victim: Victim::Member(0),
        begins: Begins::AtWork(40),
        attacker: Addresses {
            network: "198.51.100",
            from: 100,
            count: 1,
            place: ATTACKER_SERVER,
            device: SCRIPT_DEVICE,
        },
        acts_from_outside: false,
    };

    fn begin(_cast: &Cast, _opening: &Opening<'_>) -> Self {
        Self { entered: false }
    }

    fn turns(&self, _cast: &Cast, opening: &Opening<'_>) -> Vec<StoryTurn<ConsentStep>> {
        use ConsentStep::{Consented, LinkFollowed, MailRead, SignedIn, TokenRefreshed};
        let pages = inbox_messages(opening.chance).div_ceil(PAGE_MESSAGES);
        let every_us = READING_TAKES_US / i64::from(pages);
        vec![
            StoryTurn::once(LinkFollowed, 0),
            StoryTurn::once(Consented, 40 * SECOND_US),
            StoryTurn::once(SignedIn, 42 * SECOND_US),
            StoryTurn::again(TokenRefreshed, FIRST_REFRESH_US, 2, 55 * MINUTE_US),
            StoryTurn::again(MailRead, 6 * MINUTE_US, pages, every_us),
        ]
    }

    fn play(
        &mut self,
        scene: &mut Scene,
        cast: &Cast,
        step: ConsentStep,
        serial: u32,
        at_us: i64,
    ) -> Option<Played> {
        let outcome = cast.victim(scene).sign_in_outcome();
        Some(match step {
            ConsentStep::LinkFollowed => {
                let asked = if outcome.succeeded() {
                    SignInOutcome::ConsentRequired
                } else {
                    outcome
                };
                let ids = application_sign_in(scene, cast, "link", at_us, asked);
                // Entra interrupts the sign-in, which is what the attacker wants.
                let mut played = Played::by(outcome, ids);
                played.error_code = asked.code();
                played
            }
            ConsentStep::Consented => {
                if !outcome.succeeded() {
                    return Some(Played::refused());
                }
                self.entered = true;
                Played::done(give_consent(scene, cast, at_us))
            }
            _ if !self.entered => Played::refused(),
            ConsentStep::SignedIn => {
                let ids = application_sign_in(scene, cast, "first", at_us, outcome);
                Played::by(outcome, ids)
            }
            ConsentStep::TokenRefreshed => {
                let name = refresh_name(serial);
                let ids = application_sign_in(scene, cast, &name, at_us, outcome);
                Played::by(outcome, ids)
            }
            ConsentStep::MailRead if outcome.succeeded() => {
                Played::done(application_reads(scene, cast, serial, at_us))
            }
            ConsentStep::MailRead => Played::refused(),
        })
    }
}

/// How many messages the victim's inbox holds.
fn inbox_messages(chance: Chance) -> u32 {
    let (fewest, most) = INBOX_MESSAGES;
    chance
        .stream(&["consent_phishing", "inbox"])
        .random_range(fewest..=most)
}

fn malicious_application(chance: Chance) -> (String, String) {
    (
        chance.uuid(&["consent_phishing", "application"]),
        chance.uuid(&["consent_phishing", "principal"]),
    )
}

/// A sign-in to the application: by the person, or with the token that the application holds.
fn application_sign_in(
    scene: &mut Scene,
    cast: &Cast,
    name: &str,
    at_us: i64,
    outcome: SignInOutcome,
) -> Vec<String> {
    let refreshes = name.starts_with("refresh");
    let (app_id, _) = malicious_application(scene.chance);
    let app = ClientApplication::over_graph(&app_id, APPLICATION);
    let seen = SignIn {
        origin: if refreshes {
            cast.other_origin()
        } else {
            &cast.acting
        },
        outcome,
        interactive: !refreshes,
        session_id: &cast.session_id,
        ..SignIn::usual(&scene.users[cast.victim], app, at_us)
    };
    scene.recorder.sign_in(&["consent_phishing", name], &seen)
}

/// What Entra writes of a consent: the application appears, gets its permissions, and the person.
fn give_consent(scene: &mut Scene, cast: &Cast, at_us: i64) -> Vec<String> {
    let (app_id, principal_id) = malicious_application(scene.chance);
    let victim = cast.victim(scene).clone();
    let facts = ConsentFacts {
        application: APPLICATION,
        app_id: &app_id,
        principal_id: &principal_id,
        graph_id: &scene.chance.uuid(&["principal", "Microsoft Graph"]),
        grant_id: &scene.chance.hex(&["consent_phishing", "grant"])[..20],
        scopes: SCOPES,
        extent: ConsentExtent::Person(&victim),
        is_new: true,
    };
    let mut ids = Vec::new();
    consent::write(&facts, &mut |entry| {
        ids.extend(cast.audit(scene, at_us, entry));
    });
    ids
}

/// One page of messages.
fn application_reads(scene: &mut Scene, cast: &Cast, serial: u32, at_us: i64) -> Vec<String> {
    let number = serial.to_string();
    let (app_id, _) = malicious_application(scene.chance);
    let first = serial * PAGE_MESSAGES;
    let last = (first + PAGE_MESSAGES).min(inbox_messages(scene.chance));
    let messages: Vec<String> = (0..last.saturating_sub(first))
        .map(|message| {
            let name = ["consent_phishing", "message", &number, &message.to_string()];
            scene.message_id(&name)
        })
        .collect();
    let (fewest, most) = MESSAGE_BYTES;
    let mut dice = scene
        .chance
        .stream(&["consent_phishing", "answer", &number]);
    let bytes = messages.iter().map(|_| dice.random_range(fewest..=most));
    let token = ["consent_phishing", &refresh_name(0)].join("/");
    let page = MailPage {
        mail_id: &scene.chance.uuid(&["consent_phishing", "mail", &number]),
        request_id: &scene.chance.uuid(&["consent_phishing", "request", &number]),
        at_us,
        user: &scene.users[cast.victim],
        origin: cast.other_origin(),
        app_id: &app_id,
        scopes: SCOPES,
        token_id: &token_id(scene.chance, &token),
        token_issued_us: cast.begins_us + FIRST_REFRESH_US,
        session_id: &cast.session_id,
        first,
        size: PAGE_MESSAGES,
        messages: &messages,
        answer_bytes: bytes.sum(),
    };
    scene.recorder.mail_page(&page)
}

fn refresh_name(serial: u32) -> String {
    format!("refresh {serial}")
}
