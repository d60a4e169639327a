//! What is wrong at the moment: told by whoever meets it, asked by `/readyz` and by the product's own alerts. Beside it,
//! what is as it should be and yet not what one expects, such as a responder that stands by.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// A part that cannot do its work at the moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What it cannot do and why, for a person.
    pub why: String,
    /// Since when, in microseconds since the Unix epoch, UTC.
    pub since_us: i64,
}

/// The troubles of a process, by the part that has them. Cheap to clone; clones share.
///
/// A part is named like a path, its stage first: `ingest/event_hubs/TENANT/HUB`, `lake/disk`, `respond/publisher`.
#[derive(Debug, Clone, Default)]
pub struct Health(Arc<Mutex<Told>>);

/// What was told, by part.
#[derive(Debug, Default)]
struct Told {
    troubles: BTreeMap<String, Trouble>,
    notes: BTreeMap<String, String>,
    rounds: BTreeMap<&'static str, i64>,
}

impl Health {
    /// Notes that `part` is in trouble; how long it has been so is kept while it goes on.
    pub fn trouble(&self, part: &str, why: impl Into<String>, now_us: i64) {
        let why = why.into();
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = told.troubles.get(part);
        let since_us = known.map_or(now_us, |known| known.since_us.min(now_us));
        told.notes.remove(part);
        told.troubles
            .insert(part.to_owned(), Trouble { why, since_us });
    }

    /// Notes how `part` stands although nothing is wrong with it; it is not in trouble.
    pub fn note(&self, part: &str, what: impl Into<String>) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.troubles.remove(part);
        told.notes.insert(part.to_owned(), what.into());
    }

    /// Notes that `part` works.
    pub fn well(&self, part: &str) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.troubles.remove(part);
        told.notes.remove(part);
    }

    /// Notes that the loop of `part` has come round: whoever calls it and then no more stands still, in whatever it waits.
    pub fn comes_round(&self, part: &'static str, now_us: i64) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.rounds.insert(part, now_us);
    }

    /// Notes that the loop of `part` is not to come round: it has ended, or waits for what may take any time.
    pub fn rests(&self, part: &str) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.rounds.remove(part);
    }

    /// Tells what time it is: what is said to have begun later than now began before the clock was set back, nobody knows
    /// when, and counts from now on.
    pub fn clock_reads(&self, now_us: i64) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for trouble in told.troubles.values_mut() {
            trouble.since_us = trouble.since_us.min(now_us);
        }
        for round_us in told.rounds.values_mut() {
            *round_us = (*round_us).min(now_us);
        }
    }

    /// When the loop of each part has last come round, in microseconds since the Unix epoch, UTC.
    pub fn rounds(&self) -> BTreeMap<&'static str, i64> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .rounds
            .clone()
    }

    /// Everything that is wrong now, by part.
    pub fn troubles(&self) -> BTreeMap<String, Trouble> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .troubles
            .clone()
    }

    /// How parts stand with which nothing is wrong, by part.
    pub fn notes(&self) -> BTreeMap<String, String> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .notes
            .clone()
    }
}

#[cfg(test)]
mod tests {
    use super::Health;

    #[test]
    fn a_note_is_no_trouble_and_ends_with_it() {
        let health = Health::default();
        health.trouble("respond/lease", "lost", 1);
        health.note("respond/lease", "stands by");
        assert!(health.troubles().is_empty());
        assert_eq!(health.notes()["respond/lease"], "stands by");
        health.trouble("respond/lease", "lost", 2);
        assert!(health.notes().is_empty());
        health.note("respond/lease", "stands by");
        health.well("respond/lease");
        assert!(health.notes().is_empty());
    }

    /// A clock that was hours ahead and is put right must not keep a process ready for hours.
    #[test]
    fn what_began_before_the_clock_was_set_back_counts_from_then_on() {
        let health = Health::default();
        health.trouble("lake/disk", "full", 1_000);
        health.trouble("bus", "away", 900);
        health.comes_round("detect", 1_000);
        health.clock_reads(10);
        health.trouble("bus", "away", 20);
        health.clock_reads(30);
        assert_eq!(health.troubles()["lake/disk"].since_us, 10);
        assert_eq!(health.troubles()["bus"].since_us, 10);
        assert_eq!(health.rounds()["detect"], 10);
    }

    #[test]
    fn a_trouble_lasts_from_its_beginning_until_the_part_is_well() {
        let health = Health::default();
        health.trouble("lake/disk", "full", 1);
        health.clone().trouble("lake/disk", "still full", 2);
        let troubles = health.troubles();
        assert_eq!(troubles["lake/disk"].since_us, 1);
        assert_eq!(troubles["lake/disk"].why, "still full");
        health.well("lake/disk");
        assert!(health.troubles().is_empty());
    }
}
