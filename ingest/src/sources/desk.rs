//! What every live source has at hand.

use std::collections::HashSet;
use std::sync::Arc;

use microsoft::{Audience, TenantClient, Url};
use schemas::environment::Clock;
use schemas::health::Health;
use schemas::ids;

use crate::cursor::Cursors;
use crate::error::IngestError;
use crate::normalise::Normalised;
use crate::outlet::{Outlet, Taken};
use crate::workbench::{Made, Workbench};

/// What every live source has at hand.
#[derive(Clone)]
pub(crate) struct Desk {
    /// The tenant's id, in lower case.
    pub(crate) tenant_id: String,
    pub(crate) microsoft: TenantClient,
    pub(crate) outlet: Outlet,
    pub(crate) cursors: Cursors,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) health: Health,
    pub(crate) workbench: Workbench,
}

impl Desk {
    /// What time it is where the records are made, in microseconds since the Unix epoch; ours until Microsoft has said.
    ///
    /// A cursor of times that follows our own clock would jump with it, and skip what it jumped over.
    pub(crate) fn server_now_us(&self, audience: Audience) -> i64 {
        let told = self.microsoft.server_time_us(audience);
        told.unwrap_or_else(|| self.clock.now_us())
    }

    /// Publishes records of the tenant, and returns when they are durable.
    pub(crate) async fn publish(
        &self,
        source: &'static str,
        records: Normalised,
    ) -> Result<Taken, IngestError> {
        self.outlet.publish(&self.tenant_id, source, records).await
    }

    /// Makes records of `bytes` bytes of the tenant, once there is room for them before the lake.
    ///
    /// Who waits for room holds nothing that others wait for.
    pub(crate) async fn make<T: Send + 'static>(
        &self,
        bytes: usize,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Made<T>, IngestError> {
        self.outlet.room(&self.tenant_id).await;
        self.workbench.make(bytes, work).await
    }
}

/// The pages of a listing that were read: their links' hashes, because a link can be long.
#[derive(Debug, Default)]
pub(crate) struct PagesRead(HashSet<String>);

impl PagesRead {
    /// Notes that the page at `url` is read; false if it was already.
    pub(crate) fn note(&mut self, url: &Url) -> bool {
        self.0.insert(ids::hex(&[url.as_str().as_bytes()]))
    }

    /// How many were read.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
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
