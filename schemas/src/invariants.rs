//! The nevers and the promises, each as one sentence and one predicate; one file per area.
//!
//! Code that keeps one calls [`check`] with what it is about to do. A debug build panics where it does not hold; a
//! release build goes on, counts ([`counts`], exported as `vedette_invariant_checks_total{id,passed}`) and keeps the
//! first breaches for the product's own alert ([`take_breaches`]). Models and replays of traces use the same predicates.
//!
//! A new one is a line in the `area!` of its file (sentence, id, the files that keep it), a struct with what is about to
//! be done, and its [`Predicate`]; nothing else lists them by hand.

use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

mod collection;
mod detection;
mod response;
mod storage;

// By glob, so that a new predicate is written in the file of its area only.
pub use collection::*;
pub use detection::*;
pub use response::*;
pub use storage::*;

/// Most breaches that wait to be told; more are only counted.
const BREACHES_MAX: usize = 100;

/// What must always hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Invariant {
    /// From the source to the log.
    Collection(Collection),
    /// From the log to the tables.
    Storage(Storage),
    /// From the tables to the alert.
    Detection(Detection),
    /// From the alert to the directory.
    Response(Response),
}

impl Invariant {
    /// Every one, in the order of the way of the data.
    pub fn all() -> impl Iterator<Item = Self> {
        (Collection::ALL.iter().copied().map(Self::Collection))
            .chain(Storage::ALL.iter().copied().map(Self::Storage))
            .chain(Detection::ALL.iter().copied().map(Self::Detection))
            .chain(Response::ALL.iter().copied().map(Self::Response))
    }

    /// Its name in metrics and alerts.
    pub fn id(self) -> &'static str {
        self.promise().id
    }

    /// What it promises, in one sentence.
    pub fn sentence(self) -> &'static str {
        self.promise().sentence.trim_ascii()
    }

    /// The files that keep it and check it, from the root of the repository.
    pub fn keepers(self) -> &'static [&'static str] {
        self.promise().keepers
    }

    fn promise(self) -> &'static Promise {
        match self {
            Self::Collection(promise) => promise.promise(),
            Self::Storage(promise) => promise.promise(),
            Self::Detection(promise) => promise.promise(),
            Self::Response(promise) => promise.promise(),
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

/// What is known of an invariant, and how often it was checked.
struct Promise {
    id: &'static str,
    sentence: &'static str,
    keepers: &'static [&'static str],
    passed: AtomicU64,
    failed: AtomicU64,
}

impl Promise {
    const fn new(
        id: &'static str,
        sentence: &'static str,
        keepers: &'static [&'static str],
    ) -> Self {
        Self {
            id,
            sentence,
            keepers,
            passed: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        }
    }
}

/// Declares the invariants of an area: each a sentence, an id and the files that keep it.
macro_rules! area {
    ($(#[$about:meta])* $area:ident {
        $($(#[doc = $sentence:literal])+ $name:ident = $id:literal, kept by [$($keeper:literal),+];)+
    }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $area {
            $($(#[doc = $sentence])+ $name,)+
        }

        static PROMISES: [$crate::invariants::Promise; [$($id),+].len()] = [
            $($crate::invariants::Promise::new($id, concat!($($sentence),+), &[$($keeper),+]),)+
        ];

        impl $area {
            /// Every one of this area.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            pub(super) fn promise(self) -> &'static $crate::invariants::Promise {
                &PROMISES[self as usize]
            }
        }
    };
}
use area;

/// A check that did not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    /// What was promised.
    pub invariant: Invariant,
    /// What was about to be done.
    pub detail: String,
}

static BREACHES: Mutex<Vec<Breach>> = Mutex::new(Vec::new());

/// Checks and counts; returns whether it holds.
///
/// # Panics
/// In debug builds, if it does not hold.
pub fn check<P: Predicate>(what: &P) -> bool {
    let promise = P::INVARIANT.promise();
    if what.holds() {
        promise.passed.fetch_add(1, Ordering::Relaxed);
        return true;
    }
    promise.failed.fetch_add(1, Ordering::Relaxed);
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
    let count = |invariant: Invariant| {
        let promise = invariant.promise();
        (
            invariant,
            promise.passed.load(Ordering::Relaxed),
            promise.failed.load(Ordering::Relaxed),
        )
    };
    Invariant::all().map(count).collect()
}

/// Takes the breaches that nobody has told yet.
pub fn take_breaches() -> Vec<Breach> {
    std::mem::take(&mut *BREACHES.lock().unwrap_or_else(PoisonError::into_inner))
}

#[cfg(test)]
mod tests {
    use super::{Collection, CursorMove, Invariant, check, counts};
    use std::collections::BTreeSet;

    fn passed(wanted: Invariant) -> u64 {
        counts()
            .into_iter()
            .find(|(invariant, _, _)| *invariant == wanted)
            .map_or(0, |(_, passed, _)| passed)
    }

    #[test]
    fn what_holds_is_counted() {
        let invariant = Invariant::Collection(Collection::CursorBehindAcknowledgement);
        let before = passed(invariant);
        let what = CursorMove {
            covered: 2,
            acknowledged: 2,
        };
        assert!(check(&what));
        assert!(passed(invariant) > before);
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
    fn each_has_a_sentence_and_an_id_of_its_own() {
        let mut ids = BTreeSet::new();
        for invariant in Invariant::all() {
            assert!(invariant.sentence().ends_with('.'), "{invariant:?}");
            assert!(ids.insert(invariant.id()), "{invariant:?}");
        }
        assert!(ids.len() > 5);
    }
}
