//! Reads what the preflight decides by.

use std::collections::BTreeMap;

use schemas::invariants::{AutomaticFrom, SentAsSeen, TargetNamed, TargetSpared, check};

use super::Executor;
use crate::accounts::named::{NAMED_MAX, Named, Resolved};
use crate::action::{READ_ROLES, READ_USER};
use crate::directory::{DirectoryError, User};
use crate::journal::JournalError;
use crate::never_act::Protected;
use crate::preflight::{self, Facts, TARGETS_WINDOW_US, Verdict};
use crate::record::{ActionRecord, Approval};
use crate::sighting::Sighting;
use crate::undo::Left;

/// What was read for a decision.
pub(super) struct Reading {
    pub(super) facts: Facts,
    pub(super) user: Option<User>,
    /// The first reading that failed and may succeed later.
    pub(super) again: Option<DirectoryError>,
    pub(super) problems: Vec<String>,
}

impl Reading {
    /// A reading of which only the kill switch is known.
    fn begun(read_time_us: i64, is_stopped: bool) -> Self {
        Self {
            facts: Facts {
                read_time_us,
                kill_switch: Some(is_stopped),
                ..Facts::default()
            },
            user: None,
            again: None,
            problems: Vec::new(),
        }
    }

    /// States what is promised about the target, right before it could be broken.
    pub(super) fn promise(&self, record: &ActionRecord) {
        check(&AutomaticFrom {
            is_automatic: record.approval == Some(Approval::Policy),
            provenance: record.provenance.parse().unwrap_or_default(),
        });
        let Some(user) = &self.user else { return };
        check(&TargetSpared {
            target: user.id.to_string(),
            protected: self
                .facts
                .protected
                .iter()
                .flat_map(Protected::ids)
                .map(str::to_owned)
                .collect(),
        });
        check(&SentAsSeen {
            target: user.id.to_string(),
            seen: record
                .sighted
                .as_ref()
                .filter(|_| matches!(record.approval, Some(Approval::Person(_))))
                .map(|sighted| sighted.account.to_string()),
        });
        let resolved = self.facts.named.iter().flatten();
        check(&TargetNamed {
            target: user.id.to_string(),
            named: resolved
                .map(|one| {
                    one.account
                        .as_ref()
                        .map(|account| account.id.to_string())
                        .unwrap_or_default()
                })
                .collect(),
        });
    }
}

impl Executor {
    /// Reads what the preflight needs; what cannot be read stays missing.
    pub(super) async fn read_facts(&self, record: &ActionRecord) -> Result<Reading, JournalError> {
        let read_time_us = self.clock.now_us();
        // Looked at once: set between two looks, it would pass for facts that cannot be read.
        let is_stopped = self.gates.is_stopped();
        let mut reading = Reading::begun(read_time_us, is_stopped);
        let is_decided = preflight::is_decided(record, &reading.facts, &self.policy, read_time_us);
        if is_decided || self.gates.dry_run {
            // Microsoft is not asked for what decides nothing.
            return Ok(reading);
        }
        self.read_all(record, &mut reading).await?;
        Ok(reading)
    }

