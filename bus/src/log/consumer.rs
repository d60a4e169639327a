//! A member of a group on the embedded log: it keeps its place and waits for more.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use schemas::topics::Topic;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::LogBus;
use super::reader::Reader;
use super::writer::Write;
use crate::error::BusError;
use crate::message::{Delivery, Polled, Position, Recognised};

/// Which group reads which topic through one handle.
pub(super) type Members = Arc<Mutex<HashSet<(String, Topic)>>>;

/// A group's seats on its topics; given back when it is dropped.
pub(super) struct Seats {
    members: Members,
    group: String,
    topics: Vec<Topic>,
}

impl Seats {
    /// Takes all of them or none.
    pub(super) fn take(members: &Members, group: &str, topics: &[Topic]) -> Result<Self, BusError> {
        let mut taken = members.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(topic) = topics
            .iter()
            .find(|topic| taken.contains(&(group.to_owned(), **topic)))
        {
            return Err(BusError::GroupTaken {
                group: group.to_owned(),
                topic: *topic,
            });
        }
        taken.extend(topics.iter().map(|topic| (group.to_owned(), *topic)));
        Ok(Self {
            members: Arc::clone(members),
            group: group.to_owned(),
            topics: topics.to_vec(),
        })
    }
}

impl Drop for Seats {
    fn drop(&mut self) {
        let mut taken = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        for topic in &self.topics {
            taken.remove(&(self.group.clone(), *topic));
        }
    }
}

/// A member of a group; the only one on its topics through one handle of the log.
pub struct LogConsumer {
    bus: LogBus,
    reader: Reader,
    /// Told after every transaction, ours or another process's.
    written: watch::Receiver<()>,
    /// Where each topic is read on; the first is read first.
    positions: Vec<Position>,
    /// Whether the topics have been reported as assigned.
    announced: bool,
    seats: Seats,
}

impl LogConsumer {
    pub(super) fn new(bus: LogBus, reader: Reader, positions: Vec<Position>, seats: Seats) -> Self {
        let written = bus.written();
        Self {
            bus,
            reader,
            written,
            positions,
            announced: false,
            seats,
        }
    }

    pub(crate) async fn next(
        &mut self,
        records_max: usize,
        wait_max: Duration,
    ) -> Result<Polled, BusError> {
        if !self.announced {
            self.announced = true;
            let assigned = self.seats.topics.iter().map(|topic| (*topic, 0)).collect();
            return Ok(Polled {
                assigned,
                ..Polled::default()
            });
        }
        let deadline = Instant::now() + wait_max;
        loop {
            // Seen before the read, so that what is written during it wakes us.
            self.written.mark_unchanged();
            let records = self
                .reader
                .read(self.positions.clone(), records_max)
                .await?;
            if !records.is_empty() {
                self.advance(&records);
                return Ok(Polled {
                    records,
                    ..Polled::default()
                });
            }
            match timeout_at(deadline, self.written.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(self.bus.ended()),
                Err(_) => return Ok(Polled::default()),
            }
        }
    }

    fn advance(&mut self, records: &[Delivery]) {
        for record in records {
            for position in self
                .positions
                .iter_mut()
                .filter(|at| at.topic == record.topic)
            {
                position.next_offset = record.offset + 1;
            }
        }
        // Another topic is first next time, so that a busy one does not starve the others.
        self.positions.rotate_left(1);
    }

    pub(crate) async fn commit(&mut self, positions: &[Position]) -> Result<(), BusError> {
        self.check(positions)?;
        self.bus
            .write(Write::Commit(self.seats.group.clone(), positions.to_vec()))
            .await?;
        metrics::counter!("bus_commits_total", "group" => self.seats.group.clone()).increment(1);
        Ok(())
    }

    /// Positions are in the file that they are positions of: only one beyond its end is another's.
    pub(crate) async fn resume(
        &mut self,
        partitions: &[(Topic, i32)],
    ) -> Result<Vec<Recognised>, BusError> {
        let positions: Vec<Position> = self
            .positions
            .iter()
            .filter(|at| partitions.contains(&(at.topic, at.partition)))
            .copied()
            .collect();
        let mut recognised = self.bus.recognise(&positions).await?;
        recognised.retain(|one| !one.is_same_log);
        let begin: Vec<Position> = recognised.iter().map(Recognised::resume).collect();
        self.seek(&begin).await?;
        Ok(recognised)
    }

    /// A position beyond the end is another file's: it starts at the earliest message, as Kafka does.
    pub(crate) async fn seek(&mut self, positions: &[Position]) -> Result<(), BusError> {
        self.check(positions)?;
        for to in positions {
            let end = self.reader.end(to.topic).await?;
            let next_offset = if to.next_offset > end {
                tracing::warn!(topic = %to.topic, asked = to.next_offset, end, "position is beyond the end");
                0
            } else {
                to.next_offset.max(0)
            };
            for position in self.positions.iter_mut().filter(|at| at.topic == to.topic) {
                position.next_offset = next_offset;
            }
        }
        Ok(())
    }

    fn check(&self, positions: &[Position]) -> Result<(), BusError> {
        let ours = |position: &Position| {
            position.partition == 0 && self.seats.topics.contains(&position.topic)
        };
        match positions.iter().find(|position| !ours(position)) {
            None => Ok(()),
            Some(Position {
                topic, partition, ..
            }) => Err(BusError::NotAssigned {
                topic: *topic,
                partition: *partition,
            }),
        }
    }
}
