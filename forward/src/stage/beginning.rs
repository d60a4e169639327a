//! Where a destination begins that is new on a partition: at the first message that is young enough, or at the end. Pure.
//!
//! It is found once, on what was there when the destination came, and committed at once. Until then nothing of the
//! partition is: one that is stopped meanwhile begins again. After it, age decides nothing any more, however long the
//! destination cannot be used.

use std::collections::BTreeMap;

use bus::{Delivery, Position};

use crate::window::Partition;

/// The partitions on which the group has no position yet.
#[derive(Debug)]
pub(super) struct Beginnings {
    /// Older messages are not for a destination that is new, in microseconds since the Unix epoch, UTC.
    first_us: i64,
    sought: BTreeMap<Partition, Sought>,
    found: Vec<Beginning>,
}

#[derive(Debug, Clone, Copy)]
struct Sought {
    from: i64,
    /// What comes from here on was published after the destination came.
    end: i64,
    passed: u64,
}

/// Where a destination begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Beginning {
    pub(super) at: Position,
    /// Offset of the earliest message that was looked at.
    pub(super) from: i64,
    /// Notices before it that a route led here.
    pub(super) passed: u64,
}

impl Beginnings {
    pub(super) const fn new(first_us: i64) -> Self {
        Self {
            first_us,
            sought: BTreeMap::new(),
            found: Vec::new(),
        }
    }

    /// Seeks the beginning among the messages `from` to before `end`.
    pub(super) fn seek(&mut self, partition: Partition, (from, end): (i64, i64)) {
        let sought = Sought {
            from,
            end,
            passed: 0,
        };
        self.sought.insert(partition, sought);
        if from >= end {
            self.find(partition, end);
        }
    }

    /// Seeks no more on a partition.
    pub(super) fn forget(&mut self, partition: Partition) {
        self.sought.remove(&partition);
        self.found
            .retain(|found| (found.at.topic, found.at.partition) != partition);
    }

    /// Whether the beginning of a partition is not committed yet: nothing else of it may be.
    pub(super) fn is_open(&self, partition: Partition) -> bool {
        self.sought.contains_key(&partition)
            || self
                .found
                .iter()
                .any(|found| (found.at.topic, found.at.partition) == partition)
    }

    /// Whether a message is before the beginning; the first that is not is where it is.
    pub(super) fn is_before(&mut self, record: &Delivery) -> bool {
        let partition = (record.topic, record.partition);
        let Some(sought) = self.sought.get(&partition) else {
            return false;
        };
        let is_old = record.published_us > 0 && record.published_us < self.first_us;
        if is_old && record.offset < sought.end {
            return true;
        }
        self.find(partition, record.offset);
        false
    }

    /// Counts a notice before the beginning that a route led here.
    pub(super) fn passes(&mut self, record: &Delivery) {
        if let Some(sought) = self.sought.get_mut(&(record.topic, record.partition)) {
            sought.passed += 1;
        }
    }

    /// Notes that a message is done with: behind the last one is the beginning too.
    pub(super) fn settle(&mut self, record: &Delivery) {
        let partition = (record.topic, record.partition);
        let sought = self.sought.get(&partition);
        if sought.is_some_and(|sought| record.offset + 1 >= sought.end) {
            self.find(partition, record.offset + 1);
        }
    }

    fn find(&mut self, partition: Partition, next_offset: i64) {
        let Some(Sought { from, passed, .. }) = self.sought.remove(&partition) else {
            return;
        };
        self.found.push(Beginning {
            at: Position {
                topic: partition.0,
                partition: partition.1,
                next_offset,
                last: None,
            },
            from,
            passed,
        });
    }

    /// The beginnings that are found, until they are noted.
    pub(super) fn found(&self) -> &[Beginning] {
        &self.found
    }

    /// Notes that those found may be committed.
    pub(super) fn clear_found(&mut self) {
        self.found.clear();
    }
}

#[cfg(test)]
mod tests {
    use bus::Delivery;
    use schemas::topics::Topic;

    use super::Beginnings;

    const PARTITION: (Topic, i32) = (Topic::Alerts, 0);

    fn read(offset: i64, published_us: i64) -> Delivery {
        Delivery {
            topic: PARTITION.0,
            partition: PARTITION.1,
            offset,
            key: String::new(),
            payload: Vec::new(),
            published_us,
        }
    }

    /// Where it begins and how many it passed, after messages of these times.
    fn begins(bounds: (i64, i64), times: &[i64]) -> Option<(i64, u64)> {
        let mut beginnings = Beginnings::new(1_000);
        beginnings.seek(PARTITION, bounds);
        for (offset, published_us) in (bounds.0..).zip(times) {
            let record = read(offset, *published_us);
            if beginnings.is_before(&record) {
                beginnings.passes(&record);
                beginnings.settle(&record);
            }
        }
        assert!(beginnings.is_open(PARTITION), "it is not noted yet");
        let found = beginnings.found().first();
        let begins = found.map(|found| (found.at.next_offset, found.passed));
        beginnings.clear_found();
        assert_eq!(beginnings.is_open(PARTITION), begins.is_none());
        begins
    }

    #[test]
    fn it_begins_at_the_first_that_is_young_or_at_the_end() {
        assert_eq!(begins((0, 0), &[]), Some((0, 0)), "nothing was there");
        assert_eq!(begins((7, 7), &[]), Some((7, 0)), "nothing is left");
        assert_eq!(begins((3, 6), &[1, 2, 1_000]), Some((5, 2)));
        assert_eq!(begins((3, 5), &[1, 2]), Some((5, 2)), "all are old");
        assert_eq!(begins((3, 6), &[1, 2]), None, "one is to come");
        assert_eq!(begins((0, 2), &[0]), Some((0, 0)), "of an unknown time");
        assert_eq!(begins((0, 2), &[2_000, 1]), Some((0, 0)));
    }

    #[test]
    fn what_was_published_since_it_came_is_its_own_whatever_the_time_in_it() {
        assert_eq!(begins((0, 2), &[1, 2, 3]), Some((2, 2)));
    }

    #[test]
    fn one_that_goes_to_another_member_is_forgotten() {
        let mut beginnings = Beginnings::new(1_000);
        beginnings.seek(PARTITION, (0, 0));
        beginnings.forget(PARTITION);
        assert!(!beginnings.is_open(PARTITION) && beginnings.found().is_empty());
    }
}
