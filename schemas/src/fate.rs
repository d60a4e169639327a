//! What happens after an error: three fates and no fourth.

use std::time::Duration;

/// What the loop that met an error does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Try again, after this long at least.
    Retry {
        /// Shortest wait before the next try.
        after: Duration,
    },
    /// Set the input aside with its bytes and a reason, and go on.
    DeadLetter,
    /// End the stage: trying again cannot help, and going on would lose something.
    Stop,
}

impl Fate {
    /// Retry after a second, the wait where nobody asks for another.
    pub const SOON: Self = Self::Retry {
        after: Duration::from_secs(1),
    };
}

/// An error that says what happens next.
pub trait HasFate: std::error::Error {
    /// What the loop that met it does next.
    fn fate(&self) -> Fate;
}

/// Waits between tries of what fails again and again; each is twice as long as the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The first wait.
    pub min: Duration,
    /// The longest wait, unless an error asks for a longer one.
    pub max: Duration,
}

impl Backoff {
    /// The wait after so many failures in a row, the last of this fate.
    pub fn wait(self, fate: Fate, failures: u32) -> Duration {
        match fate {
            Fate::Retry { after } if after > self.max => after,
            Fate::Retry { .. } | Fate::DeadLetter | Fate::Stop => {
                let doublings = failures.saturating_sub(1).min(16);
                self.min
                    .saturating_mul(2_u32.saturating_pow(doublings))
                    .min(self.max)
            }
        }
    }
}

/// An error with its causes, for a log or a line of the ledger.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Backoff, Fate};
    use std::time::Duration;

    #[test]
    fn waits_double_up_to_their_bound_and_an_error_may_ask_for_more() {
        let backoff = Backoff {
            min: Duration::from_millis(250),
            max: Duration::from_secs(5),
        };
        let wait = |failures| backoff.wait(Fate::SOON, failures).as_millis();
        assert_eq!([1, 2, 3, 6, 60].map(wait), [250, 500, 1_000, 5_000, 5_000]);
        let asked = Fate::Retry {
            after: Duration::from_mins(1),
        };
        assert_eq!(backoff.wait(asked, 1), Duration::from_mins(1));
    }
}
