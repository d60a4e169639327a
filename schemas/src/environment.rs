//! The one seam through which time enters.

use std::time::{SystemTime, UNIX_EPOCH};

/// Tells the time, so that tests can tell another.
pub trait Clock: Send + Sync {
    /// Wall clock, in microseconds since the Unix epoch, UTC.
    fn now_us(&self) -> i64;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that asks the machine for the time"
    )]
    fn now_us(&self) -> i64 {
        // A clock before 1970 reads as 1970: nothing sensible happens before.
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX)
    }
}

/// A clock that stands where it was put.
#[derive(Debug, Clone, Copy)]
pub struct FixedClock(pub i64);

impl Clock for FixedClock {
    fn now_us(&self) -> i64 {
        self.0
    }
}
