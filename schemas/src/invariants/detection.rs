//! What holds from the tables to the alert.

use super::{Invariant, Predicate};

super::area! {
    /// From the tables to the alert.
    Detection {
        /// Every announced row is evaluated, or stands in the ledger as not evaluated.
        RowsEvaluated = "rows_evaluated", kept by ["detect/src/stage.rs"];
        /// An alert's id is the hash of its causes, so that a replay raises nothing new.
        AlertNamedByCauses = "alert_named_by_causes", kept by ["detect/src/stage/files.rs"];
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

/// An alert of one event is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertTold {
    /// Its id.
    pub id: String,
    /// Hash of tenant, rule and event.
    pub of_causes: String,
}

impl Predicate for AlertTold {
    const INVARIANT: Invariant = Invariant::Detection(Detection::AlertNamedByCauses);

    fn holds(&self) -> bool {
        self.id == self.of_causes
    }
}

#[cfg(test)]
mod tests {
    use super::{AlertTold, AnnouncementDone, Predicate};

    #[test]
    fn an_alert_is_named_by_its_causes() {
        let told = |of_causes: &str| AlertTold {
            id: "a".to_owned(),
            of_causes: of_causes.to_owned(),
        };
        assert!(told("a").holds());
        assert!(!told("b").holds());
    }

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
