//! Reads the embedded log, on threads where blocking is allowed.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OptionalExtension as _, params};
use schemas::topics::Topic;
use tokio::task;

use super::file::{self, OFFSET_BITS, OFFSET_MASK};
use crate::error::BusError;
use crate::message::{Delivery, Position, Recognised};

/// Most bytes that one read brings, but for a first message that is larger.
pub(super) const READ_BYTES_MAX: usize = 32 * 1024 * 1024;

/// A connection that only reads. Cheap to clone; clones take turns.
#[derive(Clone)]
pub(super) struct Reader {
    path: PathBuf,
    connection: Arc<Mutex<Connection>>,
}

impl Reader {
    /// Opens it; blocks.
    pub(super) fn open(path: &Path) -> Result<Self, BusError> {
        let connection = file::connect(path)?;
        connection
            .pragma_update(None, "query_only", true)
            .map_err(|cause| file::translate(path, cause))?;
        Ok(Self {
            path: path.to_owned(),
            connection: Arc::new(Mutex::new(connection)),
        })
    }

    /// Runs `read` off the runtime.
    async fn run<T: Send + 'static>(
        &self,
        doing: &'static str,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, BusError> {
        let connection = Arc::clone(&self.connection);
        task::spawn_blocking(move || {
            // A read that panicked left nothing half-done in a connection that only reads.
            read(&connection.lock().unwrap_or_else(PoisonError::into_inner))
        })
        .await
        .map_err(|_| BusError::ThreadEnded { doing })?
        .map_err(|cause| file::translate(&self.path, cause))
    }

    /// The offset after the last message of a topic.
    pub(super) async fn end(&self, topic: Topic) -> Result<i64, BusError> {
        self.run("read the end of a topic", move |connection| {
            Ok(topic_row(connection, topic)?.map_or(0, |(_, next_offset)| next_offset))
        })
        .await
    }

    /// What a group has committed on a topic.
    pub(super) async fn committed(
        &self,
        group: &str,
        topic: Topic,
    ) -> Result<Option<i64>, BusError> {
        let group = group.to_owned();
        self.run("read a position", move |connection| {
            let row = connection
                .prepare_cached(
                    "SELECT p.next_offset FROM positions p JOIN topics t ON t.id = p.topic
                     WHERE p.name = ?1 AND t.name = ?2",
                )?
                .query_row(params![group, topic.name()], |row| row.get(0))
                .optional()?;
            Ok(row.flatten())
        })
        .await
    }

    /// Every group that is known, with each topic of it.
    pub(super) async fn groups(&self) -> Result<Vec<(String, Topic)>, BusError> {
        self.run("read the groups", |connection| {
            let mut select = connection.prepare_cached(
                "SELECT p.name, t.name FROM positions p JOIN topics t ON t.id = p.topic ORDER BY p.name, t.name",
            )?;
            let rows = select.query_map([], |row| {
                let topic: String = row.get(1)?;
                Ok(Topic::of_name(&topic).map(|topic| (row.get(0), topic)))
            })?;
            let known = rows.filter_map(Result::transpose);
            known
                .map(|row| row.and_then(|(group, topic)| Ok((group?, topic))))
                .collect()
        })
        .await
    }

    /// What the file has of a position.
    pub(super) async fn recognise(&self, position: Position) -> Result<Recognised, BusError> {
        self.run("look up a position", move |connection| {
            let Some((id, end)) = topic_row(connection, position.topic)? else {
                return Ok(Recognised::of(position, (0, 0), None));
            };
            let first: Option<i64> = connection
                .prepare_cached("SELECT min(place) FROM messages WHERE place >= ?1 AND place < ?2")?
                .query_row([id << OFFSET_BITS, (id + 1) << OFFSET_BITS], |row| {
                    row.get(0)
                })?;
            let first = first.map_or(end, |place| place & OFFSET_MASK);
            let before = Position {
                next_offset: position.next_offset.saturating_sub(1),
                ..position
            };
            let found = read(connection, &[before], 1)?;
            let at_last = found
                .first()
                .filter(|found| found.offset == before.next_offset);
            Ok(Recognised::of(position, (first, end), at_last))
        })
        .await
    }

    /// Messages from `positions` on, up to `records_max`; the first position is read first.
    pub(super) async fn read(
        &self,
        positions: Vec<Position>,
        records_max: usize,
    ) -> Result<Vec<Delivery>, BusError> {
        self.run("read messages", move |connection| {
            read(connection, &positions, records_max)
        })
        .await
    }
}

fn topic_row(connection: &Connection, topic: Topic) -> rusqlite::Result<Option<(i64, i64)>> {
    connection
        .prepare_cached("SELECT id, next_offset FROM topics WHERE name = ?1")?
        .query_row([topic.name()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
}

fn read(
    connection: &Connection,
    positions: &[Position],
    records_max: usize,
) -> rusqlite::Result<Vec<Delivery>> {
    let topics: HashMap<String, (i64, i64)> = connection
        .prepare_cached("SELECT name, id, next_offset FROM topics")?
        .query_map([], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))))?
        .collect::<rusqlite::Result<_>>()?;
    let mut records = Vec::new();
    let mut bytes = 0;
    for position in positions {
        let Some((id, end)) = topics.get(&position.topic.name()) else {
            continue;
        };
        if position.next_offset >= *end {
            continue;
        }
        let first = (id << OFFSET_BITS) | position.next_offset.max(0);
        let mut select = connection.prepare_cached(
            "SELECT place, key, payload, written_us FROM messages WHERE place >= ?1 AND place < ?2 ORDER BY place",
        )?;
        let mut rows = select.query([first, (id << OFFSET_BITS) | end])?;
        while records.len() < records_max && bytes < READ_BYTES_MAX {
            let Some(row) = rows.next()? else { break };
            let place: i64 = row.get(0)?;
            let delivery = Delivery {
                topic: position.topic,
                partition: 0,
                offset: place & OFFSET_MASK,
                key: row.get(1)?,
                payload: row.get(2)?,
                published_us: row.get(3)?,
            };
            bytes += delivery.bytes();
            records.push(delivery);
        }
        if records.len() >= records_max || bytes >= READ_BYTES_MAX {
            break;
        }
    }
    Ok(records)
}
