//! The sources: one file per connector.

pub(crate) mod desk;
pub(crate) mod directory;
pub(crate) mod event_hubs;
pub mod files;
pub(crate) mod graph_alerts;
pub(crate) mod management_activity;

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::error::IngestError;

/// The live sources. Nothing outside this list is read.
pub(crate) enum Source {
    EventHubs(event_hubs::EventHubs),
    ManagementActivity(management_activity::ManagementActivity),
    GraphAlerts(graph_alerts::GraphAlerts),
    Directory(directory::Directory),
}

impl Source {
    /// Reads what there is, and says how long to wait before the next turn.
    ///
    /// A turn of a polling source ends by itself; one of Event Hubs when it is stopped or fails.
    pub(crate) async fn turn(&mut self, stop: &CancellationToken) -> Result<Duration, IngestError> {
        match self {
            Self::EventHubs(source) => source.turn(stop).await,
            Self::ManagementActivity(source) => source.poll(stop).await,
            Self::GraphAlerts(source) => source.poll(stop).await,
            Self::Directory(source) => source.poll(stop).await,
        }
    }
}
