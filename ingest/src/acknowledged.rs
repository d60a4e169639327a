//! What the bus has acknowledged, by which its log is known again: the last message of ours in each partition.
//!
//! Cursors say what need not be read again, which is true as long as the bus, or the lake behind it, has it. So the
//! positions are stored with the cursors, in the same transaction, and compared with the log that is there: at each
//! start before a source is read, and while sources are read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use bus::Position;
use schemas::topics::Topic;
use tokio::sync::Notify;

/// A partition.
type Place = (Topic, i32);

/// Offsets after the newest messages of ours, by partition, as they were at some moment.
#[derive(Debug, Default)]
pub(crate) struct Before(BTreeMap<Place, i64>);

/// What this process knows to be acknowledged. Cheap to clone; clones share.
#[derive(Debug, Clone, Default)]
pub(crate) struct Acknowledged {
    noted: Arc<Mutex<Noted>>,
    /// Told where a message was put before one that had been acknowledged earlier.
    went_back: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Noted {
    newest: BTreeMap<Place, Position>,
    unwritten: BTreeSet<Place>,
    /// Whether what is stored has been compared with the log. Until then nothing is stored in its place.
    is_compared: bool,
}

impl Acknowledged {
    fn with<T>(&self, work: impl FnOnce(&mut Noted) -> T) -> T {
        work(&mut self.noted.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How far everything has been acknowledged by now: to be asked before a call to publish.
    pub(crate) fn before(&self) -> Before {
        self.with(|noted| {
            let newest = noted.newest.iter();
            Before(newest.map(|(place, at)| (*place, at.next_offset)).collect())
        })
    }

    /// Notes what a call to publish gave, and tells where another log has taken the place of the one before the call.
    pub(crate) fn note(&self, before: &Before, placed: &[Position]) {
        let has_gone_back = self.with(|noted| {
            let mut has_gone_back = false;
            for at in placed {
                let place = (at.topic, at.partition);
                // Only what was acknowledged before the call: other calls run beside it.
                has_gone_back |= before
                    .0
                    .get(&place)
                    .is_some_and(|end| at.next_offset <= *end);
                let known = noted.newest.get(&place);
                if known.is_none_or(|known| known.next_offset < at.next_offset) {
                    noted.newest.insert(place, *at);
                    noted.unwritten.insert(place);
                }
            }
            has_gone_back
        });
        if has_gone_back {
            self.went_back.notify_one();
        }
    }

    /// Waits until a message was put before one that had been acknowledged earlier.
    pub(crate) async fn went_back(&self) {
        self.went_back.notified().await;
    }

    /// What is to be stored with the next move of a cursor.
    pub(crate) fn unwritten(&self) -> Vec<Position> {
        self.with(|noted| {
            if !noted.is_compared {
                return Vec::new();
            }
            let places = noted.unwritten.iter();
            places
                .filter_map(|place| noted.newest.get(place).copied())
                .collect()
        })
    }

    /// Notes that these are stored.
    pub(crate) fn written(&self, positions: &[Position]) {
        self.with(|noted| {
            for at in positions {
                let place = (at.topic, at.partition);
                if noted.newest.get(&place) == Some(at) {
                    noted.unwritten.remove(&place);
                }
            }
        });
    }

    /// Notes that the log has these, which are stored.
    pub(crate) fn compared(&self, stored: &[Position]) {
        self.with(|noted| {
            noted.is_compared = true;
            for at in stored {
                let known = noted.newest.entry((at.topic, at.partition)).or_insert(*at);
                if known.next_offset < at.next_offset {
                    *known = *at;
                }
            }
        });
    }

    /// Forgets all of it: it was of a log that is gone, and nothing is stored of it any more.
    pub(crate) fn forget(&self) {
        self.with(|noted| {
            *noted = Noted {
                is_compared: true,
                ..Noted::default()
            };
        });
    }

    /// Notes that nothing is stored any more, as where the store was damaged.
    pub(crate) fn store_again(&self) {
        self.with(|noted| noted.unwritten = noted.newest.keys().copied().collect());
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bus::Position;
    use schemas::topics::Topic;
    use tokio::time::timeout;

    use super::Acknowledged;

    fn at(next_offset: i64) -> Position {
        Position {
            topic: Topic::DeadLetters,
            partition: 0,
            next_offset,
            last: None,
        }
    }

    async fn is_told(acknowledged: &Acknowledged) -> bool {
        let soon = Duration::from_millis(20);
        timeout(soon, acknowledged.went_back()).await.is_ok()
    }

    #[tokio::test]
    async fn a_log_that_goes_back_is_told_and_calls_that_overtake_each_other_are_not() {
        let acknowledged = Acknowledged::default();
        acknowledged.compared(&[at(3)]);
        let (slow, quick) = (acknowledged.before(), acknowledged.before());
        acknowledged.note(&quick, &[at(9)]);
        acknowledged.note(&slow, &[at(6)]);
        assert!(!is_told(&acknowledged).await);
        assert_eq!(acknowledged.unwritten(), [at(9)]);
        acknowledged.note(&acknowledged.before(), &[at(9)]);
        assert!(is_told(&acknowledged).await);
    }

    #[test]
    fn what_is_stored_is_compared_before_it_is_replaced() {
        let acknowledged = Acknowledged::default();
        acknowledged.note(&acknowledged.before(), &[at(4)]);
        assert!(acknowledged.unwritten().is_empty());
        acknowledged.compared(&[at(2)]);
        assert_eq!(acknowledged.unwritten(), [at(4)]);
        acknowledged.note(&acknowledged.before(), &[at(5)]);
        acknowledged.written(&[at(4)]);
        assert_eq!(acknowledged.unwritten(), [at(5)]);
        acknowledged.written(&[at(5)]);
        assert!(acknowledged.unwritten().is_empty());
        acknowledged.store_again();
        assert_eq!(acknowledged.unwritten(), [at(5)]);
        acknowledged.forget();
        assert!(acknowledged.unwritten().is_empty());
    }
}
