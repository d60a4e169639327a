//! The way out: events, dead letters and lines of the ledger to their topics, in bounded calls.

use std::collections::BTreeMap;

use bus::{Bus, Message};
use prost::Message as _;
use schemas::coverage::Published;
use schemas::invariants::CursorMove;
use schemas::limits::PUBLISH_RECORDS_MAX;
use schemas::tables::Table;
use schemas::topics::Topic;
use schemas::wire;

use crate::acknowledged::Acknowledged;
use crate::backlog::{Backlog, Downstream};
use crate::error::IngestError;
use crate::normalise::{Normalised, table_of};

/// Most bytes published in one call, so that a publisher holds a bounded amount.
pub(crate) const PUBLISH_BYTES_MAX: usize = 32 * 1024 * 1024;

/// What was made of a source's bytes, and what of it the bus has acknowledged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    /// Records and letters that were made.
    pub(crate) made: u64,
    /// What the bus has taken.
    pub(crate) published: Published,
}

impl Taken {
    /// The move of a cursor over it.
    pub(crate) fn covered(self) -> CursorMove {
        CursorMove {
            covered: self.made,
            acknowledged: self.published.records + self.published.dead_letters,
        }
    }
}

impl std::ops::AddAssign for Taken {
    fn add_assign(&mut self, other: Self) {
        self.made += other.made;
        self.published += other.published;
    }
}

/// The way out. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Outlet {
    bus: Bus,
    /// None where nothing is known of the stages behind.
    backlog: Option<Backlog>,
    /// Where what the bus acknowledges is noted.
    acknowledged: Acknowledged,
}

impl Outlet {
    /// A way out of what no cursor covers.
    pub(crate) fn new(bus: Bus, downstream: Option<Downstream>) -> Self {
        let backlog = downstream.map(|stages| Backlog::new(bus.clone(), stages));
        Self {
            bus,
            backlog,
            acknowledged: Acknowledged::default(),
        }
    }

    /// The same for sources with cursors, which are stored with what the bus has acknowledged.
    pub(crate) fn noting(self, acknowledged: &Acknowledged) -> Self {
        Self {
            acknowledged: acknowledged.clone(),
            ..self
        }
    }

    /// Waits until a sender's records have room before the lake: before anything is held that others wait for.
    pub(crate) async fn room(&self, sender: &str) {
        if let Some(backlog) = &self.backlog {
            backlog.wait_for_room(sender).await;
        }
    }

    /// Publishes events and dead letters of a sender, and returns when all of them are durable.
    pub(crate) async fn publish(
        &self,
        sender: &str,
        source: &'static str,
        normalised: Normalised,
    ) -> Result<Taken, IngestError> {
        let made = published(&normalised);
        let mut taken = Taken {
            made: made.records + made.dead_letters,
            published: Published::default(),
        };
        let mut by_table: BTreeMap<Table, Vec<Message>> = BTreeMap::new();
        for event in normalised.events {
            let message = Message {
                payload: event.encode_to_vec(),
                key: event.event_id.clone(),
            };
            by_table.entry(table_of(&event)).or_default().push(message);
        }
        for (table, messages) in by_table {
            let records = messages.len() as u64;
            self.send(Topic::Events(table), messages).await?;
            if let Some(backlog) = &self.backlog {
                backlog.note(sender, Topic::Events(table), records).await;
            }
            taken.published.records += records;
            metrics::counter!("ingest_records_total", "source" => source, "table" => table.name())
                .increment(records);
        }
        for letter in &normalised.dead_letters {
            metrics::counter!("ingest_dead_letters_total", "source" => source, "reason" => letter.reason.clone())
                .increment(1);
        }
        let letters = normalised.dead_letters.into_iter().map(|letter| Message {
            payload: letter.encode_to_vec(),
            key: letter.id,
        });
        self.send(Topic::DeadLetters, letters.collect()).await?;
        taken.published.dead_letters = made.dead_letters;
        Ok(taken)
    }

    /// Publishes lines of the ledger.
    pub(crate) async fn cover(&self, rows: Vec<wire::Coverage>) -> Result<(), IngestError> {
        let messages = rows.into_iter().map(|row| Message {
            payload: row.encode_to_vec(),
            key: row.id,
        });
        self.send(Topic::Coverage, messages.collect()).await
    }

    async fn send(&self, topic: Topic, messages: Vec<Message>) -> Result<(), IngestError> {
        let mut call = Vec::new();
        let mut bytes = 0;
        for message in messages {
            let size = message.payload.len();
            if !call.is_empty()
                && (call.len() >= PUBLISH_RECORDS_MAX || bytes + size > PUBLISH_BYTES_MAX)
            {
                self.call(topic, std::mem::take(&mut call)).await?;
                bytes = 0;
            }
            bytes += size;
            call.push(message);
        }
        if call.is_empty() {
            return Ok(());
        }
        self.call(topic, call).await
    }

    async fn call(&self, topic: Topic, messages: Vec<Message>) -> Result<(), IngestError> {
        let before = self.acknowledged.before();
        let published = self.bus.publish_placed(topic, messages).await;
        let placed = published.map_err(|cause| IngestError::Publish {
            topic: topic.to_string(),
            cause,
        })?;
        self.acknowledged.note(&before, &placed);
        Ok(())
    }
}

/// What will have been published when `normalised` is.
pub(crate) fn published(normalised: &Normalised) -> Published {
    let letters = normalised
        .dead_letters
        .iter()
        .filter(|letter| letter.part == 0);
    Published {
        records: normalised.events.len() as u64,
        dead_letters: letters.count() as u64,
    }
}
