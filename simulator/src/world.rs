//! The simulated world: people, their day, the attack, and what becomes visible of it when.
//!
//! Pure: a function of the seed, of simulated time and of the responses that it was told of.
//! It does not wait, and no wall clock reaches it.

pub(crate) mod agenda;
pub(crate) mod chance;
pub(crate) mod day;
pub(crate) mod moment;
pub(crate) mod outbox;
pub(crate) mod places;
pub(crate) mod recorder;
pub(crate) mod records;
pub(crate) mod responses;
pub(crate) mod scene;
pub(crate) mod service_principals;
pub(crate) mod stories;
pub(crate) mod users;

use agenda::Agenda;
use chance::Chance;
use day::company::Company;
use day::plans::DayEvent;
use day::{Day, DayRhythm};
use moment::{HOUR_US, MINUTE_US, SECOND_US};
use outbox::{DUPLICATE_AFTER_S_MAX, Delivery, Feed, Outbox, Publication};
use recorder::Recorder;
use records::frame::TenantFacts;
use scene::Scene;
use stories::{Cue, Holdings, OpenedStory, Opening, Performance};
use users::DOMAIN;

use crate::config::SimulatorConfig;

/// Something that will happen at a planned time.
#[derive(Debug, Clone, Copy)]
enum Happening {
    /// The ordinary day goes on.
    Day(DayEvent),
    /// A story goes on, by its place among those that happen.
    Story { index: usize, cue: Cue },
}

/// The world at a simulated time.
pub(crate) struct World {
    pub(crate) scene: Scene,
    /// The stories that happen, in the order of the configuration.
    pub(crate) performances: Vec<Performance>,
    day: Day,
    agenda: Agenda<Happening>,
    horizon_us: i64,
}

/// How long the day and the tail in which its records become visible last.
pub(crate) fn span_us(config: &SimulatorConfig) -> i64 {
    let latest_s = config
        .activity_lateness_s
        .max
        .max(config.risk_lateness_s.max)
        .max(config.event_hubs_lateness_s.max);
    i64::from(config.day_hours) * HOUR_US
        + (i64::from(latest_s) + DUPLICATE_AFTER_S_MAX) * SECOND_US
}

impl World {
    /// The world as the day begins, with everything planned.
    pub(crate) fn new(config: &SimulatorConfig, start_us: i64) -> Self {
        let chance = Chance::new(config.seed);
        let horizon_us = start_us + span_us(config);
        let end_us = start_us + i64::from(config.day_hours) * HOUR_US;
        let mut users = users::people(chance, config.users, start_us);
        let company = Company::of(chance, &mut users);
        let tenant = TenantFacts {
            id: chance.uuid(&["tenant"]),
            domain: DOMAIN,
        };
        let outbox = Outbox::new(chance, delivery(config, start_us, horizon_us));
        let mut scene = Scene {
            users,
            service_principals: service_principals::principals(chance, company.people),
            chance,
            now_us: start_us,
            recorder: Recorder::new(tenant, chance, outbox),
            responses: 0,
        };
        let rhythm = DayRhythm {
            start_us,
            end_us,
            day_hours: config.day_hours,
            events_per_hour: config.ordinary_events_per_hour,
        };
        let day = Day::new(&mut scene, company, rhythm);
        let mut world = Self {
            scene,
            performances: Vec::new(),
            day,
            agenda: Agenda::default(),
            horizon_us,
        };
        world.take_plans_of_day();
        for entry in config.stories.iter().filter_map(|name| name.entry()) {
            let opened = entry.open(&Opening {
                chance,
                users: &world.scene.users,
                start_us,
                end_us,
                begins_after_us: i64::from(config.story_after_minutes) * MINUTE_US,
                attempt_every_us: i64::from(config.attempt_every_s) * SECOND_US,
            });
            world.begin(opened);
        }
        world
    }

    fn begin(&mut self, opened: OpenedStory) {
        let index = self.performances.len();
        self.performances.push(opened.performance);
        for (at_us, cue) in opened.cues {
            self.agenda.plan(at_us, Happening::Story { index, cue });
        }
    }

    /// Lets time pass and appends what became visible; time never runs back.
    pub(crate) fn advance(&mut self, to_us: i64, out: &mut Vec<Publication>) {
        self.pass(to_us);
        self.scene.recorder.outbox.leave(self.scene.now_us, out);
    }

    /// The same, with what became visible as single records.
    pub(crate) fn advance_singly(&mut self, to_us: i64) -> Vec<(Feed, String)> {
        self.pass(to_us);
        self.scene.recorder.outbox.leave_singly(self.scene.now_us)
    }

    fn pass(&mut self, to_us: i64) {
        while let Some((at_us, happening)) = self.agenda.next_due(to_us) {
            self.scene.now_us = self.scene.now_us.max(at_us);
            self.perform(happening, at_us);
        }
        self.scene.now_us = self.scene.now_us.max(to_us);
    }

    /// The stories that say what the attacker holds, with that, and the other ones.
    pub(crate) fn performances_by_holdings(
        &self,
    ) -> (Vec<(&Performance, Holdings)>, Vec<&Performance>) {
        let (mut first, mut others) = (Vec::new(), Vec::new());
        for one in &self.performances {
            match one.holdings(&self.scene) {
                Some(holdings) => first.push((one, holdings)),
                None => others.push(one),
            }
        }
        (first, others)
    }

    /// Whether the day is over and everything of it is visible.
    pub(crate) fn is_complete(&self) -> bool {
        self.agenda.is_empty()
            && self.scene.recorder.outbox.is_empty()
            && self.scene.now_us >= self.horizon_us
    }

    fn perform(&mut self, happening: Happening, at_us: i64) {
        match happening {
            Happening::Day(event) => {
                self.day.perform(&mut self.scene, event, at_us);
                self.take_plans_of_day();
            }
            Happening::Story { index, cue } => {
                if let Some(performance) = self.performances.get_mut(index) {
                    performance.play(&mut self.scene, cue, at_us);
                }
            }
        }
    }

    fn take_plans_of_day(&mut self) {
        for (at_us, event) in self.day.take_plans() {
            self.agenda.plan(at_us, Happening::Day(event));
        }
    }
}

fn delivery(config: &SimulatorConfig, start_us: i64, horizon_us: i64) -> Delivery {
    Delivery {
        partitions: config.partitions,
        duplicate_ratio: config.duplicate_ratio,
        message_records_max: config.message_records_max,
        blob_records_max: config.blob_records_max,
        hub_lateness: config.event_hubs_lateness_s,
        risk_lateness: config.risk_lateness_s,
        activity_lateness: config.activity_lateness_s,
        start_us,
        horizon_us,
    }
}

#[cfg(test)]
mod tests;
