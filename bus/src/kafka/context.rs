//! What librdkafka calls back: its log lines and errors, and the partitions it gives and takes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, ConsumerContext, Rebalance};
use rdkafka::error::KafkaError;
use rdkafka::statistics::Statistics;
use rdkafka::{ClientContext, Timestamp};
use schemas::topics::Topic;
use tokio::sync::Notify;

/// How long the same error is not told again: of a broker that is away, every connection of every client tells some times
/// a second.
const TOLD_FOR: Duration = Duration::from_secs(10);

/// What was told of librdkafka's errors, by all clients of the process.
static TOLD: LazyLock<Mutex<ToldErrors>> = LazyLock::new(Mutex::default);

/// When each error was last told, and how often it has come since.
#[derive(Debug, Default)]
struct ToldErrors(BTreeMap<String, (Instant, u64)>);

impl ToldErrors {
    /// Takes an error; how often it came untold since it was last told, where it is to be told now.
    fn tell(&mut self, error: &str, now: Instant) -> Option<u64> {
        let Some((told, untold)) = self.0.get_mut(error) else {
            self.0.insert(error.to_owned(), (now, 0));
            return Some(0);
        };
        if now.saturating_duration_since(*told) < TOLD_FOR {
            *untold += 1;
            return None;
        }
        *told = now;
        Some(std::mem::take(untold))
    }
}

/// Passes librdkafka's log lines on.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Logging;

impl ClientContext for Logging {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error => tracing::error!(facility, message, "librdkafka"),
            RDKafkaLogLevel::Warning => tracing::warn!(facility, message, "librdkafka"),
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
                tracing::info!(facility, message, "librdkafka");
            }
            RDKafkaLogLevel::Debug => tracing::debug!(facility, message, "librdkafka"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        metrics::counter!("bus_kafka_errors_total").increment(1);
        let mut told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(untold) = told.tell(&error.to_string(), Instant::now()) {
            tracing::warn!(%error, reason, untold, "librdkafka");
        }
    }

    fn stats(&self, _statistics: Statistics) {}
}

/// What changed about a consumer's partitions since it was last asked.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// All that it reads now.
    pub(super) owned: BTreeSet<(Topic, i32)>,
    /// Given since then; not yet reported.
    pub(super) assigned: BTreeSet<(Topic, i32)>,
    /// Taken since then; not yet reported.
    pub(super) revoked: BTreeSet<(Topic, i32)>,
    /// Taken since the consumer last threw away what it had gathered of them.
    pub(super) stale: BTreeSet<(Topic, i32)>,
}

impl Changes {
    fn assign(&mut self, partitions: impl Iterator<Item = (Topic, i32)>) {
        for partition in partitions {
            self.owned.insert(partition);
            self.assigned.insert(partition);
        }
    }

    /// A partition that is taken before its assignment was reported is not reported at all.
    fn revoke(&mut self, partitions: impl Iterator<Item = (Topic, i32)>) {
        for partition in partitions {
            self.owned.remove(&partition);
            self.stale.insert(partition);
            if !self.assigned.remove(&partition) {
                self.revoked.insert(partition);
            }
        }
    }

    /// Takes everything away, as when the client is built anew.
    pub(super) fn revoke_all(&mut self) {
        let owned = std::mem::take(&mut self.owned);
        self.revoke(owned.into_iter());
    }

    pub(super) fn is_empty(&self) -> bool {
        self.assigned.is_empty() && self.revoked.is_empty()
    }
}

/// A consumer's context: logging, and the changes that [`crate::Consumer::next`] reports.
pub(super) struct Membership {
    /// Topics by their full names.
    topics: Vec<(String, Topic)>,
    changes: Mutex<Changes>,
    changed: Notify,
    /// Whether the group has told it its part, be that nothing.
    has_joined: AtomicBool,
}

impl Membership {
    pub(super) fn new(topics: Vec<(String, Topic)>) -> Self {
        Self {
            topics,
            changes: Mutex::default(),
            changed: Notify::new(),
            has_joined: AtomicBool::new(false),
        }
    }

    /// Whether the group has told it its part, be that nothing.
    pub(super) fn has_joined(&self) -> bool {
        self.has_joined.load(Ordering::SeqCst)
    }

    /// Waits for the next change.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    pub(super) fn topic(&self, name: &str) -> Option<Topic> {
        self.topics
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, topic)| *topic)
    }

    pub(super) fn names(&self) -> Vec<&str> {
        self.topics.iter().map(|(name, _)| name.as_str()).collect()
    }

    pub(super) fn changes(&self) -> MutexGuard<'_, Changes> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ConsumerContext for Logging {}

impl ClientContext for Membership {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        Logging.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        Logging.error(error, reason);
    }

    fn stats(&self, _statistics: Statistics) {}
}

impl ConsumerContext for Membership {
    fn pre_rebalance(&self, _consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        let partitions = |list: &rdkafka::TopicPartitionList| -> Vec<(Topic, i32)> {
            list.elements()
                .iter()
                .filter_map(|element| Some((self.topic(element.topic())?, element.partition())))
                .collect()
        };
        match rebalance {
            Rebalance::Assign(list) => {
                self.changes().assign(partitions(list).into_iter());
                self.has_joined.store(true, Ordering::SeqCst);
            }
            Rebalance::Revoke(list) => self.changes().revoke(partitions(list).into_iter()),
            Rebalance::Error(error) => tracing::warn!(%error, "could not rebalance"),
        }
        self.changed.notify_one();
    }
}

/// When a message was published, in microseconds since the Unix epoch; 0 if unknown.
pub(super) fn published_us(at: Timestamp) -> i64 {
    at.to_millis()
        .map_or(0, |millis| millis.saturating_mul(1000))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use schemas::topics::Topic;

    use super::{Changes, TOLD_FOR, ToldErrors};

    #[test]
    fn the_same_error_is_told_once_in_a_while_with_how_often_it_came() {
        let (mut told, start) = (ToldErrors::default(), Instant::now());
        assert_eq!(told.tell("away", start), Some(0));
        assert_eq!(told.tell("away", start), None);
        assert_eq!(told.tell("refused", start), Some(0));
        let sooner = TOLD_FOR.saturating_sub(Duration::from_millis(1));
        assert_eq!(told.tell("away", start + sooner), None);
        assert_eq!(told.tell("away", start + TOLD_FOR), Some(2));
        assert_eq!(told.tell("away", start + TOLD_FOR), None);
    }

    #[test]
    fn what_comes_and_goes_unseen_is_not_reported() {
        let mut changes = Changes::default();
        changes.assign([(Topic::Alerts, 0)].into_iter());
        changes.revoke([(Topic::Alerts, 0)].into_iter());
        assert!(changes.is_empty());
        assert!(changes.owned.is_empty());
    }

    #[test]
    fn what_goes_and_comes_back_is_reported_as_both() {
        let mut changes = Changes::default();
        changes.assign([(Topic::Alerts, 0)].into_iter());
        changes.assigned.clear();
        changes.revoke([(Topic::Alerts, 0)].into_iter());
        changes.assign([(Topic::Alerts, 0)].into_iter());
        assert_eq!((changes.revoked.len(), changes.assigned.len()), (1, 1));
    }
}
