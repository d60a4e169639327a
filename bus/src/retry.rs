//! What a loop does after an error: it waits as the error's fate says, until somebody tells it to stop.
//!
//! It stands here because every stage has a bus, and only what waits needs it.

use std::time::Duration;

use schemas::fate::{Fate, HasFate, chain};
use tokio_util::sync::CancellationToken;

/// Waits as the error's fate says before another try of `task`.
///
/// # Errors
/// The error itself, if another try cannot help or `stop` came meanwhile: whoever is told to stop leaves what it could
/// not do by `?`, and the stage ends by [`ended`].
pub async fn retry_or_stop<E: HasFate>(
    error: E,
    task: &str,
    stop: &CancellationToken,
) -> Result<(), E> {
    match error.fate() {
        Fate::Retry { after } => wait_or_stop(error, task, after, stop).await,
        Fate::DeadLetter | Fate::Stop => Err(error),
    }
}

/// Waits this long before another try of `task`, whatever the error's fate.
///
/// # Errors
/// The error itself, if `stop` came meanwhile.
pub async fn wait_or_stop<E: HasFate>(
    error: E,
    task: &str,
    wait: Duration,
    stop: &CancellationToken,
) -> Result<(), E> {
    let wait_ms = wait.as_millis();
    tracing::warn!(task, error = chain(&error), wait_ms, "trying again");
    metrics::counter!("retries_total", "task" => task.to_owned()).increment(1);
    tokio::select! {
        () = stop.cancelled() => Err(error),
        () = tokio::time::sleep(wait) => Ok(()),
    }
}

/// What a stage ended with: what it would have tried again, had nobody told it to stop, is no failure.
///
/// # Errors
/// The stage's own error otherwise.
pub fn ended<E: HasFate>(outcome: Result<(), E>, stop: &CancellationToken) -> Result<(), E> {
    match outcome {
        Err(error) if stop.is_cancelled() && matches!(error.fate(), Fate::Retry { .. }) => {
            tracing::info!(error = chain(&error), "cut short by the stop");
            Ok(())
        }
        outcome => outcome,
    }
}

#[cfg(test)]
mod tests {
    use super::{ended, retry_or_stop};
    use schemas::fate::{Fate, HasFate};
    use std::time::{Duration, Instant};
    use tokio_util::sync::CancellationToken;

    #[derive(Debug, thiserror::Error)]
    #[error("failed")]
    struct Failed(Fate);

    impl HasFate for Failed {
        fn fate(&self) -> Fate {
            self.0
        }
    }

    const AGAIN: Fate = Fate::Retry {
        after: Duration::from_millis(20),
    };

    #[tokio::test]
    async fn another_try_is_waited_for_and_what_it_cannot_help_is_given_back() {
        let stop = CancellationToken::new();
        let began = Instant::now();
        assert!(retry_or_stop(Failed(AGAIN), "t", &stop).await.is_ok());
        assert!(began.elapsed() >= Duration::from_millis(20));
        for fate in [Fate::DeadLetter, Fate::Stop] {
            assert!(retry_or_stop(Failed(fate), "t", &stop).await.is_err());
        }
    }

    #[tokio::test]
    async fn a_stop_ends_the_wait_and_is_no_failure() {
        let stop = CancellationToken::new();
        let long = Failed(Fate::Retry {
            after: Duration::from_hours(1),
        });
        let (waited, ()) = tokio::join!(retry_or_stop(long, "t", &stop), async { stop.cancel() });
        assert!(ended(waited, &stop).is_ok());
        // What would have ended the stage anyway still has.
        assert!(ended(Err(Failed(Fate::Stop)), &stop).is_err());
        assert!(ended(Err(Failed(AGAIN)), &CancellationToken::new()).is_err());
    }
}
