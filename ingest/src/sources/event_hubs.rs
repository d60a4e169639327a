//! `event_hubs` source: Entra's diagnostic records from Azure Event Hubs.
//!
//! Delivery: at least once. The cursor of a partition moves only after the bus has taken every record before it.
//! Protocol: AMQP 1.0 through the crate `azure_messaging_eventhubs`; one message is `{"records":[…]}`.
//!
//! The client reattaches a lost link at the position it was first opened with, without a word. So every receiver is
//! opened at an explicit sequence number, never at "latest"; the client's own retries are off; and every sequence
//! number is checked: a lower one is dropped, a hole ends the receiver, which is opened again where it was left.
//! Every call has a time limit, because a send can hang for ever, and every partition a task of its own, because
//! the client can panic on an answer that it does not expect.
//!
//! ```text
//! partition ──prefetch──▶ n messages or t ms ─▶ normalise ─▶ publish ─▶ cursor ─▶ ledger
//!             full: the link's credit is not renewed; the hub keeps the rest
//! ```

mod connection;
mod partition;
mod position;

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::connection::Connection;
use self::partition::Partition;
use super::desk::Desk;
use super::live_source::LiveSource;
use crate::config::EventHubsConfig;
use crate::error::IngestError;
use crate::failures::Failures;
use crate::guarded::guarded;

/// Name of the source in events.
pub(crate) const SOURCE: &str = "event_hubs";

/// First wait before a partition is opened again; it doubles with each failure.
const REOPEN_WAIT: Duration = Duration::from_millis(100);

/// Longest wait before a partition is opened again.
const REOPEN_WAIT_MAX: Duration = Duration::from_secs(30);

/// Most partitions of a hub: dedicated clusters allow 1,024.
const PARTITIONS_MAX: usize = 1_024;

/// The source.
pub(crate) struct EventHubs {
    desk: Desk,
    config: EventHubsConfig,
}

impl EventHubs {
    pub(crate) fn new(desk: Desk, config: EventHubsConfig) -> Self {
        Self { desk, config }
    }
}

#[async_trait]
impl LiveSource for EventHubs {
    fn label(&self) -> String {
        format!(
            "{SOURCE}/{}/{}/{}",
            self.desk.tenant_id, self.config.namespace, self.config.hub
        )
    }

    /// Reads all partitions until stopped, also those that are added meanwhile.
    async fn turn(&mut self, stop: &CancellationToken) -> Result<Duration, IngestError> {
        let listed = tokio::select! {
            () = stop.cancelled() => return Ok(Duration::ZERO),
            listed = self.partitions() => listed?,
        };
        // A turn goes on as long as all is well, so it is told here.
        self.desk.health.well(&format!("ingest/{}", self.label()));
        let mut readers = Readers::default();
        self.follow(listed, &mut readers, stop).await?;
        let mut failures = Failures::default();
        let part = format!("ingest/{}/partitions", self.label());
        let every = Duration::from_millis(self.config.partitions_ms.max(1));
        loop {
            let listed = tokio::select! {
                () = stop.cancelled() => break,
                ended = readers.ended() => {
                    ended?;
                    continue;
                }
                listed = async {
                    tokio::time::sleep(every).await;
                    self.partitions().await
                } => listed,
            };
            match listed {
                Ok(listed) => {
                    failures.end();
                    self.desk.health.well(&part);
                    self.follow(listed, &mut readers, stop).await?;
                }
                // Those that are known are read on.
                Err(error) => self.note_unlisted(&part, &error, &mut failures),
            }
        }
        while !readers.tasks.is_empty() {
            readers.ended().await?;
        }
        Ok(Duration::ZERO)
    }
}

impl EventHubs {
    fn note_unlisted(&self, part: &str, error: &IngestError, failures: &mut Failures) {
        let now_us = self.desk.clock.now_us();
        self.desk.health.trouble(part, error.to_string(), now_us);
        if let Some(times) = failures.note(&error.kind()) {
            tracing::warn!(
                source = self.label(),
                times,
                error = error as &dyn std::error::Error,
                "could not ask which partitions there are"
            );
        }
    }

