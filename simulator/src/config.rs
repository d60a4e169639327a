//! What the simulated tenant is like, and how fast its time runs.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::error::SimulatorError;
pub use crate::world::outbox::Lateness;
pub use crate::world::stories::StoryName;
use crate::world::users::{SPECIAL_USERS, WORK_HOURS_MAX};

/// Fewest users: the four special ones, a victim and company.
pub const USERS_MIN: u32 = 8;
/// Most users: all records are kept in memory.
pub const USERS_MAX: u32 = 5_000;
/// Most records an hour and user: all records are kept in memory.
pub const RECORDS_PER_USER_HOUR_MAX: u32 = 1_000;
/// Most ordinary records of a day: all records are kept in memory.
pub const RECORDS_MAX: u64 = 2_000_000;
/// Latest delivery, in seconds: day and tail fit into one listing window of 24 h.
pub const LATENESS_S_MAX: u32 = 3 * 3_600;
/// Longest simulated day, in hours.
pub const DAY_HOURS_MAX: u32 = 20;
/// Fastest simulated time, in simulated seconds per wall second.
pub const SPEED_MAX: f64 = 1_000_000.0;
/// Most partitions of the hub: Event Hubs allows 32 in its standard tier.
pub const PARTITIONS_MAX: u32 = 32;

/// The simulated tenant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SimulatorConfig {
    /// Number from which the tenant, its day and its story follow.
    pub seed: u64,
    /// How fast simulated time runs until the day is over, in simulated seconds per wall second.
    pub speed: f64,
    /// When the simulated day begins, in microseconds since the Unix epoch, UTC.
    ///
    /// Without it the day begins so long ago that simulated time meets the wall clock at its end:
    /// no record then lies in the future.
    pub start_us: Option<i64>,
    /// Where HTTP is served, address and port; port 0 is any free one.
    pub http_address: String,
    /// Where AMQP is served, address and port; port 0 is any free one.
    pub amqp_address: String,
    /// People in the directory.
    ///
    /// From a hundred on they are a company, whose day has consents, journeys, new computers and the like.
    pub users: u32,
    /// Ordinary actions of each person in an hour at work.
    pub ordinary_events_per_hour: u32,
    /// How long the simulated day lasts, in hours.
    pub day_hours: u32,
    /// The attacks that happen, each once and to another person; empty for an ordinary day.
    pub stories: Vec<StoryName>,
    /// When the adversary in the middle begins, in simulated minutes after the day began.
    ///
    /// The other stories have times of their own, by seed.
    pub story_after_minutes: u32,
    /// How long the attacker waits between two rounds of attempts, in simulated seconds.
    pub attempt_every_s: u32,
    /// How late sign-ins and directory audits reach Event Hubs, in simulated seconds.
    pub event_hubs_lateness_s: Lateness,
    /// How late risk detections reach Event Hubs, in simulated seconds.
    pub risk_lateness_s: Lateness,
    /// How late the Management Activity API lists a record, in simulated seconds.
    pub activity_lateness_s: Lateness,
    /// Share of records that are delivered twice, from 0 to 1.
    pub duplicate_ratio: f64,
    /// Partitions of the hub.
    pub partitions: u32,
    /// Most records in one Event Hubs message.
    pub message_records_max: usize,
    /// Most records in one blob of the Management Activity API.
    pub blob_records_max: usize,
    /// Blobs on one page of a listing.
    pub listing_page_blobs: usize,
    /// How long a blob can be fetched after its creation, in wall seconds.
    pub blob_lifetime_s: u64,
    /// Alerts on one page where the caller does not say, at most 1,000.
    pub alerts_page: usize,
    /// How long a token is good for, in wall seconds.
    pub token_lifetime_s: u32,
    /// Whether the acting app holds a directory role that lets it touch administrators.
    pub acting_app_is_privileged: bool,
}

impl Default for SimulatorConfig {
    fn default() -> Self {
        Self {
            seed: 1,
            speed: 1_200.0,
            start_us: None,
            http_address: "127.0.0.1:0".to_owned(),
            amqp_address: "127.0.0.1:0".to_owned(),
            users: 40,
            ordinary_events_per_hour: 12,
            day_hours: 8,
            stories: vec![StoryName::ADVERSARY_IN_THE_MIDDLE],
            story_after_minutes: 120,
            attempt_every_s: 240,
            event_hubs_lateness_s: Lateness { min: 60, max: 300 },
            risk_lateness_s: Lateness {
                min: 300,
                max: 1_800,
            },
            activity_lateness_s: Lateness {
                min: 300,
                max: 5_400,
            },
            duplicate_ratio: 0.04,
            partitions: 4,
            message_records_max: 25,
            blob_records_max: 20,
            listing_page_blobs: 10,
            blob_lifetime_s: 7 * 24 * 3_600,
            alerts_page: 100,
            token_lifetime_s: 3_599,
            acting_app_is_privileged: false,
        }
    }
}

