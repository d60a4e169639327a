//! Whether the journal is the one that was published from: an emptied one is not taken silently.

use bus::Bus;
use schemas::environment::Clock;
use schemas::health::Health;
use schemas::topics::Topic;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::obey;
use crate::error::RespondError;
use crate::journal::{Ledger, Notice};

/// The part that is in trouble until a person has looked and started the stage anew.
const PART: &str = "respond/journal";

/// Says, in the log, in /readyz and as the first entry of the new chain, that what was before is gone.
pub(super) async fn check(
    ledger: &Ledger,
    bus: &Bus,
    clock: &dyn Clock,
    health: &Health,
    stop: &CancellationToken,
) -> Result<(), RespondError> {
    let entries = ledger.with(|journal| journal.audit(0, 1)).await?;
    if !entries.is_empty() {
        return Ok(());
    }
    let ends = loop {
        match bus.ends(Topic::Audit).await {
            Ok(ends) => break ends,
            // A bus that is away for now ends nothing.
            Err(error) => obey(error.into(), "journal", stop).await?,
        }
    };
    let published: i64 = ends.iter().map(|end| end.next_offset).sum();
    if published == 0 {
        return Ok(());
    }
    let why = format!(
        "the journal is empty, and {published} audit entries were published before: cases, actions and budgets of \
         before are gone; `vedette audit verify` compares with the lake"
    );
    tracing::error!(
        published,
        "the journal began anew although entries were published before"
    );
    health.trouble(PART, why.clone(), clock.now_us());
    let notice = Notice {
        what: Notice::JOURNAL,
        state: "began_anew",
        by: String::new(),
        action_id: String::new(),
        detail: json!({"why": why, "published_before": published}),
        time_us: clock.now_us(),
    };
    ledger.with(move |journal| journal.note(&notice)).await?;
    Ok(())
}
