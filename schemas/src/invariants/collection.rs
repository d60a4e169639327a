//! What holds from the source to the log.

use super::{Invariant, Predicate};

super::area! {
    /// From the source to the log.
    Collection {
        /// A source cursor moves only after the bus has acknowledged every record that it covers.
        CursorBehindAcknowledgement = "cursor_behind_acknowledgement", kept by ["ingest/src/cursor.rs"];
        /// Every record becomes an event or a dead letter.
        RecordsKept = "records_kept", kept by ["ingest/src/normalise.rs"];
    }
}

/// A source cursor is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CursorMove {
    /// Records and letters that the new cursor covers beyond the stored one.
    pub covered: u64,
    /// How many of them the bus has acknowledged.
    pub acknowledged: u64,
}

impl Predicate for CursorMove {
    const INVARIANT: Invariant = Invariant::Collection(Collection::CursorBehindAcknowledgement);

    fn holds(&self) -> bool {
        self.acknowledged >= self.covered
    }
}

/// Bytes of a source were split into records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordsAccounted {
    /// Records found.
    pub records: u64,
    /// Events made of them.
    pub events: u64,
    /// Letters made of them.
    pub dead_letters: u64,
}

impl Predicate for RecordsAccounted {
    const INVARIANT: Invariant = Invariant::Collection(Collection::RecordsKept);

    fn holds(&self) -> bool {
        self.events + self.dead_letters >= self.records
    }
}

#[cfg(test)]
mod tests {
    use super::{CursorMove, Predicate, RecordsAccounted};

    #[test]
    fn a_cursor_waits_for_the_acknowledgement() {
        let at = |covered, acknowledged| CursorMove {
            covered,
            acknowledged,
        };
        assert!(at(3, 3).holds());
        assert!(!at(3, 2).holds());
    }

    #[test]
    fn a_record_does_not_vanish() {
        let of = |events, dead_letters| RecordsAccounted {
            records: 2,
            events,
            dead_letters,
        };
        assert!(of(1, 1).holds());
        assert!(!of(1, 0).holds());
    }
}
