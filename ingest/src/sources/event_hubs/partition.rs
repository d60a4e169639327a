//! Reads one partition: gathers messages, publishes them, moves its cursor, writes its lines.

use std::pin::Pin;
use std::time::Duration;

use azure_messaging_eventhubs::models::ReceivedEventData;
use futures::{Stream, StreamExt};
use schemas::dead_letter::Reason;
use schemas::provenance::Provenance;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::SOURCE;
use super::connection::Connection;
use super::position::{Cursor, Missing, Order, order, start};
use crate::config::EventHubsConfig;
use crate::error::IngestError;
use crate::failures::Failures;
use crate::normalise::{Dates, Normalised, Origin, normalise};
use crate::outlet::{PUBLISH_BYTES_MAX, Taken};
use crate::sources::desk::{Desk, is_fresh};
use schemas::coverage::{CoverageRange, CoverageState, Published};

/// One partition of a hub.
#[derive(Clone)]
pub(super) struct Partition {
    desk: Desk,
    config: EventHubsConfig,
    /// Source and partition, the name of its cursor.
    label: String,
    id: String,
}

/// Messages that were gathered, all in order and without a hole.
#[derive(Debug, Default)]
struct Gathered {
    messages: Vec<(i64, Option<Vec<u8>>)>,
    bytes: usize,
    then: Then,
}

/// Why gathering ended.
#[derive(Debug, Default)]
enum Then {
    /// The batch is full or its time is over.
    #[default]
    Publish,
    /// No message came for a while.
    Idle,
    /// A message came whose predecessors did not.
    Hole(i64),
    /// The receiver ended or failed.
    Failed(IngestError),
    /// The source is stopped.
    Stop,
}

type Events<'a> =
    Pin<Box<dyn Stream<Item = azure_messaging_eventhubs::Result<ReceivedEventData>> + Send + 'a>>;

impl Partition {
    pub(super) fn new(desk: Desk, config: EventHubsConfig, source: &str, id: String) -> Self {
        Self {
            desk,
            config,
            label: format!("{source}/{id}"),
            id,
        }
    }

    pub(super) fn label(&self) -> &str {
        &self.label
    }

    /// Says that the hub no longer has it.
    pub(super) async fn note_gone(&self) -> Result<(), IngestError> {
        let stored = self.stored().await?;
        let from = stored.map_or(0, |cursor| cursor.next);
        let missing = Missing {
            from,
            to: from.saturating_add(1),
            why: "the hub no longer has this partition: what came after this number is unknown",
        };
        self.note_missing(missing, CoverageState::Gap).await?;
        self.is_well();
        Ok(())
    }

    /// Logs a failure, and tells of one that goes on.
    pub(super) fn note_failure(&self, error: &IngestError, failures: &mut Failures) {
        if let Some(times) = failures.note(&error.kind()) {
            tracing::warn!(
                source = self.label,
                times,
                error = error as &dyn std::error::Error,
                "partition is opened again"
            );
        }
        // A link that is lost once and taken up again is no trouble.
        if failures.in_a_row() > 1 {
            let now_us = self.desk.clock.now_us();
            let part = format!("ingest/{}", self.label);
            self.desk.health.trouble(&part, error.to_string(), now_us);
        }
    }

    /// Tells that it is read to its present end.
    fn is_well(&self) {
        self.desk.health.well(&format!("ingest/{}", self.label));
        is_fresh(&self.label, self.desk.clock.now_us());
    }

    async fn stored(&self) -> Result<Option<Cursor>, IngestError> {
        let text = self.desk.cursors.get(self.label.clone()).await?;
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
    }

    /// Reads until stopped, until the receiver fails, or until a hole asks for a new one.
    ///
    /// Gives back whether anything was published.
    pub(super) async fn read(&self, stop: &CancellationToken) -> Result<bool, (bool, IngestError)> {
        let mut moved = false;
        let opened = tokio::select! {
            () = stop.cancelled() => return Ok(moved),
            opened = self.open() => opened,
        };
        let (connection, cursor) = opened.map_err(|error| (moved, error))?;
        let read = self.read_on(&connection, cursor, &mut moved, stop).await;
        connection.close().await;
        read.map(|()| moved).map_err(|error| (moved, error))
    }

