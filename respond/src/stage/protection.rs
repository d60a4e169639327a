//! Finds whom a tenant's never-act list means, at the start and every hour; what it found is kept for ever.
//!
//! Nothing is sent in a tenant until each entry that holds there was found once; until then it is tried every minute,
//! or more often while the directory is away, and /readyz names the entries. What was held for that goes on at once.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bus::retry::retry_or_stop;
use schemas::environment::Clock;
use schemas::health::Health;
use tokio_util::sync::CancellationToken;

use super::Wake;
use crate::directory::{Directory, DirectoryError};
use crate::error::RespondError;
use crate::journal::{Journal, Ledger};
use crate::never_act::{Pin, Protected};

/// How often entries that were found are looked for again: a name on the list can pass to another account.
const AGAIN_EVERY: Duration = Duration::from_hours(1);

/// How often entries that were never found are looked for.
const MISSING_EVERY: Duration = Duration::from_mins(1);

/// How often they are where the directory could not be asked: all containment in the tenant waits for it.
const AWAY_EVERY: Duration = Duration::from_secs(10);

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
    let mut is_waited_for = false;
    loop {
        let found = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            found = protection.find() => found,
        };
        let wait = match found {
            Ok((protected, problems)) if protected.unresolved.is_empty() => {
                if is_waited_for && let Err(error) = protection.release().await {
                    retry_or_stop(error, "respond/never_act", &stop).await?;
                    continue;
                }
                is_waited_for = false;
                protection.health.well(&part);
                if problems.is_empty() {
                    AGAIN_EVERY
                } else {
                    MISSING_EVERY
                }
            }
            Ok((protected, problems)) => {
                is_waited_for = true;
                let why = not_known(&protected.unresolved, &problems);
                tracing::warn!(tenant_id = protection.tenant_id, why, "never-act");
                let now_us = protection.clock.now_us();
                protection.health.trouble(&part, why, now_us);
                if problems.is_empty() {
                    MISSING_EVERY
                } else {
                    AWAY_EVERY
                }
            }
            Err(error) => {
                retry_or_stop(error, "respond/never_act", &stop).await?;
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

/// Which entries are not known yet, and whether they are not there or could not be looked for.
fn not_known(unresolved: &[String], problems: &[String]) -> String {
    let entries = unresolved.join("\", \"");
    let found = match problems.first() {
        None => format!(
            "not found there: \"{entries}\" (an entry of one tenant only is written TENANT/entry)"
        ),
        Some(problem) => format!("not known yet: \"{entries}\"; {problem}"),
    };
    format!("nothing is sent in this tenant until whom the never-act list means is known; {found}")
}

impl Protection {
    /// Lets what was held go on now, and not only when its next look is due.
    async fn release(&self) -> Result<(), RespondError> {
        let tenant_id = self.tenant_id.clone();
        let released = move |journal: &dyn Journal| journal.release(&tenant_id);
        Ok(self.ledger.with(released).await?)
    }

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
