//! What is to be done in tenants where this responder cannot act: it is held with the reason, told, and ends by age.
//!
//! A tenant can leave the configuration, or lose its table `act`, while actions wait there for a person or for their
//! turn. No worker looks at them; without this they would wait in silence for ever.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bus::retry::retry_or_stop;
use schemas::environment::Clock;
use schemas::health::Health;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::held::tell_held;
use crate::error::RespondError;
use crate::journal::{Holding, JournalError, Ledger, Step};
use crate::preflight::Policy;
use crate::record::{ActionRecord, HoldReason, State};

/// How often the journal is looked at for actions of tenants that nobody works in.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Most actions looked at in one round.
const ACTIONS_MAX: usize = 1_000;

const STATES: [State; 4] = [
    State::Planned,
    State::Approved,
    State::Intended,
    State::Applied,
];

/// The tenants where this responder can act, and what looks after the others.
pub(super) struct Strangers {
    pub(super) acting_tenants: BTreeSet<String>,
    pub(super) policy: Policy,
    pub(super) ledger: Ledger,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) health: Health,
    pub(super) stop: CancellationToken,
}

impl Strangers {
    pub(super) async fn run(self) -> Result<(), RespondError> {
        let mut told = BTreeSet::new();
        while !self.stop.is_cancelled() {
            if let Err(error) = self.round(&mut told).await {
                retry_or_stop(error, "respond/strangers", &self.stop).await?;
                continue;
            }
            tokio::select! {
                () = self.stop.cancelled() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
        Ok(())
    }

    async fn round(&self, told: &mut BTreeSet<String>) -> Result<(), JournalError> {
        let acting: Vec<String> = self.acting_tenants.iter().cloned().collect();
        let waiting = self
            .ledger
            .with(move |journal| journal.waiting_elsewhere(&acting, ACTIONS_MAX))
            .await?;
        let now_us = self.clock.now_us();
        let (late, waiting): (Vec<ActionRecord>, Vec<ActionRecord>) = waiting
            .into_iter()
            .partition(|record| self.is_too_late(record, now_us));
        for record in late {
            told.insert(record.tenant_id.clone());
            self.end(record, now_us).await?;
        }
        let mut tenants: BTreeSet<String> = BTreeSet::new();
        let mut holdings = Vec::new();
        for record in waiting {
            tenants.insert(record.tenant_id.clone());
            let reason = record.hold.as_ref().map(|hold| hold.reason);
            if reason != Some(HoldReason::TenantNotConfigured) {
                holdings.push(Holding {
                    action_id: record.action_id,
                    reason: HoldReason::TenantNotConfigured,
                    why: why(&record.tenant_id),
                    attempts: record.attempts,
                    not_before_us: 0,
                    time_us: now_us,
                });
            }
        }
        if !holdings.is_empty() {
            let count = holdings.len();
            self.ledger
                .with(move |journal| journal.hold(&holdings))
                .await?;
            tracing::warn!(
                count,
                ?tenants,
                "actions are held: their tenants are not in the configuration"
            );
        }
        for tenant_id in told.union(&tenants) {
            tell_held(tenant_id, &self.ledger, &self.health, now_us).await?;
        }
        *told = tenants;
        Ok(())
    }

    /// What a person has approved, and what has begun, waits as long as it would elsewhere; what waits for a person, as
    /// long as what speaks for it.
    fn is_too_late(&self, record: &ActionRecord, now_us: i64) -> bool {
        let age_us = now_us.saturating_sub(record.evidence_time_us());
        match record.state {
            State::Planned => age_us > self.policy.automatic_age_us_max,
            _ => self.policy.is_too_late(record, now_us),
        }
    }

    async fn end(&self, record: ActionRecord, now_us: i64) -> Result<(), JournalError> {
        let has_begun = matches!(record.state, State::Intended | State::Applied);
        let age = if has_begun {
            "what became of it was not read in time"
        } else {
            "it was not sent in time"
        };
        let step = Step {
            action_id: record.action_id,
            from: &STATES,
            to: if has_begun {
                State::Unknown
            } else {
                State::Expired
            },
            detail: json!({"why": format!("{age}: {}", why(&record.tenant_id))}),
            receipt: None,
            tried: None,
            approval: None,
            sighted: None,
            warnings: Vec::new(),
            time_us: now_us,
        };
        let ended = self
            .ledger
            .with(move |journal| journal.advance(&step))
            .await;
        match ended {
            // Somebody else has ended it meanwhile: theirs counts.
            Ok(_) | Err(JournalError::Conflict { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn why(tenant_id: &str) -> String {
    format!(
        "tenant {tenant_id} is not in the configuration with a table `act`: nothing can be done there"
    )
}
