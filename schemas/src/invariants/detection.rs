//! What holds from the tables to the alert.

use super::{Invariant, Predicate};

super::area! {
    /// From the tables to the alert.
    Detection {
        /// Every announced row is evaluated, or stands in the ledger as not evaluated.
        RowsEvaluated = "rows_evaluated", kept by ["detect/src/stage.rs"];
    }
}

/// An announcement is done with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnnouncementDone {
    /// Rows that it announced.
    pub announced: u64,
    /// Rows that the rules looked at.
    pub evaluated: u64,
    /// Rows that the ledger names as not evaluated.
    pub in_ledger: u64,
}

impl Predicate for AnnouncementDone {
    const INVARIANT: Invariant = Invariant::Detection(Detection::RowsEvaluated);

    fn holds(&self) -> bool {
        self.evaluated + self.in_ledger >= self.announced
    }
}

#[cfg(test)]
mod tests {
    use super::{AnnouncementDone, Predicate};

    #[test]
    fn a_row_is_evaluated_or_in_the_ledger() {
        let done = |evaluated, in_ledger| AnnouncementDone {
            announced: 4,
            evaluated,
            in_ledger,
        };
        assert!(done(4, 0).holds());
        assert!(done(1, 3).holds());
        assert!(!done(1, 2).holds());
    }
}
