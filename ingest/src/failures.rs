//! Which failures are logged: a new one at once, one that goes on at its 2nd, 4th, 8th… time. Pure.

/// The failures of one source in a row.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    kind: String,
    times: u32,
    in_a_row: u32,
}

impl Failures {
    /// Takes a failure; how often it has come now, where it is to be logged.
    ///
    /// `kind` tells failures apart: the same cause has the same, without ids or times.
    pub(crate) fn note(&mut self, kind: &str) -> Option<u32> {
        if self.kind != kind {
            kind.clone_into(&mut self.kind);
            self.times = 0;
        }
        self.times = self.times.saturating_add(1);
        self.in_a_row = self.in_a_row.saturating_add(1);
        self.times.is_power_of_two().then_some(self.times)
    }

    /// How many have come in a row, of all kinds.
    pub(crate) fn in_a_row(&self) -> u32 {
        self.in_a_row
    }

    /// Ends the row, and says how many came in it.
    pub(crate) fn end(&mut self) -> u32 {
        std::mem::take(self).in_a_row
    }
}

#[cfg(test)]
mod tests {
    use super::Failures;

    #[test]
    fn what_goes_on_is_logged_at_doubling_intervals_and_what_is_new_at_once() {
        let mut failures = Failures::default();
        let logged: Vec<u32> = (0..1_000).filter_map(|_| failures.note("away")).collect();
        assert_eq!(logged, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]);
        assert_eq!(failures.note("refused"), Some(1));
        assert_eq!(failures.note("away"), Some(1));
        assert_eq!(failures.in_a_row(), 1_002);
        assert_eq!(failures.end(), 1_002);
        assert_eq!(failures.end(), 0);
    }
}