    async fn open(&self) -> Result<(Connection, Cursor), IngestError> {
        let connection = Connection::open(&self.desk, &self.config).await?;
        let facts = connection.facts(&self.id).await?;
        let start = start(self.stored().await?, facts);
        let cursor = Cursor {
            next: start.next,
            created_us: facts.created_us,
        };
        if let Some(missing) = start.missing {
            // The line first: a crash between the two writes it again, under the same id.
            self.note_missing(missing, CoverageState::Lost).await?;
            self.store(cursor, Taken::default()).await?;
        }
        Ok((connection, cursor))
    }

    async fn read_on(
        &self,
        connection: &Connection,
        mut cursor: Cursor,
        moved: &mut bool,
        stop: &CancellationToken,
    ) -> Result<(), IngestError> {
        let receiver = connection
            .receiver(&self.id, cursor.next, self.config.prefetch)
            .await?;
        let mut events: Events<'_> = Box::pin(receiver.stream_events());
        let mut is_first = true;
        loop {
            let mut gathered = self.gather(&mut events, cursor.next, stop).await;
            let then = std::mem::take(&mut gathered.then);
            if !gathered.messages.is_empty() {
                self.keep(gathered, &mut cursor).await?;
                *moved = true;
                is_first = false;
            }
            match then {
                Then::Publish => {}
                Then::Stop => return Ok(()),
                Then::Failed(error) => return Err(error),
                Then::Idle => {
                    let facts = connection.facts(&self.id).await?;
                    let restart = start(Some(cursor), facts);
                    if restart.missing.is_some() || facts.last >= cursor.next {
                        // It has messages that do not come: a receiver that was cut off in silence.
                        return Err(self.ended("messages that did not come"));
                    }
                    self.is_well();
                }
                Then::Hole(found) => {
                    let missing = Missing {
                        from: cursor.next,
                        to: found,
                        why: "sequence numbers that did not come",
                    };
                    if is_first {
                        // A new receiver began behind the hole: they do not exist any more.
                        self.note_missing(missing, CoverageState::Lost).await?;
                        cursor.next = found;
                        self.store(cursor, Taken::default()).await?;
                    } else {
                        self.note_missing(missing, CoverageState::Gap).await?;
                    }
                    return Err(self.ended("a hole in the sequence"));
                }
            }
        }
    }

    /// Gathers messages until the batch is full, its time is over, or something is wrong.
    async fn gather(
        &self,
        events: &mut Events<'_>,
        next: i64,
        stop: &CancellationToken,
    ) -> Gathered {
        let mut gathered = Gathered::default();
        let mut next = next;
        let mut until = None;
        loop {
            let limit = until
                .unwrap_or_else(|| Instant::now() + Duration::from_millis(self.config.idle_ms));
            let event = tokio::select! {
                biased;
                () = stop.cancelled() => {
                    gathered.then = Then::Stop;
                    return gathered;
                }
                event = timeout_at(limit, events.next()) => event,
            };
            match event {
                Err(_) if until.is_none() => {
                    gathered.then = Then::Idle;
                    return gathered;
                }
                Err(_) => return gathered,
                Ok(None) => {
                    gathered.then = Then::Failed(self.ended("the end of the stream"));
                    return gathered;
                }
                Ok(Some(Err(error))) => {
                    gathered.then = Then::Failed(self.failed(&error));
                    return gathered;
                }
                Ok(Some(Ok(event))) => {
                    let Some(sequence) = event.sequence_number() else {
                        gathered.then =
                            Then::Failed(self.ended("a message without sequence number"));
                        return gathered;
                    };
                    match order(next, sequence) {
                        Order::Again => {
                            metrics::counter!("ingest_repeated_messages_total", "source" => self.label.clone()).increment(1);
                            continue;
                        }
                        Order::Hole => {
                            gathered.then = Then::Hole(sequence);
                            return gathered;
                        }
                        Order::Next => {}
                    }
                    next += 1;
                    let body = event.event_data().body().map(<[u8]>::to_vec);
                    gathered.bytes += body.as_ref().map_or(0, Vec::len);
                    gathered.messages.push((sequence, body));
                }
            }
            if gathered.messages.len() >= self.config.batch_messages_max
                || gathered.bytes >= PUBLISH_BYTES_MAX
            {
                return gathered;
            }
            let batch_wait = Duration::from_millis(self.config.batch_wait_ms);
            until.get_or_insert_with(|| Instant::now() + batch_wait);
        }
    }

