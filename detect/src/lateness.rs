//! How late records come, measured: what is remembered and when an absence is certain follow from it.
//!
//! Pure. Nothing is lost by a wrong guess: what comes later than was thought brings its past along from the lake.

use std::time::Duration;

/// Number of classes; each is twice as late as the one before, the first up to a second.
const CLASSES: usize = 24;

/// Records between two times that older ones count half.
const HALF_LIFE: u64 = 100_000;

/// Records below which nothing is measured yet.
const RECORDS_MIN: u64 = 1_000;

/// What is assumed until then: the Management Activity API has been three days late.
const ASSUMED: Duration = Duration::from_hours(72);

/// Shortest and longest lateness that is remembered for.
const REMEMBERED: (Duration, Duration) = (Duration::from_hours(6), Duration::from_hours(31 * 24));

/// Longest that an absence is waited for beyond its time.
const AWAITED_MAX: Duration = Duration::from_hours(24);

/// How late records came.
#[derive(Debug, Default)]
pub(crate) struct Lateness {
    classes: [u64; CLASSES],
    records: u64,
}

impl Lateness {
    /// A record of `time_us`, accepted at `accepted_time_us`; both in microseconds since the Unix epoch, UTC.
    pub(crate) fn add(&mut self, time_us: i64, accepted_time_us: i64) {
        let late_us = accepted_time_us
            .saturating_sub(time_us)
            .max(0)
            .unsigned_abs();
        let class = (u64::BITS - (late_us / 1_000_000).leading_zeros()) as usize;
        self.classes[class.min(CLASSES - 1)] += 1;
        self.records += 1;
        if self.records >= HALF_LIFE {
            self.classes.iter_mut().for_each(|count| *count /= 2);
            self.records = self.classes.iter().sum();
        }
    }

    /// The time within which so many of a thousand records came, rounded up.
    pub(crate) fn within(&self, of_thousand: u64) -> Option<Duration> {
        if self.records < RECORDS_MIN {
            return None;
        }
        let mut found = 0;
        let class = self.classes.iter().position(|count| {
            found += count;
            found * 1_000 >= self.records * of_thousand
        });
        class.map(|class| Duration::from_secs(1 << class))
    }

    /// How late a record may be and still find its neighbours in memory.
    pub(crate) fn remembered(&self) -> Duration {
        let measured = self.within(999).map(|within| within * 2);
        measured
            .unwrap_or(ASSUMED)
            .clamp(REMEMBERED.0, REMEMBERED.1)
    }

    /// How long after its time a record that is absent is taken to be absent.
    pub(crate) fn awaited(&self) -> Duration {
        self.within(990).unwrap_or(ASSUMED).min(AWAITED_MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Lateness;

    #[test]
    fn follows_what_is_measured_and_assumes_three_days_before() {
        let mut lateness = Lateness::default();
        assert_eq!(lateness.remembered(), Duration::from_hours(72));
        for at in 0..990 {
            lateness.add(at, at + 90_000_000);
        }
        for at in 0..20 {
            lateness.add(at, at + 20 * 3_600 * 1_000_000);
        }
        assert_eq!(lateness.awaited(), Duration::from_hours(24));
        let mut quick = Lateness::default();
        (0..1_000_000).for_each(|at| quick.add(at, at + 90_000_000));
        assert_eq!(quick.awaited(), Duration::from_secs(128));
        assert_eq!(quick.remembered(), Duration::from_hours(6));
        (0..300_000).for_each(|at| quick.add(at, at + 50 * 3_600 * 1_000_000));
        assert!(quick.remembered() > Duration::from_hours(50));
    }

    #[test]
    fn poisoned_times_are_no_lateness_or_the_greatest() {
        let mut lateness = Lateness::default();
        lateness.add(i64::MAX, 0);
        lateness.add(i64::MIN, i64::MAX);
        assert_eq!(lateness.records, 2);
    }
}
