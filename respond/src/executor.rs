//! One action, from approval to read-back: intent before effect, effect before claim.
//!
//! Delivery: at least once towards Microsoft, and once in effect. After a crash the state is read back before
//! anything is sent again; what cannot be read is `unknown`, and never a guess.

mod ending;
mod facts;
mod waiting;

use std::sync::Arc;
use std::time::Duration;

use schemas::environment::Clock;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use self::ending::outcome;
use self::waiting::Pause;
use crate::action::{Receipt, Seen};
use crate::directory::{Directory, DirectoryError};
use crate::effects::{Effects, Gates, LEASE_LOST};
use crate::journal::{JournalError, Ledger, Step};
use crate::preflight::{self, Refusal, Verdict};
use crate::record::{ActionRecord, State, Try};

/// How often and how long an action is tried and looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Most looks for an effect.
    pub read_backs_max: u32,
    /// Wait between two looks.
    pub read_back_wait: Duration,
    /// Tries to read back after which it is told that the action is held.
    pub attempts_max: u32,
    /// Wait before the second try; doubles with each one.
    pub retry_wait: Duration,
}

/// Where an action stands after a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// It ended, or waits for a person.
    Ended(State),
    /// It goes on at this time, in microseconds since the Unix epoch, UTC.
    Later {
        /// When.
        at_us: i64,
    },
}

/// Runs the actions of one tenant.
pub struct Executor {
    /// What is durable.
    pub ledger: Ledger,
    /// The tenant's directory.
    pub directory: Arc<dyn Directory>,
    /// What can stop a call at the last moment.
    pub gates: Gates,
    /// What is allowed.
    pub policy: preflight::Policy,
    /// How often and how long.
    pub pace: Pace,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Ends waiting; what is unfinished goes on after a restart.
    pub stop: CancellationToken,
}

/// What looking for an effect came to.
enum Looked {
    Seen(Seen),
    Unreadable(DirectoryError),
    Stopped,
}

impl Executor {
    /// Takes an action as far as it goes now.
    ///
    /// # Errors
    /// [`JournalError`] if the journal fails; the action then stands where it last was durable.
    pub async fn run(&self, action_id: &str) -> Result<Progress, JournalError> {
        let id = action_id.to_owned();
        let record = self
            .ledger
            .with(move |journal| journal.action(&id))
            .await?
            .ok_or_else(|| JournalError::NoSuchAction {
                action_id: action_id.to_owned(),
            })?;
        if record.state.is_runnable() && !record.is_due(self.clock.now_us()) {
            return Ok(Progress::Later {
                at_us: record.not_before_us,
            });
        }
        let ran = match record.state {
            State::Approved => self.begin(record).await,
            State::Intended => self.resume(record).await,
            State::Applied => self.confirm(record).await,
            ended => Ok(Progress::Ended(ended)),
        };
        match ran {
            // Somebody else has taken it further meanwhile: theirs counts.
            Err(JournalError::Conflict { found, .. }) => Ok(Progress::Ended(found)),
            other => other,
        }
    }

    async fn begin(&self, record: ActionRecord) -> Result<Progress, JournalError> {
        let reading = self.read_facts(&record).await?;
        let now_us = self.clock.now_us();
        let warnings = match preflight::check(&record, &reading.facts, &self.policy, now_us) {
            Verdict::Refused(refusals) => {
                return self.refuse(record, reading, refusals, State::Refused).await;
            }
            Verdict::Expired(refusals) => {
                return self.refuse(record, reading, refusals, State::Expired).await;
            }
            Verdict::Held { refusals, until_us } => {
                return self
                    .hold(&record, Pause::of(&refusals, &reading, until_us))
                    .await;
            }
            Verdict::Wait { until_us } => {
                return self.postpone(&record, record.attempts, until_us).await;
            }
            Verdict::Go { warnings } => warnings,
        };
        reading.promise(&record);
        let Some(user) = &reading.user else {
            let refusals = vec![Refusal::NoSuchAccount];
            return self.refuse(record, reading, refusals, State::Refused).await;
        };
        let receipt = match record.action.look(self.directory.as_ref(), user).await {
            Ok(receipt) => receipt,
            Err(error) => return self.unreadable(record, reading, error).await,
        };
        let tried = Try::begun();
        let step = Step {
            receipt: Some(receipt.clone()),
            tried: Some(tried.clone()),
            warnings: warnings.clone(),
            ..self.step(
                &record,
                &[State::Approved],
                State::Intended,
                json!({
                    "plan": record.action.plan(&record.target),
                    "account": user,
                    "before": receipt,
                    "approved_by": record.approval,
                    "warnings": warnings,
                    "client_request_id": tried.client_request_id,
                }),
            )
        };
        // From here on the intent is durable, and nothing was sent before.
        let record = self.advance(step).await?;
        self.apply(record, receipt, tried).await
    }

