//! The embedded log: a durable bus in one SQLite file, for all stages in one process.
//!
//! Delivery: at least once; a publish is answered after its transaction is on disk (WAL,
//! `synchronous=FULL`). A topic has one partition, 0. A group has one member on a topic through one opened
//! handle and its clones: a second is an error. Several processes may open the file, as `vedette import`
//! does beside `vedette run`; each is its own member then, so groups must differ.
//!
//! Retention removes messages that are old and that every group has passed; a group is known from its first
//! subscription, so a group that is given up holds messages until it is forgotten ([`crate::Bus::forget`]).

mod consumer;
mod file;
mod lease;
mod reader;
mod retention;
#[cfg(test)]
mod tests;
mod watcher;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;
use schemas::environment::{Clock, SystemClock};
use schemas::limits::MESSAGE_BYTES_MAX;
use schemas::topics::Topic;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task;

pub(crate) use self::consumer::LogConsumer;
use self::consumer::{Members, Seats};
pub(crate) use self::lease::LogLease;
use self::reader::Reader;
use self::writer::{JOBS_MAX, Job, MakeDurable, Write, Writer, make_durable};
use crate::config::LogConfig;
use crate::error::BusError;
use crate::lease::Told;
use crate::message::{BusState, Message, Position, Recognised, check_sizes};

/// A handle of the embedded log.
#[derive(Clone)]
pub struct LogBus {
    path: Arc<PathBuf>,
    jobs: mpsc::Sender<Job>,
    written: watch::Receiver<()>,
    state: watch::Receiver<BusState>,
    reader: Reader,
    members: Members,
}

impl LogBus {
    pub(crate) async fn open(config: &LogConfig) -> Result<Self, BusError> {
        Self::open_at(config, Arc::new(SystemClock)).await
    }

    /// Opens it with another clock.
    async fn open_at(config: &LogConfig, clock: Arc<dyn Clock>) -> Result<Self, BusError> {
        let path = config.path.clone();
        let retention = Duration::from_secs(config.retention_hours.saturating_mul(3600));
        task::spawn_blocking(move || Self::start(path, retention, clock))
            .await
            .map_err(|_| BusError::ThreadEnded {
                doing: "open the log",
            })?
    }

    /// Opens the file and starts the threads; blocks.
    fn start(path: PathBuf, retention: Duration, clock: Arc<dyn Clock>) -> Result<Self, BusError> {
        let connection = file::open(&path)?;
        Self::start_on(connection, path, retention, clock, make_durable)
    }

    /// Starts the threads on a file that is open.
    fn start_on(
        connection: Connection,
        path: PathBuf,
        retention: Duration,
        clock: Arc<dyn Clock>,
        make_durable: MakeDurable,
    ) -> Result<Self, BusError> {
        let reader = Reader::open(&path)?;
        let watched = file::connect(&path)?;
        let (jobs, queue) = mpsc::channel(JOBS_MAX);
        let (told, written) = watch::channel(());
        let (tell_state, state) = watch::channel(BusState::Works);
        let create = |cause| BusError::LogCreate {
            path: path.clone(),
            cause,
        };
        watcher::start(watched, told.clone()).map_err(create)?;
        Writer {
            path: path.clone(),
            connection,
            clock,
            retention,
            written: told,
            state: tell_state,
            make_durable,
        }
        .start(queue)
        .map_err(create)?;
        Ok(Self {
            path: Arc::new(path),
            jobs,
            written,
            state,
            reader,
            members: Members::default(),
        })
    }

    pub(crate) async fn publish(
        &self,
        topic: Topic,
        messages: Vec<Message>,
    ) -> Result<Vec<Position>, BusError> {
        check_sizes(topic, &messages, MESSAGE_BYTES_MAX)?;
        let count = messages.len();
        if count == 0 {
            return Ok(Vec::new());
        }
        let placed = self.write(Write::Append(topic, messages)).await?;
        metrics::counter!("bus_published_total", "topic" => topic.name()).increment(count as u64);
        Ok(placed.into_iter().collect())
    }

    pub(crate) async fn subscribe(
        &self,
        group: &str,
        topics: &[Topic],
    ) -> Result<LogConsumer, BusError> {
        self.write(Write::Join(group.to_owned(), topics.to_vec()))
            .await?;
        self.browse(group, topics).await
    }

    /// Reads as a group that is known to nobody, or is already known.
    pub(crate) async fn browse(
        &self,
        group: &str,
        topics: &[Topic],
    ) -> Result<LogConsumer, BusError> {
        let seats = Seats::take(&self.members, group, topics)?;
        let mut positions = Vec::with_capacity(topics.len());
        for topic in topics {
            let next_offset = self.reader.committed(group, *topic).await?.unwrap_or(0);
            positions.push(Position {
                topic: *topic,
                partition: 0,
                next_offset,
                last: None,
            });
        }
        let path = Arc::clone(&self.path);
        let reader = task::spawn_blocking(move || Reader::open(&path))
            .await
            .map_err(|_| BusError::ThreadEnded {
                doing: "open the log",
            })??;
        Ok(LogConsumer::new(self.clone(), reader, positions, seats))
    }

    pub(crate) async fn lease(&self, name: &str, told: Told<'_>) -> Result<LogLease, BusError> {
        LogLease::take(&self.path, name, told).await
    }

    pub(crate) async fn ends(&self, topic: Topic) -> Result<Vec<Position>, BusError> {
        let next_offset = self.reader.end(topic).await?;
        Ok(vec![Position {
            topic,
            partition: 0,
            next_offset,
            last: None,
        }])
    }

    pub(crate) async fn recognise(
        &self,
        positions: &[Position],
    ) -> Result<Vec<Recognised>, BusError> {
        let mut recognised = Vec::with_capacity(positions.len());
        for position in positions {
            recognised.push(self.reader.recognise(*position).await?);
        }
        Ok(recognised)
    }

    pub(crate) async fn groups(&self) -> Result<Vec<(String, Topic)>, BusError> {
        self.reader.groups().await
    }

    pub(crate) async fn forget(&self, group: &str) -> Result<(), BusError> {
        self.write(Write::Forget(group.to_owned())).await.map(drop)
    }

    pub(crate) async fn committed(
        &self,
        group: &str,
        topic: Topic,
    ) -> Result<Vec<Position>, BusError> {
        let committed = self.reader.committed(group, topic).await?;
        let end = self.reader.end(topic).await?;
        Ok(committed
            .filter(|next_offset| *next_offset <= end)
            .map(|next_offset| Position {
                topic,
                partition: 0,
                next_offset,
                // It is in the same file as what it is a position of.
                last: None,
            })
            .into_iter()
            .collect())
    }

    /// Hands `write` to the writer and waits until it is durable; the position after what was appended, if anything was.
    async fn write(&self, write: Write) -> Result<Option<Position>, BusError> {
        let (done, answer) = oneshot::channel();
        self.jobs
            .send(Job { write, done })
            .await
            .map_err(|_| self.ended())?;
        answer.await.map_err(|_| self.ended())?
    }

    pub(crate) fn state(&self) -> watch::Receiver<BusState> {
        self.state.clone()
    }

    fn written(&self) -> watch::Receiver<()> {
        self.written.clone()
    }

    fn ended(&self) -> BusError {
        BusError::LogEnded {
            path: self.path.as_ref().clone(),
        }
    }
}
