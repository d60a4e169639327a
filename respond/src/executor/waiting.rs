//! An action that cannot go on now: it is held, told once for each reason, and goes on by itself.

use std::time::Duration;

use super::{Executor, Progress};
use crate::action::Receipt;
use crate::directory::DirectoryError;
use crate::effects::LEASE_LOST;
use crate::executor::facts::Reading;
use crate::journal::{Holding, JournalError};
use crate::preflight::{Meaning, Refusal};
use crate::record::{ActionRecord, HoldReason, State, WAIT_MAX, wait_end_us};

/// Longest wait between two tries to reach a directory, unless it asks for more.
const AWAY_WAIT_MAX: Duration = Duration::from_mins(1);

/// Wait between two looks at the kill switch and at the outbox.
const LOOK_WAIT: Duration = Duration::from_secs(1);

/// Why an action is to wait, and for how long.
pub(super) struct Pause {
    reason: HoldReason,
    why: String,
    /// When the reason passes, where that is known.
    until_us: Option<i64>,
    /// What the directory asked for.
    asked: Option<Duration>,
}

impl Pause {
    /// The pause that these refusals mean, by what could be read.
    pub(super) fn of(refusals: &[Refusal], reading: &Reading, until_us: Option<i64>) -> Self {
        let first = refusals.iter().find_map(|refusal| match refusal.meaning() {
            Meaning::Held(reason) => Some(reason),
            Meaning::Final | Meaning::Expired => None,
        });
        let reason = match first {
            Some(HoldReason::FactUnreadable) | None if reading.again.is_some() => {
                HoldReason::DirectoryAway
            }
            Some(reason) => reason,
            None => HoldReason::FactUnreadable,
        };
        let texts: Vec<String> = refusals
            .iter()
            .map(ToString::to_string)
            .chain(reading.problems.iter().cloned())
            .collect();
        Self {
            reason,
            why: texts.join("; "),
            until_us,
            asked: reading.again.as_ref().and_then(DirectoryError::retry_after),
        }
    }

    pub(super) fn of_error(error: &DirectoryError) -> Self {
        Self {
            reason: match error {
                DirectoryError::Unreachable { .. } => HoldReason::DirectoryAway,
                DirectoryError::Denied { .. } => HoldReason::PermissionMissing,
                DirectoryError::HeldBack { why } | DirectoryError::CutOff { why }
                    if *why == LEASE_LOST =>
                {
                    HoldReason::LeaseLost
                }
                DirectoryError::HeldBack { .. } => HoldReason::KillSwitch,
                _ => HoldReason::FactUnreadable,
            },
            why: error.to_string(),
            until_us: None,
            asked: error.retry_after(),
        }
    }
}

impl Executor {
    /// Holds an action where it stands until the pause is over.
    pub(super) async fn hold(
        &self,
        record: &ActionRecord,
        pause: Pause,
    ) -> Result<Progress, JournalError> {
        let now_us = self.clock.now_us();
        let in_us = |wait: Duration| now_us.saturating_add(micros(wait.min(WAIT_MAX)));
        // What was waited for before says nothing about how long this will last.
        let is_as_before = record
            .hold
            .as_ref()
            .is_some_and(|hold| hold.reason == pause.reason);
        let attempts = if is_as_before { record.attempts } else { 0 };
        let doubled = self.doubled(attempts);
        let (not_before_us, at_us) = match pause.reason {
            // A switch that is lifted is seen at once, so nothing is put off; nor is it when the lease is ours again.
            HoldReason::KillSwitch | HoldReason::LeaseLost => (0, in_us(LOOK_WAIT)),
            HoldReason::OutboxOld => {
                let at_us = in_us(LOOK_WAIT);
                (at_us, at_us)
            }
            HoldReason::DirectoryAway => {
                let asked = pause.asked.unwrap_or_default();
                let at_us = in_us(doubled.min(AWAY_WAIT_MAX).max(asked));
                (at_us, at_us)
            }
            _ => {
                let known_us = pause.until_us.unwrap_or_else(|| in_us(doubled));
                let at_us = known_us.min(wait_end_us(now_us));
                (at_us, at_us)
            }
        };
        let holding = Holding {
            action_id: record.action_id.clone(),
            reason: pause.reason,
            why: pause.why,
            attempts: attempts.saturating_add(1),
            not_before_us,
            time_us: now_us,
        };
        self.tell_held(vec![holding]).await?;
        Ok(Progress::Later { at_us })
    }

    /// Keeps that actions are held, and tells it where the reason is new.
    pub(crate) async fn tell_held(&self, holdings: Vec<Holding>) -> Result<(), JournalError> {
        let told = holdings.clone();
        let changed = self
            .ledger
            .with(move |journal| journal.hold(&holdings))
            .await?;
        for holding in told
            .iter()
            .filter(|holding| changed.contains(&holding.action_id))
        {
            metrics::counter!("respond_holds_total", "reason" => holding.reason.as_str())
                .increment(1);
            tracing::warn!(
                action_id = holding.action_id,
                reason = holding.reason.as_str(),
                why = holding.why,
                "an action is held"
            );
        }
        Ok(())
    }

    /// What is there before cannot be read: for good, or for now.
    pub(super) async fn unreadable(
        &self,
        record: ActionRecord,
        mut reading: Reading,
        error: DirectoryError,
    ) -> Result<Progress, JournalError> {
        if matches!(
            error,
            DirectoryError::Missing { .. } | DirectoryError::Rejected { .. }
        ) {
            reading.problems.push(error.to_string());
            let missing = Refusal::FactMissing {
                fact: "what is there before".to_owned(),
            };
            return self
                .refuse(record, reading, vec![missing], State::Refused)
                .await;
        }
        self.hold(&record, Pause::of_error(&error)).await
    }

    /// Tries again to see what became of a change that may have been sent, for as long as its approval is good.
    pub(super) async fn try_again(
        &self,
        record: &ActionRecord,
        receipt: &Receipt,
        error: DirectoryError,
    ) -> Result<Progress, JournalError> {
        let is_too_late = self.policy.is_too_late(record, self.clock.now_us());
        if error.retry_after().is_none() || is_too_late {
            let detail = serde_json::json!({
                "why": error.to_string(), "before": receipt, "attempts": record.attempts,
            });
            return self.end(record, State::Unknown, detail).await;
        }
        if record.attempts < self.pace.attempts_max {
            tracing::warn!(action_id = record.action_id, error = %error, "an action is tried again later");
            let wait = self
                .doubled(record.attempts)
                .max(error.retry_after().unwrap_or_default());
            let at_us = self.clock.now_us().saturating_add(micros(wait));
            return self.postpone(record, record.attempts + 1, at_us).await;
        }
        self.hold(record, Pause::of_error(&error)).await
    }

    pub(super) async fn postpone(
        &self,
        record: &ActionRecord,
        attempts: u32,
        at_us: i64,
    ) -> Result<Progress, JournalError> {
        let at_us = at_us.min(wait_end_us(self.clock.now_us()));
        let id = record.action_id.clone();
        self.ledger
            .with(move |journal| journal.postpone(&id, attempts, at_us))
            .await?;
        Ok(Progress::Later { at_us })
    }

    fn doubled(&self, attempts: u32) -> Duration {
        self.pace
            .retry_wait
            .saturating_mul(2_u32.saturating_pow(attempts.min(16)))
    }
}

fn micros(wait: Duration) -> i64 {
    i64::try_from(wait.as_micros()).unwrap_or(i64::MAX)
}
