//! The alerts that were published lately.

use std::collections::{HashSet, VecDeque};

/// Ids of published alerts that are remembered, so that versions of one alert are published once: 16 bytes each, twice.
const PUBLISHED_MAX: usize = 100_000;

/// Ids of alerts that were published lately, oldest forgotten first.
#[derive(Debug, Default)]
pub(crate) struct Published {
    ids: HashSet<String>,
    order: VecDeque<String>,
}

impl Published {
    /// True if an alert was published lately.
    pub(crate) fn contains(&self, id: &str) -> bool {
        self.ids.contains(id)
    }

    /// Remembers an alert, and forgets the oldest where there are too many.
    pub(crate) fn insert(&mut self, id: &str) {
        if !self.ids.insert(id.to_owned()) {
            return;
        }
        self.order.push_back(id.to_owned());
        if self.order.len() > PUBLISHED_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
    }
}
