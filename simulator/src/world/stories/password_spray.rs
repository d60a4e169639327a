//! Password spray with success: three passwords against everybody, from one address and then from a few.
//!
//! The mail client's protocol asks for no second factor; where the password fits, the mailbox is open.

use super::cast::{Addresses, Begins, Cast, Casting, Opening, Victim};
use super::story::{GroundTruth, Phase, Played, Story, StoryTurn, step};
use crate::world::chance::Chance;
use crate::world::moment::{MINUTE_US, SECOND_US};
use crate::world::places::{EXCHANGE, MAIL_CLIENT, Origin, RENTED_MACHINES};
use crate::world::records::mail::Mailbox;
use crate::world::records::outcome::SignInOutcome;
use crate::world::records::sign_in::{SignIn, SignInManner};
use crate::world::scene::Scene;
use crate::world::users::{User, UserKind};

/// Passwords that are tried.
const ROUNDS: u32 = 3;
/// Distance of the rounds: below it, accounts would be locked.
const ROUND_EVERY_US: i64 = 20 * MINUTE_US;
/// How long a round takes, whatever the number of accounts.
const ROUND_TAKES_US: i64 = 15 * MINUTE_US;
/// Names that the attacker guessed and nobody has.
const GUESSED_NAMES: &[&str] = &["info", "scanner", "payroll", "reception", "backup"];

/// A step of the story.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SprayStep {
    PasswordTried,
    SignedIn,
    MailRead,
    MailSent,
}

/// An account that is tried.
#[derive(Debug, Clone, Copy)]
enum SprayTarget {
    Known(usize),
    /// The one whose password is found in the last round.
    Victim(usize),
    Guessed(&'static str),
}

/// Whom the attacker tries, in order: everybody but guests, whose passwords are elsewhere, and guessed names.
fn targets(chance: Chance, users: &[User], victim: usize) -> Vec<SprayTarget> {
    let mut known: Vec<usize> = (0..users.len())
        .filter(|index| *index != victim && users[*index].kind != UserKind::Guest)
        .collect();
    known.sort_by_key(|index| chance.number(&["password_spray", "order", &index.to_string()]));
    let mut targets: Vec<SprayTarget> = known.into_iter().map(SprayTarget::Known).collect();
    targets.insert(targets.len() * 2 / 3, SprayTarget::Victim(victim));
    targets.extend(GUESSED_NAMES.iter().map(|name| SprayTarget::Guessed(name)));
    targets
}

/// Distance of two attempts.
fn every_us(targets: &[SprayTarget]) -> i64 {
    ROUND_TAKES_US / i64::try_from(targets.len()).unwrap_or(i64::MAX).max(1)
}

/// Few passwords against everybody.
pub(crate) struct PasswordSpray {
    /// Whom the attacker tries, in order.
    targets: Vec<SprayTarget>,
    /// Whether a password fitted.
    entered: bool,
}

impl Story for PasswordSpray {
    type Step = SprayStep;

    const NAME: &'static str = "password_spray";
    const SENTENCE: &'static str = "Few addresses try few passwords against everybody; one fits, and the mailbox is opened without a second factor.";
    const PHASES: &'static [Phase<SprayStep>] = &[
        step(
            SprayStep::PasswordTried,
            "password_tried",
            "A password is tried that does not open the account.",
        ),
        step(SprayStep::SignedIn, "signed_in", "The password fits."),
        step(
            SprayStep::MailRead,
            "mail_read",
            "The mail client copies the mailbox.",
        ),
        step(
            SprayStep::MailSent,
            "mail_sent",
            "The mailbox sends the next lure.",
        ),
    ];
    const TRUTH: GroundTruth = GroundTruth {
        fires: &[
            "azure_signin_legacy_auth_succeeds",
            "azure_signin_password_spray",
            "m365_mail_copied_or_log_throttled",
        ],
        silent: &[
            "azure_signin_password_guessing",
            "azure_signin_second_factor_fatigue",
        ],
    };
    const CASTING: Casting = Casting {
        victim: Victim::Member(1),
        begins: Begins::AtWork(8),
        attacker: Addresses {
            network: "203.0.113",
            from: 100,
            count: 4,
            place: RENTED_MACHINES,
            device: MAIL_CLIENT,
        },
        acts_from_outside: true,
    };

    fn begin(cast: &Cast, opening: &Opening<'_>) -> Self {
        Self {
            targets: targets(opening.chance, opening.users, cast.victim),
            entered: false,
        }
    }

    fn turns(&self, _cast: &Cast, _opening: &Opening<'_>) -> Vec<StoryTurn<SprayStep>> {
        let every_us = every_us(&self.targets);
        let is_victim = |target: &SprayTarget| matches!(target, SprayTarget::Victim(_));
        let found = self.targets.iter().position(is_victim).unwrap_or_default();
        let mut turns = Vec::new();
        for round in 0..ROUNDS {
            for (place, at) in (0..self.targets.len()).zip(0_i64..) {
                let step = if round + 1 == ROUNDS && place == found {
                    SprayStep::SignedIn
                } else {
                    SprayStep::PasswordTried
                };
                let after_us = i64::from(round) * ROUND_EVERY_US + at * every_us;
                turns.push(StoryTurn::once(step, after_us));
            }
        }
        let after_us = i64::from(ROUNDS) * ROUND_EVERY_US;
        let sent_us = after_us + 9 * MINUTE_US;
        turns.extend([
            StoryTurn::again(SprayStep::MailRead, after_us, 12, 30 * SECOND_US),
            StoryTurn::again(SprayStep::MailSent, sent_us, 4, 20 * SECOND_US),
        ]);
        turns
    }

