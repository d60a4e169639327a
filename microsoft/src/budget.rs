//! How many requests a tenant may send: a token bucket that throttling closes for a while.
//!
//! Each tenant and audience has its own, so one tenant's throttling slows no other.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Requests that may be sent at once after a pause.
const BURST_MAX: f64 = 60.0;

/// A token bucket.
#[derive(Debug)]
pub(crate) struct Budget {
    state: Mutex<State>,
    per_second: f64,
}

#[derive(Debug)]
struct State {
    /// Requests that may be sent now; below zero while some wait.
    left: f64,
    filled: Instant,
    not_before: Instant,
}

impl Budget {
    /// A full bucket that fills by `requests_per_minute`, at least one.
    pub(crate) fn new(requests_per_minute: u32) -> Self {
        let now = Instant::now();
        Self {
            state: Mutex::new(State {
                left: BURST_MAX,
                filled: now,
                not_before: now,
            }),
            per_second: f64::from(requests_per_minute.max(1)) / 60.0,
        }
    }

    /// Takes one request out of the bucket, and says how long to wait before it is sent.
    pub(crate) fn take(&self, now: Instant) -> Duration {
        let mut state = self.state();
        let passed = now.saturating_duration_since(state.filled).as_secs_f64();
        state.left = (state.left + passed * self.per_second).min(BURST_MAX) - 1.0;
        state.filled = now;
        let refill = if state.left < 0.0 {
            Duration::from_secs_f64(-state.left / self.per_second)
        } else {
            Duration::ZERO
        };
        refill.max(state.not_before.saturating_duration_since(now))
    }

    /// Lets nothing pass before `wait` is over: what one request was told counts for all.
    pub(crate) fn close(&self, now: Instant, wait: Duration) {
        let mut state = self.state();
        state.not_before = state.not_before.max(now + wait);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // The numbers in a poisoned bucket are still numbers.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::Budget;
    use std::time::Duration;
    use tokio::time::Instant;

    #[test]
    fn lets_a_burst_pass_and_then_one_at_a_time() {
        let budget = Budget::new(600);
        let now = Instant::now();
        let free = (0..100).filter(|_| budget.take(now).is_zero()).count();
        assert_eq!(free, 60);
        assert!(budget.take(now) > Duration::from_secs(4));
        assert!(budget.take(now + Duration::from_secs(30)).is_zero());
    }

    #[test]
    fn closes_for_everybody() {
        let budget = Budget::new(600);
        let now = Instant::now();
        budget.close(now, Duration::from_secs(5));
        assert_eq!(budget.take(now), Duration::from_secs(5));
        assert!(budget.take(now + Duration::from_secs(6)).is_zero());
    }
}
