//! Keeps a tenant that sends much from filling the queue in which all tenants stand.
//!
//! Topics keep one order, so what one tenant puts into them is what the others wait behind. Of each tenant (and of an
//! import as a whole) at most [`TENANT_BACKLOG_RECORDS_MAX`] records stand before the lake; its sources wait with the
//! rest, which Microsoft or the file keeps, and nobody else waits. Where the stages behind do not move at all, they are
//! away and not busy: then the bus is the buffer, as it is meant to be, and nothing waits here.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bus::{Bus, BusError, Position, behind, has_passed};
use schemas::limits::TENANT_BACKLOG_RECORDS_MAX;
use schemas::topics::Topic;
use tokio::time::Instant;

/// Records of a tenant between two looks at how far the topic reaches: quiet tenants cost no question.
const LOOK_RECORDS: u64 = TENANT_BACKLOG_RECORDS_MAX / 4;

/// Announced batches that detect may be behind before a tenant with a full share waits for it too.
const BATCHES_BEHIND_MAX: i64 = 4;

/// How often the positions are asked for while a tenant waits.
const ASK_EVERY: Duration = Duration::from_millis(100);

/// How long nothing may move before the stages behind count as away.
const STALL: Duration = Duration::from_secs(10);

/// The stages behind, by the consumer groups that they read as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Downstream {
    /// The lake's group, which reads events.
    pub lake_group: String,
    /// Detect's group, which reads announcements.
    pub detect_group: String,
}

/// Some records of a tenant, and where they end on their topic.
#[derive(Debug)]
struct Stretch {
    topic: Topic,
    records: u64,
    ends: Vec<Position>,
}

/// What a tenant has sent and the lake has not finished with.
#[derive(Debug, Default)]
struct Share {
    /// Sent since the last look, by topic.
    fresh: HashMap<Topic, u64>,
    stretches: VecDeque<Stretch>,
    /// How far the stages behind had come when they were last found to be away.
    away_at: Option<i64>,
    /// Held by the source that asks how far the stages behind are.
    asking: Arc<tokio::sync::Mutex<()>>,
}

impl Share {
    /// Without what was sent since the last looks, which is less than [`LOOK_RECORDS`] on each topic.
    fn records(&self) -> u64 {
        self.stretches.iter().map(|stretch| stretch.records).sum()
    }

    fn is_full(&mut self) -> bool {
        self.records() >= TENANT_BACKLOG_RECORDS_MAX
    }

    /// Lets go of what the lake has finished with, given its positions on `topic`.
    fn settle(&mut self, topic: Topic, committed: &[Position]) {
        self.stretches
            .retain(|stretch| stretch.topic != topic || !has_passed(committed, &stretch.ends));
    }
}

/// The shares of all tenants. Cheap to clone; clones share.
#[derive(Clone)]
pub(crate) struct Backlog {
    bus: Bus,
    downstream: Downstream,
    shares: Arc<Mutex<HashMap<String, Share>>>,
}

impl Backlog {
    pub(crate) fn new(bus: Bus, downstream: Downstream) -> Self {
        Self {
            bus,
            downstream,
            shares: Arc::default(),
        }
    }

    fn with<T>(&self, tenant: &str, work: impl FnOnce(&mut Share) -> T) -> T {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        work(shares.entry(tenant.to_owned()).or_default())
    }

    /// Notes that records of `tenant` stand on `topic`.
    pub(crate) async fn note(&self, tenant: &str, topic: Topic, records: u64) {
        let fresh = self.with(tenant, |share| {
            let fresh = share.fresh.entry(topic).or_default();
            *fresh += records;
            *fresh
        });
        if fresh < LOOK_RECORDS {
            return;
        }
        match self.bus.ends(topic).await {
            Ok(ends) => self.with(tenant, |share| {
                share.fresh.remove(&topic);
                share.stretches.push_back(Stretch {
                    topic,
                    records: fresh,
                    ends,
                });
            }),
            // Asked again with the next records, which stand there too.
            Err(error) => not_known(&error),
        }
    }

