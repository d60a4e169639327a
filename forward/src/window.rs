//! What a destination has in hand, and how far its position may move. Pure.
//!
//! A position moves past a message only when everything before it is settled: delivered, set aside as a dead letter,
//! or nobody's to deliver. So what was in hand when the process died is delivered again.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bus::{Delivery, Position};
use schemas::topics::Topic;

use crate::contract::Notice;

/// A partition of a topic.
pub type Partition = (Topic, i32);

/// Most that is in hand at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Most notices.
    pub notices_max: usize,
    /// Most bytes of their messages; a first one may be larger.
    pub bytes_max: usize,
}

/// A notice in hand.
#[derive(Debug, Clone)]
pub struct Held {
    /// Tells it from every other one that was ever in this window.
    pub key: u64,
    /// Where it was read.
    pub partition: Partition,
    /// Its offset there.
    pub offset: i64,
    /// What is to be delivered.
    pub notice: Arc<Notice>,
    /// Bytes of its message.
    pub bytes: usize,
    /// When it was published, in microseconds since the Unix epoch, UTC; 0 if unknown.
    pub published_us: i64,
    /// How it was not taken while others of its batch were.
    pub alone: Alone,
}

/// How often a notice was not taken while others were, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Alone {
    /// How often.
    pub failures: u32,
    /// Since when, in microseconds since the Unix epoch, UTC.
    pub since_us: i64,
}

/// A message that was read: settled, or in hand under its key.
#[derive(Debug, Clone, Copy)]
struct Entry {
    key: Option<u64>,
    after: Position,
}

/// What a destination has in hand.
#[derive(Debug)]
pub struct Window {
    room: Room,
    next_key: u64,
    held: VecDeque<Held>,
    bytes: usize,
    entries: BTreeMap<Partition, VecDeque<Entry>>,
    /// Positions that may be committed and were not taken yet.
    reached: BTreeMap<Partition, Position>,
}

impl Window {
    /// An empty window.
    pub fn new(room: Room) -> Self {
        Self {
            room,
            next_key: 0,
            held: VecDeque::new(),
            bytes: 0,
            entries: BTreeMap::new(),
            reached: BTreeMap::new(),
        }
    }

    /// How many more notices there is room for.
    pub fn room_left(&self) -> usize {
        if self.bytes >= self.room.bytes_max {
            return 0;
        }
        self.room.notices_max.saturating_sub(self.held.len())
    }

    /// Takes a message that nobody has to deliver.
    pub fn pass(&mut self, read: &Delivery) {
        self.add((read.topic, read.partition), None, read.after());
    }

    /// Takes a notice in hand.
    pub fn hold(&mut self, read: &Delivery, notice: Notice) {
        let key = self.next_key;
        self.next_key += 1;
        self.bytes += read.bytes();
        self.held.push_back(Held {
            key,
            partition: (read.topic, read.partition),
            offset: read.offset,
            notice: Arc::new(notice),
            bytes: read.bytes(),
            published_us: read.published_us,
            alone: Alone::default(),
        });
        self.add((read.topic, read.partition), Some(key), read.after());
    }

    fn add(&mut self, partition: Partition, key: Option<u64>, after: Position) {
        let entries = self.entries.entry(partition).or_default();
        match (key, entries.back_mut()) {
            // Settled ones behind each other are one: what waits bounds the memory, not what came since.
            (None, Some(last)) if last.key.is_none() => last.after = after,
            _ => entries.push_back(Entry { key, after }),
        }
        self.advance(partition);
    }

    /// Moves the position past what is settled.
    fn advance(&mut self, partition: Partition) {
        let Some(entries) = self.entries.get_mut(&partition) else {
            return;
        };
        while entries.front().is_some_and(|first| first.key.is_none()) {
            if let Some(first) = entries.pop_front() {
                self.reached.insert(partition, first.after);
            }
        }
    }

    /// The notices in hand, the oldest first.
    pub fn held(&self) -> impl Iterator<Item = &Held> {
        self.held.iter()
    }

