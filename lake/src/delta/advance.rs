//! How far a table has taken a partition of the bus in, and what its log keeps of it.

use bus::{Fingerprint, Position};
use schemas::topics::Topic;

/// A partition of the bus, whose offsets a table keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Partition {
    pub(crate) topic: Topic,
    pub(crate) partition: i32,
}

impl Partition {
    /// Under this name the table keeps the arrival after the last message that it holds.
    pub(crate) fn position_id(self) -> String {
        format!("{}/{}", self.topic, self.partition)
    }

    /// Under this name the table keeps what an arrival is more than its offset.
    pub(crate) fn base_id(self) -> String {
        format!("base/{}/{}", self.topic, self.partition)
    }

    /// Under this name the table keeps the fingerprint of the last message that it holds.
    pub(crate) fn last_id(self) -> String {
        format!("last/{}/{}", self.topic, self.partition)
    }

    /// Under this name the table keeps the arrival up to which commits are known to be announced.
    pub(crate) fn announced_id(self) -> String {
        format!("announced/{}/{}", self.topic, self.partition)
    }
}

/// How far a table has taken a partition in.
///
/// Arrivals number the messages of a partition in the order in which the lake met them. They go up for ever: where
/// another log takes the place of the one before, offsets begin anew and the base makes up for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Reached {
    /// Arrival after the last message.
    pub(crate) arrival: i64,
    /// What an arrival is more than its offset in the log that is read.
    pub(crate) base: i64,
    /// The last message, by which its log is recognised; none where nothing of the log has been read, and in tables
    /// of before fingerprints.
    pub(crate) last: Option<Fingerprint>,
}

impl Reached {
    /// The position of it in the log.
    pub(crate) fn position(self, partition: Partition) -> Position {
        Position {
            topic: partition.topic,
            partition: partition.partition,
            next_offset: self.arrival.saturating_sub(self.base),
            last: self.last,
        }
    }
}

/// How far a commit moves a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Advance {
    pub(crate) partition: Partition,
    /// Where the table stood when the batch was read; the commit fails if it stands elsewhere by then.
    pub(crate) from: Reached,
    /// Where it will stand.
    pub(crate) to: Reached,
}

impl Advance {
    /// What the table's log keeps of it.
    pub(super) fn transactions(&self) -> [(String, i64); 3] {
        let last = self.to.last.map_or(NO_FINGERPRINT, Fingerprint::to_i64);
        [
            (self.partition.position_id(), self.to.arrival),
            (self.partition.base_id(), self.to.base),
            (self.partition.last_id(), last),
        ]
    }
}

/// In the place of a fingerprint, where there is none; fingerprints are not negative.
pub(super) const NO_FINGERPRINT: i64 = -1;
