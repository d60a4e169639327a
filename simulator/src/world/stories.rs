//! The stories that the simulator can tell.
//!
//! To add one: a file that implements [`Story`], and one line in [`STORIES`]. What it may touch is the
//! [`Scene`](super::scene::Scene); how it is told, `story.rs` says; whom it happens to, `cast.rs`.

mod adversary_in_the_middle;
mod cast;
mod consent_phishing;
mod mass_exfiltration;
mod mfa_fatigue;
mod password_spray;
pub(crate) mod performance;
mod rogue_administrator;
pub(crate) mod story;
pub(crate) mod telling;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::SimulatorError;

pub(crate) use adversary_in_the_middle::AdversaryInTheMiddle;
pub(crate) use cast::Opening;
use cast::Victim;
pub(crate) use performance::{Cue, OpenedStory, Performance};
pub(crate) use story::Holdings;
use story::Story;
pub use story::{GroundTruth, ToldPhase};

/// Every story, in the order in which they are listed.
pub const STORIES: &[StoryEntry] = &[
    entry::<AdversaryInTheMiddle>(),
    entry::<consent_phishing::ConsentPhishing>(),
    entry::<password_spray::PasswordSpray>(),
    entry::<mfa_fatigue::MfaFatigue>(),
    entry::<rogue_administrator::RogueAdministrator>(),
    entry::<mass_exfiltration::MassExfiltration>(),
];

/// What is known of a story before it happens.
#[derive(Debug, Clone, Copy)]
pub struct StoryEntry {
    /// Its name.
    pub name: StoryName,
    /// What it does, in one sentence.
    pub sentence: &'static str,
    /// What of it a detection should find.
    pub truth: GroundTruth,
    phases: fn() -> Vec<ToldPhase>,
    /// Whether it happens to one of the members but the first.
    pub(crate) takes_member: bool,
    open: fn(&Opening<'_>) -> OpenedStory,
}

const fn entry<S: Story>() -> StoryEntry {
    StoryEntry {
        name: StoryName::of::<S>(),
        sentence: S::SENTENCE,
        truth: S::TRUTH,
        phases: told_phases::<S>,
        takes_member: matches!(S::CASTING.victim, Victim::Member(_)),
        open: Performance::open::<S>,
    }
}

fn told_phases<S: Story>() -> Vec<ToldPhase> {
    S::PHASES.iter().map(|phase| phase.told).collect()
}

impl StoryEntry {
    /// Its phases, in the order in which they begin.
    pub fn phases(&self) -> Vec<ToldPhase> {
        (self.phases)()
    }

    /// Casts it into a day.
    pub(crate) fn open(&self, opening: &Opening<'_>) -> OpenedStory {
        (self.open)(opening)
    }
}

/// The name of a story that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoryName(&'static str);

impl StoryName {
    const fn of<S: Story>() -> Self {
        Self(S::NAME)
    }

    /// The first story, which alone obeys every response; the others obey the block of the account.
    pub const ADVERSARY_IN_THE_MIDDLE: Self = Self::of::<AdversaryInTheMiddle>();

    /// Every story.
    pub fn all() -> Vec<Self> {
        STORIES.iter().map(|entry| entry.name).collect()
    }

    /// Its name in configuration, on command lines and in answers.
    pub const fn name(self) -> &'static str {
        self.0
    }

    /// What is known of it.
    pub fn entry(self) -> Option<&'static StoryEntry> {
        STORIES.iter().find(|entry| entry.name == self)
    }
}

impl fmt::Display for StoryName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for StoryName {
    type Err = SimulatorError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut all = Self::all().into_iter();
        all.find(|story| story.name() == text)
            .ok_or_else(|| SimulatorError::Story {
                name: text.to_owned(),
                known: Self::all().iter().map(ToString::to_string).collect(),
            })
    }
}

impl Serialize for StoryName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for StoryName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
