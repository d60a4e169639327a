//! Opens the journal, and looks whether it is the one that was published from: another is not taken silently.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bus::Bus;
use bus::retry::retry_or_stop;
use schemas::environment::Clock;
use schemas::health::Health;
use schemas::topics::Topic;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::audit::signature::AuditKey;
use crate::config::RespondConfig;
use crate::error::RespondError;
use crate::journal::sqlite::SqliteJournal;
use crate::journal::{JournalError, Ledger, Notice, file};
use crate::playbook::Playbook;

/// The part that is in trouble until a person has looked and started the stage anew.
const PART: &str = "respond/journal";

/// What a stage that begins has at hand.
pub(super) struct Beginning<'a> {
    pub(super) journal: &'a Path,
    pub(super) bus: &'a Bus,
    pub(super) audit_key: &'a Path,
    /// What the responder may do now, as the audit chain tells it.
    pub(super) configuration: &'a Value,
    pub(super) clock: &'a Arc<dyn Clock>,
    pub(super) health: &'a Health,
    pub(super) stop: &'a CancellationToken,
}

impl Beginning<'_> {
    /// Opens the journal, made if it is missing; none if the stage is stopped before it can be opened.
    pub(super) async fn open(&self) -> Result<Option<Ledger>, RespondError> {
        let mut key = match self.audit_key {
            none if none.as_os_str().is_empty() => None,
            path => Some(AuditKey::read(path)?),
        };
        let mut set_aside = None;
        loop {
            let path = self.journal.to_owned();
            let opened = tokio::task::spawn_blocking(move || SqliteJournal::open(&path))
                .await
                .map_err(|_| RespondError::Task { task: "journal" })?;
            match opened {
                Ok(journal) => {
                    let journal = journal
                        .by_clock(Arc::clone(self.clock))
                        .signed_with(key.take());
                    let ledger = Ledger::new(Arc::new(journal));
                    self.check(&ledger, set_aside.as_deref()).await?;
                    self.tell_configuration(&ledger).await?;
                    return Ok(Some(ledger));
                }
                // What people then lose is said, and containment goes on.
                Err(JournalError::Damaged { cause, .. }) if set_aside.is_none() => {
                    set_aside = Some(self.set_aside(&cause)?);
                }
                Err(error) => match retry_or_stop(error, "respond/journal", self.stop).await {
                    Ok(()) => {}
                    Err(_) if self.stop.is_cancelled() => return Ok(None),
                    Err(error) => return Err(error.into()),
                },
            }
        }
    }

    fn set_aside(&self, cause: &rusqlite::Error) -> Result<PathBuf, RespondError> {
        let aside = file::set_aside(self.journal, self.clock.now_us()).map_err(|cause| {
            RespondError::File {
                what: "damaged journal",
                path: self.journal.to_owned(),
                cause,
            }
        })?;
        tracing::error!(journal = %self.journal.display(), aside = %aside.display(), cause = %cause,
            "the journal is damaged and was put aside");
        Ok(aside)
    }

    /// Says what the responder may do now, if the last one to say so might do something else.
    async fn tell_configuration(&self, ledger: &Ledger) -> Result<(), RespondError> {
        let detail = self.configuration.clone();
        let notice = Notice {
            what: Notice::CONFIGURATION,
            state: "began",
            by: String::new(),
            detail,
            time_us: self.clock.now_us(),
        };
        let told = ledger.with(move |journal| {
            let (now, before) = (
                notice.detail.to_string(),
                journal.noted(Notice::CONFIGURATION)?,
            );
            if before.is_some_and(|entry| entry.detail == now) {
                return Ok(());
            }
            journal.note(&notice)
        });
        Ok(told.await?)
    }

    /// Says, in the log, in /readyz and as the first entry of the new chain, that what was before is gone.
    async fn check(&self, ledger: &Ledger, set_aside: Option<&Path>) -> Result<(), RespondError> {
        let entries = ledger.with(|journal| journal.audit(0, 1)).await?;
        if !entries.is_empty() {
            return Ok(());
        }
        let ends = loop {
            match self.bus.ends(Topic::Audit).await {
                Ok(ends) => break ends,
                // A bus that is away for now ends nothing.
                Err(error) => retry_or_stop(error, "respond/journal", self.stop).await?,
            }
        };
        let published: i64 = ends.iter().map(|end| end.next_offset).sum();
        if published == 0 && set_aside.is_none() {
            return Ok(());
        }
        let aside = set_aside.map_or_else(String::new, |aside| {
            format!("; the damaged one is {}", aside.display())
        });
        let why = format!(
            "the journal is empty, and {published} audit entries were published before: cases, actions and budgets of \
             before are gone{aside}; `vedette audit verify` compares with the lake"
        );
        tracing::error!(
            published,
            "the journal began anew although there was one before"
        );
        self.health.trouble(PART, why.clone(), self.clock.now_us());
        let notice = Notice {
            what: Notice::JOURNAL,
            state: "began_anew",
            by: String::new(),
            detail: json!({
                "why": why,
                "published_before": published,
                "damaged": set_aside.map(|aside| aside.display().to_string()),
            }),
            time_us: self.clock.now_us(),
        };
        ledger.with(move |journal| journal.note(&notice)).await?;
        Ok(())
    }
}

/// What a responder may do, for the audit chain: the decisions themselves, and a hash of everything that they follow from.
pub(super) fn configuration(
    config: &RespondConfig,
    playbooks: &[Playbook],
    tenants: &[&String],
) -> Value {
    // A configuration that cannot be written as JSON has a path that is no text; the rest is hashed all the same.
    let written = serde_json::to_vec(config).unwrap_or_default();
    let rules = format!("{playbooks:?} {tenants:?}");
    json!({
        "hash": schemas::ids::hex(&[b"configuration", &written, rules.as_bytes()]),
        "dry_run": config.dry_run,
        "automatic": config.automatic,
        "never_act_count": config.never_act.len(),
        "tenants": tenants,
        "version": env!("CARGO_PKG_VERSION"),
    })
}