    /// Publishes, then moves the cursor, then writes the line: in this order nothing is lost.
    async fn keep(&self, gathered: Gathered, cursor: &mut Cursor) -> Result<(), IngestError> {
        let now_us = self.desk.clock.now_us();
        let from = cursor.next;
        let count = gathered.messages.len();
        let (tenant_id, place) = (self.desk.tenant_id.clone(), self.place());
        let messages = gathered.messages;
        let work = move || normalised(&messages, &tenant_id, &place, now_us);
        let made = self.desk.make(gathered.bytes, work).await?;
        let taken = self.desk.publish(SOURCE, made.what).await?;
        drop(made.held);
        cursor.next += i64::try_from(count).unwrap_or(i64::MAX);
        self.store(*cursor, taken).await?;
        let line =
            self.range(from, cursor.next)
                .line(CoverageState::Read, taken.published, "", now_us);
        self.desk.outlet.cover(vec![line]).await?;
        self.is_well();
        Ok(())
    }

    async fn store(&self, cursor: Cursor, taken: Taken) -> Result<(), IngestError> {
        let text = serde_json::to_string(&cursor).map_err(|error| IngestError::Answer {
            call: "cursor",
            found: error.to_string(),
        })?;
        self.desk
            .cursors
            .set(self.label.clone(), text, taken.covered())
            .await
    }

    async fn note_missing(
        &self,
        missing: Missing,
        state: CoverageState,
    ) -> Result<(), IngestError> {
        tracing::warn!(
            source = self.label,
            from = missing.from,
            to = missing.to,
            why = missing.why,
            "messages are missing"
        );
        let now_us = self.desk.clock.now_us();
        let line = self.range(missing.from, missing.to).line(
            state,
            Published::default(),
            missing.why,
            now_us,
        );
        self.desk.outlet.cover(vec![line]).await
    }

    /// Hub and partition, as positions name them.
    fn place(&self) -> String {
        format!("{}/{}", self.config.hub, self.id)
    }

    fn range(&self, from: i64, to: i64) -> CoverageRange<'_> {
        CoverageRange {
            tenant_id: &self.desk.tenant_id,
            source: SOURCE,
            kind: "range",
            subject: &self.label,
            from,
            to,
        }
    }

    fn ended(&self, reason: &str) -> IngestError {
        IngestError::EventHubs {
            call: "receive",
            hub: self.config.hub.clone(),
            reason: reason.to_owned(),
        }
    }

    fn failed(&self, error: &impl std::fmt::Display) -> IngestError {
        self.ended(&error.to_string())
    }
}

/// What messages hold.
fn normalised(
    messages: &[(i64, Option<Vec<u8>>)],
    tenant_id: &str,
    place: &str,
    now_us: i64,
) -> Normalised {
    let origin = Origin {
        tenant_id: Some(tenant_id),
        provenance: Provenance::Live,
        source: SOURCE,
        category: None,
        ingest_time_us: now_us,
        dates: Dates::OF_MICROSOFT,
    };
    let mut all = Normalised::default();
    for (sequence, body) in messages {
        let position = format!("{place}@{sequence}");
        match body {
            Some(body) => {
                let normalised = normalise(body, &position, &origin);
                all.events.extend(normalised.events);
                all.dead_letters.extend(normalised.dead_letters);
            }
            None => all.add_bad(
                Reason::NotTheFormat,
                "a message without data",
                b"",
                &position,
                &origin,
            ),
        }
    }
    all
}
