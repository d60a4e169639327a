//! When a destination is tried again: backoff, what it asks for, and the circuit breaker. Pure.

use std::time::Duration;

/// Longest wait that a destination is given which asks for one; a longer one is a fault of its own, and it is said.
pub const RETRY_AFTER_MAX: Duration = Duration::from_hours(1);

/// Longest wait between two tries where the destination asks for none.
pub const BACKOFF_MAX: Duration = Duration::from_mins(1);

/// Failures in a row after which the circuit opens: from then on one notice alone is tried, until it is taken.
pub const FAILURES_MAX: u32 = 5;

/// A wait: from when, in microseconds since the Unix epoch, UTC, and how long.
///
/// Not until when: after a clock was set back by an hour that would be an hour away.
#[derive(Debug, Clone, Copy)]
struct Rest {
    from_us: i64,
    length_us: i64,
}

impl Rest {
    fn new(from_us: i64, length: Duration) -> Self {
        Self {
            from_us,
            length_us: i64::try_from(length.as_micros()).unwrap_or(i64::MAX),
        }
    }

    /// What is left of it. A clock that is before its beginning was set back: then nobody knows, and it is over.
    fn left(self, now_us: i64) -> Duration {
        let passed_us = now_us.saturating_sub(self.from_us);
        if passed_us < 0 {
            return Duration::ZERO;
        }
        let left_us = self.length_us.saturating_sub(passed_us).max(0);
        Duration::from_micros(left_us.unsigned_abs())
    }
}

/// When a destination is tried again, and with how much.
#[derive(Debug, Clone)]
pub struct Pace {
    wait_min: Duration,
    failures: u32,
    rests: Option<Rest>,
    /// Most notices at once after a batch was too large for the destination; none where it never was.
    narrowed: Option<usize>,
}

impl Pace {
    /// A destination that is well; `wait_min` is the wait after a first failure.
    pub fn new(wait_min: Duration) -> Self {
        Self {
            wait_min,
            failures: 0,
            rests: None,
            narrowed: None,
        }
    }

    /// How long to wait from now on; zero if it may be tried.
    pub fn wait(&self, now_us: i64) -> Duration {
        self.rests.map_or(Duration::ZERO, |rest| rest.left(now_us))
    }

    /// Failures in a row.
    pub const fn failures(&self) -> u32 {
        self.failures
    }

    /// Whether only one notice is tried, to learn whether the destination is back.
    pub const fn is_open(&self) -> bool {
        self.failures >= FAILURES_MAX
    }

    /// Most notices to hand over, of `most`.
    pub fn notices_max(&self, most: usize) -> usize {
        if self.is_open() {
            1
        } else {
            self.narrowed.unwrap_or(most).clamp(1, most.max(1))
        }
    }

    /// Something was taken.
    pub fn succeeded(&mut self, most: usize) {
        self.failures = 0;
        self.rests = None;
        // It widens again by degrees: one large notice is no reason to send small ones singly for ever.
        self.narrowed = self
            .narrowed
            .map(|narrowed| narrowed.saturating_mul(2))
            .filter(|narrowed| *narrowed < most);
    }

    /// A batch of so many was too large.
    pub fn too_large(&mut self, notices: usize) {
        self.narrowed = Some((notices / 2).max(1));
    }

    /// Nothing was taken; `asked` is what the destination asked for, `chance` is between 0 and 1. Gives the wait, and
    /// whether it is shorter than what was asked for.
    pub fn failed(
        &mut self,
        asked: Option<Duration>,
        now_us: i64,
        chance: f64,
    ) -> (Duration, bool) {
        self.failures = self.failures.saturating_add(1);
        let doubled = 2_u32.saturating_pow(self.failures.saturating_sub(1).min(16));
        let backoff = self.wait_min.saturating_mul(doubled).min(BACKOFF_MAX);
        let backoff = backoff.mul_f64(1.0 + chance.clamp(0.0, 1.0) / 4.0);
        let is_capped = asked.is_some_and(|asked| asked > RETRY_AFTER_MAX);
        // Zero is no reason to hammer.
        let wait = asked.unwrap_or_default().min(RETRY_AFTER_MAX).max(backoff);
        self.rests = Some(Rest::new(now_us, wait));
        (wait, is_capped)
    }

    /// Some was taken and some was not: it is left alone for as long as it asks for, and is well all the same.
    pub fn rest(&mut self, asked: Option<Duration>, now_us: i64) -> (Duration, bool) {
        let is_capped = asked.is_some_and(|asked| asked > RETRY_AFTER_MAX);
        let wait = asked
            .unwrap_or_default()
            .min(RETRY_AFTER_MAX)
            .max(self.wait_min);
        self.rests = Some(Rest::new(now_us, wait));
        (wait, is_capped)
    }
}

