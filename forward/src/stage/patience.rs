//! What a loop does when the bus failed: it waits as the error's fate says.

use schemas::fate::{Fate, chain};
use tokio_util::sync::CancellationToken;

use crate::error::ForwardError;

/// Waits as an error's fate says, or gives the error back if waiting cannot help or the stage is stopped.
pub(super) async fn obey(
    error: ForwardError,
    destination: &str,
    stop: &CancellationToken,
) -> Result<(), ForwardError> {
    let Fate::Retry { after } = error.fate() else {
        return Err(error);
    };
    tracing::warn!(destination, error = chain(&error), "trying again");
    tokio::select! {
        () = stop.cancelled() => Err(error),
        () = tokio::time::sleep(after) => Ok(()),
    }
}
