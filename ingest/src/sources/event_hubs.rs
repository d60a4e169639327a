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

use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::connection::Connection;
use self::partition::Partition;
use super::{Desk, guarded};
use crate::config::EventHubsConfig;
use crate::error::IngestError;

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

    pub(crate) fn label(&self) -> String {
        format!(
            "{SOURCE}/{}/{}/{}",
            self.desk.tenant_id, self.config.namespace, self.config.hub
        )
    }

    /// Reads all partitions until stopped.
    pub(crate) async fn turn(&mut self, stop: &CancellationToken) -> Result<Duration, IngestError> {
        let partitions = tokio::select! {
            () = stop.cancelled() => return Ok(Duration::ZERO),
            listed = self.partitions() => listed?,
        };
        let mut tasks = JoinSet::new();
        for id in partitions {
            let partition =
                Partition::new(self.desk.clone(), self.config.clone(), &self.label(), id);
            tasks.spawn(supervise(partition, stop.clone()));
        }
        while tasks.join_next().await.is_some() {}
        if stop.is_cancelled() {
            return Ok(Duration::ZERO);
        }
        Err(IngestError::Task {
            source_name: self.label(),
        })
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
        let mut ids = properties.partition_ids;
        ids.truncate(PARTITIONS_MAX);
        if ids.is_empty() {
            return Err(IngestError::EventHubs {
                call: "list partitions",
                hub: self.config.hub.clone(),
                reason: "it has none".to_owned(),
            });
        }
        Ok(ids)
    }
}

/// Reads a partition until stopped; a failure or panic opens it again after a wait.
async fn supervise(partition: Partition, stop: CancellationToken) {
    let mut wait = REOPEN_WAIT;
    while !stop.is_cancelled() {
        let (reader, reader_stop) = (partition.clone(), stop.clone());
        let run = guarded(async move { reader.read(&reader_stop).await }).await;
        let moved = match run {
            Some(Ok(moved)) => moved,
            Some(Err((moved, error))) => {
                tracing::warn!(
                    source = partition.label(),
                    error = &error as &dyn std::error::Error,
                    "partition is opened again"
                );
                moved
            }
            None => {
                tracing::error!(
                    source = partition.label(),
                    "the client failed: partition is opened again"
                );
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
}
