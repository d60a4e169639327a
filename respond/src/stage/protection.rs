//! Finds whom a tenant's never-act list means, at the start and every hour; what it found is kept for ever.
//!
//! Nothing is sent in a tenant until each entry that holds there was found once; until then it is tried every minute,
//! and /readyz names the entries.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use schemas::environment::Clock;
use schemas::health::Health;
use tokio_util::sync::CancellationToken;

use super::{Wake, obey};
use crate::directory::{Directory, DirectoryError};
use crate::error::RespondError;
use crate::journal::Ledger;
use crate::never_act::{Pin, Protected};

/// How often entries that were found are looked for again: a name on the list can pass to another account.
const AGAIN_EVERY: Duration = Duration::from_hours(1);

/// How often entries that were never found are looked for.
const MISSING_EVERY: Duration = Duration::from_mins(1);

/// A tenant's list, and what is needed to find whom it means.
pub(super) struct Protection {
    pub(super) tenant_id: String,
    pub(super) entries: BTreeSet<String>,
    pub(super) directory: Arc<dyn Directory>,
    pub(super) ledger: Ledger,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) health: Health,
    pub(super) stop: CancellationToken,
}

pub(super) async fn run(protection: Protection, wake: Wake) -> Result<(), RespondError> {
    let stop = protection.stop.clone();
    let part = format!("respond/never_act/{}", protection.tenant_id);
    loop {
        let found = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            found = protection.find() => found,
        };
        let wait = match found {
            Ok((protected, problems)) if protected.unresolved.is_empty() => {
                protection.health.well(&part);
                if problems.is_empty() {
                    AGAIN_EVERY
                } else {
                    MISSING_EVERY
                }
            }
            Ok((protected, problems)) => {
                let mut why = format!(
                    "nothing is sent in this tenant until whom the never-act list means is known; not found there: \
                     \"{}\" (an entry of one tenant only is written TENANT/entry)",
                    protected.unresolved.join("\", \"")
                );
                if let Some(problem) = problems.first() {
                    why = format!("{why}; {problem}");
                }
                tracing::warn!(tenant_id = protection.tenant_id, why, "never-act");
                let now_us = protection.clock.now_us();
                protection.health.trouble(&part, why, now_us);
                MISSING_EVERY
            }
            Err(error) => {
                obey(error, "never_act", &stop).await?;
                continue;
            }
        };
        wake.send_replace(());
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(wait) => {}
        }
    }
}

impl Protection {
    /// Looks for every entry and keeps what was found; also gives why entries could not be looked for.
    async fn find(&self) -> Result<(Protected, Vec<String>), RespondError> {
        let mut pins = Vec::new();
        let mut problems = Vec::new();
        for entry in &self.entries {
            match self.accounts_of(entry).await {
                Ok(ids) => pins.extend(ids.into_iter().map(|user_id| Pin {
                    entry: entry.clone(),
                    user_id,
                })),
                Err(error) => problems.push(error.to_string()),
            }
        }
        let (tenant_id, now_us) = (self.tenant_id.clone(), self.clock.now_us());
        let known = self
            .ledger
            .with(move |journal| {
                journal.pin(&tenant_id, &pins, now_us)?;
                journal.pins(&tenant_id)
            })
            .await?;
        Ok((Protected::of(&self.entries, &known), problems))
    }

    /// Object ids of whom an entry means: by id or user principal name, else by any of its addresses.
    async fn accounts_of(&self, entry: &str) -> Result<Vec<String>, DirectoryError> {
        if let Some(user) = self.directory.user(entry).await? {
            return Ok(vec![user.id.to_string()]);
        }
        let users = self.directory.addressed(entry).await?;
        Ok(users.into_iter().map(|user| user.id.to_string()).collect())
    }
}
