//! How an action ends, and what is told of it.

use schemas::invariants::{CalledEffective, CalledFailed, check};
use serde_json::{Value, json};

use super::{Executor, Looked, Progress};
use crate::action::{Receipt, Seen};
use crate::executor::facts::Reading;
use crate::journal::{JournalError, Step};
use crate::preflight::Refusal;
use crate::record::{ActionRecord, State};

impl Executor {
    /// Ends an action whose call did not go through, by what can be seen now.
    ///
    /// Where its effect is not there, it has failed if every call of every try was refused; that of one without an answer
    /// may still come, and nobody knows.
    pub(super) async fn conclude(
        &self,
        record: &ActionRecord,
        receipt: &Receipt,
        why: &str,
    ) -> Result<Progress, JournalError> {
        let (to, detail) = match self.look_for_effect(record, receipt).await {
            Looked::Stopped => {
                return Ok(Progress::Later {
                    at_us: self.clock.now_us(),
                });
            }
            Looked::Seen(seen) => {
                let to = if seen.is_effective {
                    State::Effective
                } else if record.may_have_happened() {
                    State::Unknown
                } else {
                    State::Failed
                };
                (to, outcome(record, &seen, why))
            }
            Looked::Unreadable(error) => {
                let detail = json!({"why": why, "read_back": error.to_string(), "before": receipt});
                (State::Unknown, detail)
            }
        };
        self.end(record, to, detail).await
    }

    /// Ends an action that has not begun: it must not, or it is too late for it.
    pub(super) async fn refuse(
        &self,
        record: ActionRecord,
        reading: Reading,
        refusals: Vec<Refusal>,
        to: State,
    ) -> Result<Progress, JournalError> {
        let texts: Vec<String> = refusals.iter().map(ToString::to_string).collect();
        let detail = json!({
            "why": texts.join("; "),
            "refusals": refusals,
            "problems": reading.problems,
            "account": reading.user,
            "held": record.hold,
        });
        let step = self.step(&record, &[State::Approved], to, detail);
        self.finish(&record, step).await
    }

    pub(super) async fn end(
        &self,
        record: &ActionRecord,
        to: State,
        mut detail: Value,
    ) -> Result<Progress, JournalError> {
        // However it ends: Microsoft finds each call by these ids.
        detail["tries"] = json!(record.tries);
        let step = self.step(record, &[State::Intended, State::Applied], to, detail);
        self.finish(record, step).await
    }

    async fn finish(&self, record: &ActionRecord, step: Step) -> Result<Progress, JournalError> {
        if step.to == State::Effective {
            // What was seen stands in the entry: nothing else ends here.
            check(&CalledEffective {
                read_back: step.detail.get("after").is_some(),
            });
        }
        if step.to == State::Failed {
            check(&CalledFailed {
                may_have_happened: record.may_have_happened(),
            });
        }
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
}

/// Before, after, and what the action did not achieve.
pub(super) fn outcome(record: &ActionRecord, seen: &Seen, why: &str) -> Value {
    json!({
        "why": why,
        "before": record.receipt,
        "after": seen.after,
        "missing": seen.missing,
        "warnings": record.warnings,
    })
}
