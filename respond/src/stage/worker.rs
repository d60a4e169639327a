//! Runs the actions of one tenant, one after another; another tenant's trouble does not reach it.

use std::time::Duration;

use bus::retry::retry_or_stop;
use schemas::health::Health;

use super::held::tell_held;
use super::{LOOK_EVERY, Wake};
use crate::error::RespondError;
use crate::executor::{Executor, Progress};
use crate::journal::{Holding, JournalError, Question};
use crate::record::{ActionRecord, HoldReason, State};

/// Longest wait for what an earlier process left to be published, before the actions say that they are held by it.
const OUTBOX_WAIT: Duration = Duration::from_secs(5);

/// Most actions looked at in one round.
const ACTIONS_MAX: usize = 1_000;

pub(super) async fn run(
    tenant_id: String,
    executor: Executor,
    wake: Wake,
    health: Health,
) -> Result<(), RespondError> {
    let mut woken = wake.subscribe();
    let stop = executor.stop.clone();
    wait_for_the_outbox(&executor).await;
    let mut is_released = false;
    while !stop.is_cancelled() {
        woken.mark_unchanged();
        let done = async {
            if !is_released {
                // The configuration may be another one than when they were put off.
                let id = tenant_id.clone();
                executor
                    .ledger
                    .with(move |journal| journal.release(&id))
                    .await?;
                is_released = true;
            }
            answer(&tenant_id, &executor).await?;
            let is_busy = round(&tenant_id, &executor, &wake).await?;
            let now_us = executor.clock.now_us();
            tell_held(&tenant_id, &executor.ledger, &health, now_us).await?;
            Ok(is_busy)
        };
        let is_busy = match done.await {
            Ok(is_busy) => is_busy,
            Err(error) => {
                retry_or_stop::<RespondError>(error, "respond/worker", &stop).await?;
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

/// Gives the publisher time for what an earlier process left; what it cannot publish holds every action.
async fn wait_for_the_outbox(executor: &Executor) {
    let is_out = async {
        loop {
            let outbox = executor.ledger.with(|journal| journal.outbox()).await;
            let is_left = |oldest_us: i64| oldest_us < executor.policy.started_us;
            if outbox.is_ok_and(|outbox| !outbox.oldest_us.is_some_and(is_left)) {
                return;
            }
            tokio::time::sleep(LOOK_EVERY / 10).await;
        }
    };
    tokio::select! {
        () = executor.stop.cancelled() => {}
        () = is_out => {}
        () = tokio::time::sleep(OUTBOX_WAIT) => {}
    }
}

/// Takes every action that is due one run further; true if one of them ended.
async fn round(tenant_id: &str, executor: &Executor, wake: &Wake) -> Result<bool, RespondError> {
    let (id, now_us) = (tenant_id.to_owned(), executor.clock.now_us());
    let runnable = executor
        .ledger
        .with(move |journal| journal.runnable(&id, now_us, ACTIONS_MAX))
        .await?;
    let runnable = hold_back(runnable, executor).await?;
    let mut has_ended = false;
    for record in runnable {
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

/// Looks whom actions are about that people are about to decide on.
async fn answer(tenant_id: &str, executor: &Executor) -> Result<(), JournalError> {
    let (id, now_us) = (tenant_id.to_owned(), executor.clock.now_us());
    let questions = executor
        .ledger
        .with(move |journal| journal.questions(&id, now_us))
        .await?;
    for Question {
        question_id,
        record,
    } in questions
    {
        if executor.stop.is_cancelled() {
            return Ok(());
        }
        let sighting = executor.look_at(&record).await?;
        executor
            .ledger
            .with(move |journal| journal.answer(&question_id, &sighting))
            .await?;
    }
    Ok(())
}

/// While the kill switch is set, holds what has not begun, all at once; gives what can still be read back.
async fn hold_back(
    runnable: Vec<ActionRecord>,
    executor: &Executor,
) -> Result<Vec<ActionRecord>, JournalError> {
    if !executor.gates.is_stopped() {
        return Ok(runnable);
    }
    let is_held = |record: &ActionRecord| {
        let reason = record.hold.as_ref().map(|hold| hold.reason);
        reason == Some(HoldReason::KillSwitch)
    };
    let (waiting, begun): (Vec<ActionRecord>, Vec<ActionRecord>) = runnable
        .into_iter()
        .filter(|record| !is_held(record))
        .partition(|record| record.state == State::Approved);
    let time_us = executor.clock.now_us();
    let (late, waiting): (Vec<ActionRecord>, Vec<ActionRecord>) = waiting
        .into_iter()
        .partition(|record| executor.policy.is_too_late(record, time_us));
    let holdings: Vec<Holding> = waiting
        .into_iter()
        .map(|record| Holding {
            action_id: record.action_id,
            reason: HoldReason::KillSwitch,
            why: "the kill switch is set".to_owned(),
            attempts: record.attempts,
            not_before_us: 0,
            time_us,
        })
        .collect();
    if !holdings.is_empty() {
        executor.tell_held(holdings).await?;
    }
    Ok(begun.into_iter().chain(late).collect())
}