    /// How many are in hand.
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// Whether none is in hand.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// The first notices in hand, as many as fit; the first comes however large it is.
    pub fn batch(&self, notices_max: usize, bytes_max: usize) -> Vec<Held> {
        let mut batch: Vec<Held> = Vec::new();
        let mut bytes = 0;
        for held in self.held.iter().take(notices_max.max(1)) {
            bytes += held.bytes;
            if bytes > bytes_max && !batch.is_empty() {
                break;
            }
            batch.push(held.clone());
        }
        batch
    }

    /// One notice, another one with each try: the first may be what is wrong.
    pub fn probe(&self, tries: u32) -> Vec<Held> {
        let count = self.held.len().max(1);
        let at = usize::try_from(tries).unwrap_or(0) % count;
        self.held.get(at).cloned().into_iter().collect()
    }

    /// Notes that a notice is delivered or set aside.
    pub fn settle(&mut self, key: u64) {
        let Some(at) = self.held.iter().position(|held| held.key == key) else {
            // Its partition went to another member meanwhile.
            return;
        };
        let Some(held) = self.held.remove(at) else {
            return;
        };
        self.bytes -= held.bytes;
        let entries = self.entries.entry(held.partition).or_default();
        if let Some(at) = entries.iter().position(|entry| entry.key == Some(key)) {
            entries[at].key = None;
            merge(entries, at);
        }
        self.advance(held.partition);
    }

    /// Notes that a notice was not taken while others were; gives how often that was so, and since when.
    pub fn fail(&mut self, key: u64, now_us: i64) -> Alone {
        let Some(held) = self.held.iter_mut().find(|held| held.key == key) else {
            return Alone::default();
        };
        // A clock that was set back says nothing of how long it was: it is counted anew, never from what is to come.
        if held.alone.failures == 0 || now_us < held.alone.since_us {
            held.alone.since_us = now_us;
        }
        held.alone.failures += 1;
        held.alone
    }

    /// Where a group that is new on a partition begins; behind what it has passed already.
    pub fn begin(&mut self, at: Position) {
        self.reached.entry((at.topic, at.partition)).or_insert(at);
    }

    /// Forgets what is in hand of partitions that are another's now, or another log's.
    pub fn forget(&mut self, partitions: &[Partition]) {
        self.held
            .retain(|held| !partitions.contains(&held.partition));
        self.bytes = self.held.iter().map(|held| held.bytes).sum();
        for partition in partitions {
            self.entries.remove(partition);
            self.reached.remove(partition);
        }
    }

    /// The positions that may be committed and have moved since the last call.
    pub fn take_reached(&mut self) -> Vec<Position> {
        std::mem::take(&mut self.reached).into_values().collect()
    }

    /// Puts positions back that could not be committed, unless they have moved meanwhile.
    pub fn put_back(&mut self, positions: Vec<Position>) {
        for at in positions {
            self.reached.entry((at.topic, at.partition)).or_insert(at);
        }
    }

    /// When the oldest notice in hand was published, in microseconds since the Unix epoch, UTC.
    pub fn oldest_us(&self) -> Option<i64> {
        let times = self.held.iter().map(|held| held.published_us);
        times.filter(|time| *time > 0).min()
    }
}

