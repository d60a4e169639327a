//! Notices that are on the bus, for a look beside the destinations: `vedette forward tap` and `replay`.
//!
//! It reads as nobody: no destination's place is moved by it, and nothing waits for it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bus::{Bus, Consumer, Position};
use schemas::topics::Topic;
use schemas::wire::DeadLetter;

use crate::contract::{self, Notice};
use crate::error::ForwardError;
use crate::routes::Routes;
use crate::stage::letter_source;
use crate::window::Partition;

/// Most messages taken at once.
const TAKEN_MAX: usize = 500;

/// Longest wait for a message.
const WAIT_MAX: Duration = Duration::from_millis(500);

/// Silence after which what is there has come, in looks: a member of a group gets its partitions within seconds.
const SILENT_LOOKS_MAX: u32 = 20;

/// Most dead letters of which only some parts have come; a letter's parts are published together.
const PARTIAL_MAX: usize = 64;

/// What of the bus is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// What was published from this moment on until now, in microseconds since the Unix epoch, UTC.
    Since(i64),
    /// What comes from now on, without an end.
    FromNow,
}

/// Where notices are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeedSource {
    /// From the topics that destinations read, along the routes.
    Topics,
    /// From the dead letters of the destination.
    DeadLetters,
}

/// Notices for one destination, in the order of the bus.
pub struct Feed {
    consumer: Consumer,
    name: String,
    routes: Routes,
    origin: FeedSource,
    extent: Extent,
    /// The offset at which each partition ends, of those that have not come to it.
    ends: BTreeMap<Partition, i64>,
    partial: BTreeMap<String, BTreeMap<u32, DeadLetter>>,
    silent: u32,
    /// Messages that could not be read as notices.
    unreadable: u64,
}

impl Feed {
    /// Reads for the destination `name`.
    ///
    /// # Errors
    /// [`ForwardError`] if the bus cannot be read.
    pub async fn open(
        bus: &Bus,
        name: &str,
        routes: Routes,
        (origin, extent): (FeedSource, Extent),
    ) -> Result<Self, ForwardError> {
        let topics: BTreeSet<Topic> = match origin {
            FeedSource::DeadLetters => [Topic::DeadLetters].into(),
            FeedSource::Topics => {
                let kinds = routes.kinds_of(name);
                kinds.iter().map(|kind| kind.topic()).collect()
            }
        };
        let topics: Vec<Topic> = topics.into_iter().collect();
        let mut ends = BTreeMap::new();
        for topic in &topics {
            for end in bus.ends(*topic).await? {
                if end.next_offset > 0 {
                    ends.insert((end.topic, end.partition), end.next_offset);
                }
            }
        }
        Ok(Self {
            consumer: bus.browse(&topics).await?,
            name: name.to_owned(),
            routes,
            origin,
            extent,
            ends,
            partial: BTreeMap::new(),
            silent: 0,
            unreadable: 0,
        })
    }

    /// Messages that could not be read as notices, so far.
    pub const fn unreadable(&self) -> u64 {
        self.unreadable
    }

    /// The next notices; none when all that was there has come. Safe to cancel.
    ///
    /// # Errors
    /// [`ForwardError`] if the bus cannot be read.
    pub async fn next(&mut self) -> Result<Option<Vec<Notice>>, ForwardError> {
        let is_bounded = self.extent != Extent::FromNow;
        if is_bounded && (self.ends.is_empty() || self.silent >= SILENT_LOOKS_MAX) {
            return Ok(None);
        }
        let polled = self.consumer.next(TAKEN_MAX, WAIT_MAX).await?;
        if !is_bounded && !polled.assigned.is_empty() {
            self.skip(&polled.assigned).await?;
        }
        if polled.records.is_empty() {
            self.silent += 1;
            return Ok(Some(Vec::new()));
        }
        self.silent = 0;
        let mut notices = Vec::new();
        for record in &polled.records {
            let partition = (record.topic, record.partition);
            if is_bounded {
                let Some(end) = self.ends.get(&partition).copied() else {
                    continue;
                };
                if record.offset + 1 >= end {
                    self.ends.remove(&partition);
                }
                if record.offset >= end {
                    continue;
                }
            }
            if let Extent::Since(since_us) = self.extent
                && record.published_us < since_us
            {
                continue;
            }
            match self.read(record) {
                Ok(Some(notice)) => notices.push(notice),
                Ok(None) => {}
                Err(()) => self.unreadable += 1,
            }
        }
        Ok(Some(notices))
    }

    /// Goes to the ends of partitions.
    async fn skip(&mut self, partitions: &[Partition]) -> Result<(), ForwardError> {
        let positions: Vec<Position> = partitions
            .iter()
            .filter_map(|partition| {
                Some(Position {
                    topic: partition.0,
                    partition: partition.1,
                    next_offset: *self.ends.get(partition)?,
                    last: None,
                })
            })
            .collect();
        Ok(self.consumer.seek(&positions).await?)
    }

    /// What a message tells this destination; an error if it cannot be read.
    fn read(&mut self, record: &bus::Delivery) -> Result<Option<Notice>, ()> {
        if self.origin == FeedSource::DeadLetters {
            let letter: DeadLetter = record.decode().map_err(drop)?;
            if letter.source != letter_source(&self.name) {
                return Ok(None);
            }
            return match self.whole(letter) {
                None => Ok(None),
                Some(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(drop),
            };
        }
        let notice = contract::read(record.topic, &record.payload).map_err(drop)?;
        Ok(notice.filter(|notice| self.routes.lead(notice, &self.name)))
    }

    /// A dead letter's bytes, once all of its parts have come.
    fn whole(&mut self, letter: DeadLetter) -> Option<Vec<u8>> {
        let (id, parts) = (letter.id.clone(), letter.parts.max(1));
        if self.partial.len() >= PARTIAL_MAX && !self.partial.contains_key(&id) {
            self.partial.pop_first();
            self.unreadable += 1;
        }
        let come = self.partial.entry(id.clone()).or_default();
        come.insert(letter.part, letter);
        if u32::try_from(come.len()).unwrap_or(u32::MAX) < parts {
            return None;
        }
        let whole = self.partial.remove(&id)?;
        Some(
            whole
                .values()
                .flat_map(|part| part.raw.iter().copied())
                .collect(),
        )
    }
}
