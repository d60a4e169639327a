//! Whether a stored position is of the log that a partition has now.
//!
//! Kafka's own answer would be the topic's id, which the client library does not tell; and the id stays the same where
//! a disk was lost or a replica without the newest messages was elected. So the message before the position is read
//! again, and compared with what was noted of it.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _, StreamConsumer};
use rdkafka::topic_partition_list::TopicPartitionListElem;
use rdkafka::{Message as _, Offset, TopicPartitionList};
use schemas::topics::Topic;

use super::consumer::{add, delivery};
use super::context::{Logging, Membership};
use super::{ASK_WAIT, Cluster, patiently, settings};
use crate::error::BusError;
use crate::message::{Delivery, Fingerprint, Position, Recognised};

const DOING: &str = "look up a position";

/// Longest wait for one message.
const POLL_WAIT: Duration = Duration::from_millis(100);

/// The earliest and the next offset of a partition.
type Bounds = (i64, i64);

/// What is committed beside an offset: the message before it.
pub(super) fn to_metadata(last: Option<Fingerprint>) -> String {
    last.map_or_else(String::new, |last| format!("last={:016x}", last.to_i64()))
}

/// A group's position on a topic, if it has one.
pub(super) fn of_element(topic: Topic, element: &TopicPartitionListElem<'_>) -> Option<Position> {
    let Offset::Offset(next_offset) = element.offset() else {
        return None;
    };
    let last = element
        .metadata()
        .strip_prefix("last=")
        .and_then(|hex| i64::from_str_radix(hex, 16).ok());
    Some(Position {
        topic,
        partition: element.partition(),
        next_offset,
        last: last.map(Fingerprint::of_i64),
    })
}

/// The positions that a member's group has committed on partitions; blocks.
pub(super) fn committed(
    client: &StreamConsumer<Membership>,
    cluster: &Cluster,
    partitions: &[(Topic, i32)],
) -> Result<Vec<Position>, BusError> {
    let mut list = TopicPartitionList::new();
    for (topic, partition) in partitions {
        list.add_partition(&cluster.name(*topic), *partition);
    }
    let answer = patiently(DOING, || client.committed_offsets(list.clone(), ASK_WAIT))?;
    let position = |element: &TopicPartitionListElem<'_>| {
        of_element(client.context().topic(element.topic())?, element)
    };
    Ok(answer.elements().iter().filter_map(position).collect())
}

/// Asks the brokers, as `group`, which it does not join; blocks.
pub(super) fn recognise(
    cluster: &Cluster,
    group: &str,
    positions: &[Position],
) -> Result<Vec<Recognised>, BusError> {
    if positions.is_empty() {
        return Ok(Vec::new());
    }
    let client: BaseConsumer<Logging> = settings::consumer(cluster.config(), group)?
        .create_with_context(Logging)
        .map_err(|cause| settings::refused("create a consumer", cause))?;
    let answer = recognise_by(&client, cluster, positions);
    cluster.close(client);
    answer
}

fn recognise_by(
    client: &BaseConsumer<Logging>,
    cluster: &Cluster,
    positions: &[Position],
) -> Result<Vec<Recognised>, BusError> {
    let mut bounds = HashMap::new();
    let mut wanted = HashMap::new();
    for at in positions {
        let found = bounds_of(client, &cluster.name(at.topic), at.partition)?;
        bounds.insert((at.topic, at.partition), found);
        let last = at.next_offset - 1;
        if at.last.is_some() && found.0 <= last && last < found.1 {
            wanted.insert((cluster.name(at.topic), at.partition), (at.topic, last));
        }
    }
    let read = read(client, wanted)?;
    let recognised = |at: &Position| {
        let found = read.get(&(at.topic, at.partition));
        Recognised::of(*at, bounds[&(at.topic, at.partition)], found)
    };
    Ok(positions.iter().map(recognised).collect())
}

/// The earliest and the next offset of a partition; blocks.
pub(super) fn bounds_of(
    client: &BaseConsumer<Logging>,
    name: &str,
    partition: i32,
) -> Result<Bounds, BusError> {
    patiently(DOING, || client.fetch_watermarks(name, partition, ASK_WAIT))
}

/// Reads single messages; one that is not at its offset is absent from the answer.
fn read(
    client: &BaseConsumer<Logging>,
    mut wanted: HashMap<(String, i32), (Topic, i64)>,
) -> Result<HashMap<(Topic, i32), Delivery>, BusError> {
    let failed = |cause| BusError::Kafka {
        doing: DOING,
        cause,
    };
    let mut found = HashMap::new();
    let mut assignment = TopicPartitionList::new();
    for ((name, partition), (_, offset)) in &wanted {
        add(&mut assignment, name, *partition, Offset::Offset(*offset))?;
    }
    if !wanted.is_empty() {
        client.assign(&assignment).map_err(failed)?;
    }
    let deadline = Instant::now() + ASK_WAIT;
    while !wanted.is_empty() {
        if Instant::now() >= deadline {
            return Err(BusError::KafkaSlow {
                doing: DOING,
                waited: ASK_WAIT,
            });
        }
        // What the client does not mend itself shows as silence here, and in the log.
        let Some(Ok(message)) = client.poll(POLL_WAIT) else {
            continue;
        };
        let place = (message.topic().to_owned(), message.partition());
        if let Some((topic, offset)) = wanted.remove(&place)
            && message.offset() == offset
        {
            found.insert((topic, place.1), delivery(topic, &message));
        }
    }
    Ok(found)
}
