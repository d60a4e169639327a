//! What is published, what is delivered, and the positions between.

use schemas::ids;
use schemas::topics::Topic;

use crate::error::BusError;

/// What is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Messages of one key keep their order and go to one partition.
    pub key: String,
    /// The encoded wire type of the topic.
    pub payload: Vec<u8>,
}

impl Message {
    /// A message that carries `value`, encoded.
    pub fn of(key: impl Into<String>, value: &impl prost::Message) -> Self {
        Self {
            key: key.into(),
            payload: value.encode_to_vec(),
        }
    }

    /// Bytes of its key and payload.
    pub fn bytes(&self) -> usize {
        self.key.len() + self.payload.len()
    }

    /// The position after it, where the bus has put it.
    pub(crate) fn after(
        &self,
        (topic, partition, offset): (Topic, i32, i64),
        published_us: i64,
    ) -> Position {
        let place = (topic, partition, offset);
        Position {
            topic,
            partition,
            next_offset: offset + 1,
            last: Some(Fingerprint::of(
                place,
                published_us,
                &self.key,
                &self.payload,
            )),
        }
    }
}

/// What is delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The topic.
    pub topic: Topic,
    /// The partition, from 0.
    pub partition: i32,
    /// The offset in the partition, from 0.
    pub offset: i64,
    /// The key; empty if the producer gave none.
    pub key: String,
    /// The encoded wire type of the topic; empty for a tombstone.
    pub payload: Vec<u8>,
    /// When it was published, in microseconds since the Unix epoch, UTC; on Kafka to the millisecond, 0 if unknown.
    pub published_us: i64,
}

impl Delivery {
    /// Decodes its payload as the wire type `M`.
    ///
    /// A tombstone decodes as the default value, as an empty protobuf message does.
    ///
    /// # Errors
    /// [`BusError::Decode`] if the payload is not one.
    pub fn decode<M: prost::Message + Default>(&self) -> Result<M, BusError> {
        M::decode(self.payload.as_slice()).map_err(|cause| BusError::Decode {
            topic: self.topic,
            partition: self.partition,
            offset: self.offset,
            cause,
        })
    }

    /// Bytes of its key and payload.
    pub fn bytes(&self) -> usize {
        self.key.len() + self.payload.len()
    }

    /// The position after it: what to commit when it and all before it are done.
    pub fn after(&self) -> Position {
        Position {
            topic: self.topic,
            partition: self.partition,
            next_offset: self.offset + 1,
            last: Some(self.fingerprint()),
        }
    }

    /// What tells it from every other message at its offset.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(
            (self.topic, self.partition, self.offset),
            self.published_us,
            &self.key,
            &self.payload,
        )
    }
}

/// A hash of a message and its place: where another log has taken the place of the one that was read, another message
/// stands there.
///
/// It sees what an id of a topic cannot: a topic that was emptied or cut and written on (a lost disk, an unclean
/// election, a file restored from a backup) keeps its id, and what was read at an offset is no longer there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(i64);

impl Fingerprint {
    fn of(
        (topic, partition, offset): (Topic, i32, i64),
        published_us: i64,
        key: &str,
        payload: &[u8],
    ) -> Self {
        let hash = ids::hash(&[
            topic.name().as_bytes(),
            &partition.to_le_bytes(),
            &offset.to_le_bytes(),
            &published_us.to_le_bytes(),
            key.as_bytes(),
            payload,
        ]);
        // The upper half; without its sign, so that it is a number in every store.
        Self(i64::try_from(hash >> 65).unwrap_or(i64::MAX))
    }

    /// As a number that is not negative, to be stored.
    pub const fn to_i64(self) -> i64 {
        self.0
    }

    /// As it was stored.
    pub const fn of_i64(stored: i64) -> Self {
        Self(stored)
    }
}

/// A place in a partition: everything before `next_offset` is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Position {
    /// The topic.
    pub topic: Topic,
    /// The partition.
    pub partition: i32,
    /// Offset of the first message that is not done.
    pub next_offset: i64,
    /// The message before it, by which its log is recognised; none at a beginning, and where nobody noted it.
    pub last: Option<Fingerprint>,
}

/// What the bus has of a position that was stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recognised {
    /// The position that was asked about.
    pub position: Position,
    /// Whether it is of the log that the bus has now. One whose last message retention has removed is taken to be: all
    /// that is still there comes after it.
    pub is_same_log: bool,
    /// Offset of the earliest message that is still there; the end if there is none.
    pub first_offset: i64,
    /// Offset after the last message.
    pub end_offset: i64,
}

impl Recognised {
    /// Says whether the position is of this log; `at_last` is the message before it, where that is still there.
    pub(crate) fn of(
        position: Position,
        (first_offset, end_offset): (i64, i64),
        at_last: Option<&Delivery>,
    ) -> Self {
        let is_same_log = if position.next_offset > end_offset {
            false
        } else if position.next_offset <= first_offset.max(0) {
            true
        } else {
            // Positions of before fingerprints are believed once: the next one that is stored has one.
            position
                .last
                .is_none_or(|last| at_last.is_some_and(|found| found.fingerprint() == last))
        };
        Self {
            position,
            is_same_log,
            first_offset,
            end_offset,
        }
    }

