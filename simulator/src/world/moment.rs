//! Simulated time: how it is written in each feed, and how it runs against the wall clock.

use jiff::Timestamp;

/// Microseconds in a second.
pub(crate) const SECOND_US: i64 = 1_000_000;
/// Microseconds in a minute.
pub(crate) const MINUTE_US: i64 = 60 * SECOND_US;
/// Microseconds in an hour.
pub(crate) const HOUR_US: i64 = 60 * MINUTE_US;

fn written(time_us: i64, format: &str) -> String {
    Timestamp::from_microsecond(time_us)
        .unwrap_or(Timestamp::UNIX_EPOCH)
        .strftime(format)
        .to_string()
}

/// `2026-09-14T08:07:12.5512034Z`, as diagnostic settings write emission times.
pub(crate) fn ticks(time_us: i64) -> String {
    written(time_us, "%Y-%m-%dT%H:%M:%S%.6f0Z")
}

/// `2026-09-14T08:02:11.1839042+00:00`, as sign-ins write their creation.
pub(crate) fn ticks_with_offset(time_us: i64) -> String {
    written(time_us, "%Y-%m-%dT%H:%M:%S%.6f0+00:00")
}

/// `2026-09-14T08:10:02.001Z`.
pub(crate) fn milliseconds(time_us: i64) -> String {
    written(time_us, "%Y-%m-%dT%H:%M:%S%.3fZ")
}

/// `2026-09-14T08:10:02Z`.
pub(crate) fn seconds(time_us: i64) -> String {
    written(time_us, "%Y-%m-%dT%H:%M:%SZ")
}

/// `2026-09-14T08:02:41` without a zone, as the unified audit log writes it.
pub(crate) fn zoneless(time_us: i64) -> String {
    written(time_us, "%Y-%m-%dT%H:%M:%S")
}

/// `2026-09-14 08:11:02Z`, as the token endpoint writes it.
pub(crate) fn spaced(time_us: i64) -> String {
    written(time_us, "%Y-%m-%d %H:%M:%SZ")
}

/// `20260914080512001`, as contained in content ids.
pub(crate) fn digits(time_us: i64) -> String {
    written(time_us, "%Y%m%d%H%M%S%3f")
}

/// How simulated time runs: by a factor until the day is published, with the wall clock afterwards.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// Simulated time at the start.
    pub(crate) start_us: i64,
    /// Simulated time at which the day and all its records are out.
    pub(crate) horizon_us: i64,
    wall_start_us: i64,
    speed: f64,
}

impl Pace {
    /// The pace from now on; without a start, simulated time meets the wall clock at the horizon.
    pub(crate) fn new(start_us: Option<i64>, span_us: i64, speed: f64, wall_us: i64) -> Self {
        let start_us =
            start_us.unwrap_or_else(|| wall_us - (span_us - divided(span_us, speed)).max(0));
        Self {
            start_us,
            horizon_us: start_us + span_us,
            wall_start_us: wall_us,
            speed,
        }
    }

    /// The simulated time at a wall time.
    pub(crate) fn simulated(&self, wall_us: i64) -> i64 {
        let passed = (wall_us - self.wall_start_us).max(0);
        let compressed = divided(self.horizon_us - self.start_us, self.speed);
        if passed < compressed {
            (self.start_us + multiplied(passed, self.speed)).min(self.horizon_us - 1)
        } else {
            self.horizon_us + (passed - compressed)
        }
    }

    /// The wall time at a simulated time.
    pub(crate) fn wall(&self, simulated_us: i64) -> i64 {
        if simulated_us < self.horizon_us {
            self.wall_start_us + divided(simulated_us - self.start_us, self.speed)
        } else {
            let compressed = divided(self.horizon_us - self.start_us, self.speed);
            self.wall_start_us + compressed + (simulated_us - self.horizon_us)
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "spans of days in microseconds are far below 2^53"
)]
fn multiplied(span_us: i64, factor: f64) -> i64 {
    (span_us as f64 * factor) as i64
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "spans of days in microseconds are far below 2^53"
)]
fn divided(span_us: i64, factor: f64) -> i64 {
    (span_us as f64 / factor) as i64
}

#[cfg(test)]
mod tests {
    use super::{HOUR_US, Pace, SECOND_US, digits, ticks, ticks_with_offset};

    #[test]
    fn simulated_time_meets_the_wall_clock_at_the_horizon_and_stays_with_it() {
        let wall = 1_788_770_000 * SECOND_US;
        let pace = Pace::new(None, 10 * HOUR_US, 1_200.0, wall);
        let end = wall + 30 * SECOND_US;
        assert_eq!(pace.simulated(end), end);
        assert_eq!(pace.simulated(end + 5 * SECOND_US), end + 5 * SECOND_US);
        assert!(pace.simulated(wall + SECOND_US) < wall);
    }

    #[test]
    fn wall_time_is_the_inverse() {
        let pace = Pace::new(Some(0), 8 * HOUR_US, 1_000.0, 77);
        for simulated in [0, HOUR_US, 8 * HOUR_US, 9 * HOUR_US] {
            assert_eq!(pace.simulated(pace.wall(simulated)), simulated);
        }
    }

    #[test]
    fn fractions_have_seven_digits_as_microsofts() {
        let time = 1_788_770_000 * SECOND_US + 551_203;
        assert_eq!(ticks(time), "2026-09-07T08:33:20.5512030Z");
        assert_eq!(ticks_with_offset(time), "2026-09-07T08:33:20.5512030+00:00");
        assert_eq!(digits(time), "20260907083320551");
    }
}
