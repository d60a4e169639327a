//! What a live source answers, and how it is made.

use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::desk::Desk;
use crate::error::IngestError;

/// A live source of one tenant.
#[async_trait]
pub(crate) trait LiveSource: Send {
    /// Its name in cursors, metrics and health: no other source of any tenant has it.
    fn label(&self) -> String;

    /// Reads what there is, and says how long to wait before the next turn.
    ///
    /// A turn of a polling source ends by itself; one of Event Hubs when it is stopped or fails.
    async fn turn(&mut self, stop: &CancellationToken) -> Result<Duration, IngestError>;
}

/// A source by its label, and how it is made anew after a fault.
pub(crate) struct MadeSource {
    pub(crate) label: String,
    pub(crate) make: Box<dyn Fn() -> Box<dyn LiveSource> + Send>,
}

/// The sources of a tenant, as they are listed.
pub(crate) struct TenantSources<'a> {
    pub(crate) desk: &'a Desk,
    pub(crate) made: Vec<MadeSource>,
}

impl TenantSources<'_> {
    /// Adds a source for each of these configurations.
    pub(crate) fn add<'c, C, S>(
        &mut self,
        configs: impl IntoIterator<Item = &'c C>,
        new: fn(Desk, C) -> S,
    ) where
        C: Clone + Send + 'static,
        S: LiveSource + 'static,
    {
        for config in configs {
            let (desk, config) = (self.desk.clone(), config.clone());
            self.made.push(MadeSource {
                label: new(desk.clone(), config.clone()).label(),
                make: Box::new(move || Box::new(new(desk.clone(), config.clone()))),
            });
        }
    }
}
