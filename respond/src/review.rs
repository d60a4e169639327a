//! What people read and decide: cases, actions with their evidence, approvals, undo, and the audit chain.
//!
//! Works on the journal's file beside a running stage, which takes up a decision within half a second.

use std::collections::VecDeque;
use std::path::Path;

use schemas::wire::AuditRecord;
use serde_json::{Value, json};

use crate::action::Action;
use crate::audit::signature::PublicKey;
use crate::audit::{Anchor, Back, Broken, Heads, Verifier};
use crate::cases::Case;
use crate::journal::sqlite::SqliteJournal;
use crate::journal::{Journal, JournalError, Notice, Request, Step};
use crate::never_act::Pin;
use crate::record::{ActionRecord, Approval, State};
use crate::undo::{self, Left, Undoes};

/// Entries of the audit chain that are read at a time.
const AUDIT_PAGE: usize = 1_000;

/// Most characters of a name, an id or a reason that go into an entry about a decision that was refused: it may be anything.
const TOLD_CHARACTERS_MAX: usize = 512;

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
        })
    }

    /// For a person whom the system knows as `os_user`: whoever decides can give any name, and this one not.
    #[must_use]
    pub fn as_user(mut self, os_user: Value) -> Self {
        self.os_user = os_user;
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

    /// Approves a planned action.
    ///
    /// # Errors
    /// [`JournalError::Conflict`] if it is not waiting; [`JournalError::DryRun`] if it is never sent.
    pub fn approve(
        &self,
        action_id: &str,
        by: &str,
        now_us: i64,
    ) -> Result<ActionRecord, JournalError> {
        let approval = Approval::Person(by.to_owned());
        let approved = self.journal.advance(&Step {
            action_id: action_id.to_owned(),
            from: &[State::Planned],
            to: State::Approved,
            detail: self.detail(json!({"approved_by": approval})),
            receipt: None,
            tried: None,
            approval: Some(approval),
            warnings: Vec::new(),
            time_us: now_us,
        });
        self.decided("approve", action_id, by, now_us, approved)
    }

    /// Refuses an action that was not sent yet.
    ///
    /// # Errors
    /// [`JournalError::Conflict`] if it was.
    pub fn deny(
        &self,
        action_id: &str,
        by: &str,
        now_us: i64,
    ) -> Result<ActionRecord, JournalError> {
        let denied = self.journal.advance(&Step {
            action_id: action_id.to_owned(),
            from: &[State::Planned, State::Approved],
            to: State::Refused,
            detail: self.detail(json!({"why": "denied", "denied_by": by})),
            receipt: None,
            tried: None,
            approval: None,
            warnings: Vec::new(),
            time_us: now_us,
        });
        self.decided("deny", action_id, by, now_us, denied)
    }

    /// Asks for an action on a case's account; asking twice is one action.
    ///
    /// # Errors
    /// [`JournalError::NoSuchCase`], [`JournalError::NoAccount`].
    pub fn request(
        &self,
        case_id: &str,
        action: Action,
        by: &str,
        dry_run: bool,
        now_us: i64,
    ) -> Result<ActionRecord, JournalError> {
        let what = format!("request {}", action.kind());
        let asked = self.ask(case_id, action, by, dry_run, now_us);
        self.decided(&what, case_id, by, now_us, asked)
    }

    fn ask(
        &self,
        case_id: &str,
        action: Action,
        by: &str,
        dry_run: bool,
        now_us: i64,
    ) -> Result<ActionRecord, JournalError> {
        self.journal.request(&Request {
            case_id: case_id.to_owned(),
            action,
            by: by.to_owned(),
            os_user: self.os_user.clone(),
            dry_run,
            undoes: None,
            time_us: now_us,
        })
    }

    /// Asks again for an action that was held, refused, or came too late.
    ///
    /// One that is held goes on as approved by this person, so that the budget of what is automatic does not hold
    /// it; one that has ended is asked for anew.
    ///
    /// # Errors
    /// [`JournalError::Conflict`] if it waits for an approval, is on its way, or was effective.
    pub fn retry(
        &self,
        action_id: &str,
        by: &str,
        dry_run: bool,
        now_us: i64,
    ) -> Result<ActionRecord, JournalError> {
        let tried = self.try_again(action_id, by, dry_run, now_us);
        self.decided("retry", action_id, by, now_us, tried)
    }

    /// An action that there must be.
    fn known(&self, action_id: &str) -> Result<ActionRecord, JournalError> {
        self.journal
            .action(action_id)?
            .ok_or_else(|| JournalError::NoSuchAction {
                action_id: action_id.to_owned(),
            })
    }

    fn try_again(
        &self,
        action_id: &str,
        by: &str,
        dry_run: bool,
        now_us: i64,
    ) -> Result<ActionRecord, JournalError> {
        let record = self.known(action_id)?;
        match record.state {
            State::Approved => {
                let approval = Approval::Person(by.to_owned());
                self.journal.advance(&Step {
                    action_id: action_id.to_owned(),
                    from: &[State::Approved],
                    to: State::Approved,
                    detail: self.detail(json!({"approved_by": approval, "was_held": record.hold})),
                    receipt: None,
                    tried: None,
                    approval: Some(approval),
                    warnings: Vec::new(),
                    time_us: now_us,
                })
            }
            State::Intended | State::Applied if record.hold.is_some() => {
                self.journal.postpone(action_id, 0, 0)?;
                self.note("retry", action_id, by, "taken", None, now_us)?;
                Ok(record)
            }
            State::Planned | State::Intended | State::Applied | State::Effective => {
                Err(JournalError::Conflict {
                    action_id: record.action_id,
                    found: record.state,
                })
            }
            State::Refused
            | State::Expired
            | State::Withdrawn
            | State::NotEffective
            | State::Failed
            | State::Unknown => self.ask(&record.case_id, record.action, by, dry_run, now_us),
        }
    }

    /// Asks for what restores the state before an action.
    ///
    /// # Errors
    /// [`JournalError::NothingToUndo`] if nothing was changed, or if it cannot be restored; [`JournalError::CannotUndo`]
    /// if nobody can tell whether what was left is still so.
    pub fn undo(
        &self,
        action_id: &str,
        by: &str,
        dry_run: bool,
        now_us: i64,
    ) -> Result<ActionRecord, JournalError> {
        let undone = self.take_back(action_id, by, dry_run, now_us);
        self.decided("undo", action_id, by, now_us, undone)
    }

    fn take_back(
        &self,
        action_id: &str,
        by: &str,
        dry_run: bool,
        now_us: i64,
    ) -> Result<ActionRecord, JournalError> {
        let nothing = || JournalError::NothingToUndo {
            action_id: action_id.to_owned(),
        };
        let record = self.known(action_id)?;
        let receipt = record.receipt.as_ref().ok_or_else(nothing)?;
        let action = record.action.undo(receipt).ok_or_else(nothing)?;
        if !undo::can_be_undone(record.state) {
            return Err(nothing());
        }
        let cannot = |why: &str| JournalError::CannotUndo {
            action_id: action_id.to_owned(),
            why: why.to_owned(),
        };
        let left = undo::left_by(&record.action, receipt).ok_or_else(|| {
            cannot("what it left behind was not kept whole; ask for the action itself")
        })?;
        let age_us = now_us.saturating_sub(record.changed_time_us);
        if matches!(left, Left::SignIn { .. }) && age_us > undo::SIGN_IN_AGE_MAX_US {
            return Err(cannot(
                "it is more than a day ago, and others may have blocked or allowed the account since; look, then ask for \
                 the action itself",
            ));
        }
        self.journal.request(&Request {
            case_id: record.case_id.clone(),
            action,
            by: by.to_owned(),
            os_user: self.os_user.clone(),
            dry_run,
            undoes: Some(Undoes {
                action_id: action_id.to_owned(),
                account: receipt.user().clone(),
                left,
            }),
            time_us: now_us,
        })
    }

    /// What a decision says, with whom the system knows as the one who decides.
    fn detail(&self, mut said: Value) -> Value {
        if !self.os_user.is_null() {
            said["os_user"] = self.os_user.clone();
        }
        said
    }

    /// Gives back what a decision came to, which stands in the audit chain also where it is refused.
    fn decided<T>(
        &self,
        what: &str,
        about: &str,
        by: &str,
        now_us: i64,
        done: Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        if let Err(error) = &done
            && error.is_refusal()
        {
            self.tell_refused(what, about, by, &error.to_string(), now_us)?;
        }
        done
    }

    /// Tells in the audit chain that what a person decided was refused, for example by what the lake knows.
    ///
    /// # Errors
    /// [`JournalError`] if it cannot be told.
    pub fn tell_refused(
        &self,
        what: &str,
        about: &str,
        by: &str,
        why: &str,
        now_us: i64,
    ) -> Result<(), JournalError> {
        self.note(what, about, by, "refused", Some(why), now_us)
    }

    fn note(
        &self,
        what: &str,
        about: &str,
        by: &str,
        state: &'static str,
        why: Option<&str>,
        now_us: i64,
    ) -> Result<(), JournalError> {
        let bounded = |text: &str| text.chars().take(TOLD_CHARACTERS_MAX).collect::<String>();
        self.journal.note(&Notice {
            what: Notice::DECISION,
            state,
            by: bounded(by),
            detail: self.detail(
                json!({"decision": what, "about": bounded(about), "why": why.map(bounded)}),
            ),
            time_us: now_us,
        })
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
            let entries = self.journal.audit(after, AUDIT_PAGE)?;
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