    /// The offsets, from and to, that the bus had acknowledged and no longer has: of another log nobody knows what it has,
    /// a shorter one lacks its end at least.
    pub fn missing(&self) -> (i64, i64) {
        let to = self.position.next_offset;
        let is_shorter = to > self.end_offset;
        let from = if is_shorter {
            self.end_offset
        } else {
            self.first_offset
        };
        (from, to)
    }

    /// Where to read on: there, or at the beginning of the other log.
    pub fn resume(&self) -> Position {
        if self.is_same_log {
            self.position
        } else {
            Position {
                next_offset: self.first_offset,
                last: None,
                ..self.position
            }
        }
    }
}

/// Whether a group's positions are beyond all of `ends`; a partition that ends at 0 has nothing to pass.
pub fn has_passed(committed: &[Position], ends: &[Position]) -> bool {
    ends.iter().all(|end| {
        end.next_offset == 0
            || committed
                .iter()
                .any(|done| done.partition == end.partition && done.next_offset >= end.next_offset)
    })
}

/// Messages between a group's positions and the ends of a topic.
pub fn behind(ends: &[Position], committed: &[Position]) -> i64 {
    let left = |end: &Position| {
        let done = committed
            .iter()
            .find(|done| done.partition == end.partition)
            .map_or(0, |done| done.next_offset);
        (end.next_offset - done).max(0)
    };
    ends.iter().map(left).sum()
}

/// What a call of [`crate::Consumer::next`] brought.
///
/// Take it in the order `revoked`, `assigned`, `replaced`, `records`. Newly assigned partitions come without records of
/// theirs, so that a reader with positions of its own can [`crate::Consumer::seek`] first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Polled {
    /// Messages, in order within their partition.
    pub records: Vec<Delivery>,
    /// Partitions that this consumer reads from now on; reported before their first record.
    pub assigned: Vec<(Topic, i32)>,
    /// Partitions that this consumer must forget: what it holds of them uncommitted will be delivered to another.
    pub revoked: Vec<(Topic, i32)>,
    /// Partitions whose offsets went back while they were read, by how far they had been read: another log has taken
    /// the place of that one. What it brings follows in later calls; ask [`crate::Consumer::resume`] or seek first.
    pub replaced: Vec<Position>,
}

/// Whether the bus can be written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BusState {
    /// As far as the last write showed.
    Works,
    /// Not at the moment: publishers wait and try again.
    Delayed {
        /// What stands in the way, for a person.
        why: String,
    },
    /// No more, as after a failed fsync: what is on disk is in doubt, and only a process that opens it anew can tell.
    Ended {
        /// What failed, for a person.
        why: String,
    },
}

/// Something about the bus that an administrator should change; it is told, and not in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Concern {
    /// What it is about, like a part of the process's health.
    pub part: String,
    /// Whether acknowledged messages can be lost by it.
    pub is_loss: bool,
    /// What is wrong and how to mend it, for a person.
    pub why: String,
}

/// Checks that every message fits, before the first is sent.
pub(crate) fn check_sizes(
    topic: Topic,
    messages: &[Message],
    limit: usize,
) -> Result<(), BusError> {
    match messages
        .iter()
        .enumerate()
        .find(|(_, message)| message.bytes() > limit)
    {
        None => Ok(()),
        Some((index, message)) => Err(BusError::MessageTooLarge {
            topic,
            index,
            bytes: message.bytes(),
            limit,
        }),
    }
}

#[cfg(test)]
mod tests {
    use schemas::topics::Topic;

    use super::{Delivery, Position, Recognised};

    fn delivery(offset: i64, payload: &str) -> Delivery {
        Delivery {
            topic: Topic::Alerts,
            partition: 0,
            offset,
            key: "k".to_owned(),
            payload: payload.into(),
            published_us: 5,
        }
    }

    #[test]
    fn a_log_is_known_by_the_message_before_a_position() {
        let read = delivery(6, "read").after();
        let none = Position { last: None, ..read };
        let start = Position {
            next_offset: 0,
            last: None,
            ..read
        };
        let (same, other) = (delivery(6, "read"), delivery(6, "another"));
        for (position, bounds, found, is_same_log) in [
            (read, (0, 7), Some(&same), true),
            (read, (0, 9), Some(&other), false),
            // It is not there, though messages before and after it are.
            (read, (0, 9), None, false),
            // Shorter than what was read, or empty.
            (read, (0, 6), None, false),
            (read, (0, 0), None, false),
            // Retention has removed it: nothing is passed over by reading on.
            (read, (7, 9), None, true),
            (read, (20, 30), None, true),
            // Noted by nobody.
            (none, (0, 9), Some(&other), true),
            (none, (0, 6), None, false),
            (start, (0, 0), None, true),
            (start, (4, 9), None, true),
        ] {
            let recognised = Recognised::of(position, bounds, found);
            assert_eq!(recognised.is_same_log, is_same_log, "{recognised:?}");
        }
    }

    #[test]
    fn everything_of_a_message_is_in_its_fingerprint() {
        let one = delivery(6, "read");
        for other in [
            delivery(7, "read"),
            delivery(6, "reads"),
            Delivery {
                published_us: 6,
                ..one.clone()
            },
            Delivery {
                partition: 1,
                ..one.clone()
            },
            Delivery {
                key: "l".to_owned(),
                ..one.clone()
            },
        ] {
            assert_ne!(one.fingerprint(), other.fingerprint());
        }
        assert!(one.fingerprint().to_i64() >= 0);
    }
}