impl SimulatorConfig {
    /// Refuses values that no tenant could be built from.
    ///
    /// # Errors
    /// [`SimulatorError::Setting`] names the first key that is out of its bounds.
    pub fn check(&self) -> Result<(), SimulatorError> {
        self.check_bounds()?;
        let counts = [
            ("message_records_max", self.message_records_max, 1_000),
            ("blob_records_max", self.blob_records_max, 10_000),
            ("listing_page_blobs", self.listing_page_blobs, 1_000),
            ("alerts_page", self.alerts_page, 1_000),
        ];
        for (key, value, max) in counts {
            if value == 0 || value > max {
                return Err(SimulatorError::Setting { key });
            }
        }
        let planned = u64::from(self.users)
            * u64::from(self.ordinary_events_per_hour)
            * u64::from(self.day_hours.min(WORK_HOURS_MAX));
        let others = [
            ("stories", self.stories_fit()),
            ("ordinary_events_per_hour", planned <= RECORDS_MAX),
            ("speed", self.speed > 0.0 && self.speed <= SPEED_MAX),
            (
                "duplicate_ratio",
                (0.0..=1.0).contains(&self.duplicate_ratio),
            ),
        ];
        others
            .into_iter()
            .find(|(_, accepted)| !accepted)
            .map_or(Ok(()), |(key, _)| Err(SimulatorError::Setting { key }))
    }

    /// Whether each story is named once and finds a person of its own.
    fn stories_fit(&self) -> bool {
        let distinct: BTreeSet<StoryName> = self.stories.iter().copied().collect();
        // The first member and the administrator are there for those to whom they happen, and nobody else.
        let entries = distinct.iter().filter_map(|story| story.entry());
        let others = entries.filter(|entry| entry.takes_member);
        let members = self.users.saturating_sub(SPECIAL_USERS + 1) as usize;
        distinct.len() == self.stories.len() && others.count() <= members
    }

    fn check_bounds(&self) -> Result<(), SimulatorError> {
        let rate = self.ordinary_events_per_hour;
        let day_minutes = self.day_hours.saturating_mul(60);
        let hub = self.event_hubs_lateness_s;
        let risk = self.risk_lateness_s;
        let activity = self.activity_lateness_s;
        let bounds = [
            ("users", self.users, USERS_MIN, USERS_MAX),
            (
                "ordinary_events_per_hour",
                rate,
                0,
                RECORDS_PER_USER_HOUR_MAX,
            ),
            ("day_hours", self.day_hours, 1, DAY_HOURS_MAX),
            (
                "story_after_minutes",
                self.story_after_minutes,
                1,
                day_minutes,
            ),
            ("attempt_every_s", self.attempt_every_s, 10, 24 * 3_600),
            ("partitions", self.partitions, 1, PARTITIONS_MAX),
            ("event_hubs_lateness_s", hub.max, hub.min, LATENESS_S_MAX),
            ("risk_lateness_s", risk.max, risk.min, LATENESS_S_MAX),
            (
                "activity_lateness_s",
                activity.max,
                activity.min,
                LATENESS_S_MAX,
            ),
        ];
        bounds
            .into_iter()
            .find(|(_, value, min, max)| value < min || value > max)
            .map_or(Ok(()), |(key, ..)| Err(SimulatorError::Setting { key }))
    }
}

#[cfg(test)]
mod tests {
    use super::{SimulatorConfig, SimulatorError, StoryName};

    #[test]
    fn the_defaults_are_accepted() {
        assert!(SimulatorConfig::default().check().is_ok());
    }

    #[test]
    fn a_value_out_of_bounds_is_named() {
        let config = SimulatorConfig {
            speed: f64::NAN,
            ..SimulatorConfig::default()
        };
        assert!(matches!(
            config.check(),
            Err(SimulatorError::Setting { key: "speed" })
        ));
        let config = SimulatorConfig {
            users: 1,
            ..SimulatorConfig::default()
        };
        assert!(matches!(
            config.check(),
            Err(SimulatorError::Setting { key: "users" })
        ));
    }

    #[test]
    fn every_story_happens_once_and_finds_a_person() {
        let with = |stories: &[StoryName], users| SimulatorConfig {
            stories: stories.to_vec(),
            users,
            ..SimulatorConfig::default()
        };
        assert!(with(&StoryName::all(), 9).check().is_ok());
        assert!(with(&[], 8).check().is_ok());
        let spray: StoryName = "password_spray".parse().unwrap();
        let twice = [spray, spray];
        for refused in [with(&StoryName::all(), 8), with(&twice, 40)] {
            assert!(matches!(
                refused.check(),
                Err(SimulatorError::Setting { key: "stories" })
            ));
        }
    }
}
