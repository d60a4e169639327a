//! What a task does when something failed: it waits as the error's fate says.

use schemas::fate::Fate;
use tokio_util::sync::CancellationToken;

use crate::error::RespondError;

/// Waits as an error's fate says, or gives the error back if waiting cannot help or the stage is stopped.
pub(super) async fn obey(
    error: RespondError,
    task: &'static str,
    stop: &CancellationToken,
) -> Result<(), RespondError> {
    let Fate::Retry { after } = error.fate() else {
        return Err(error);
    };
    tracing::warn!(task, error = %error, cause = ?std::error::Error::source(&error), "trying again");
    metrics::counter!("respond_retries_total", "task" => task).increment(1);
    tokio::select! {
        () = stop.cancelled() => Err(error),
        () = tokio::time::sleep(after) => Ok(()),
    }
}
