//! The stories beside the first: whom each happens to, when, and what has become of it so far.
//!
//! | file | story |
//! |---|---|
//! | [`consent_phishing`] | a malicious application is consented to and reads the mailbox |
//! | [`password_spray`] | few passwords against everybody |
//! | [`mfa_fatigue`] | prompts until one is accepted |
//! | [`rogue_administrator`] | back doors, and what would tell of them switched off |
//! | [`mass_exfiltration`] | a leaver takes the files |
//!
//! A step is decided by whether the attacker got in, and by whether the account is blocked at that moment.

pub(crate) mod consent_phishing;
pub(crate) mod mass_exfiltration;
pub(crate) mod mfa_fatigue;
pub(crate) mod password_spray;
pub(crate) mod rogue_administrator;

use rand::Rng;
use serde::Serialize;

use super::attack::{Ending, Happened};
use super::chance::Chance;
use super::moment::{HOUR_US, MINUTE_US};
use super::places::{
    ATTACKER_SERVER, Device, MAIL_CLIENT, Origin, PROMPT_SENDER, PROXY_DEVICE, Place,
    RENTED_MACHINES, SCRIPT_DEVICE,
};
use super::records::directory_audit::{DirectoryAudit, Entry, Initiator, Values};
use super::records::sign_in::Outcome;
use super::users::{ADMINISTRATOR, User, episode_victim};
use super::{Happening, World, record_audit, record_diagnostic_audit};
use crate::config::{StoryName, WORK_HOURS_MAX};
use consent_phishing::ConsentStep;
use mass_exfiltration::ExfiltrationStep;
use mfa_fatigue::FatigueStep;
use password_spray::{SprayStep, SprayTarget};
use rogue_administrator::AdministratorStep;

/// A step of one of the stories.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(crate) enum Scene {
    Consent(ConsentStep),
    Spray(SprayStep),
    Fatigue(FatigueStep),
    Administrator(AdministratorStep),
    Exfiltration(ExfiltrationStep),
}

impl Scene {
    const fn story(self) -> StoryName {
        match self {
            Self::Consent(_) => StoryName::ConsentPhishing,
            Self::Spray(_) => StoryName::PasswordSpray,
            Self::Fatigue(_) => StoryName::MfaFatigue,
            Self::Administrator(_) => StoryName::RogueAdministrator,
            Self::Exfiltration(_) => StoryName::MassExfiltration,
        }
    }
}

/// When a scene is played: after the begin of its story, and how often in a row at which distance.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turn {
    scene: Scene,
    after_us: i64,
    repeats: u32,
    every_us: i64,
}

impl Turn {
    const fn once(scene: Scene, after_us: i64) -> Self {
        Self::again(scene, after_us, 1, 0)
    }

    const fn again(scene: Scene, after_us: i64, repeats: u32, every_us: i64) -> Self {
        Self {
            scene,
            after_us,
            repeats,
            every_us,
        }
    }
}

/// A story, with what has become of it so far.
#[derive(Debug)]
pub(crate) struct Episode {
    pub(crate) name: StoryName,
    pub(crate) victim: usize,
    pub(crate) begins_us: i64,
    /// Where what is done in the victim's name comes from.
    pub(crate) acting: Origin,
    /// Where else the attacker is.
    pub(crate) elsewhere: Vec<Origin>,
    session_id: String,
    /// Whether the attacker got in: by session, consent or password.
    entered: bool,
    /// Whom a spray tries, in order.
    targets: Vec<SprayTarget>,
    pub(crate) steps: Vec<Happened<Scene>>,
}

impl Episode {
    /// Whether a step of some kind has succeeded.
    fn succeeded_in(&self, scene: Scene) -> bool {
        self.steps
            .iter()
            .any(|step| step.what == scene && step.ending == Ending::Succeeded)
    }
}

/// What a scene came to.
struct Played {
    ending: Ending,
    error_code: u32,
    record_ids: Vec<String>,
}

