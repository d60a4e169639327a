//! Keeps the audit chain signed while the stage runs: at its start, and whenever entries have waited for long enough.
//!
//! What comes in numbers, and every flip of the kill switch, is signed in the transaction that writes it.

use schemas::limits::AUDIT_UNSIGNED_WAIT;
use tokio_util::sync::CancellationToken;

use crate::error::RespondError;
use crate::journal::Ledger;

pub(super) async fn run(ledger: Ledger, stop: CancellationToken) -> Result<(), RespondError> {
    while !stop.is_cancelled() {
        sign(&ledger).await;
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(AUDIT_UNSIGNED_WAIT) => {}
        }
    }
    Ok(())
}

/// Signs what has no signature yet; without a key there is nothing to do.
pub(super) async fn sign(ledger: &Ledger) {
    if let Err(error) = ledger.with(|journal| journal.sign()).await {
        // Whoever writes the journal fails by the same cause, and says so.
        tracing::warn!(error = %error, "the audit chain could not be signed yet");
    }
}
