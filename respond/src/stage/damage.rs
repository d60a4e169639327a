//! Tells that rows of the journal were set aside while the stage runs: a person looks, and what they were about waits.

use std::sync::Arc;

use bus::retry::retry_or_stop;
use schemas::environment::Clock;
use schemas::health::Health;
use tokio_util::sync::CancellationToken;

use super::LOOK_EVERY;
use crate::error::RespondError;
use crate::journal::Ledger;

/// The part that is in trouble until a person has looked and started the stage anew.
const PART: &str = "respond/damaged_rows";

pub(super) async fn run(
    before: u64,
    ledger: Ledger,
    clock: Arc<dyn Clock>,
    health: Health,
    stop: CancellationToken,
) -> Result<(), RespondError> {
    while !stop.is_cancelled() {
        match ledger.with(|journal| journal.damaged()).await {
            // What was set aside before has been told before.
            Ok(count) if count > before => {
                let why = format!(
                    "{} rows of the journal cannot be read and were set aside (its table \"damaged\"; \
                     \"damaged_row\" in the audit chain): what they are about is not acted on",
                    count - before
                );
                health.trouble(PART, why, clock.now_us());
            }
            Ok(_) => {}
            Err(error) => retry_or_stop(error, "respond/damage", &stop).await?,
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
    Ok(())
}
