//! Runs the actions of one tenant, one after another; another tenant's trouble does not reach it.

use std::time::Duration;

use super::{LOOK_EVERY, Wake, obey};
use crate::error::RespondError;
use crate::executor::{Executor, Progress};

/// Most actions looked at in one round.
const ACTIONS_MAX: usize = 1_000;

pub(super) async fn run(
    tenant_id: String,
    executor: Executor,
    wake: Wake,
) -> Result<(), RespondError> {
    let mut woken = wake.subscribe();
    let stop = executor.stop.clone();
    while !stop.is_cancelled() {
        woken.mark_unchanged();
        let is_busy = match round(&tenant_id, &executor, &wake).await {
            Ok(is_busy) => is_busy,
            Err(error) => {
                obey(error, "worker", &stop).await?;
                continue;
            }
        };
        if is_busy {
            continue;
        }
        tokio::select! {
            () = stop.cancelled() => {}
            _ = woken.changed() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
    Ok(())
}

/// Takes every action that is due one run further; true if one of them ended.
async fn round(tenant_id: &str, executor: &Executor, wake: &Wake) -> Result<bool, RespondError> {
    let id = tenant_id.to_owned();
    let runnable = executor
        .ledger
        .with(move |journal| journal.runnable(&id, ACTIONS_MAX))
        .await?;
    let now_us = executor.clock.now_us();
    let mut has_ended = false;
    for record in runnable
        .into_iter()
        .filter(|record| record.not_before_us <= now_us)
    {
        if executor.stop.is_cancelled() {
            return Ok(false);
        }
        let progress = executor.run(&record.action_id).await?;
        wake.send_replace(());
        if let Progress::Ended(state) = progress {
            has_ended = true;
            let age_us = executor
                .clock
                .now_us()
                .saturating_sub(record.planned_time_us)
                .max(0);
            metrics::histogram!(
                "respond_action_duration_seconds",
                "action" => record.action.kind().as_str(), "outcome" => state.as_str()
            )
            .record(Duration::from_micros(age_us.unsigned_abs()).as_secs_f64());
        }
    }
    Ok(has_ended)
}
