//! Password spray with success: three passwords against everybody, from one address and then from a few.
//!
//! The mail client's protocol asks for no second factor; where the password fits, the mailbox is open.

use serde::Serialize;

use super::super::chance::Chance;
use super::super::moment::{MINUTE_US, SECOND_US};
use super::super::places::{EXCHANGE, Origin};
use super::super::records::mail::{self, Mailbox};
use super::super::records::sign_in::{Manner, Outcome};
use super::super::users::{Kind, User};
use super::super::{ContentType, Seen, World, record_sign_in};
use super::{Episode, Played, Scene, Turn};

/// Passwords that are tried.
const ROUNDS: u32 = 3;
/// Distance of the rounds: below it, accounts would be locked.
const ROUND_EVERY_US: i64 = 20 * MINUTE_US;
/// How long a round takes, whatever the number of accounts.
const ROUND_TAKES_US: i64 = 15 * MINUTE_US;
/// Names that the attacker guessed and nobody has.
const GUESSED_NAMES: &[&str] = &["info", "scanner", "payroll", "reception", "backup"];

/// A step of the story.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SprayStep {
    /// A password is tried that does not open the account.
    PasswordTried,
    /// The password fits.
    SignedIn,
    /// The mail client copies the mailbox.
    MailRead,
    /// The mailbox sends the next lure.
    MailSent,
}

/// An account that is tried.
#[derive(Debug, Clone, Copy)]
pub(crate) enum SprayTarget {
    Known(usize),
    /// The one whose password is found in the last round.
    Victim(usize),
    Guessed(&'static str),
}

/// Whom the attacker tries, in order: everybody but guests, whose passwords are elsewhere, and guessed names.
pub(super) fn targets(chance: Chance, users: &[User], victim: usize) -> Vec<SprayTarget> {
    let mut known: Vec<usize> = (0..users.len())
        .filter(|index| *index != victim && users[*index].kind != Kind::Guest)
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

pub(super) fn turns(targets: &[SprayTarget]) -> Vec<Turn> {
    let every_us = every_us(targets);
    let is_victim = |target: &SprayTarget| matches!(target, SprayTarget::Victim(_));
    let found = targets.iter().position(is_victim).unwrap_or_default();
    let mut turns = Vec::new();
    for round in 0..ROUNDS {
        for (place, at) in (0..targets.len()).zip(0_i64..) {
            let step = if round + 1 == ROUNDS && place == found {
                SprayStep::SignedIn
            } else {
                SprayStep::PasswordTried
            };
            let after_us = i64::from(round) * ROUND_EVERY_US + at * every_us;
            turns.push(Turn::once(Scene::Spray(step), after_us));
        }
    }
    let after_us = i64::from(ROUNDS) * ROUND_EVERY_US;
    let read = Scene::Spray(SprayStep::MailRead);
    turns.push(Turn::again(read, after_us, 12, 30 * SECOND_US));
    let sent = Scene::Spray(SprayStep::MailSent);
    turns.push(Turn::again(
        sent,
        after_us + 9 * MINUTE_US,
        4,
        20 * SECOND_US,
    ));
    turns
}

/// How an attempt at an account that keeps its secret ends.
///
/// Some accounts are locked from the second round on; the second password was right for some before it expired.
fn outcome_of(round: i64, place: usize, is_enabled: bool) -> Outcome {
    match (round, place) {
        _ if !is_enabled => Outcome::Disabled,
        (1.., place) if place % 17 == 3 => Outcome::Locked,
        (1, place) if place % 23 == 5 => Outcome::ExpiredPassword,
        _ => Outcome::BadPassword,
    }
}

impl World {
    pub(super) fn play_spray(
        &mut self,
        episode: &mut Episode,
        step: SprayStep,
        serial: u32,
        at_us: i64,
    ) -> Played {
        match step {
            SprayStep::PasswordTried => self.try_password(episode, at_us),
            SprayStep::SignedIn => {
                let victim = episode.victim;
                let outcome = self.users[victim].sign_in_outcome();
                episode.entered = outcome.succeeded();
                let user = &self.users[victim];
                let seen = attempt(at_us, outcome, &episode.session_id);
                let ids = record_sign_in(
                    &mut self.outbox,
                    &self.tenant,
                    self.chance,
                    user,
                    &episode.acting,
                    &["password_spray", "found"],
                    &seen,
                );
                Played::by(outcome, ids)
            }
            _ if !self.is_in(episode) => Played::refused(),
            SprayStep::MailRead | SprayStep::MailSent => {
                Played::done(self.use_mailbox(episode, step, serial, at_us))
            }
        }
    }

    fn try_password(&mut self, episode: &Episode, at_us: i64) -> Played {
        let since_us = at_us - episode.begins_us;
        let round = since_us / ROUND_EVERY_US;
        let place = since_us % ROUND_EVERY_US / every_us(&episode.targets);
        let place = usize::try_from(place).unwrap_or_default();
        let nobody;
        let (user, outcome) = match episode.targets.get(place) {
            Some(SprayTarget::Known(index)) => {
                let user = &self.users[*index];
                (user, outcome_of(round, place, user.enabled))
            }
            Some(SprayTarget::Victim(index)) => {
                let user = &self.users[*index];
                // No remainder of the rounds before makes the victim's account stand out.
                (user, outcome_of(0, place, user.enabled))
            }
            Some(SprayTarget::Guessed(name)) => {
                nobody = stranger(
                    &self.users[episode.victim],
                    &format!("{name}@{}", self.tenant.domain),
                );
                (&nobody, Outcome::UnknownUser)
            }
            None => return Played::refused(),
        };
        let address = match usize::try_from(round).unwrap_or_default() {
            0 => 0,
            _ => place % episode.elsewhere.len().max(1),
        };
        let origin: &Origin = episode.elsewhere.get(address).unwrap_or(&episode.acting);
        let seen = attempt(at_us, outcome, "");
        let name = [
            "password_spray",
            "tried",
            &round.to_string(),
            &place.to_string(),
        ];
        let ids = record_sign_in(
            &mut self.outbox,
            &self.tenant,
            self.chance,
            user,
            origin,
            &name,
            &seen,
        );
        Played::by(outcome, ids)
    }

    fn use_mailbox(
        &mut self,
        episode: &Episode,
        step: SprayStep,
        serial: u32,
        at_us: i64,
    ) -> Vec<String> {
        let sends = step == SprayStep::MailSent;
        let kind = if sends { "sent" } else { "read" };
        let name = ["password_spray", kind, &serial.to_string()];
        let id = self.chance.uuid(&name);
        let facts = Mailbox {
            id: &id,
            at_us,
            user: &self.users[episode.victim],
            origin: &episode.acting,
            session_id: &episode.session_id,
            app_id: EXCHANGE.id,
            client: "Client=POP3/IMAP4;Protocol=IMAP4",
        };
        let record = if sends {
            let message_id = format!("<{}@{}>", self.chance.hex(&name), self.tenant.domain);
            mail::sent(
                &self.tenant,
                &facts,
                "Please review the shared document",
                &message_id,
            )
        } else {
            mail::items_accessed(&self.tenant, &facts, "Sync", &[])
        };
        self.outbox
            .send_to_activity(ContentType::Exchange, &id, &record, at_us);
        vec![id]
    }
}

fn attempt(at_us: i64, outcome: Outcome, session_id: &str) -> Seen<'_> {
    Seen {
        at_us,
        app: EXCHANGE,
        outcome,
        interactive: true,
        session_id,
        manner: Manner::PasswordOnly,
        correlation_id: None,
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