impl Played {
    /// A sign-in.
    fn by(outcome: Outcome, record_ids: Vec<String>) -> Self {
        Self {
            ending: if outcome.succeeded() {
                Ending::Succeeded
            } else {
                Ending::Failed
            },
            error_code: outcome.code(),
            record_ids,
        }
    }

    fn done(record_ids: Vec<String>) -> Self {
        Self::by(Outcome::Success, record_ids)
    }

    /// Not possible, and nothing tells of it.
    const fn refused() -> Self {
        Self {
            ending: Ending::Failed,
            error_code: 0,
            record_ids: Vec::new(),
        }
    }
}

/// Which of the members in the order of chance it happens to.
const fn rank(name: StoryName) -> usize {
    match name {
        StoryName::ConsentPhishing => 0,
        StoryName::PasswordSpray => 1,
        StoryName::MfaFatigue => 2,
        StoryName::MassExfiltration => 3,
        StoryName::AdversaryInTheMiddle | StoryName::RogueAdministrator => 4,
    }
}

/// When a story begins, after the day began: while people work, but for the one that comes at night.
fn begins_after_us(name: StoryName, chance: Chance, day_us: i64) -> i64 {
    let mut dice = chance.stream(&["episode begins", name.name()]);
    let later_us = dice.random_range(0..10) * MINUTE_US + dice.random_range(0..MINUTE_US);
    let work_us = day_us.min(i64::from(WORK_HOURS_MAX) * HOUR_US);
    let hundredths = match name {
        StoryName::PasswordSpray => 8,
        StoryName::ConsentPhishing => 40,
        StoryName::RogueAdministrator => 52,
        StoryName::MassExfiltration => 62,
        StoryName::MfaFatigue | StoryName::AdversaryInTheMiddle => {
            return (day_us - 30 * MINUTE_US - later_us).max(0);
        }
    };
    work_us * hundredths / 100 + later_us
}

/// Addresses of a story, from a range of its own set aside for documentation (RFC 5737).
fn strangers(name: StoryName, chance: Chance) -> Vec<Origin> {
    let (network, from, count, place, device): (_, _, _, Place, Device) = match name {
        StoryName::ConsentPhishing => ("198.51.100", 100, 1, ATTACKER_SERVER, SCRIPT_DEVICE),
        StoryName::MfaFatigue => ("198.51.100", 150, 1, PROMPT_SENDER, PROXY_DEVICE),
        StoryName::PasswordSpray => ("203.0.113", 100, 4, RENTED_MACHINES, MAIL_CLIENT),
        _ => ("203.0.113", 200, 1, RENTED_MACHINES, SCRIPT_DEVICE),
    };
    let first = chance.number(&["episode address", name.name()]) % 40;
    (0..count)
        .map(|serial| Origin {
            ip: format!("{network}.{}", from + first + serial),
            place,
            device,
            device_id: String::new(),
        })
        .collect()
}

impl World {
    pub(super) fn plan_episode(&mut self, name: StoryName, start_us: i64, end_us: i64) {
        let chance = self.chance;
        let victim = if name == StoryName::RogueAdministrator {
            ADMINISTRATOR
        } else {
            episode_victim(chance, self.users.len(), rank(name))
        };
        let elsewhere = strangers(name, chance);
        let is_stranger = matches!(name, StoryName::PasswordSpray | StoryName::MfaFatigue);
        let own = self.users[victim].origin.clone();
        let targets = if name == StoryName::PasswordSpray {
            password_spray::targets(chance, &self.users, victim)
        } else {
            Vec::new()
        };
        let turns = match name {
            StoryName::AdversaryInTheMiddle => Vec::new(),
            StoryName::ConsentPhishing => consent_phishing::turns(chance),
            StoryName::PasswordSpray => password_spray::turns(&targets),
            StoryName::MfaFatigue => mfa_fatigue::turns(),
            StoryName::RogueAdministrator => rogue_administrator::turns(),
            StoryName::MassExfiltration => mass_exfiltration::turns(),
        };
        let begins_us = start_us + begins_after_us(name, chance, end_us - start_us);
        self.episodes.push(Episode {
            name,
            victim,
            begins_us,
            acting: if is_stranger {
                elsewhere.first().cloned().unwrap_or(own)
            } else {
                own
            },
            elsewhere,
            session_id: chance.uuid(&["episode session", name.name()]),
            entered: false,
            targets,
            steps: Vec::new(),
        });
        for turn in turns {
            for (serial, distance) in (0..turn.repeats).zip(0_i64..) {
                let at_us = begins_us + turn.after_us + distance * turn.every_us;
                let scene = turn.scene;
                if at_us < end_us {
                    self.plan(at_us, Happening::Scene { scene, serial });
                }
            }
        }
    }

