//! What is published, what is delivered, and the positions between.

use schemas::topics::Topic;

/// What is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Messages of one key keep their order and go to one partition.
    pub key: String,
    /// The encoded wire type of the topic.
    pub payload: Vec<u8>,
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
}

/// What a call of [`crate::Consumer::next`] brought.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Polled {
    /// Messages, in order within their partition.
    pub records: Vec<Delivery>,
    /// Partitions that this consumer reads from now on; reported before their first record.
    pub assigned: Vec<(Topic, i32)>,
    /// Partitions that this consumer must forget: what it holds of them uncommitted will be delivered to another.
    pub revoked: Vec<(Topic, i32)>,
}
