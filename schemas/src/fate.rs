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
