//! What people read and decide: cases, actions with their evidence, approvals, undo, and the audit chain.
//!
//! Works on the journal's file beside a running stage, which takes up a decision within half a second.

mod decisions;
mod rehearsal;
pub mod standing;

use std::collections::VecDeque;
use std::path::Path;

use schemas::wire::AuditRecord;
use serde_json::Value;

use crate::accounts::named::Sighted;
use crate::audit::signature::PublicKey;
use crate::audit::{Anchor, Back, Broken, Heads, Verifier};
use crate::cases::Case;
use crate::journal::sqlite::SqliteJournal;
use crate::journal::{Journal, JournalError, Notice};
use crate::never_act::Pin;
use crate::record::{ActionRecord, HoldReason};

/// Entries of the audit chain that are read at a time.
const AUDIT_PAGE: usize = 1_000;

/// Why a chain is not what it should be.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The chain is broken.
    #[error("the audit chain is broken: {0}")]
    Broken(Broken),
    /// The journal cannot be read.
    #[error("could not read the audit chain")]
    Journal(#[from] JournalError),
}

/// What a chain that verifies has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Its newest entry, or none if it has none.
    pub head: Option<Anchor>,
    /// The greatest step back in time.
    pub back: Option<Back>,
    /// What is known of the signatures.
    pub heads: Heads,
}

/// A case with everything that was done about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Dossier {
    /// The case, with its alerts.
    pub case: Case,
    /// Its actions, in the order in which they were planned.
    pub actions: Vec<ActionRecord>,
}

/// The journal for people.
///
/// What one of them decides goes into the audit chain with the name that is given and with whom the system knows, also
/// where it is refused.
pub struct Review {
    journal: SqliteJournal,
    os_user: Value,
    /// What the person saw of the account that the next decision is about.
    sighted: Option<Sighted>,
}

impl Review {
    /// Opens the journal's file.
    ///
    /// # Errors
    /// [`JournalError`] if there is none, or if it cannot be used.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        SqliteJournal::open_beside(path).map(|journal| Self {
            journal,
            os_user: Value::Null,
            sighted: None,
        })
    }

    /// For a person whom the system knows as `os_user`: whoever decides can give any name, and this one not.
    #[must_use]
    pub fn as_user(mut self, os_user: Value) -> Self {
        self.os_user = os_user;
        self
    }

    /// For a person who was shown this account, with these doubts, and decides all the same: an approval waives no other.
    #[must_use]
    pub fn having_seen(mut self, sighted: Option<Sighted>) -> Self {
        self.sighted = sighted;
        self
    }

    /// Cases, newest change first.
    ///
    /// # Errors
    /// [`JournalError`] if they cannot be read.
    pub fn cases(&self, count_max: usize) -> Result<Vec<Case>, JournalError> {
        self.journal.cases(count_max)
    }

    /// A case with its actions.
    ///
    /// # Errors
    /// [`JournalError::NoSuchCase`].
    pub fn dossier(&self, case_id: &str) -> Result<Dossier, JournalError> {
        let case = self
            .journal
            .case(case_id)?
            .ok_or_else(|| JournalError::NoSuchCase {
                case_id: case_id.to_owned(),
            })?;
        let actions = self.journal.actions(Some(case_id), usize::MAX)?;
        Ok(Dossier { case, actions })
    }

    /// The newest actions of all cases, in the order in which they were planned.
    ///
    /// # Errors
    /// [`JournalError`] if they cannot be read.
    pub fn actions(&self, count_max: usize) -> Result<Vec<ActionRecord>, JournalError> {
        self.journal.actions(None, count_max)
    }

    /// An action, or none.
    ///
    /// # Errors
    /// [`JournalError`] if it cannot be read.
    pub fn action(&self, action_id: &str) -> Result<Option<ActionRecord>, JournalError> {
        self.journal.action(action_id)
    }

    /// Object ids of whom a tenant's never-act list ever meant, with the entries.
    ///
    /// # Errors
    /// [`JournalError`] if they cannot be read.
    pub fn never_act(&self, tenant_id: &str) -> Result<Vec<Pin>, JournalError> {
        self.journal.pins(tenant_id)
    }

    /// Entries of the audit chain about an action or a case, or of a kind that is about neither, such as
    /// [`Notice::KILL_SWITCH`], in order; the newest where there are more.
    ///
    /// # Errors
    /// [`JournalError`] if they cannot be read.
    pub fn entries(&self, about: &str, count_max: usize) -> Result<Vec<AuditRecord>, JournalError> {
        let is_about = |entry: &AuditRecord| {
            entry.action_id == about
                || entry.case_id == about
                || (entry.case_id.is_empty() && entry.action == about)
                || (entry.action == Notice::DECISION && is_decided(entry, about))
        };
        let mut found = VecDeque::new();
        let mut after = 0;
        loop {
            let entries = self.journal.audit(after, AUDIT_PAGE)?;
            let Some(last) = entries.last() else {
                return Ok(found.into());
            };
            after = last.sequence;
            for entry in entries.into_iter().filter(is_about) {
                if found.len() == count_max {
                    found.pop_front();
                }
                found.push_back(entry);
            }
        }
    }

    /// What the responder last said about the kill switch: "set" or "lifted", with what the file says.
    ///
    /// # Errors
    /// [`JournalError`] if it cannot be read.
    pub fn kill_switch(&self) -> Result<Option<AuditRecord>, JournalError> {
        self.journal.noted(Notice::KILL_SWITCH)
    }

    /// How many actions are held by the kill switch.
    ///
    /// # Errors
    /// [`JournalError`] if they cannot be counted.
    pub fn held_by_switch(&self) -> Result<u64, JournalError> {
        self.journal.held_by(HoldReason::KillSwitch)
    }

    /// Checks every entry of the audit chain, and that it has the entries that are known from elsewhere.
    ///
    /// # Errors
    /// [`VerifyError::Broken`] names the first bad entry.
    pub fn verify(&self, anchors: Vec<Anchor>) -> Result<Option<Anchor>, VerifyError> {
        let verified = self.verify_with(anchors, Vec::new())?;
        Ok(verified.head)
    }

    /// As [`Self::verify`], also by the signatures of these keys.
    ///
    /// # Errors
    /// As [`Self::verify`].
    pub fn verify_with(
        &self,
        anchors: Vec<Anchor>,
        keys: Vec<PublicKey>,
    ) -> Result<Verified, VerifyError> {
        let mut verifier = Verifier::new(anchors).with_keys(keys);
        let mut after = 0;
        loop {
            let entries = match self.journal.audit(after, AUDIT_PAGE) {
                Err(JournalError::Entry { sequence, what }) => {
                    return Err(VerifyError::Broken(Broken::Unreadable { sequence, what }));
                }
                entries => entries?,
            };
            let Some(last) = entries.last() else {
                let (back, heads) = (verifier.back(), verifier.heads());
                let head = verifier.finish().map_err(VerifyError::Broken)?;
                return Ok(Verified { head, back, heads });
            };
            after = last.sequence;
            for entry in &entries {
                verifier.take(entry).map_err(VerifyError::Broken)?;
            }
        }
    }
}

/// Whether a decision that changed nothing was about this action or case.
fn is_decided(entry: &AuditRecord, about: &str) -> bool {
    serde_json::from_str::<Value>(&entry.detail).is_ok_and(|detail| detail["about"] == about)
}
