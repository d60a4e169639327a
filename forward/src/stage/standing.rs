//! How a destination stands, as its loop tells it and the watch reads it; and what all loops share.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use bus::Bus;
use schemas::environment::Clock;
use schemas::health::Health;
use tokio_util::sync::CancellationToken;

/// The part of the process's health, before the name of a destination.
pub(super) const STAGE: &str = "forward";

/// What every destination's loop has.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) bus: Bus,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) health: Health,
    pub(super) stop: CancellationToken,
}

/// How a destination stands.
#[derive(Debug)]
pub(super) struct Standing {
    /// Its name.
    pub(super) name: String,
    round_us: AtomicI64,
    oldest_us: AtomicI64,
    in_hand: AtomicUsize,
}

impl Standing {
    pub(super) fn new(name: &str, now_us: i64) -> Self {
        Self {
            name: name.to_owned(),
            round_us: AtomicI64::new(now_us),
            oldest_us: AtomicI64::new(0),
            in_hand: AtomicUsize::new(0),
        }
    }

    /// The loop has come round.
    pub(super) fn comes_round(&self, now_us: i64) {
        self.round_us.store(now_us, Ordering::Relaxed);
    }

    /// When the loop has last come round, in microseconds since the Unix epoch, UTC.
    pub(super) fn round_us(&self) -> i64 {
        self.round_us.load(Ordering::Relaxed)
    }

    /// What is in hand: how many, and when the oldest was published.
    pub(super) fn holds(&self, notices: usize, oldest_us: Option<i64>) {
        self.in_hand.store(notices, Ordering::Relaxed);
        self.oldest_us
            .store(oldest_us.unwrap_or(0), Ordering::Relaxed);
    }

    /// When the oldest notice in hand was published, in microseconds since the Unix epoch, UTC; none if none is.
    pub(super) fn oldest_us(&self) -> Option<i64> {
        Some(self.oldest_us.load(Ordering::Relaxed)).filter(|time| *time > 0)
    }

    /// How many notices are in hand.
    pub(super) fn in_hand(&self) -> usize {
        self.in_hand.load(Ordering::Relaxed)
    }
}