    fn play(
        &mut self,
        scene: &mut Scene,
        cast: &Cast,
        step: SprayStep,
        serial: u32,
        at_us: i64,
    ) -> Option<Played> {
        Some(match step {
            SprayStep::PasswordTried => self.try_password(scene, cast, at_us),
            SprayStep::SignedIn => {
                let seen = SignIn {
                    origin: &cast.acting,
                    session_id: &cast.session_id,
                    ..with_password(&scene.users[cast.victim], at_us)
                };
                self.entered = seen.outcome.succeeded();
                let ids = scene.recorder.sign_in(&["password_spray", "found"], &seen);
                Played::by(seen.outcome, ids)
            }
            _ if !(self.entered && cast.victim(scene).enabled) => Played::refused(),
            SprayStep::MailRead | SprayStep::MailSent => {
                Played::done(use_mailbox(scene, cast, step, serial, at_us))
            }
        })
    }
}

impl PasswordSpray {
    fn try_password(&self, scene: &mut Scene, cast: &Cast, at_us: i64) -> Played {
        let since_us = at_us - cast.begins_us;
        let round = since_us / ROUND_EVERY_US;
        let place = since_us % ROUND_EVERY_US / every_us(&self.targets);
        let place = usize::try_from(place).unwrap_or_default();
        let nobody;
        let (user, outcome) = match self.targets.get(place) {
            Some(SprayTarget::Known(index)) => {
                let user = &scene.users[*index];
                (user, outcome_of(round, place, user.enabled))
            }
            Some(SprayTarget::Victim(index)) => {
                let user = &scene.users[*index];
                // No remainder of the rounds before makes the victim's account stand out.
                (user, outcome_of(0, place, user.enabled))
            }
            Some(SprayTarget::Guessed(name)) => {
                let principal_name = format!("{name}@{}", scene.recorder.tenant.domain);
                nobody = stranger(cast.victim(scene), &principal_name);
                (&nobody, SignInOutcome::UnknownUser)
            }
            None => return Played::refused(),
        };
        let address = match usize::try_from(round).unwrap_or_default() {
            0 => 0,
            _ => place % cast.elsewhere.len().max(1),
        };
        let origin: &Origin = cast.elsewhere.get(address).unwrap_or(&cast.acting);
        let seen = SignIn {
            origin,
            outcome,
            ..with_password(user, at_us)
        };
        let (round, place) = (round.to_string(), place.to_string());
        let name = ["password_spray", "tried", &round, &place];
        Played::by(outcome, scene.recorder.sign_in(&name, &seen))
    }
}

/// A mail client that hands over a password, in no session.
fn with_password(user: &User, at_us: i64) -> SignIn<'_> {
    SignIn {
        session_id: "",
        manner: SignInManner::PasswordOnly,
        ..SignIn::usual(user, EXCHANGE, at_us)
    }
}

fn use_mailbox(
    scene: &mut Scene,
    cast: &Cast,
    step: SprayStep,
    serial: u32,
    at_us: i64,
) -> Vec<String> {
    let sends = step == SprayStep::MailSent;
    let kind = if sends { "sent" } else { "read" };
    let name = ["password_spray", kind, &serial.to_string()];
    let id = scene.chance.uuid(&name);
    let message_id = scene.message_id(&name);
    let mailbox = Mailbox {
        origin: &cast.acting,
        session_id: &cast.session_id,
        app_id: EXCHANGE.id,
        client: "Client=POP3/IMAP4;Protocol=IMAP4",
        ..Mailbox::own(&id, &scene.users[cast.victim], at_us)
    };
    if sends {
        let subject = "Please review the shared document";
        scene.recorder.mail_sent(&mailbox, subject, &message_id)
    } else {
        scene.recorder.mail_read(&mailbox, "Sync", &[])
    }
}

/// How an attempt at an account that keeps its secret ends.
///
/// Some accounts are locked from the second round on; the second password was right for some before it expired.
fn outcome_of(round: i64, place: usize, is_enabled: bool) -> SignInOutcome {
    match (round, place) {
        _ if !is_enabled => SignInOutcome::Disabled,
        (1.., place) if place % 17 == 3 => SignInOutcome::Locked,
        (1, place) if place % 23 == 5 => SignInOutcome::ExpiredPassword,
        _ => SignInOutcome::BadPassword,
    }
}

/// What Entra knows of an account that the tenant does not have: the name that was tried.
fn stranger(like: &User, principal_name: &str) -> User {
    User {
        id: "00000000-0000-0000-0000-000000000000".to_owned(),
        principal_name: principal_name.to_owned(),
        display_name: principal_name.to_owned(),
        ..like.clone()
    }
}
