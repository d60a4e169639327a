//! The nevers and the promises, each as one sentence and one predicate.
//!
//! Code that keeps one calls [`check`] with what it is about to do. A debug build panics where it does not hold; a
//! release build goes on, counts ([`counts`], exported as `vedette_invariant_checks_total{id,passed}`) and keeps the
//! first breaches for the product's own alert ([`take_breaches`]). Models and replays of traces use the same predicates.

use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Most breaches that wait to be told; more are only counted.
const BREACHES_MAX: usize = 100;

/// What must always hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(usize)]
pub enum Invariant {
    /// See [`CursorMove`].
    CursorBehindAcknowledgement,
    /// See [`RecordsAccounted`].
    RecordsKept,
    /// See [`CommittedRange`].
    OffsetsWithRows,
}

impl Invariant {
    /// Every one, in the order of the way of the data.
    pub const ALL: [Self; 3] = [
        Self::CursorBehindAcknowledgement,
        Self::RecordsKept,
        Self::OffsetsWithRows,
    ];

    /// Its name in metrics and alerts.
    pub const fn id(self) -> &'static str {
        match self {
            Self::CursorBehindAcknowledgement => "cursor_behind_acknowledgement",
            Self::RecordsKept => "records_kept",
            Self::OffsetsWithRows => "offsets_with_rows",
        }
    }

    /// What it promises, in one sentence.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::CursorBehindAcknowledgement => {
                "A source cursor moves only after the bus has acknowledged every record that it covers."
            }
            Self::RecordsKept => "Every record becomes an event or a dead letter.",
            Self::OffsetsWithRows => {
                "A commit of the lake begins where the commit before it ended, on the same log."
            }
        }
    }
}

/// Something that is about to be done, and whether it may be.
pub trait Predicate: Debug {
    /// The invariant that it is a case of.
    const INVARIANT: Invariant;

    /// Whether the invariant holds.
    fn holds(&self) -> bool;
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
    const INVARIANT: Invariant = Invariant::CursorBehindAcknowledgement;

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
    const INVARIANT: Invariant = Invariant::RecordsKept;

    fn holds(&self) -> bool {
        self.events + self.dead_letters >= self.records
    }
}

/// A commit of the lake moves a partition on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommittedRange {
    /// Where the table stood.
    pub stood_at: i64,
    /// First offset that the commit covers.
    pub from: i64,
    /// Offset after the last that it covers.
    pub to: i64,
}

impl Predicate for CommittedRange {
    const INVARIANT: Invariant = Invariant::OffsetsWithRows;

    fn holds(&self) -> bool {
        self.from == self.stood_at && self.to >= self.from
    }
}

/// A check that did not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    /// What was promised.
    pub invariant: Invariant,
    /// What was about to be done.
    pub detail: String,
}

struct Tally {
    passed: AtomicU64,
    failed: AtomicU64,
}

static TALLIES: [Tally; Invariant::ALL.len()] = [const {
    Tally {
        passed: AtomicU64::new(0),
        failed: AtomicU64::new(0),
    }
}; Invariant::ALL.len()];

static BREACHES: Mutex<Vec<Breach>> = Mutex::new(Vec::new());

/// Checks and counts; returns whether it holds.
///
/// # Panics
/// In debug builds, if it does not hold.
pub fn check<P: Predicate>(what: &P) -> bool {
    let tally = &TALLIES[P::INVARIANT as usize];
    if what.holds() {
        tally.passed.fetch_add(1, Ordering::Relaxed);
        return true;
    }
    tally.failed.fetch_add(1, Ordering::Relaxed);
    let detail = format!("{what:?}");
    debug_assert!(false, "{} But: {detail}", P::INVARIANT.sentence());
    let mut breaches = BREACHES.lock().unwrap_or_else(PoisonError::into_inner);
    if breaches.len() < BREACHES_MAX {
        breaches.push(Breach {
            invariant: P::INVARIANT,
            detail,
        });
    }
    false
}

/// How often each was checked in this process: passed, failed.
pub fn counts() -> Vec<(Invariant, u64, u64)> {
    let count = |invariant: &Invariant| {
        let tally = &TALLIES[*invariant as usize];
        (
            *invariant,
            tally.passed.load(Ordering::Relaxed),
            tally.failed.load(Ordering::Relaxed),
        )
    };
    Invariant::ALL.iter().map(count).collect()
}

/// Takes the breaches that nobody has told yet.
pub fn take_breaches() -> Vec<Breach> {
    std::mem::take(&mut *BREACHES.lock().unwrap_or_else(PoisonError::into_inner))
}

#[cfg(test)]
mod tests {
    use super::{CursorMove, Invariant, check, counts};

    #[test]
    fn what_holds_is_counted() {
        let before = counts()[0].1;
        let what = CursorMove {
            covered: 2,
            acknowledged: 2,
        };
        assert!(check(&what));
        assert!(counts()[0].1 > before);
    }

    #[test]
    #[should_panic(expected = "A source cursor moves only after")]
    #[cfg(debug_assertions)]
    fn what_does_not_hold_panics_here() {
        check(&CursorMove {
            covered: 2,
            acknowledged: 1,
        });
    }

    #[test]
    fn each_stands_at_its_place() {
        for (place, invariant) in Invariant::ALL.into_iter().enumerate() {
            assert_eq!(invariant as usize, place);
            assert!(invariant.sentence().ends_with('.'));
        }
    }
}
