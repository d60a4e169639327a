//! What is published, what is delivered, and the positions between.

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
        }
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
}

/// What a call of [`crate::Consumer::next`] brought.
///
/// Take it in the order `revoked`, `assigned`, `records`. Newly assigned partitions come without records of
/// theirs, so that a reader with positions of its own can [`crate::Consumer::seek`] first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Polled {
    /// Messages, in order within their partition.
    pub records: Vec<Delivery>,
    /// Partitions that this consumer reads from now on; reported before their first record.
    pub assigned: Vec<(Topic, i32)>,
    /// Partitions that this consumer must forget: what it holds of them uncommitted will be delivered to another.
    pub revoked: Vec<(Topic, i32)>,
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
