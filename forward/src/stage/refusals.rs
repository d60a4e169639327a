//! Whether a destination refuses all that it is sent: it answers, and takes nothing. Pure.

use std::time::Duration;

/// How long it refuses, and takes nothing, before that is a trouble: a bad notice or two is none.
const REFUSING_MIN: Duration = Duration::from_mins(5);

/// What a destination has refused since it last took something.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    count: u64,
    since_us: i64,
    why: String,
}

impl Refusals {
    /// Notes what came of a batch: how many were taken, and why others were refused.
    pub(super) fn note<'a>(
        &mut self,
        taken: usize,
        refused: impl IntoIterator<Item = &'a str>,
        now_us: i64,
    ) {
        if taken > 0 {
            *self = Self::default();
            return;
        }
        for why in refused {
            // A clock that was set back says nothing of how long it was.
            if self.count == 0 || now_us < self.since_us {
                self.since_us = now_us;
            }
            self.count += 1;
            why.clone_into(&mut self.why);
        }
    }

    /// What is wrong, if it has been so for long enough.
    pub(super) fn trouble(&self, now_us: i64) -> Option<String> {
        let length_us = now_us.saturating_sub(self.since_us);
        let length = Duration::from_micros(u64::try_from(length_us).unwrap_or(0));
        (self.count > 0 && length >= REFUSING_MIN).then(|| {
            format!(
                "it refuses everything: {} in {} min, and took nothing; the last: {}; fix: mend what it says, then \
                 `vedette forward replay` with --dead-letters",
                self.count,
                length.as_secs() / 60,
                self.why
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Refusals;

    const MINUTE_US: i64 = 60_000_000;

    #[test]
    fn one_that_refuses_everything_for_minutes_is_in_trouble_until_it_takes_something() {
        let mut refusals = Refusals::default();
        assert_eq!(refusals.trouble(9 * MINUTE_US), None);
        refusals.note(0, ["no such field"], MINUTE_US);
        assert_eq!(refusals.trouble(MINUTE_US), None, "it may be that one");
        refusals.note(0, [], 5 * MINUTE_US);
        assert_eq!(refusals.trouble(5 * MINUTE_US), None);
        refusals.note(0, ["no", "no such index"], 6 * MINUTE_US);
        let why = refusals.trouble(6 * MINUTE_US).expect("five minutes");
        assert!(
            why.contains("3 in 5 min") && why.contains("no such index"),
            "{why}"
        );
        refusals.note(1, ["no"], 7 * MINUTE_US);
        assert_eq!(refusals.trouble(99 * MINUTE_US), None, "it takes some");
    }

    #[test]
    fn a_clock_that_was_set_back_counts_anew() {
        let mut refusals = Refusals::default();
        refusals.note(0, ["no"], 100 * MINUTE_US);
        refusals.note(0, ["no"], 10 * MINUTE_US);
        assert_eq!(refusals.trouble(10 * MINUTE_US), None);
        assert!(refusals.trouble(15 * MINUTE_US).is_some());
    }
}
