//! What is wrong at the moment: told by whoever meets it, asked by `/readyz` and by the product's own alerts.

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
pub struct Health(Arc<Mutex<BTreeMap<String, Trouble>>>);

impl Health {
    /// Notes that `part` is in trouble; how long it has been so is kept while it goes on.
    pub fn trouble(&self, part: &str, why: impl Into<String>, now_us: i64) {
        let why = why.into();
        let mut troubles = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let since_us = troubles.get(part).map_or(now_us, |known| known.since_us);
        troubles.insert(part.to_owned(), Trouble { why, since_us });
    }

    /// Notes that `part` works.
    pub fn well(&self, part: &str) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(part);
    }

    /// Everything that is wrong now, by part.
    pub fn troubles(&self) -> BTreeMap<String, Trouble> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

#[cfg(test)]
mod tests {
    use super::Health;

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