    pub(crate) fn play(&mut self, scene: Scene, serial: u32, at_us: i64) {
        let mut episodes = std::mem::take(&mut self.episodes);
        if let Some(episode) = episodes.iter_mut().find(|one| one.name == scene.story()) {
            let played = match scene {
                Scene::Consent(step) => self.play_consent(episode, step, serial, at_us),
                Scene::Spray(step) => self.play_spray(episode, step, serial, at_us),
                Scene::Fatigue(step) => self.play_fatigue(episode, step, serial, at_us),
                Scene::Administrator(step) => self.play_administrator(episode, step, serial, at_us),
                Scene::Exfiltration(step) => self.play_exfiltration(episode, step, serial, at_us),
            };
            episode.steps.push(Happened {
                what: scene,
                at_us,
                ending: played.ending,
                error_code: played.error_code,
                record_ids: played.record_ids,
            });
        }
        self.episodes = episodes;
    }

    /// Whether the attacker is in, and the account is not blocked.
    fn is_in(&self, episode: &Episode) -> bool {
        episode.entered && self.users[episode.victim].enabled
    }

    /// Records an audit in both feeds; returns the ids of the records.
    fn enter(&mut self, episode: &Episode, at_us: i64, entry: &Entry<'_>) -> Vec<String> {
        let correlation_id = correlation(self.chance, episode, at_us);
        let actor = &self.users[episode.victim];
        let audit = directory_audit(self.chance, actor, episode, at_us, entry, &correlation_id);
        record_audit(&mut self.outbox, &self.tenant, self.chance, &audit)
    }

    /// Records an audit of a service that writes to diagnostic settings only; returns the record's id.
    fn enter_diagnostic(&mut self, episode: &Episode, at_us: i64, entry: &Entry<'_>) -> String {
        let correlation_id = correlation(self.chance, episode, at_us);
        let actor = &self.users[episode.victim];
        let audit = directory_audit(self.chance, actor, episode, at_us, entry, &correlation_id);
        record_diagnostic_audit(&mut self.outbox, &self.tenant, &audit)
    }
}

/// What is written in one step shares its correlation, as what one request causes does.
fn correlation(chance: Chance, episode: &Episode, at_us: i64) -> String {
    chance.uuid(&[
        "episode correlation",
        episode.name.name(),
        &at_us.to_string(),
    ])
}

fn directory_audit<'a>(
    chance: Chance,
    actor: &'a User,
    episode: &'a Episode,
    at_us: i64,
    entry: &'a Entry<'a>,
    correlation_id: &'a str,
) -> DirectoryAudit<'a> {
    DirectoryAudit {
        number: chance.number(&[
            "episode audit",
            episode.name.name(),
            entry.activity,
            &at_us.to_string(),
        ]),
        at_us,
        activity: entry.activity,
        category: entry.category,
        service: entry.service,
        operation_type: entry.operation_type,
        initiator: entry
            .initiator
            .unwrap_or(Initiator::Person(actor, &episode.acting.ip)),
        target_type: entry.target.kind,
        target_id: entry.target.id,
        target_name: entry.target.name,
        changes: entry.changes,
        values: Values::Typed,
        further_targets: entry.further_targets,
        user_agent: episode.acting.device.user_agent,
        correlation_id,
    }
}

#[cfg(test)]
mod tests;
