//! Which message of each partition comes next.
//!
//! The Delta log says where to read on, never the consumer group. Pure.

use std::collections::{HashMap, HashSet};

use bus::{Delivery, Position};

use crate::delta::Partition;

#[derive(Debug)]
struct Standing {
    /// Where the home table stands.
    committed: i64,
    /// Offset of the next message.
    expected: i64,
    /// True after a seek that brought nothing yet.
    has_sought: bool,
}

/// The partitions that this process reads.
#[derive(Debug, Default)]
pub(super) struct Partitions {
    standings: HashMap<Partition, Standing>,
}

/// Messages that are gone from the bus.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Lost {
    pub(super) partition: Partition,
    pub(super) from: i64,
    pub(super) to: i64,
}

/// What to do with what a poll brought.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Accepted {
    pub(super) records: Vec<Delivery>,
    pub(super) seek: Vec<Position>,
    pub(super) lost: Vec<Lost>,
}

impl Partitions {
    /// Reads a partition from now on, from where its home table stands.
    pub(super) fn take(&mut self, partition: Partition, committed: i64) {
        self.standings.insert(
            partition,
            Standing {
                committed,
                expected: committed,
                has_sought: false,
            },
        );
    }

    /// Reads it no more.
    pub(super) fn release(&mut self, partition: Partition) {
        self.standings.remove(&partition);
    }

    /// Where the home table stands, if the partition is ours.
    pub(super) fn committed(&self, partition: Partition) -> Option<i64> {
        self.standings
            .get(&partition)
            .map(|standing| standing.committed)
    }

    /// The home table stands here now.
    pub(super) fn commit(&mut self, partition: Partition, to: i64) {
        if let Some(standing) = self.standings.get_mut(&partition) {
            standing.committed = to;
        }
    }

    /// Takes exactly the messages that come next: earlier ones are skipped, for missing ones we seek,
    /// and what is missing even then is lost.
    pub(super) fn accept(&mut self, records: Vec<Delivery>) -> Accepted {
        let mut accepted = Accepted::default();
        let mut seeking = HashSet::new();
        for record in records {
            let partition = Partition {
                topic: record.topic,
                partition: record.partition,
            };
            let Some(standing) = self.standings.get_mut(&partition) else {
                continue;
            };
            if record.offset < standing.expected || seeking.contains(&partition) {
                continue;
            }
            if record.offset > standing.expected {
                if !standing.has_sought {
                    standing.has_sought = true;
                    seeking.insert(partition);
                    accepted.seek.push(Position {
                        topic: record.topic,
                        partition: record.partition,
                        next_offset: standing.expected,
                    });
                    continue;
                }
                accepted.lost.push(Lost {
                    partition,
                    from: standing.expected,
                    to: record.offset,
                });
            }
            standing.expected = record.offset + 1;
            standing.has_sought = false;
            accepted.records.push(record);
        }
        accepted
    }
}

#[cfg(test)]
mod tests {
    use super::{Lost, Partition, Partitions};
    use bus::Delivery;
    use schemas::topics::Topic;

    const PARTITION: Partition = Partition {
        topic: Topic::Alerts,
        partition: 0,
    };

    fn records(offsets: &[i64]) -> Vec<Delivery> {
        offsets
            .iter()
            .map(|offset| Delivery {
                topic: PARTITION.topic,
                partition: PARTITION.partition,
                offset: *offset,
                key: String::new(),
                payload: Vec::new(),
            })
            .collect()
    }

    #[test]
    fn only_the_next_message_is_taken() {
        let mut partitions = Partitions::default();
        partitions.take(PARTITION, 5);
        let accepted = partitions.accept(records(&[3, 4, 5, 6, 5]));
        let offsets: Vec<i64> = accepted
            .records
            .iter()
            .map(|record| record.offset)
            .collect();
        assert_eq!(offsets, [5, 6]);
        assert_eq!(
            partitions.committed(PARTITION),
            Some(5),
            "taken is not committed"
        );
    }

    #[test]
    fn a_gap_is_looked_for_once_before_it_is_called_lost() {
        let mut partitions = Partitions::default();
        partitions.take(PARTITION, 5);
        let first = partitions.accept(records(&[9, 10]));
        assert!(first.records.is_empty() && first.lost.is_empty());
        assert_eq!(first.seek[0].next_offset, 5);
        let second = partitions.accept(records(&[9, 10]));
        assert_eq!(
            second.lost,
            [Lost {
                partition: PARTITION,
                from: 5,
                to: 9
            }]
        );
        assert_eq!(second.records.len(), 2);
    }

    #[test]
    fn a_seek_that_helps_loses_nothing() {
        let mut partitions = Partitions::default();
        partitions.take(PARTITION, 5);
        assert_eq!(partitions.accept(records(&[7])).seek.len(), 1);
        let after = partitions.accept(records(&[5, 6, 7]));
        assert_eq!((after.records.len(), after.lost.len()), (3, 0));
    }

    #[test]
    fn partitions_of_others_are_left_alone() {
        let mut partitions = Partitions::default();
        partitions.take(PARTITION, 0);
        partitions.release(PARTITION);
        assert!(partitions.accept(records(&[0])).records.is_empty());
    }
}