    /// Starts to read partitions that are new, and ends to read those that are gone.
    async fn follow(
        &self,
        listed: Vec<String>,
        readers: &mut Readers,
        stop: &CancellationToken,
    ) -> Result<(), IngestError> {
        let partition =
            |id: String| Partition::new(self.desk.clone(), self.config.clone(), &self.label(), id);
        let gone = readers.stops.keys().filter(|id| !listed.contains(*id));
        for id in gone.cloned().collect::<Vec<_>>() {
            if let Some(stop) = readers.stops.remove(&id) {
                stop.cancel();
            }
            partition(id).note_gone().await?;
        }
        for id in listed {
            if readers.stops.contains_key(&id) {
                continue;
            }
            let stop = stop.child_token();
            readers
                .tasks
                .spawn(supervise(partition(id.clone()), stop.clone()));
            readers.stops.insert(id, stop);
        }
        Ok(())
    }

    /// Asks for the partitions in a task of its own: the client can panic on the answer.
    async fn partitions(&self) -> Result<Vec<String>, IngestError> {
        let (desk, config) = (self.desk.clone(), self.config.clone());
        let asked = guarded(async move {
            let connection = Connection::open(&desk, &config).await?;
            let properties = connection.hub_properties().await;
            connection.close().await;
            properties
        });
        let properties = asked.await.ok_or(IngestError::Task {
            source_name: self.label(),
        })??;
        let ids = properties.partition_ids;
        let refused = |reason| IngestError::EventHubs {
            call: "list partitions",
            hub: self.config.hub.clone(),
            reason,
        };
        match ids.len() {
            0 => Err(refused("it has none".to_owned())),
            1..=PARTITIONS_MAX => Ok(ids),
            // To read some of them would look like all.
            many => Err(refused(format!(
                "it has {many}, and no more than {PARTITIONS_MAX} are read"
            ))),
        }
    }
}

/// The tasks that read partitions.
#[derive(Default)]
struct Readers {
    tasks: JoinSet<Result<(), IngestError>>,
    /// By partition, what ends its reader.
    stops: BTreeMap<String, CancellationToken>,
}

impl Readers {
    /// Waits until a reader has ended; for ever where there is none.
    async fn ended(&mut self) -> Result<(), IngestError> {
        match self.tasks.join_next().await {
            Some(Ok(ended)) => ended,
            Some(Err(_)) => Err(IngestError::Task {
                source_name: SOURCE.to_owned(),
            }),
            None => std::future::pending().await,
        }
    }
}

/// Reads a partition until stopped; a failure or panic opens it again after a wait.
///
/// # Errors
/// What no other partition can go on after either.
async fn supervise(partition: Partition, stop: CancellationToken) -> Result<(), IngestError> {
    let mut wait = REOPEN_WAIT;
    let mut failures = Failures::default();
    while !stop.is_cancelled() {
        let (reader, reader_stop) = (partition.clone(), stop.clone());
        let run = guarded(async move { reader.read(&reader_stop).await }).await;
        let moved = match run {
            Some(Ok(moved)) => moved,
            Some(Err((_, error))) if error.ends_all() => return Err(error),
            Some(Err((moved, error))) => {
                if moved {
                    failures.end();
                }
                partition.note_failure(&error, &mut failures);
                moved
            }
            None => {
                let error = IngestError::Task {
                    source_name: partition.label().to_owned(),
                };
                partition.note_failure(&error, &mut failures);
                false
            }
        };
        metrics::counter!("ingest_source_restarts_total", "source" => partition.label().to_owned())
            .increment(1);
        wait = if moved {
            REOPEN_WAIT
        } else {
            (wait * 2).min(REOPEN_WAIT_MAX)
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
    Ok(())
}
