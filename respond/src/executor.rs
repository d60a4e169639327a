//! One action, from approval to read-back: intent before effect, effect before claim (invariant 6).
//!
//! Delivery: at least once towards Microsoft, and once in effect. After a crash the state is read back before
//! anything is sent again; what cannot be read is `unknown`, and never a guess (P14).

mod facts;

use std::sync::Arc;
use std::time::Duration;

use schemas::environment::Clock;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use self::facts::Reading;
use crate::action::{Receipt, Seen};
use crate::directory::{Directory, DirectoryError};
use crate::effects::{Effects, Gates};
use crate::journal::{JournalError, Ledger, Step};
use crate::preflight::{self, Refusal, Verdict};
use crate::record::{ActionRecord, State};

/// Longest wait between two tries.
const RETRY_WAIT_MAX: Duration = Duration::from_mins(5);

/// How often and how long an action is tried and looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Most looks for an effect.
    pub read_backs_max: u32,
    /// Wait between two looks.
    pub read_back_wait: Duration,
    /// Most tries.
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
        if record.state.is_runnable() && record.not_before_us > self.clock.now_us() {
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
            Verdict::Refused(refusals) => return self.refuse(record, reading, refusals).await,
            Verdict::Wait { until_us } => {
                return self.postpone(&record, record.attempts, until_us).await;
            }
            Verdict::Go { warnings } => warnings,
        };
        let Some(user) = &reading.user else {
            return self
                .refuse(record, reading, vec![Refusal::NoSuchAccount])
                .await;
        };
        let receipt = match record.action.look(self.directory.as_ref(), user).await {
            Ok(receipt) => receipt,
            Err(error) => {
                let reading = Reading {
                    problems: vec![error.to_string()],
                    again: error.retry_after().is_some().then_some(error),
                    ..reading
                };
                let missing = Refusal::FactMissing {
                    fact: "what is there before".to_owned(),
                };
                return self.refuse(record, reading, vec![missing]).await;
            }
        };
        let step = Step {
            receipt: Some(receipt.clone()),
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
                }),
            )
        };
        // From here on the intent is durable, and nothing was sent before.
        let record = self.advance(step).await?;
        self.apply(record, receipt).await
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
            Verdict::Refused(_)
                if reading.again.is_some() && record.attempts < self.pace.attempts_max =>
            {
                self.wait_for_retry(&record, None).await
            }
            Verdict::Refused(refusals) => {
                let texts: Vec<String> = refusals.iter().map(ToString::to_string).collect();
                let why = format!("not sent again: {}", texts.join("; "));
                self.conclude(&record, &receipt, &why).await
            }
            Verdict::Wait { until_us } => self.postpone(&record, record.attempts, until_us).await,
            Verdict::Go { .. } => self.apply(record, receipt).await,
        }
    }

    async fn apply(
        &self,
        record: ActionRecord,
        receipt: Receipt,
    ) -> Result<Progress, JournalError> {
        let effects = Effects::new(self.directory.as_ref(), &self.gates);
        let applied = record
            .action
            .apply(self.directory.as_ref(), &effects, &receipt)
            .await;
        match applied {
            Ok(()) => {
                let detail = json!({"replies": effects.replies()});
                let step = self.step(&record, &[State::Intended], State::Applied, detail);
                let record = self.advance(step).await?;
                self.confirm(record).await
            }
            Err(error) if error.retry_after().is_some() => {
                self.try_again(&record, &receipt, error).await
            }
            // Refused for good, or held back: what happened, if anything, is read.
            Err(error) => self.conclude(&record, &receipt, &error.to_string()).await,
        }
    }

    /// Reads back what was accepted; on HTTP 2xx alone nothing is claimed (F10).
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

    /// Ends an action whose call was not accepted, by what can be seen now.
    async fn conclude(
        &self,
        record: &ActionRecord,
        receipt: &Receipt,
        why: &str,
    ) -> Result<Progress, JournalError> {
        match self.look_for_effect(record, receipt).await {
            Looked::Stopped => Ok(Progress::Later {
                at_us: self.clock.now_us(),
            }),
            Looked::Seen(seen) if seen.is_effective => {
                self.end(record, State::Effective, outcome(record, &seen, why))
                    .await
            }
            Looked::Seen(seen) => {
                self.end(record, State::Failed, outcome(record, &seen, why))
                    .await
            }
            Looked::Unreadable(error) => {
                let detail = json!({"why": why, "read_back": error.to_string(), "before": receipt});
                self.end(record, State::Unknown, detail).await
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

    async fn try_again(
        &self,
        record: &ActionRecord,
        receipt: &Receipt,
        error: DirectoryError,
    ) -> Result<Progress, JournalError> {
        if error.retry_after().is_some() && record.attempts < self.pace.attempts_max {
            tracing::warn!(action_id = record.action_id, error = %error, "an action is tried again later");
            return self.wait_for_retry(record, error.retry_after()).await;
        }
        let detail =
            json!({"why": error.to_string(), "before": receipt, "attempts": record.attempts});
        self.end(record, State::Unknown, detail).await
    }

    async fn wait_for_retry(
        &self,
        record: &ActionRecord,
        asked: Option<Duration>,
    ) -> Result<Progress, JournalError> {
        let doubled = self
            .pace
            .retry_wait
            .saturating_mul(2_u32.saturating_pow(record.attempts.min(16)));
        let wait = doubled.max(asked.unwrap_or_default()).min(RETRY_WAIT_MAX);
        let at_us = self
            .clock
            .now_us()
            .saturating_add(i64::try_from(wait.as_micros()).unwrap_or(i64::MAX));
        self.postpone(record, record.attempts + 1, at_us).await
    }

    async fn postpone(
        &self,
        record: &ActionRecord,
        attempts: u32,
        at_us: i64,
    ) -> Result<Progress, JournalError> {
        let id = record.action_id.clone();
        self.ledger
            .with(move |journal| journal.postpone(&id, attempts, at_us))
            .await?;
        Ok(Progress::Later { at_us })
    }

    /// Refuses, or waits if the only reason is a fact that may be readable later.
    async fn refuse(
        &self,
        record: ActionRecord,
        reading: Reading,
        refusals: Vec<Refusal>,
    ) -> Result<Progress, JournalError> {
        let only_missing = refusals
            .iter()
            .all(|refusal| matches!(refusal, Refusal::FactMissing { .. }));
        if let Some(error) = &reading.again
            && only_missing
            && record.attempts < self.pace.attempts_max
        {
            tracing::warn!(action_id = record.action_id, error = %error, "an action waits for facts");
            return self.wait_for_retry(&record, error.retry_after()).await;
        }
        let texts: Vec<String> = refusals.iter().map(ToString::to_string).collect();
        let detail = json!({
            "why": texts.join("; "),
            "refusals": refusals,
            "problems": reading.problems,
            "account": reading.user,
        });
        let step = self.step(&record, &[State::Approved], State::Refused, detail);
        self.finish(&record, step).await
    }

    async fn end(
        &self,
        record: &ActionRecord,
        to: State,
        detail: Value,
    ) -> Result<Progress, JournalError> {
        let step = self.step(record, &[State::Intended, State::Applied], to, detail);
        self.finish(record, step).await
    }

    async fn finish(&self, record: &ActionRecord, step: Step) -> Result<Progress, JournalError> {
        let (to, why) = (
            step.to,
            step.detail
                .get("why")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned(),
        );
        self.advance(step).await?;
        let action = record.action.kind().as_str();
        metrics::counter!("respond_actions_total", "action" => action, "outcome" => to.as_str())
            .increment(1);
        if to.needs_a_human() {
            metrics::counter!("respond_pages_total", "action" => action, "outcome" => to.as_str())
                .increment(1);
            tracing::error!(
                tenant_id = record.tenant_id,
                action_id = record.action_id,
                action,
                account = record.account(),
                outcome = to.as_str(),
                why,
                "an action needs a human"
            );
        } else {
            tracing::info!(
                tenant_id = record.tenant_id,
                action_id = record.action_id,
                action,
                account = record.account(),
                outcome = to.as_str(),
                "an action ended"
            );
        }
        Ok(Progress::Ended(to))
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
            approval: None,
            warnings: Vec::new(),
            time_us: self.clock.now_us(),
        }
    }
}

/// Before, after, and what the action did not achieve (P65, P73).
fn outcome(record: &ActionRecord, seen: &Seen, why: &str) -> Value {
    json!({
        "why": why,
        "before": record.receipt,
        "after": seen.after,
        "missing": seen.missing,
        "warnings": record.warnings,
        "replies": record.detail.get("replies"),
    })
}
