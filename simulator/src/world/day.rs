//! The ordinary day: sign-ins, mail, files, conversations and some admin work.
//!
//! Everybody has [`habits`]; what happens now and then in a company of hundreds is an errand.
//!
//! | file | errands |
//! |---|---|
//! | [`accounts`] | accounts, groups, licenses and policies |
//! | [`applications`] | the tenant's applications, consents, owners and secrets |
//! | [`conversations`] | chats with people outside |
//! | [`correspondence`] | mail that an application keeps |
//! | [`help_desk`] | passwords reset, and new telephones |
//! | [`libraries`] | many files at once |
//! | [`mailboxes`] | inbox rules, forwards and delegates |
//! | [`printers`] | scans sent by mail |
//! | [`roles`] | roles taken for some hours |
//! | [`sharing`] | links and guests |
//! | [`sign_ins`] | phones, the company's address, prompts declined and device codes |
//! | [`travel`] | journeys |

mod accounts;
mod applications;
pub(crate) mod company;
mod conversations;
mod correspondence;
mod errands;
mod habits;
mod help_desk;
mod libraries;
mod mailboxes;
pub(crate) mod plans;
mod printers;
mod rates;
pub(crate) mod roles;
mod sharing;
mod sign_ins;
mod travel;
mod workday;

use super::moment::MINUTE_US;
use super::records::sign_in::ApplicationSignIn;
use super::scene::Scene;
use company::Company;
use plans::{DayEvent, DayPlans};
use workday::Workday;

/// How often each application signs in.
const APPLICATION_EVERY_US: i64 = 10 * MINUTE_US;

/// How busy a day is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DayRhythm {
    /// When it begins, and when what would happen later does not happen any more.
    pub(crate) start_us: i64,
    pub(crate) end_us: i64,
    pub(crate) day_hours: u32,
    /// Actions of each person in an hour at work.
    pub(crate) events_per_hour: u32,
}

/// The ordinary day: who does what, and what comes of it later.
pub(crate) struct Day {
    company: Company,
    plans: DayPlans,
}

impl Day {
    /// A day of a company, with everything of it planned.
    pub(crate) fn new(scene: &mut Scene, company: Company, rhythm: DayRhythm) -> Self {
        let mut day = Self {
            company,
            plans: DayPlans::new(rhythm.end_us),
        };
        day.plan(scene, rhythm);
        day
    }

    fn plan(&mut self, scene: &mut Scene, rhythm: DayRhythm) {
        let (start_us, end_us) = (rhythm.start_us, rhythm.end_us);
        let mut day = self.at_work(scene);
        if rhythm.events_per_hour > 0 {
            for user in 0..day.scene.users.len() {
                habits::plan_person(&mut day, user, rhythm.events_per_hour, start_us, end_us);
            }
            errands::plan_errands(&mut day, rhythm.day_hours, start_us, end_us);
        }
        for index in 0..day.scene.service_principals.len() {
            let offset_us = i64::try_from(index).unwrap_or_default() * MINUTE_US;
            for (serial, round) in (0_u32..).zip(0..(end_us - start_us) / APPLICATION_EVERY_US) {
                let at_us = start_us + offset_us + round * APPLICATION_EVERY_US;
                let event = DayEvent::ServicePrincipal { index, serial };
                day.plans.plan(at_us, event);
            }
        }
    }

    fn at_work<'a>(&'a mut self, scene: &'a mut Scene) -> Workday<'a> {
        Workday {
            scene,
            company: &mut self.company,
            plans: &mut self.plans,
        }
    }

    /// Lets something of the day happen.
    pub(crate) fn perform(&mut self, scene: &mut Scene, event: DayEvent, at_us: i64) {
        let mut day = self.at_work(scene);
        match event {
            DayEvent::Habit {
                user,
                habit,
                serial,
            } => habits::follow_habit(&mut day, user, habit, serial, at_us),
            DayEvent::Errand(occasion) => errands::run_errand(&mut day, occasion, at_us),
            DayEvent::ServicePrincipal { index, serial } => {
                application_signs_in(scene, index, serial, at_us);
            }
        }
    }

    /// What was planned since this was last asked, in the order in which it was planned.
    pub(crate) fn take_plans(&mut self) -> Vec<(i64, DayEvent)> {
        self.plans.take()
    }
}

fn application_signs_in(scene: &mut Scene, index: usize, serial: u32, at_us: i64) {
    let name = format!("{index}/{serial}");
    let known = &scene.service_principals[index];
    scene.recorder.application_sign_in(&ApplicationSignIn {
        id: &scene.chance.uuid(&["application sign-in", &name]),
        at_us,
        app_id: &known.app_id,
        principal_id: &known.id,
        name: known.name,
        key_id: &known.key_id,
        ip: &known.ip,
        token_id: &scene.chance.uuid(&["application token", &name]),
    });
}

#[cfg(test)]
mod tests;
