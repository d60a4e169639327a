//! What was written last about a lease, and what of its holder may still be under way.

use std::sync::Arc;
use std::time::{Duration, Instant};

use prost::Message as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::Message as _;
use rdkafka::{Offset, TopicPartitionList};
use schemas::wire::LeaseEntry;

use super::super::context::Logging;
use super::super::{ASK_WAIT, Cluster, ask, patiently, settings};
use crate::error::BusError;
use crate::lease::Terms;

/// Taken, and not used yet: what was under way before it may still be.
pub(super) const TAKEN: &str = "taken";

/// Held.
pub(super) const CONFIRMED: &str = "confirmed";

/// Given back, with nothing under way.
pub(super) const RELEASED: &str = "released";

/// Offsets before the end among which the last entry is looked for first: each has the mark of its transaction after it.
const LOOKED_AT: i64 = 32;

/// Longest that an entry can make the next holder wait: whoever can write to the topic must not stop all action.
const WAIT_MAX: Duration = Duration::from_mins(10);

const DOING: &str = "read who holds a lease";

/// The last entry, or none.
pub(super) async fn last(
    cluster: &Arc<Cluster>,
    group: &str,
    topic: &str,
) -> Result<Option<LeaseEntry>, BusError> {
    let cluster = Arc::clone(cluster);
    let (group, topic) = (group.to_owned(), topic.to_owned());
    ask(DOING, move || read_last(&cluster, &group, &topic)).await
}

/// The last entry, or none; blocks.
pub(super) fn read_last(
    cluster: &Arc<Cluster>,
    group: &str,
    topic: &str,
) -> Result<Option<LeaseEntry>, BusError> {
    let client: BaseConsumer<Logging> = settings::entries(cluster.config(), group)?
        .create_with_context(Logging)
        .map_err(|cause| settings::refused("create a consumer", cause))?;
    let (low, high) = patiently(DOING, || client.fetch_watermarks(topic, 0, ASK_WAIT))?;
    let first = low.max(high - LOOKED_AT);
    let mut found = read_from(&client, topic, first, high)?;
    if found.is_none() && first > low {
        found = read_from(&client, topic, low, high)?;
    }
    cluster.close(client);
    Ok(found)
}

/// The last entry from an offset on; blocks.
fn read_from(
    client: &BaseConsumer<Logging>,
    topic: &str,
    first: i64,
    end: i64,
) -> Result<Option<LeaseEntry>, BusError> {
    if first >= end {
        return Ok(None);
    }
    let failed = |cause| BusError::Kafka {
        doing: DOING,
        cause,
    };
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, Offset::Offset(first))
        .map_err(failed)?;
    client.assign(&list).map_err(failed)?;
    let deadline = Instant::now() + ASK_WAIT;
    let mut newest = None;
    while Instant::now() < deadline {
        match client.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => {
                let entry = LeaseEntry::decode(message.payload().unwrap_or_default());
                // What cannot be read is of somebody of whom nothing is known.
                newest = Some(entry.unwrap_or_default());
            }
            Some(Err(KafkaError::PartitionEOF(_))) => return Ok(newest),
            Some(Err(cause)) => return Err(failed(cause)),
            None => {}
        }
    }
    Err(BusError::KafkaSlow {
        doing: DOING,
        waited: ASK_WAIT,
    })
}

/// For how long what another began may be under way after it lost the lease; none if nothing is.
pub(super) fn may_be_under_way(last: &LeaseEntry, terms: &Terms) -> Option<Duration> {
    let is_over = match last.state.as_str() {
        RELEASED => true,
        // A process that starts anew on the same data has outlived the one before, and reads back what that one sent.
        CONFIRMED => last.holder == terms.holder,
        _ => false,
    };
    let said = Duration::from_millis(last.under_way_ms_max).min(WAIT_MAX);
    (!is_over).then_some(if said.is_zero() {
        terms.under_way_max
    } else {
        said
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use schemas::wire::LeaseEntry;

    use super::{CONFIRMED, RELEASED, TAKEN, WAIT_MAX, may_be_under_way};
    use crate::lease::Terms;

    #[test]
    fn the_next_holder_waits_for_what_another_may_have_under_way() {
        let terms = Terms {
            holder: "north".to_owned(),
            under_way_max: Duration::from_secs(7),
        };
        let waits = |holder: &str, state: &str, under_way_ms_max| {
            let last = LeaseEntry {
                holder: holder.to_owned(),
                state: state.to_owned(),
                under_way_ms_max,
                ..LeaseEntry::default()
            };
            may_be_under_way(&last, &terms).map(|wait| wait.as_secs())
        };
        assert_eq!(waits("south", CONFIRMED, 30_000), Some(30));
        assert_eq!(waits("south", TAKEN, 30_000), Some(30));
        assert_eq!(waits("south", RELEASED, 0), None);
        assert_eq!(waits("north", CONFIRMED, 30_000), None);
        // It had itself to wait for another, and we know no longer for how long.
        assert_eq!(waits("north", TAKEN, 30_000), Some(30));
        // What is no entry of ours: as long as our own would take.
        assert_eq!(waits("", "", 0), Some(7));
        assert_eq!(
            waits("south", CONFIRMED, u64::MAX),
            Some(WAIT_MAX.as_secs())
        );
    }
}