/// Reads a `Retry-After` header: seconds, or an HTTP date relative to `now_us`; none if it is neither.
///
/// Source: RFC 9110 §10.2.3.
pub fn parse_retry_after(text: &str, now_us: i64) -> Option<Duration> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // Too many digits for a number are still a very long time.
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let date: jiff::Timestamp = jiff::fmt::rfc2822::DateTimeParser::new()
        .parse_timestamp(text)
        .ok()?;
    let ahead_us = date.as_microsecond().saturating_sub(now_us).max(0);
    Some(Duration::from_micros(ahead_us.unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{BACKOFF_MAX, FAILURES_MAX, Pace, RETRY_AFTER_MAX, parse_retry_after};

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn waits_double_up_to_a_minute_and_end_with_a_success() {
        let mut pace = Pace::new(SECOND);
        for expected in [1, 2, 4, 8, 16, 32, 60, 60] {
            let (wait, is_capped) = pace.failed(None, 0, 0.0);
            assert_eq!((wait, is_capped), (Duration::from_secs(expected), false));
        }
        assert!(pace.failed(None, 0, 1.0).0 <= BACKOFF_MAX.mul_f64(1.25));
        pace.succeeded(10);
        assert_eq!((pace.failures(), pace.wait(0)), (0, Duration::ZERO));
    }

    #[test]
    fn what_is_asked_for_is_obeyed_and_what_is_absurd_is_capped_and_told() {
        let mut pace = Pace::new(SECOND);
        let asked = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(pace.failed(asked(7), 5, 0.0), (7 * SECOND, false));
        assert_eq!(pace.wait(5), 7 * SECOND);
        assert_eq!(pace.wait(5 + 8_000_000), Duration::ZERO);
        assert_eq!(pace.failed(asked(0), 0, 0.0), (2 * SECOND, false));
        let century = asked(3_153_600_000);
        assert_eq!(pace.failed(century, 0, 0.0), (RETRY_AFTER_MAX, true));
    }

    #[test]
    fn a_clock_that_was_set_back_ends_a_wait_and_prolongs_none() {
        const NOON_US: i64 = 1_796_040_000_000_000;
        let mut pace = Pace::new(SECOND);
        pace.failed(None, NOON_US, 0.0);
        assert_eq!(pace.wait(NOON_US), SECOND);
        assert_eq!(pace.wait(NOON_US - 3_600_000_000), Duration::ZERO);
        pace.rest(Some(7 * SECOND), NOON_US);
        assert_eq!(pace.wait(NOON_US + 1_000_000), 6 * SECOND);
        assert_eq!(pace.wait(NOON_US - 1), Duration::ZERO);
    }

    #[test]
    fn an_open_circuit_tries_one_notice() {
        let mut pace = Pace::new(SECOND);
        for _ in 0..FAILURES_MAX {
            assert_eq!(pace.notices_max(500), 500);
            pace.failed(None, 0, 0.0);
        }
        assert_eq!(pace.notices_max(500), 1);
        pace.succeeded(500);
        assert_eq!(pace.notices_max(500), 500);
    }

    #[test]
    fn a_batch_that_is_too_large_is_halved_down_to_one_and_widens_again() {
        let mut pace = Pace::new(SECOND);
        let mut sizes = Vec::new();
        for _ in 0..4 {
            let now = pace.notices_max(8);
            sizes.push(now);
            pace.too_large(now);
        }
        assert_eq!(sizes, [8, 4, 2, 1]);
        for expected in [2, 4, 8, 8] {
            pace.succeeded(8);
            assert_eq!(pace.notices_max(8), expected);
        }
    }

    #[test]
    fn reads_every_form_of_retry_after() {
        // 2015-10-21T07:28:00Z.
        let now_us = 1_445_412_480_000_000;
        for (text, expected) in [
            ("7", Some(7)),
            ("0", Some(0)),
            ("99999999999999999999999", Some(u64::MAX)),
            ("Wed, 21 Oct 2015 07:28:30 GMT", Some(30)),
            ("Wed, 21 Oct 2015 07:27:00 GMT", Some(0)),
            ("", None),
            ("-5", None),
            ("soon", None),
        ] {
            let expected = expected.map(Duration::from_secs);
            assert_eq!(parse_retry_after(text, now_us), expected, "{text}");
        }
    }
}