    /// Waits until `tenant` has room before the lake, or until the stages behind prove to be away; where nobody can
    /// say, nothing is waited for: it is fairness, and records come first.
    pub(crate) async fn wait_for_room(&self, tenant: &str) {
        if !self.with(tenant, Share::is_full) {
            return;
        }
        // One of a tenant's sources asks for all of them.
        let asking = self.with(tenant, |share| Arc::clone(&share.asking));
        let _asking = asking.lock().await;
        if !self.with(tenant, Share::is_full) {
            return;
        }
        let (mut seen, mut moved) = (None, Instant::now());
        loop {
            let (reached, behind) = match self.look(tenant).await {
                Ok(found) => found,
                Err(error) => return not_known(&error),
            };
            if behind <= BATCHES_BEHIND_MAX && !self.with(tenant, Share::is_full) {
                return;
            }
            let is_away = self.with(tenant, |share| share.away_at == Some(reached));
            if is_away || (seen == Some(reached) && moved.elapsed() >= STALL) {
                // What stands there is not looked for again: the bus holds it, however long that takes.
                self.with(tenant, |share| {
                    share.fresh.clear();
                    share.stretches.clear();
                    share.away_at = Some(reached);
                });
                return;
            }
            if seen != Some(reached) {
                (seen, moved) = (Some(reached), Instant::now());
            }
            metrics::counter!("ingest_backlog_waits_total").increment(1);
            tokio::time::sleep(ASK_EVERY).await;
        }
    }

    /// Settles the tenant's share; how far the stages behind are in all, and how many announcements detect is behind.
    async fn look(&self, tenant: &str) -> Result<(i64, i64), BusError> {
        let mut topics: Vec<Topic> = self.with(tenant, |share| {
            share
                .stretches
                .iter()
                .map(|stretch| stretch.topic)
                .collect()
        });
        topics.sort_unstable();
        topics.dedup();
        let mut reached = 0;
        for topic in topics {
            let committed = self
                .bus
                .committed(&self.downstream.lake_group, topic)
                .await?;
            reached += total(&committed);
            self.with(tenant, |share| share.settle(topic, &committed));
        }
        let done = self
            .bus
            .committed(&self.downstream.detect_group, Topic::Batches)
            .await?;
        let ends = self.bus.ends(Topic::Batches).await?;
        Ok((reached + total(&done), behind(&ends, &done)))
    }
}

fn not_known(error: &BusError) {
    metrics::counter!("ingest_backlog_unknown_total").increment(1);
    tracing::debug!(%error, "how far the stages behind are is not known; nothing waits for them");
}

fn total(positions: &[Position]) -> i64 {
    positions.iter().map(|position| position.next_offset).sum()
}

#[cfg(test)]
mod tests {
    use super::{Share, Stretch};
    use bus::Position;
    use schemas::tables::Table;
    use schemas::topics::Topic;

    const TOPIC: Topic = Topic::Events(Table::Signins);

    fn at(partition: i32, next_offset: i64) -> Position {
        Position {
            topic: TOPIC,
            partition,
            next_offset,
            last: None,
        }
    }

    #[test]
    fn a_stretch_is_done_when_every_partition_is() {
        let mut share = Share::default();
        share.stretches.push_back(Stretch {
            topic: TOPIC,
            records: 7,
            ends: vec![at(0, 5), at(1, 3), at(2, 0)],
        });
        share.settle(TOPIC, &[at(0, 5)]);
        assert_eq!(share.records(), 7, "partition 1 is not done");
        share.settle(Topic::Events(Table::M365Activity), &[at(0, 5), at(1, 3)]);
        assert_eq!(share.records(), 7, "that is another topic");
        share.settle(TOPIC, &[at(0, 6), at(1, 3)]);
        assert_eq!(share.records(), 0);
    }
}
