//! Who is who in a story: the victim, where the attacker comes from, and when it begins.

use rand::Rng;

use crate::world::chance::Chance;
use crate::world::moment::{HOUR_US, MINUTE_US};
use crate::world::places::{ClientDevice, GeoLocation, Origin};
use crate::world::records::directory_audit::{AuditEntry, ChangeValues, DirectoryAudit, Initiator};
use crate::world::scene::Scene;
use crate::world::users::{ADMINISTRATOR, User, WORK_HOURS_MAX, first_member, story_member};

/// The day into which a story comes.
#[derive(Clone, Copy)]
pub(crate) struct Opening<'a> {
    pub(crate) chance: Chance,
    pub(crate) users: &'a [User],
    pub(crate) start_us: i64,
    pub(crate) end_us: i64,
    /// When a story begins that begins as configured, after the day began.
    pub(crate) begins_after_us: i64,
    /// How long an attacker waits between two rounds of attempts.
    pub(crate) attempt_every_us: i64,
}

/// To whom a story happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Victim {
    /// The member who has the first place even where this story does not happen.
    First,
    /// One of the other members, by the place in the order of chance; each story has its own.
    Member(usize),
    /// Who does the tenant's admin work.
    Administrator,
}

impl Victim {
    fn index(self, opening: &Opening<'_>) -> usize {
        let count = opening.users.len();
        match self {
            Self::First => {
                let count = u32::try_from(count).unwrap_or(u32::MAX);
                first_member(opening.chance, count)
            }
            Self::Member(rank) => story_member(opening.chance, count, rank),
            Self::Administrator => ADMINISTRATOR,
        }
    }
}

/// When a story begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Begins {
    /// When the configuration says.
    AsConfigured,
    /// While people work, after so many hundredths of their day.
    AtWork(i64),
    /// Half an hour before the day ends, which is night if it is longer than people work.
    AtNight,
}

impl Begins {
    fn at_us(self, name: &str, opening: &Opening<'_>) -> i64 {
        let mut dice = opening.chance.stream(&["episode begins", name]);
        let later_us = dice.random_range(0..10) * MINUTE_US + dice.random_range(0..MINUTE_US);
        let day_us = opening.end_us - opening.start_us;
        let after_us = match self {
            Self::AsConfigured => opening.begins_after_us,
            Self::AtWork(hundredths) => {
                let work_us = day_us.min(i64::from(WORK_HOURS_MAX) * HOUR_US);
                work_us * hundredths / 100 + later_us
            }
            Self::AtNight => (day_us - 30 * MINUTE_US - later_us).max(0),
        };
        opening.start_us + after_us
    }
}

/// Where an attacker comes from: addresses in a row, of a range set aside for documentation (RFC 5737).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Addresses {
    /// The first three numbers.
    pub(crate) network: &'static str,
    /// The lowest last number; the first address lies up to forty above.
    pub(crate) from: u128,
    pub(crate) count: u128,
    pub(crate) place: GeoLocation,
    pub(crate) device: ClientDevice,
}

impl Addresses {
    fn origins(self, name: &str, chance: Chance) -> Vec<Origin> {
        let first = chance.number(&["episode address", name]) % 40;
        (0..self.count)
            .map(|serial| {
                let host = self.from + first + serial;
                Origin::unknown(&format!("{}.{host}", self.network), self.place, self.device)
            })
            .collect()
    }
}

/// To whom a story happens, when, and from where.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Casting {
    pub(crate) victim: Victim,
    pub(crate) begins: Begins,
    pub(crate) attacker: Addresses,
    /// Whether what is done in the victim's name comes from the attacker's first address, not from the victim's own.
    pub(crate) acts_from_outside: bool,
}

impl Casting {
    /// Who is who in the story of a name.
    pub(crate) fn cast(&self, name: &'static str, opening: &Opening<'_>) -> Cast {
        let victim = self.victim.index(opening);
        let elsewhere = self.attacker.origins(name, opening.chance);
        let own = opening.users[victim].origin.clone();
        let outside = elsewhere
            .first()
            .filter(|_| self.acts_from_outside)
            .cloned();
        Cast {
            name,
            victim,
            begins_us: self.begins.at_us(name, opening),
            acting: outside.unwrap_or(own),
            elsewhere,
            session_id: opening.chance.uuid(&["episode session", name]),
        }
    }
}

/// Who is who in a story that happens.
#[derive(Debug, Clone)]
pub(crate) struct Cast {
    /// The story's name.
    pub(crate) name: &'static str,
    pub(crate) victim: usize,
    pub(crate) begins_us: i64,
    /// Where what is done in the victim's name comes from.
    pub(crate) acting: Origin,
    /// Where else the attacker is.
    pub(crate) elsewhere: Vec<Origin>,
    /// The session in which it is done.
    pub(crate) session_id: String,
}

impl Cast {
    /// The victim, as the account is now.
    pub(crate) fn victim<'a>(&self, scene: &'a Scene) -> &'a User {
        &scene.users[self.victim]
    }

    /// The first place where the attacker is besides, or the only one.
    pub(crate) fn other_origin(&self) -> &Origin {
        self.elsewhere.first().unwrap_or(&self.acting)
    }

    /// Records a directory audit that the victim causes; what is written in one step shares its correlation.
    pub(crate) fn audit(
        &self,
        scene: &mut Scene,
        at_us: i64,
        entry: &AuditEntry<'_>,
    ) -> Vec<String> {
        let time = at_us.to_string();
        let actor = &scene.users[self.victim];
        let own = Initiator::Person(actor, &self.acting.ip);
        let number = ["episode audit", self.name, entry.activity, &time];
        let correlation = ["episode correlation", self.name, &time];
        scene.recorder.audit(&DirectoryAudit {
            number: scene.chance.number(&number),
            at_us,
            entry,
            initiator: entry.initiator.unwrap_or(own),
            values: ChangeValues::Typed,
            user_agent: self.acting.device.user_agent,
            correlation_id: &scene.chance.uuid(&correlation),
        })
    }
}
