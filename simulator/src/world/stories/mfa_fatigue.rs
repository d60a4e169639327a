//! MFA fatigue: the password is known, and prompts are sent at night until the person accepts one.

use rand::Rng;

use super::cast::{Addresses, Begins, Cast, Casting, Opening, Victim};
use super::story::{GroundTruth, Phase, Played, Story, StoryTurn, step};
use crate::world::moment::{MINUTE_US, SECOND_US};
use crate::world::places::{OFFICE_HOME, PROMPT_SENDER, PROXY_DEVICE};
use crate::world::records::outcome::SignInOutcome;
use crate::world::records::security_info;
use crate::world::records::sign_in::{SignIn, SignInManner};
use crate::world::scene::Scene;

/// A step of the story.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FatigueStep {
    PromptSent,
    PromptAccepted,
    SecurityInfoRegistered,
}

/// The password is known, and prompts are sent until one is accepted.
pub(crate) struct MfaFatigue {
    /// Whether a prompt was accepted.
    entered: bool,
}

impl Story for MfaFatigue {
    type Step = FatigueStep;

    const NAME: &'static str = "mfa_fatigue";
    const SENTENCE: &'static str = "The password is known, and prompts are sent at night until one is accepted; then a new second factor is registered.";
    const PHASES: &'static [Phase<FatigueStep>] = &[
        step(
            FatigueStep::PromptSent,
            "prompt_sent",
            "A prompt is declined, or not answered.",
        ),
        step(
            FatigueStep::PromptAccepted,
            "prompt_accepted",
            "A prompt is accepted.",
        ),
        step(
            FatigueStep::SecurityInfoRegistered,
            "security_info_registered",
            "The attacker registers a second factor.",
        ),
    ];
    const TRUTH: GroundTruth = GroundTruth {
        fires: &[
            "azure_signin_second_factor_declined",
            "azure_signin_second_factor_fatigue",
        ],
        silent: &[
            "azure_signin_password_guessing",
            "azure_signin_password_spray",
        ],
    };
    const CASTING: Casting = Casting {
        victim: Victim::Member(2),
        begins: Begins::AtNight,
        attacker: Addresses {
            network: "198.51.100",
            from: 150,
            count: 1,
            place: PROMPT_SENDER,
            device: PROXY_DEVICE,
        },
        acts_from_outside: true,
    };

    fn begin(_cast: &Cast, _opening: &Opening<'_>) -> Self {
        Self { entered: false }
    }

    fn turns(&self, _cast: &Cast, _opening: &Opening<'_>) -> Vec<StoryTurn<FatigueStep>> {
        use FatigueStep::{PromptAccepted, PromptSent, SecurityInfoRegistered};
        vec![
            StoryTurn::again(PromptSent, 0, 18, 66 * SECOND_US),
            StoryTurn::once(PromptAccepted, 20 * MINUTE_US),
            StoryTurn::once(SecurityInfoRegistered, 23 * MINUTE_US),
        ]
    }

    fn play(
        &mut self,
        scene: &mut Scene,
        cast: &Cast,
        step: FatigueStep,
        serial: u32,
        at_us: i64,
    ) -> Option<Played> {
        Some(match step {
            FatigueStep::PromptSent => {
                let number = serial.to_string();
                let mut dice = scene.chance.stream(&["mfa_fatigue", "answer", &number]);
                let answer = if dice.random_ratio(1, 3) {
                    SignInOutcome::SecondFactorUnanswered
                } else {
                    SignInOutcome::SecondFactorDeclined
                };
                let waited_us = dice.random_range(8..50) * SECOND_US;
                prompt(scene, cast, &number, at_us, answer, waited_us)
            }
            FatigueStep::PromptAccepted => {
                self.entered = cast.victim(scene).sign_in_outcome().succeeded();
                let waited_us = 17 * SECOND_US;
                prompt(
                    scene,
                    cast,
                    "accepted",
                    at_us,
                    SignInOutcome::Success,
                    waited_us,
                )
            }
            FatigueStep::SecurityInfoRegistered if self.entered && cast.victim(scene).enabled => {
                Played::done(register_factor(scene, cast, at_us))
            }
            FatigueStep::SecurityInfoRegistered => Played::refused(),
        })
    }
}

/// The password is right, Entra asks for the second factor, and the person answers after a while.
fn prompt(
    scene: &mut Scene,
    cast: &Cast,
    name: &str,
    at_us: i64,
    answer: SignInOutcome,
    waited_us: i64,
) -> Played {
    let account = cast.victim(scene).sign_in_outcome();
    let by_policy = scene
        .chance
        .number(&["mfa_fatigue", "policy", name])
        .is_multiple_of(2);
    let asked = if by_policy {
        SignInOutcome::SecondFactorRequiredByPolicy
    } else {
        SignInOutcome::SecondFactorRequired
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
    let correlation_id = scene.chance.uuid(&["mfa_fatigue", "correlation", name]);
    let mut ids = Vec::new();
    for (kind, at_us, outcome) in records {
        let name = ["mfa_fatigue", kind, name];
        let seen = SignIn {
            origin: &cast.acting,
            outcome: *outcome,
            session_id: &cast.session_id,
            manner: SignInManner::Prompted,
            correlation_id: Some(&correlation_id),
            ..SignIn::usual(&scene.users[cast.victim], OFFICE_HOME, *at_us)
        };
        ids.extend(scene.recorder.sign_in(&name, &seen));
    }
    let last = records.last().map_or(account, |(_, _, outcome)| *outcome);
    Played::by(last, ids)
}

fn register_factor(scene: &mut Scene, cast: &Cast, at_us: i64) -> Vec<String> {
    let victim = cast.victim(scene).clone();
    let before = r#"[{"DeviceName":"Galaxy A15","PhoneAppVersion":"6.2510.7210"}]"#;
    let after = r#"[{"DeviceName":"Galaxy A15","PhoneAppVersion":"6.2510.7210"},{"DeviceName":"NO_DEVICE","PhoneAppVersion":"NO_PHONE_APP_VERSION"}]"#;
    let mut ids = Vec::new();
    security_info::write(&victim, (before, after), &mut |entry| {
        ids.extend(cast.audit(scene, at_us, entry));
    });
    ids
}
