//! Announced files that could not be read: in the ledger for good, and here for as long as it makes sense to try again.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::announced::Announced;

/// Files that wait at most; others are only in the ledger, which is read at each start.
const GAPS_MAX: usize = 10_000;

/// Shortest and longest wait before a file is tried again; each try doubles it.
const WAIT_MIN: Duration = Duration::from_secs(1);
const WAIT_MAX: Duration = Duration::from_hours(1);

/// Tries after which a file is left to `vedette rules backtest --missing`: a day.
const TRIES_MAX: u32 = 36;

/// A file that could not be read.
#[derive(Debug)]
pub(super) struct Gap {
    pub(super) announced: Announced,
    tries: u32,
    due: Instant,
}

/// Files that wait for another try.
#[derive(Debug, Default)]
pub(super) struct Gaps {
    waiting: VecDeque<Gap>,
    /// Whether those of the ledger have been read.
    pub(super) is_recalled: bool,
}

impl Gaps {
    /// Takes in a file that could not be read.
    pub(super) fn add(&mut self, announced: Announced, now: Instant) {
        let is_known = |gap: &Gap| gap.announced == announced;
        if self.waiting.len() < GAPS_MAX && !self.waiting.iter().any(is_known) {
            self.waiting.push_back(Gap {
                announced,
                tries: 0,
                due: now + WAIT_MIN,
            });
        }
    }

    /// Takes out the first that is due.
    pub(super) fn next(&mut self, now: Instant) -> Option<Gap> {
        let at = self.waiting.iter().position(|gap| gap.due <= now)?;
        self.waiting.remove(at)
    }

    /// Takes back one that could not be read again; false if it is given up here.
    pub(super) fn again(&mut self, mut gap: Gap, now: Instant) -> bool {
        gap.tries += 1;
        if gap.tries >= TRIES_MAX {
            return false;
        }
        gap.due = now + (WAIT_MIN * 2_u32.saturating_pow(gap.tries.min(20))).min(WAIT_MAX);
        self.waiting.push_back(gap);
        true
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }
}