    /// Goes on after a crash or a failed try: first reads back, then sends only what is still needed.
    async fn resume(&self, record: ActionRecord) -> Result<Progress, JournalError> {
        let Some(receipt) = record.receipt.clone() else {
            return self
                .end(
                    &record,
                    State::Unknown,
                    json!({"why": "the intent has no receipt"}),
                )
                .await;
        };
        match self.look_for_effect(&record, &receipt).await {
            Looked::Stopped => {
                return Ok(Progress::Later {
                    at_us: self.clock.now_us(),
                });
            }
            Looked::Unreadable(error) => return self.try_again(&record, &receipt, error).await,
            Looked::Seen(seen) if seen.is_effective => {
                return self
                    .end(
                        &record,
                        State::Effective,
                        outcome(&record, &seen, "found effective"),
                    )
                    .await;
            }
            Looked::Seen(_) => {}
        }
        let reading = self.read_facts(&record).await?;
        match preflight::check(&record, &reading.facts, &self.policy, self.clock.now_us()) {
            Verdict::Held { refusals, until_us } => {
                self.hold(&record, Pause::of(&refusals, &reading, until_us))
                    .await
            }
            Verdict::Refused(refusals) | Verdict::Expired(refusals) => {
                let texts: Vec<String> = refusals.iter().map(ToString::to_string).collect();
                let why = format!("not sent again: {}", texts.join("; "));
                self.conclude(&record, &receipt, &why).await
            }
            Verdict::Wait { until_us } => self.postpone(&record, record.attempts, until_us).await,
            Verdict::Go { .. } => {
                reading.promise(&record);
                let tried = Try::begun();
                let record = self.keep_try(&record, tried.clone()).await?;
                self.apply(record, receipt, tried).await
            }
        }
    }

    async fn apply(
        &self,
        record: ActionRecord,
        receipt: Receipt,
        tried: Try,
    ) -> Result<Progress, JournalError> {
        let is_intent_durable = record.state == State::Intended;
        let effects = Effects::new(
            self.directory.as_ref(),
            &self.gates,
            is_intent_durable,
            &tried.client_request_id,
        );
        let applied = record
            .action
            .apply(self.directory.as_ref(), &effects, &receipt)
            .await;
        let tried = effects.tried();
        let error = match applied {
            Ok(()) => {
                let detail = json!({"tries": [&tried]});
                let step = Step {
                    tried: Some(tried),
                    ..self.step(&record, &[State::Intended], State::Applied, detail)
                };
                let record = self.advance(step).await?;
                return self.confirm(record).await;
            }
            Err(error) => error,
        };
        // Also of a call that is tried again: how the action ends depends on it.
        let record = self.keep_try(&record, tried).await?;
        match error {
            error if error.retry_after().is_some() => {
                self.try_again(&record, &receipt, error).await
            }
            // Nothing was sent by this call, or it was cut off because another may act: what was done is read before the
            // next one, by this responder once it may act again.
            error @ (DirectoryError::HeldBack { .. }
            | DirectoryError::CutOff { why: LEASE_LOST }) => {
                self.hold(&record, Pause::of_error(&error)).await
            }
            // Refused for good, or cut off: what happened, if anything, is read.
            error => self.conclude(&record, &receipt, &error.to_string()).await,
        }
    }

    async fn keep_try(
        &self,
        record: &ActionRecord,
        tried: Try,
    ) -> Result<ActionRecord, JournalError> {
        let id = record.action_id.clone();
        self.ledger
            .with(move |journal| journal.keep_try(&id, &tried))
            .await
    }

    /// Reads back what was accepted; on HTTP 2xx alone nothing is claimed.
    async fn confirm(&self, record: ActionRecord) -> Result<Progress, JournalError> {
        let Some(receipt) = record.receipt.clone() else {
            return self
                .end(
                    &record,
                    State::Unknown,
                    json!({"why": "the intent has no receipt"}),
                )
                .await;
        };
        match self.look_for_effect(&record, &receipt).await {
            Looked::Stopped => Ok(Progress::Later {
                at_us: self.clock.now_us(),
            }),
            Looked::Unreadable(error) => self.try_again(&record, &receipt, error).await,
            Looked::Seen(seen) if seen.is_effective => {
                self.end(
                    &record,
                    State::Effective,
                    outcome(&record, &seen, "read back"),
                )
                .await
            }
            Looked::Seen(seen) => {
                self.end(
                    &record,
                    State::NotEffective,
                    outcome(&record, &seen, "accepted without effect"),
                )
                .await
            }
        }
    }

    /// Looks until the effect is there, at most [`Pace::read_backs_max`] times.
    async fn look_for_effect(&self, record: &ActionRecord, receipt: &Receipt) -> Looked {
        let mut looked = Looked::Stopped;
        for look in 0..self.pace.read_backs_max.max(1) {
            if look > 0 {
                tokio::select! {
                    () = self.stop.cancelled() => return Looked::Stopped,
                    () = tokio::time::sleep(self.pace.read_back_wait) => {}
                }
            }
            looked = match record
                .action
                .read_back(self.directory.as_ref(), receipt)
                .await
            {
                Ok(seen) if seen.is_effective => return Looked::Seen(seen),
                Ok(seen) => Looked::Seen(seen),
                Err(error) => Looked::Unreadable(error),
            };
        }
        looked
    }

    async fn advance(&self, step: Step) -> Result<ActionRecord, JournalError> {
        self.ledger
            .with(move |journal| journal.advance(&step))
            .await
    }

    fn step(
        &self,
        record: &ActionRecord,
        from: &'static [State],
        to: State,
        detail: Value,
    ) -> Step {
        Step {
            action_id: record.action_id.clone(),
            from,
            to,
            detail,
            receipt: None,
            tried: None,
            approval: None,
            sighted: None,
            warnings: Vec::new(),
            time_us: self.clock.now_us(),
        }
    }
}
