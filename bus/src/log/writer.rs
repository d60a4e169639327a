//! The one thread that writes the embedded log: what waits together is committed together.
//!
//! ```text
//! publish, commit ──64 jobs──▶ writer ─▶ one transaction ─▶ fsync ─▶ answers
//!                    full: the caller waits.
//! ```

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, Transaction, TransactionBehavior, params};
use schemas::environment::Clock;
use schemas::fate::{Fate, chain};
use schemas::topics::Topic;
use tokio::sync::{mpsc, oneshot, watch};

use super::file::{OFFSET_BITS, translate_shared};
use super::retention;
use crate::error::BusError;
use crate::message::{BusState, Message, Position};

/// Most jobs that wait for the writer.
pub(super) const JOBS_MAX: usize = 64;

/// Most bytes of messages in one transaction, so that one publisher does not wait long for the others.
const TRANSACTION_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Shortest time between two looks for messages to remove.
const SWEEP_INTERVAL: Duration = Duration::from_mins(1);

/// Something to write.
pub(super) struct Job {
    pub(super) write: Write,
    /// Told when it is durable, and the position after what was appended.
    pub(super) done: oneshot::Sender<Result<Option<Position>, BusError>>,
}

/// What to write.
pub(super) enum Write {
    /// Messages at the end of a topic.
    Append(Topic, Vec<Message>),
    /// A group becomes known on topics, so that retention waits for it.
    Join(String, Vec<Topic>),
    /// A group's positions.
    Commit(String, Vec<Position>),
    /// A group is known no more, so that retention waits for it no more.
    Forget(String),
}

impl Write {
    fn bytes(&self) -> usize {
        match self {
            Self::Append(_, messages) => messages.iter().map(Message::bytes).sum(),
            Self::Join(..) | Self::Commit(..) | Self::Forget(..) => 0,
        }
    }
}

/// What ends a transaction.
pub(super) type MakeDurable = for<'a> fn(Transaction<'a>) -> rusqlite::Result<()>;

/// The writer's own things.
pub(super) struct Writer {
    pub(super) path: PathBuf,
    pub(super) connection: Connection,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) retention: Duration,
    /// Told after every transaction.
    pub(super) written: watch::Sender<()>,
    /// Told how the writer stands.
    pub(super) state: watch::Sender<BusState>,
    /// Makes a transaction durable; another in tests of what a disk can do then.
    pub(super) make_durable: MakeDurable,
}

impl Writer {
    /// Starts the thread; it ends when every sender of `jobs` is gone.
    pub(super) fn start(mut self, mut jobs: mpsc::Receiver<Job>) -> std::io::Result<()> {
        thread::Builder::new()
            .name("bus-log-writer".to_owned())
            .spawn(move || {
                let mut swept: Option<Instant> = None;
                loop {
                    if swept.is_none_or(|at| at.elapsed() >= SWEEP_INTERVAL) {
                        self.sweep();
                        swept = Some(Instant::now());
                    }
                    let Some(first) = jobs.blocking_recv() else {
                        break;
                    };
                    if self.serve(gather(first, &mut jobs)).is_break() {
                        break;
                    }
                }
            })?;
        Ok(())
    }

