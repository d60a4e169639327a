//! The journal for asynchronous callers.

use std::sync::Arc;

use super::{Journal, JournalError};

/// The journal for asynchronous callers: each call runs where it may block.
#[derive(Clone)]
pub struct Ledger(Arc<dyn Journal>);

impl Ledger {
    /// Wraps a journal.
    pub fn new(journal: Arc<dyn Journal>) -> Self {
        Self(journal)
    }

    /// Does `work` with the journal, off the asynchronous threads.
    ///
    /// # Errors
    /// What `work` says; [`JournalError::Closed`] if the process is ending.
    pub async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Journal) -> Result<T, JournalError> + Send + 'static,
    ) -> Result<T, JournalError> {
        let journal = Arc::clone(&self.0);
        tokio::task::spawn_blocking(move || work(journal.as_ref()))
            .await
            .map_err(|_| JournalError::Closed)?
    }
}
