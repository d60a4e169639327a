//! Says what is held, where the operator looks.

use schemas::health::Health;

use crate::journal::{JournalError, Ledger};
use crate::record::HoldReason;

/// Says how many actions of the tenant are held, and why.
pub(super) async fn tell_held(
    tenant_id: &str,
    ledger: &Ledger,
    health: &Health,
    now_us: i64,
) -> Result<(), JournalError> {
    let id = tenant_id.to_owned();
    let held = ledger.with(move |journal| journal.held(&id)).await?;
    for reason in HoldReason::ALL {
        let count = held.iter().find(|(one, _)| *one == reason);
        let count = count.map_or(0, |(_, count)| *count);
        metrics::gauge!(
            "respond_actions_held", "tenant" => tenant_id.to_owned(), "reason" => reason.as_str()
        )
        .set(f64::from(u32::try_from(count).unwrap_or(u32::MAX)));
    }
    let part = format!("respond/held/{tenant_id}");
    if held.is_empty() {
        health.well(&part);
        return Ok(());
    }
    let reasons: Vec<String> = held
        .iter()
        .map(|(reason, count)| format!("{reason} {count}"))
        .collect();
    let count: u64 = held.iter().map(|(_, count)| count).sum();
    health.trouble(
        &part,
        format!("{count} actions are held: {}", reasons.join(", ")),
        now_us,
    );
    Ok(())
}
