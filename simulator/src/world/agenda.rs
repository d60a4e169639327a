//! What will happen, in the order of its time; at the same time what was planned first comes first.

use std::collections::BTreeMap;

/// Happenings by their planned time.
#[derive(Debug)]
pub(crate) struct Agenda<T> {
    planned: BTreeMap<(i64, u64), T>,
    count: u64,
}

impl<T> Default for Agenda<T> {
    fn default() -> Self {
        Self {
            planned: BTreeMap::new(),
            count: 0,
        }
    }
}

impl<T> Agenda<T> {
    /// Plans a happening for a simulated time.
    pub(crate) fn plan(&mut self, at_us: i64, happening: T) {
        self.count += 1;
        self.planned.insert((at_us, self.count), happening);
    }

    /// Takes the next happening, if its time has come.
    pub(crate) fn next_due(&mut self, to_us: i64) -> Option<(i64, T)> {
        let entry = self.planned.first_entry()?;
        let (at_us, _) = *entry.key();
        (at_us <= to_us).then(|| (at_us, entry.remove()))
    }

    /// Whether nothing is planned any more.
    pub(crate) fn is_empty(&self) -> bool {
        self.planned.is_empty()
    }

    /// Everything that is planned, in its order.
    #[cfg(test)]
    pub(crate) fn iter(&self) -> impl Iterator<Item = (i64, &T)> {
        self.planned.iter().map(|((at_us, _), one)| (*at_us, one))
    }
}
