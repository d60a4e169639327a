//! Which message of each partition comes next.
//!
//! The Delta log says where to read on, never the consumer group. Pure.

use std::collections::{BTreeSet, HashMap, HashSet};

use bus::{Delivery, Position};
use schemas::topics::Topic;

use crate::delta::{Partition, Reached};

#[derive(Debug)]
struct Standing {
    /// Where the home table stands.
    committed: Reached,
    /// What an arrival is more than its offset; not yet the home table's where another log was found.
    base: i64,
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

/// Messages that are gone from the bus, by their offsets.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Lost {
    pub(super) partition: Partition,
    pub(super) from: i64,
    pub(super) to: i64,
    /// What their arrivals would have been more.
    pub(super) base: i64,
}

/// A message that comes next.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Next {
    pub(super) delivery: Delivery,
    pub(super) base: i64,
}

/// What to do with what a poll brought.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Accepted {
    pub(super) records: Vec<Next>,
    pub(super) seek: Vec<Position>,
    pub(super) lost: Vec<Lost>,
    /// Partitions that brought what was read before, though nobody sought it: perhaps of another log.
    pub(super) behind: BTreeSet<(Topic, i32)>,
}

impl Accepted {
    /// Without what is of these partitions.
    pub(super) fn leave(&mut self, partitions: &[(Topic, i32)]) {
        let stays = |topic, partition| !partitions.contains(&(topic, partition));
        self.records
            .retain(|next| stays(next.delivery.topic, next.delivery.partition));
        self.seek.retain(|at| stays(at.topic, at.partition));
        self.lost
            .retain(|lost| stays(lost.partition.topic, lost.partition.partition));
    }
}

impl Partitions {
    /// Reads a partition from `next_offset` on, where its home table stands; `base` is that of the log to be read.
    pub(super) fn take(
        &mut self,
        partition: Partition,
        committed: Reached,
        next_offset: i64,
        base: i64,
    ) {
        self.standings.insert(
            partition,
            Standing {
                committed,
                base,
                expected: next_offset,
                has_sought: false,
            },
        );
    }

    /// Reads it no more.
    pub(super) fn release(&mut self, partition: Partition) {
        self.standings.remove(&partition);
    }

    /// Where the home table stands, if the partition is ours.
    pub(super) fn committed(&self, partition: Partition) -> Option<Reached> {
        self.standings
            .get(&partition)
            .map(|standing| standing.committed)
    }

    /// The home table stands here now.
    pub(super) fn commit(&mut self, partition: Partition, to: Reached) {
        if let Some(standing) = self.standings.get_mut(&partition) {
            standing.committed = to;
        }
    }

    /// Takes exactly the messages that come next: for missing ones we seek, and what is missing even then is lost.
    /// Of partitions that are behind nothing is to be taken: they are taken over anew.
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
            if seeking.contains(&partition) {
                continue;
            }
            if record.offset < standing.expected {
                accepted.behind.insert((record.topic, record.partition));
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
                        last: None,
                    });
                    continue;
                }
                accepted.lost.push(Lost {
                    partition,
                    from: standing.expected,
                    to: record.offset,
                    base: standing.base,
                });
            }
            standing.expected = record.offset + 1;
            standing.has_sought = false;
            accepted.records.push(Next {
                delivery: record,
                base: standing.base,
            });
        }
        accepted
    }
}

#[cfg(test)]
mod tests {
    use super::{Lost, Partition, Partitions, Reached};
    use bus::Delivery;
    use schemas::topics::Topic;

    const PARTITION: Partition = Partition {
        topic: Topic::Alerts,
        partition: 0,
    };

    fn at(arrival: i64) -> Reached {
        Reached {
            arrival,
            ..Reached::default()
        }
    }

    fn records(offsets: &[i64]) -> Vec<Delivery> {
        offsets
            .iter()
            .map(|offset| Delivery {
                topic: PARTITION.topic,
                partition: PARTITION.partition,
                offset: *offset,
                key: String::new(),
                payload: Vec::new(),
                published_us: 0,
            })
            .collect()
    }

    #[test]
    fn only_the_next_message_is_taken() {
        let mut partitions = Partitions::default();
        partitions.take(PARTITION, at(5), 5, 0);
        let accepted = partitions.accept(records(&[3, 4, 5, 6, 5]));
        let offsets: Vec<i64> = accepted
            .records
            .iter()
            .map(|record| record.delivery.offset)
            .collect();
        assert_eq!(offsets, [5, 6]);
        assert!(accepted.behind.contains(&(PARTITION.topic, 0)), "and told");
        assert_eq!(
            partitions.committed(PARTITION),
            Some(at(5)),
            "taken is not committed"
        );
    }

    #[test]
    fn a_gap_is_looked_for_once_before_it_is_called_lost() {
        let mut partitions = Partitions::default();
        partitions.take(PARTITION, at(5), 5, 0);
        let first = partitions.accept(records(&[9, 10]));
        assert!(first.records.is_empty() && first.lost.is_empty());
        assert_eq!(first.seek[0].next_offset, 5);
        let second = partitions.accept(records(&[9, 10]));
        assert_eq!(
            second.lost,
            [Lost {
                partition: PARTITION,
                from: 5,
                to: 9,
                base: 0
            }]
        );
        assert_eq!(second.records.len(), 2);
    }

    #[test]
    fn a_seek_that_helps_loses_nothing() {
        let mut partitions = Partitions::default();
        partitions.take(PARTITION, at(5), 5, 0);
        assert_eq!(partitions.accept(records(&[7])).seek.len(), 1);
        let after = partitions.accept(records(&[5, 6, 7]));
        assert_eq!((after.records.len(), after.lost.len()), (3, 0));
    }

    #[test]
    fn partitions_of_others_are_left_alone() {
        let mut partitions = Partitions::default();
        partitions.take(PARTITION, at(0), 0, 0);
        partitions.release(PARTITION);
        assert!(partitions.accept(records(&[0])).records.is_empty());
    }
    /// Another log takes the place of one that was read to 5: its first message is the sixth to arrive.
    #[test]
    fn messages_of_another_log_arrive_after_those_of_the_one_before() {
        let mut partitions = Partitions::default();
        partitions.take(PARTITION, at(5), 0, 5);
        let accepted = partitions.accept(records(&[0, 1]));
        let arrivals: Vec<i64> = accepted
            .records
            .iter()
            .map(|next| next.delivery.offset + next.base)
            .collect();
        assert_eq!(arrivals, [5, 6]);
        assert!(accepted.behind.is_empty() && accepted.lost.is_empty());
    }
}