    /// Reads what the journal and the directory say, whichever gates are shut; what cannot be read stays missing.
    async fn read_all(
        &self,
        record: &ActionRecord,
        reading: &mut Reading,
    ) -> Result<(), JournalError> {
        let read_time_us = reading.facts.read_time_us;
        let (tenant_id, since_us) = (record.tenant_id.clone(), read_time_us - TARGETS_WINDOW_US);
        let intents = self
            .ledger
            .with(move |journal| journal.intents(&tenant_id, since_us))
            .await?;
        reading.facts.intents = Some(intents);
        let tenant_id = record.tenant_id.clone();
        let pins = self
            .ledger
            .with(move |journal| journal.pins(&tenant_id))
            .await?;
        reading.facts.protected = Some(Protected::of(&self.policy.never_act, &pins));
        let outbox = self.ledger.with(|journal| journal.outbox()).await?;
        reading.facts.outbox_oldest_us = Some(outbox.oldest_us);
        let directory = self.directory.as_ref();
        let mut needed = record.action.permissions().to_vec();
        needed.extend([READ_USER, READ_ROLES]);
        reading.facts.grant = keep(directory.grant(&needed).await, reading);
        reading.facts.user = keep(directory.user(record.account()).await, reading);
        reading.user = reading.facts.user.clone().flatten();
        if reading.user.is_none() {
            // Without it nothing happens, whatever else is so.
            return Ok(());
        }
        self.read_evidence(record, reading).await?;
        if let Some(undoes) = &record.undoes {
            self.read_present(&undoes.left, reading).await;
        }
        if let Some(user) = reading.user.clone() {
            reading.facts.roles = keep(directory.roles(&user.id).await, reading);
        }
        Ok(())
    }

    /// Looks whom an action would be about, and what would speak against it: as it would be read, and nothing is done.
    ///
    /// # Errors
    /// [`JournalError`] if the journal fails.
    pub async fn look_at(&self, record: &ActionRecord) -> Result<Sighting, JournalError> {
        let mut reading = Reading::begun(self.clock.now_us(), false);
        if !self.gates.dry_run {
            self.read_all(record, &mut reading).await?;
        }
        let now_us = self.clock.now_us();
        let refusals = match preflight::check(record, &reading.facts, &self.policy, now_us) {
            Verdict::Go { .. } | Verdict::Wait { .. } => Vec::new(),
            Verdict::Held { refusals, .. }
            | Verdict::Refused(refusals)
            | Verdict::Expired(refusals) => refusals,
        };
        Ok(Sighting {
            time_us: now_us,
            account: reading.user,
            roles: reading.facts.roles,
            refusals,
            problems: reading.problems,
        })
    }

    /// Reads what is there now of what an undo takes back.
    async fn read_present(&self, left: &Left, reading: &mut Reading) {
        let Some(user) = reading.user.clone() else {
            return;
        };
        reading.facts.present = match left {
            Left::SignIn { .. } => Some(Left::SignIn {
                enabled: user.account_enabled,
            }),
            Left::Rules { .. } => keep(self.directory.inbox_rules(&user.id).await, reading)
                .map(|rules| left.of_these(rules)),
        };
    }

    /// Asks the directory whom the evidence's own words name now, and the journal whom they named.
    async fn read_evidence(
        &self,
        record: &ActionRecord,
        reading: &mut Reading,
    ) -> Result<(), JournalError> {
        if record.evidence.len() > NAMED_MAX {
            // It is refused for their number, whoever they are.
            let unread = |named: &Named| Resolved {
                named: named.clone(),
                account: None,
            };
            reading.facts.named = Some(record.evidence.iter().map(unread).collect());
            reading.facts.pairs = Some(Vec::new());
            return Ok(());
        }
        let mut answers = BTreeMap::new();
        if let Some(user) = &reading.facts.user {
            answers.insert(record.account().to_owned(), user.clone());
        }
        let mut resolved = Vec::new();
        for named in &record.evidence {
            let question = named.question();
            let account = match answers.get(question) {
                Some(known) => known.clone(),
                None => match keep(self.directory.user(question).await, reading) {
                    Some(user) => user,
                    // What could not be read stays missing.
                    None => return Ok(()),
                },
            };
            answers.insert(question.to_owned(), account.clone());
            resolved.push(Resolved {
                named: named.clone(),
                account,
            });
        }
        let names: Vec<String> = record
            .evidence
            .iter()
            .filter(|named| named.user_id.is_empty())
            .map(|named| named.user.clone())
            .collect();
        let tenant_id = record.tenant_id.clone();
        let pairs = self
            .ledger
            .with(move |journal| journal.pairs_of(&tenant_id, &names))
            .await?;
        reading.facts.named = Some(resolved);
        reading.facts.pairs = Some(pairs);
        Ok(())
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
