//! Reads what the preflight decides by.

use super::Executor;
use crate::action::{READ_ROLES, READ_USER};
use crate::directory::{DirectoryError, User};
use crate::journal::JournalError;
use crate::preflight::{Facts, TARGETS_WINDOW_US};
use crate::record::ActionRecord;

/// What was read for a decision.
pub(super) struct Reading {
    pub(super) facts: Facts,
    pub(super) user: Option<User>,
    /// The first reading that failed and may succeed later.
    pub(super) again: Option<DirectoryError>,
    pub(super) problems: Vec<String>,
}

impl Executor {
    /// Reads what the preflight needs; what cannot be read stays missing.
    pub(super) async fn read_facts(&self, record: &ActionRecord) -> Result<Reading, JournalError> {
        let read_time_us = self.clock.now_us();
        let mut reading = Reading {
            facts: Facts {
                read_time_us,
                kill_switch: Some(self.gates.is_stopped()),
                ..Facts::default()
            },
            user: None,
            again: None,
            problems: Vec::new(),
        };
        if self.gates.shut().is_some() || self.policy.dry_run {
            // It will be refused: Microsoft is not asked.
            return Ok(reading);
        }
        let (tenant_id, since_us) = (record.tenant_id.clone(), read_time_us - TARGETS_WINDOW_US);
        let intents = self
            .ledger
            .with(move |journal| journal.intents(&tenant_id, since_us))
            .await?;
        reading.facts.intents = Some(intents);
        let outbox = self.ledger.with(|journal| journal.outbox()).await?;
        reading.facts.outbox_oldest_us = Some(outbox.oldest_us);
        let directory = self.directory.as_ref();
        let mut needed = record.action.permissions().to_vec();
        needed.extend([READ_USER, READ_ROLES]);
        reading.facts.grant = keep(directory.grant(&needed).await, &mut reading);
        reading.facts.user = keep(directory.user(record.account()).await, &mut reading);
        reading.user = reading.facts.user.clone().flatten();
        if let Some(user) = reading.user.clone() {
            reading.facts.roles = keep(directory.roles(&user.id).await, &mut reading);
        }
        Ok(reading)
    }
}

fn keep<T>(read: Result<T, DirectoryError>, reading: &mut Reading) -> Option<T> {
    match read {
        Ok(fact) => Some(fact),
        Err(error) => {
            reading.problems.push(error.to_string());
            if error.retry_after().is_some() && reading.again.is_none() {
                reading.again = Some(error);
            }
            None
        }
    }
}
