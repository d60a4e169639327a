//! The sources: one file per connector.

pub(crate) mod event_hubs;
pub mod files;
pub(crate) mod graph_alerts;
pub(crate) mod management_activity;

use std::sync::Arc;
use std::time::Duration;

use microsoft::TenantClient;
use schemas::environment::Clock;
use tokio_util::sync::CancellationToken;

use crate::cursor::Cursors;
use crate::error::IngestError;
use crate::outlet::Outlet;

/// What every live source has at hand.
#[derive(Clone)]
pub(crate) struct Desk {
    /// The tenant's id, in lower case.
    pub(crate) tenant_id: String,
    pub(crate) microsoft: TenantClient,
    pub(crate) outlet: Outlet,
    pub(crate) cursors: Cursors,
    pub(crate) clock: Arc<dyn Clock>,
}

/// The live sources. Nothing outside this list is read.
pub(crate) enum Source {
    EventHubs(event_hubs::EventHubs),
    ManagementActivity(management_activity::ManagementActivity),
    GraphAlerts(graph_alerts::GraphAlerts),
}

impl Source {
    /// Which source of which tenant, for logs and metrics.
    pub(crate) fn label(&self) -> String {
        match self {
            Self::EventHubs(source) => source.label(),
            Self::ManagementActivity(source) => source.label(),
            Self::GraphAlerts(source) => source.label(),
        }
    }

    /// Reads what there is, and says how long to wait before the next turn.
    ///
    /// A turn of a polling source ends by itself; one of Event Hubs when it is stopped or fails.
    pub(crate) async fn turn(&mut self, stop: &CancellationToken) -> Result<Duration, IngestError> {
        match self {
            Self::EventHubs(source) => source.turn(stop).await,
            Self::ManagementActivity(source) => source.poll(stop).await,
            Self::GraphAlerts(source) => source.poll(stop).await,
        }
    }
}

/// Tells the world that a source has been read to its present end.
pub(crate) fn is_fresh(label: &str, now_us: i64) {
    #[expect(
        clippy::cast_precision_loss,
        reason = "seconds since 1970 fit a double with microseconds to spare"
    )]
    let seconds = now_us as f64 / 1e6;
    metrics::gauge!("ingest_source_last_success_timestamp_seconds", "source" => label.to_owned())
        .set(seconds);
}
