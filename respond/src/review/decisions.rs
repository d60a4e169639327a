//! What a person decides: it goes into the audit chain with the name that is given and with whom the system knows, also where
//! it is refused.

use serde_json::{Value, json};

use super::Review;
use crate::action::Action;
use crate::journal::{Journal as _, JournalError, Notice, Request, Step};
use crate::person;
use crate::record::{ActionRecord, Approval, State};
use crate::undo::{self, Left, Undoes};

/// Most characters of a name, an id or a reason that go into an entry about a decision that was refused: it may be anything.
const TOLD_CHARACTERS_MAX: usize = 512;

/// The person who decides.
fn named(by: &str) -> Result<&str, JournalError> {
    Ok(person::parse(by)?)
}

impl Review {
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
        let approved = self.approval(by).and_then(|step| {
            self.journal.advance(&Step {
                action_id: action_id.to_owned(),
                from: &[State::Planned],
                time_us: now_us,
                ..step
            })
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
        let denied = named(by).and_then(|by| {
            self.journal.advance(&Step {
                action_id: action_id.to_owned(),
                from: &[State::Planned, State::Approved],
                to: State::Refused,
                detail: self.detail(json!({"why": "denied", "denied_by": by})),
                receipt: None,
                tried: None,
                approval: None,
                sighted: None,
                warnings: Vec::new(),
                time_us: now_us,
            })
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
            by: named(by)?.to_owned(),
            os_user: self.os_user.clone(),
            dry_run,
            undoes: None,
            sighted: self.sighted.clone(),
            time_us: now_us,
        })
    }

    /// What a person's approval changes, with what the person saw.
    fn approval(&self, by: &str) -> Result<Step, JournalError> {
        let approval = Approval::Person(named(by)?.to_owned());
        let mut detail = json!({"approved_by": approval});
        if let Some(sighted) = &self.sighted {
            detail["saw"] = json!(sighted);
        }
        Ok(Step {
            action_id: String::new(),
            from: &[],
            to: State::Approved,
            detail: self.detail(detail),
            receipt: None,
            tried: None,
            approval: Some(approval),
            sighted: self.sighted.clone(),
            warnings: Vec::new(),
            time_us: 0,
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
    pub(super) fn known(&self, action_id: &str) -> Result<ActionRecord, JournalError> {
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
        let by = named(by)?;
        let record = self.known(action_id)?;
        match record.state {
            State::Approved => {
                let mut step = self.approval(by)?;
                step.detail["was_held"] = json!(record.hold);
                self.journal.advance(&Step {
                    action_id: action_id.to_owned(),
                    from: &[State::Approved],
                    time_us: now_us,
                    ..step
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
        let by = named(by)?;
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
            sighted: None,
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
}
