//! What somebody who goes about their day may touch: the scene, who does what in the company, and the plans for later.

use rand::Rng;

use super::company::Company;
use super::plans::{DayPlans, Occasion};
use crate::world::records::directory_audit::{AuditEntry, ChangeValues, DirectoryAudit, Initiator};
use crate::world::scene::Scene;

/// The ordinary day at one of its moments.
pub(super) struct Workday<'a> {
    pub(super) scene: &'a mut Scene,
    pub(super) company: &'a mut Company,
    pub(super) plans: &'a mut DayPlans,
}

impl Workday<'_> {
    /// Somebody of the staff whom an errand concerns besides the one who runs it; the same at every step.
    pub(super) fn concerned(&self, occasion: Occasion) -> usize {
        self.concerned_two(occasion).0
    }

    /// Two of the staff whom an errand concerns besides the one who runs it.
    pub(super) fn concerned_two(&self, occasion: Occasion) -> (usize, usize) {
        let name = occasion.name();
        let mut dice = self.scene.chance.stream(&["errand concerns", &name]);
        let staff = &self.company.staff;
        let half = (staff.len() / 2).max(2);
        let first = dice.random_range(0..staff.len().max(1));
        let second = first + dice.random_range(1..half);
        let third = second + dice.random_range(1..half);
        // Three places that differ, of which at most one is the person's own.
        let mut others = [first, second, third]
            .into_iter()
            .filter_map(|place| staff.get(place % staff.len()).copied())
            .filter(|index| *index != occasion.person);
        let mut other = || others.next().unwrap_or(occasion.person);
        (other(), other())
    }

    /// Whether a person is in the air.
    pub(super) fn is_in_flight(&self, person: usize, at_us: i64) -> bool {
        at_us < self.scene.users[person].in_flight_until_us
    }

    /// Tells a directory audit of an errand in the logs of its service.
    pub(super) fn tell(&mut self, occasion: Occasion, at_us: i64, entry: &AuditEntry<'_>) {
        let name = occasion.step_name();
        let scene = &mut *self.scene;
        let person = &scene.users[occasion.person];
        let own = Initiator::Person(person, &person.origin.ip);
        let number = ["errand audit", &name, entry.activity, entry.target.id];
        scene.recorder.audit(&DirectoryAudit {
            number: scene.chance.number(&number),
            at_us,
            entry,
            initiator: entry.initiator.unwrap_or(own),
            values: ChangeValues::Typed,
            user_agent: match entry.initiator {
                Some(Initiator::Application { .. }) => "",
                Some(Initiator::Person(other, _)) => other.origin.device.user_agent,
                None => person.origin.device.user_agent,
            },
            correlation_id: &scene.chance.uuid(&["errand correlation", &name]),
        });
    }
}
