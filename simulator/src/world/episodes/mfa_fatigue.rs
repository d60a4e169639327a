//! MFA fatigue: the password is known, and prompts are sent at night until the person accepts one.

use rand::Rng;
use serde::Serialize;

use super::super::moment::{MINUTE_US, SECOND_US};
use super::super::places::OFFICE_HOME;
use super::super::records::directory_audit::{Change, Entry, Target};
use super::super::records::sign_in::{Manner, Outcome};
use super::super::{Seen, World};
use super::{Episode, Played, Scene, Turn};

/// A step of the story.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FatigueStep {
    /// A prompt is declined, or not answered.
    PromptSent,
    /// A prompt is accepted.
    PromptAccepted,
    /// The attacker registers a second factor.
    SecurityInfoRegistered,
}

pub(super) fn turns() -> Vec<Turn> {
    use FatigueStep::{PromptAccepted, PromptSent, SecurityInfoRegistered};
    vec![
        Turn::again(Scene::Fatigue(PromptSent), 0, 18, 66 * SECOND_US),
        Turn::once(Scene::Fatigue(PromptAccepted), 20 * MINUTE_US),
        Turn::once(Scene::Fatigue(SecurityInfoRegistered), 23 * MINUTE_US),
    ]
}

impl World {
    pub(super) fn play_fatigue(
        &mut self,
        episode: &mut Episode,
        step: FatigueStep,
        serial: u32,
        at_us: i64,
    ) -> Played {
        let account = self.users[episode.victim].sign_in_outcome();
        match step {
            FatigueStep::PromptSent => {
                let number = serial.to_string();
                let mut dice = self.chance.stream(&["mfa_fatigue", "answer", &number]);
                let answer = if dice.random_ratio(1, 3) {
                    Outcome::SecondFactorUnanswered
                } else {
                    Outcome::SecondFactorDeclined
                };
                let waited_us = dice.random_range(8..50) * SECOND_US;
                self.prompt(episode, &number, at_us, answer, waited_us)
            }
            FatigueStep::PromptAccepted => {
                episode.entered = account.succeeded();
                let waited_us = 17 * SECOND_US;
                self.prompt(episode, "accepted", at_us, Outcome::Success, waited_us)
            }
            FatigueStep::SecurityInfoRegistered if self.is_in(episode) => {
                Played::done(self.register_factor(episode, at_us))
            }
            FatigueStep::SecurityInfoRegistered => Played::refused(),
        }
    }

    /// The password is right, Entra asks for the second factor, and the person answers after a while.
    fn prompt(
        &mut self,
        episode: &Episode,
        name: &str,
        at_us: i64,
        answer: Outcome,
        waited_us: i64,
    ) -> Played {
        let account = self.users[episode.victim].sign_in_outcome();
        let by_policy = self
            .chance
            .number(&["mfa_fatigue", "policy", name])
            .is_multiple_of(2);
        let asked = if by_policy {
            Outcome::SecondFactorRequiredByPolicy
        } else {
            Outcome::SecondFactorRequired
        };
        let both = [
            ("asked", at_us, asked),
            ("answered", at_us + waited_us, answer),
        ];
        let blocked = [("asked", at_us, account)];
        let records = if account.succeeded() {
            both.as_slice()
        } else {
            blocked.as_slice()
        };
        let correlation_id = self.chance.uuid(&["mfa_fatigue", "correlation", name]);
        let mut ids = Vec::new();
        for (kind, at_us, outcome) in records {
            let seen = Seen {
                at_us: *at_us,
                app: OFFICE_HOME,
                outcome: *outcome,
                interactive: true,
                session_id: &episode.session_id,
                manner: Manner::Prompted,
                correlation_id: Some(&correlation_id),
            };
            let name = ["mfa_fatigue", kind, name];
            ids.extend(self.record_sign_in(episode.victim, &episode.acting, &name, &seen));
        }
        let last = records.last().map_or(account, |(_, _, outcome)| *outcome);
        Played::by(last, ids)
    }

    fn register_factor(&mut self, episode: &Episode, at_us: i64) -> Vec<String> {
        let victim = self.users[episode.victim].clone();
        let target = Target {
            kind: "User",
            id: &victim.id,
            name: &victim.principal_name,
        };
        let registered = Entry {
            activity: "User registered security info",
            category: "UserManagement",
            service: "Authentication Methods",
            operation_type: "Add",
            target,
            further_targets: &[],
            changes: &[],
            initiator: None,
        };
        let changes: &[Change<'_>] = &[
            (
                "StrongAuthenticationPhoneAppDetail",
                r#"[{"DeviceName":"Galaxy A15","PhoneAppVersion":"6.2510.7210"}]"#,
                r#"[{"DeviceName":"Galaxy A15","PhoneAppVersion":"6.2510.7210"},{"DeviceName":"NO_DEVICE","PhoneAppVersion":"NO_PHONE_APP_VERSION"}]"#,
            ),
            (
                "Included Updated Properties",
                "",
                "StrongAuthenticationPhoneAppDetail",
            ),
        ];
        let updated = Entry {
            activity: "Update user",
            service: "Core Directory",
            operation_type: "Update",
            changes,
            ..registered
        };
        let mut ids = vec![self.enter_diagnostic(episode, at_us, &registered)];
        ids.extend(self.enter(episode, at_us, &updated));
        ids
    }
}