/// Joins a settled entry with a settled neighbour.
fn merge(entries: &mut VecDeque<Entry>, at: usize) {
    if entries.get(at + 1).is_some_and(|next| next.key.is_none()) {
        entries.remove(at);
    }
    if at > 0 && entries[at - 1].key.is_none() {
        entries.remove(at - 1);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::{Room, Window};
    use crate::contract::Notice;
    use bus::Delivery;
    use schemas::topics::Topic;
    use schemas::wire::Alert;

    const ROOM: Room = Room {
        notices_max: 4,
        bytes_max: 100,
    };

    fn read(offset: i64, bytes: usize) -> Delivery {
        Delivery {
            topic: Topic::Alerts,
            partition: 0,
            offset,
            key: String::new(),
            payload: vec![0; bytes],
            published_us: 1_000 + offset,
        }
    }

    fn notice(offset: i64) -> Notice {
        Notice::of_alert(&Alert {
            alert_id: offset.to_string(),
            ..Alert::default()
        })
    }

    fn reached(window: &mut Window) -> Option<i64> {
        window.take_reached().first().map(|at| at.next_offset)
    }

    #[test]
    fn a_position_moves_only_past_what_is_settled() {
        let mut window = Window::new(ROOM);
        window.pass(&read(0, 1));
        assert_eq!(reached(&mut window), Some(1));
        window.hold(&read(1, 1), notice(1));
        window.hold(&read(2, 1), notice(2));
        window.pass(&read(3, 1));
        window.hold(&read(4, 1), notice(4));
        assert_eq!(reached(&mut window), None);
        let keys: Vec<u64> = window.held().map(|held| held.key).collect();
        window.settle(keys[1]);
        assert_eq!(reached(&mut window), None, "the first is not settled");
        window.settle(keys[0]);
        assert_eq!(reached(&mut window), Some(4), "and what is nobody's");
        window.settle(keys[2]);
        assert_eq!(reached(&mut window), Some(5));
        assert!(window.is_empty());
    }

    #[test]
    fn what_comes_behind_one_that_waits_takes_no_room() {
        let mut window = Window::new(ROOM);
        window.hold(&read(0, 1), notice(0));
        for offset in 1..10_000 {
            window.pass(&read(offset, 1));
        }
        let entries = &window.entries[&(Topic::Alerts, 0)];
        assert_eq!(entries.len(), 2);
        let key = window.held[0].key;
        window.settle(key);
        assert_eq!(reached(&mut window), Some(10_000));
        assert!(window.entries[&(Topic::Alerts, 0)].is_empty());
    }

    #[test]
    fn settled_in_any_order_the_end_is_the_same_and_nothing_is_left() {
        let orders: [[usize; 4]; 4] = [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2], [2, 0, 3, 1]];
        for order in orders {
            let mut window = Window::new(ROOM);
            for offset in 0..4 {
                window.hold(&read(offset, 1), notice(offset));
            }
            assert_eq!(window.room_left(), 0);
            let keys: Vec<u64> = window.held().map(|held| held.key).collect();
            let mut last = 0;
            for at in order {
                window.settle(keys[at]);
                if let Some(now) = reached(&mut window) {
                    assert!(now > last, "it never goes back");
                    last = now;
                }
            }
            assert_eq!(last, 4, "{order:?}");
            assert!(window.entries.values().all(VecDeque::is_empty));
            assert_eq!((window.bytes, window.room_left()), (0, 4));
        }
    }

    #[test]
    fn one_that_fails_alone_is_timed_anew_when_the_clock_was_set_back() {
        let mut window = Window::new(ROOM);
        window.hold(&read(0, 1), notice(0));
        let key = window.held[0].key;
        assert_eq!(window.fail(key, 9_000).since_us, 9_000);
        assert_eq!(window.fail(key, 9_500).since_us, 9_000);
        let set_back = window.fail(key, 400);
        assert_eq!((set_back.since_us, set_back.failures), (400, 3));
        assert_eq!(window.fail(key, 900).since_us, 400);
    }

    #[test]
    fn room_is_bounded_by_bytes_and_a_large_one_comes_alone() {
        let mut window = Window::new(ROOM);
        window.hold(&read(0, 500), notice(0));
        assert_eq!(window.room_left(), 0);
        window.hold(&read(1, 10), notice(1));
        window.hold(&read(2, 10), notice(2));
        assert_eq!(window.batch(10, 100).len(), 1);
        let first = window.held[0].key;
        window.settle(first);
        assert_eq!(window.batch(10, 100).len(), 2);
        assert_eq!(window.batch(1, 100).len(), 1);
    }

    #[test]
    fn a_partition_that_is_anothers_is_forgotten() {
        let mut window = Window::new(ROOM);
        window.hold(&read(0, 1), notice(0));
        let key = window.held[0].key;
        window.forget(&[(Topic::Alerts, 0)]);
        window.settle(key);
        assert!(window.is_empty() && window.take_reached().is_empty());
    }
}
