//! At most one process acts: a lease that is confirmed right before each act, and that whoever takes it over shuts its
//! former holder out of.
//!
//! ```text
//! wait ─▶ taken ─▶ what the former holder began is over ─▶ held ─▶ confirm, act; confirm, act …
//!   ▲                                                                  │ another has it, or may have it
//!   └──────────────────────────────── lost ◀───────────────────────────┘
//! ```

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

use crate::error::BusError;
use crate::kafka::KafkaLease;
use crate::log::LogLease;

/// Who asks for a lease, and what must be waited for should it be lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Tells candidates apart; the same again when the process starts anew on the same data. Letters, digits, `.-_`.
    pub holder: String,
    /// Longest that something may be under way that this holder began while its lease was confirmed.
    pub under_way_max: Duration,
}

/// What one that waits for a lease is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Waiting {
    /// It stands by, for a person: who acts, or what it waits for.
    Behind(String),
    /// It cannot even see who acts, for a person.
    Blind(String),
}

/// Who hears that.
pub type Told<'a> = &'a (dyn Fn(Waiting) + Send + Sync);

/// A lease that is held, or was.
pub enum Lease {
    /// On Apache Kafka: for all processes of the cluster's prefix.
    Kafka(KafkaLease),
    /// On the embedded log: for the processes that open its file.
    Log(LogLease),
}

/// That a lease was held at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Confirmed {
    /// The epoch that was in force: it counts who held the lease.
    pub epoch: u64,
    /// Before the question was asked, as time since the machine started.
    asked: Duration,
}

impl Confirmed {
    /// That it was asked for at `asked` and is so.
    pub(crate) const fn at(epoch: u64, asked: Duration) -> Self {
        Self { epoch, asked }
    }

    /// That it is so now, as far as whoever holds it in another way knows; none where no clock tells.
    pub fn now(epoch: u64) -> Option<Self> {
        since_start().map(|asked| Self { epoch, asked })
    }

    /// How long ago that was, time in which the process or the machine stood still included; the longest there is
    /// where no clock tells.
    pub fn age(&self) -> Duration {
        since_start().map_or(Duration::MAX, |now| now.saturating_sub(self.asked))
    }
}

impl Lease {
    /// The epoch that this holder was given.
    pub fn epoch(&self) -> u64 {
        match self {
            Self::Kafka(lease) => lease.epoch(),
            Self::Log(lease) => lease.epoch(),
        }
    }

    /// Another that held it last and may have left work undone, for a person; on the embedded log all share one place.
    pub fn taken_from(&self) -> Option<&str> {
        match self {
            Self::Kafka(lease) => lease.taken_from(),
            Self::Log(_) => None,
        }
    }

    /// Makes sure that the lease is still held, by asking where all would learn of another holder; what was confirmed a
    /// moment ago is not asked again.
    ///
    /// Until [`schemas::limits::LEASE_CONFIRMED_FOR`] after that, nobody else acts as the holder.
    ///
    /// # Errors
    /// [`BusError::LeaseLost`], from then on always: it cannot be held again, only taken again.
    pub async fn confirm(&self) -> Result<Confirmed, BusError> {
        match self {
            Self::Kafka(lease) => lease.confirm().await,
            Self::Log(lease) => lease.confirm(),
        }
    }

    /// Waits until it is lost; says how that was noticed.
    pub async fn lost(&self) -> String {
        match self {
            Self::Kafka(lease) => lease.lost().await,
            Self::Log(lease) => lease.lost().await,
        }
    }

    /// Gives it back, once nothing is under way any more: the next holder need not wait for that.
    pub async fn release(&self) {
        match self {
            Self::Kafka(lease) => lease.release().await,
            // The system frees the file with the value.
            Self::Log(_) => {}
        }
    }
}

/// Time since the machine started; it counts while a process or the machine stands still, as no `Instant` does.
pub(crate) fn since_start() -> Option<Duration> {
    clock_gettime(ClockId::CLOCK_BOOTTIME)
        .ok()
        .map(Duration::from)
}

/// This process, for a person.
pub(crate) fn this_process() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname");
    let host = host.as_deref().map_or("a host", str::trim_ascii);
    format!("{host} (process {})", std::process::id())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Confirmed, since_start};

    #[test]
    fn what_was_confirmed_grows_old() {
        let asked = since_start().unwrap();
        let confirmed = Confirmed::at(1, asked);
        std::thread::sleep(Duration::from_millis(5));
        assert!(confirmed.age() >= Duration::from_millis(5));
        assert!(confirmed.age() < Duration::from_mins(1));
    }
}
