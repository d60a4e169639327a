//! Notices that are on the bus, for a look beside the destinations: `vedette forward tap` and `replay`.
//!
//! It reads as nobody: no destination's place is moved by it, and nothing waits for it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bus::{Bus, Consumer, Position};
use schemas::topics::Topic;
use schemas::wire::DeadLetter;

use crate::config::group;
use crate::contract::{self, Notice};
use crate::error::ForwardError;
use crate::routes::Routes;
use crate::stage::letter_source;
use crate::window::Partition;

/// Most messages taken at once.
const TAKEN_MAX: usize = 500;

/// Longest wait for a message.
const WAIT_MAX: Duration = Duration::from_millis(500);

/// Silence after which what is to come will not, in looks: a member of a group gets its partitions within seconds, on a
/// broker that is busy within some tens.
const SILENT_LOOKS_MAX: u32 = 60;

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
    bus: Bus,
    /// The offset at which each partition ends, of those that have not come to it.
    ends: BTreeMap<Partition, i64>,
    /// Partitions of which the bus has removed the beginning, and when what it still has of them begins, where that is
    /// known and later than what was asked for.
    removed: BTreeMap<Partition, Option<i64>>,
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
            FeedSource::Topics => routes.topics_of(name),
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
        let mut removed = BTreeMap::new();
        if let Extent::Since(_) = extent {
            for (partition, (first, end)) in bounds(bus, name, ends.keys()).await? {
                if first > 0 {
                    removed.insert(partition, None);
                }
                if first >= end {
                    ends.remove(&partition);
                }
            }
        }
        Ok(Self {
            consumer: bus.browse(&topics).await?,
            name: name.to_owned(),
            routes,
            origin,
            extent,
            bus: bus.clone(),
            ends,
            removed,
            partial: BTreeMap::new(),
            silent: 0,
            unreadable: 0,
        })
    }

    /// Messages that could not be read as notices, so far.
    pub const fn unreadable(&self) -> u64 {
        self.unreadable
    }

    /// What of the time that was asked for the bus has removed, by topic: when what it still has begins; none where it has
    /// nothing. Known when all has come.
    pub fn removed(&self) -> BTreeMap<Topic, Option<i64>> {
        let mut removed = BTreeMap::new();
        for ((topic, _), from_us) in &self.removed {
            let known = removed.entry(*topic).or_insert(*from_us);
            // It is whole from where the last of its partitions begins.
            *known = (*known).max(*from_us);
        }
        removed
    }

    /// The next notices; none when all that was there has come. Safe to cancel.
    ///
    /// # Errors
    /// [`ForwardError`] if the bus cannot be read, or is silent although more was there.
    pub async fn next(&mut self) -> Result<Option<Vec<Notice>>, ForwardError> {
        let is_bounded = self.extent != Extent::FromNow;
        if is_bounded && self.ends.is_empty() {
            return Ok(None);
        }
        if is_bounded && self.silent >= SILENT_LOOKS_MAX {
            return self.end_in_silence().await;
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
            self.begins(record);
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

    /// Ends where nothing comes any more: what the bus has removed meanwhile will not, and all else is missing.
    async fn end_in_silence(&mut self) -> Result<Option<Vec<Notice>>, ForwardError> {
        let found = bounds(&self.bus, &self.name, self.ends.keys()).await?;
        self.ends.retain(|partition, end| {
            let first = found.get(partition).map_or(0, |(first, _)| *first);
            first < *end
        });
        if self.ends.is_empty() {
            return Ok(None);
        }
        let missing: Vec<String> = self
            .ends
            .iter()
            .map(|((topic, partition), end)| format!("{topic}/{partition} up to offset {end}"))
            .collect();
        Err(ForwardError::Silent {
            waited: WAIT_MAX * SILENT_LOOKS_MAX,
            missing: missing.join(", "),
        })
    }

    /// Notes from when on the bus has a partition of which it removed the beginning.
    fn begins(&mut self, record: &bus::Delivery) {
        let partition = (record.topic, record.partition);
        let Extent::Since(since_us) = self.extent else {
            return;
        };
        if let Some(from_us @ None) = self.removed.get_mut(&partition) {
            if record.published_us > since_us {
                *from_us = Some(record.published_us);
            } else {
                self.removed.remove(&partition);
            }
        }
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

/// The earliest offset that is still there of each partition, and the next one.
async fn bounds(
    bus: &Bus,
    name: &str,
    partitions: impl Iterator<Item = &Partition>,
) -> Result<BTreeMap<Partition, (i64, i64)>, ForwardError> {
    let positions: Vec<Position> = partitions
        .map(|(topic, partition)| Position {
            topic: *topic,
            partition: *partition,
            next_offset: 0,
            last: None,
        })
        .collect();
    let found = bus.recognise(&group(name), &positions).await?;
    let bounds = found.iter().map(|found| {
        let partition = (found.position.topic, found.position.partition);
        (partition, (found.first_offset, found.end_offset))
    });
    Ok(bounds.collect())
}

#[cfg(test)]
mod tests {
    use bus::config::LogConfig;
    use bus::{Bus, BusConfig, Message};
    use schemas::topics::Topic;
    use schemas::wire::Alert;

    use super::{Extent, Feed, FeedSource, SILENT_LOOKS_MAX};
    use crate::error::ForwardError;
    use crate::routes::Routes;

    async fn feed(folder: &tempfile::TempDir) -> Feed {
        let config = BusConfig::Log(LogConfig {
            path: folder.path().join("log.sqlite"),
            ..LogConfig::default()
        });
        let bus = Bus::open(&config).await.expect("the bus opens");
        let message = Message::of("a", &Alert::default());
        bus.publish(Topic::Alerts, vec![message])
            .await
            .expect("published");
        let what = (FeedSource::Topics, Extent::Since(1));
        Feed::open(&bus, "siem", Routes::default(), what)
            .await
            .expect("it opens")
    }

    #[tokio::test]
    async fn silence_before_the_end_is_an_error_that_says_what_is_missing() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut feed = feed(&folder).await;
        feed.ends.insert((Topic::Alerts, 0), 5);
        let mut looks = 0;
        let error = loop {
            match feed.next().await {
                Ok(Some(_)) => feed.silent = SILENT_LOOKS_MAX,
                Ok(None) => panic!("it ends as if all had come"),
                Err(error) => break error,
            }
            looks += 1;
            assert!(looks < 10, "it never ends");
        };
        assert!(matches!(error, ForwardError::Silent { .. }), "{error}");
        assert!(
            error.to_string().contains("alerts/0 up to offset 5"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn what_the_bus_has_removed_of_what_was_asked_for_is_known() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut feed = feed(&folder).await;
        assert!(feed.removed().is_empty(), "nothing was removed");
        feed.removed.insert((Topic::Alerts, 0), None);
        assert_eq!(feed.removed()[&Topic::Alerts], None);
        while feed.next().await.expect("the bus is there").is_some() {}
        assert!(feed.removed()[&Topic::Alerts] > Some(1));
    }
}
