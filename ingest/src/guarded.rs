//! Work whose panic ends it alone.

use tokio::task::JoinSet;

/// Runs work where a panic ends it alone; none if it did. Dropping the future ends the work.
pub(crate) async fn guarded<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> Option<T> {
    let mut tasks = JoinSet::new();
    tasks.spawn(work);
    tasks.join_next().await?.ok()
}