    /// Writes `batch` in one transaction and answers.
    ///
    /// Breaks when the file's state is in doubt, as after a failed fsync: nothing more is promised then.
    fn serve(&mut self, batch: Vec<Job>) -> ControlFlow<()> {
        let (writes, answers): (Vec<_>, Vec<_>) =
            batch.into_iter().map(|job| (job.write, job.done)).unzip();
        let outcome = self.write(&writes).map_err(Arc::new);
        if outcome.is_ok() {
            self.written.send_replace(());
        }
        let mut in_doubt = false;
        let state = match &outcome {
            Ok(_) => BusState::Works,
            Err(cause) => state_after(&translate_shared(&self.path, cause)),
        };
        // Before the answers: whoever is told of an end finds it noted.
        self.state.send_if_modified(|known| {
            let is_news = *known != state;
            *known = state;
            is_news
        });
        for (at, done) in answers.into_iter().enumerate() {
            let answer = match &outcome {
                Ok(placed) => Ok(placed.get(at).copied().flatten()),
                Err(cause) => Err(translate_shared(&self.path, cause)),
            };
            in_doubt |= matches!(
                answer,
                Err(BusError::Log { .. } | BusError::LogDamaged { .. })
            );
            // A caller that no longer waits has no use for the answer.
            drop(done.send(answer));
        }
        if let Err(cause) = &outcome {
            tracing::warn!(path = %self.path.display(), error = %cause, "could not write the log");
        }
        if in_doubt {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    /// The position after what each of them appended.
    fn write(&mut self, writes: &[Write]) -> rusqlite::Result<Vec<Option<Position>>> {
        let now_us = self.clock.now_us();
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut placed = Vec::with_capacity(writes.len());
        for write in writes {
            placed.push(match write {
                Write::Append(topic, messages) => append(&transaction, *topic, messages, now_us)?,
                Write::Join(group, topics) => {
                    join(&transaction, group, topics)?;
                    None
                }
                Write::Commit(group, positions) => {
                    commit(&transaction, group, positions)?;
                    None
                }
                Write::Forget(group) => {
                    transaction
                        .prepare_cached("DELETE FROM positions WHERE name = ?1")?
                        .execute([group])?;
                    None
                }
            });
        }
        (self.make_durable)(transaction)?;
        Ok(placed)
    }

    fn sweep(&mut self) {
        let before_us = self
            .clock
            .now_us()
            .saturating_sub(i64::try_from(self.retention.as_micros()).unwrap_or(i64::MAX));
        match retention::sweep(&mut self.connection, before_us) {
            Ok(0) => {}
            Ok(removed) => {
                metrics::counter!("bus_log_removed_total").increment(removed);
                tracing::info!(removed, "removed messages that every group has passed");
            }
            // A full disk or a busy file passes; damage is met by the next write as well.
            Err(cause) => {
                tracing::warn!(error = %cause, "could not remove old messages from the log");
            }
        }
    }
}

/// As SQLite does it: an fsync of the write-ahead log.
pub(super) fn make_durable(transaction: Transaction<'_>) -> rusqlite::Result<()> {
    transaction.commit()
}

/// How the log stands after a write failed.
fn state_after(error: &BusError) -> BusState {
    let why = chain(error);
    match error.fate() {
        Fate::Stop => BusState::Ended { why },
        Fate::Retry { .. } | Fate::DeadLetter => BusState::Delayed { why },
    }
}

fn gather(first: Job, jobs: &mut mpsc::Receiver<Job>) -> Vec<Job> {
    let mut bytes = first.write.bytes();
    let mut batch = vec![first];
    while batch.len() < JOBS_MAX && bytes < TRANSACTION_BYTES_MAX {
        let Ok(job) = jobs.try_recv() else { break };
        bytes += job.write.bytes();
        batch.push(job);
    }
    batch
}

/// The topic's id and next offset; the topic is created where there is none.
fn topic_row(transaction: &Transaction<'_>, topic: Topic) -> rusqlite::Result<(i64, i64)> {
    transaction
        .prepare_cached(
            "INSERT INTO topics (name) VALUES (?1)
             ON CONFLICT (name) DO UPDATE SET name = name RETURNING id, next_offset",
        )?
        .query_row([topic.name()], |row| Ok((row.get(0)?, row.get(1)?)))
}

fn append(
    transaction: &Transaction<'_>,
    topic: Topic,
    messages: &[Message],
    now_us: i64,
) -> rusqlite::Result<Option<Position>> {
    let (id, mut next_offset) = topic_row(transaction, topic)?;
    let mut insert = transaction.prepare_cached(
        "INSERT INTO messages (place, written_us, key, payload) VALUES (?1, ?2, ?3, ?4)",
    )?;
    for message in messages {
        insert.execute(params![
            (id << OFFSET_BITS) | next_offset,
            now_us,
            message.key,
            message.payload
        ])?;
        next_offset += 1;
    }
    transaction
        .prepare_cached("UPDATE topics SET next_offset = ?2 WHERE id = ?1")?
        .execute([id, next_offset])?;
    Ok(messages
        .last()
        .map(|last| last.after((topic, 0, next_offset - 1), now_us)))
}

fn join(transaction: &Transaction<'_>, group: &str, topics: &[Topic]) -> rusqlite::Result<()> {
    for topic in topics {
        let (id, _) = topic_row(transaction, *topic)?;
        transaction
            .prepare_cached("INSERT OR IGNORE INTO positions (name, topic) VALUES (?1, ?2)")?
            .execute(params![group, id])?;
    }
    Ok(())
}

fn commit(
    transaction: &Transaction<'_>,
    group: &str,
    positions: &[Position],
) -> rusqlite::Result<()> {
    for position in positions {
        let (id, _) = topic_row(transaction, position.topic)?;
        transaction
            .prepare_cached(
                "INSERT INTO positions (name, topic, next_offset) VALUES (?1, ?2, ?3)
                 ON CONFLICT (name, topic) DO UPDATE SET next_offset = excluded.next_offset",
            )?
            .execute(params![group, id, position.next_offset])?;
    }
    Ok(())
}
