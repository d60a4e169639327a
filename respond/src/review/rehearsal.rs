//! A decision as it would be, so that a person is shown whom it is about before it is taken.

use super::Review;
use crate::action::Action;
use crate::cases;
use crate::journal::{Journal as _, JournalError};
use crate::record::{ActionRecord, Approval, State};
use crate::sighting::Sighting;

impl Review {
    /// The action as it would run if this person approved it, or asked for it again, now; none if it has begun, and is
    /// only looked at again.
    ///
    /// # Errors
    /// [`JournalError::NoSuchAction`], [`JournalError::NoSuchCase`].
    pub fn rehearsal(
        &self,
        action_id: &str,
        by: &str,
        now_us: i64,
    ) -> Result<Option<ActionRecord>, JournalError> {
        let record = self.known(action_id)?;
        match record.state {
            State::Planned | State::Approved => Ok(Some(approved(record, by, now_us))),
            State::Intended | State::Applied => Ok(None),
            // It is asked for anew: by what the case knows now.
            _ => self
                .rehearsal_of(&record.case_id, record.action, by, now_us)
                .map(Some),
        }
    }

    /// An action on a case's account as it would run if this person asked for it now.
    ///
    /// # Errors
    /// [`JournalError::NoSuchCase`], [`JournalError::NoAccount`].
    pub fn rehearsal_of(
        &self,
        case_id: &str,
        action: Action,
        by: &str,
        now_us: i64,
    ) -> Result<ActionRecord, JournalError> {
        let mut wanted = case_id.to_owned();
        let case = loop {
            let found = self.journal.case(&wanted)?;
            let found = found.ok_or_else(|| JournalError::NoSuchCase {
                case_id: wanted.clone(),
            })?;
            // Ends: a merged case is never merged into again.
            match &found.merged_into {
                Some(into) => wanted.clone_from(into),
                None => break found,
            }
        };
        if case.entity().is_empty() {
            return Err(JournalError::NoAccount {
                case_id: case.case_id,
            });
        }
        let record = cases::new_record(&case, action, 0, 0, by.to_owned(), now_us);
        Ok(approved(record, by, now_us))
    }

    /// Asks the responder whom such an action is about: it looks within half a second, or as soon as it can.
    ///
    /// # Errors
    /// [`JournalError`] if it cannot be asked.
    pub fn ask_whom(&self, record: &ActionRecord, now_us: i64) -> Result<String, JournalError> {
        self.journal.ask_whom(record, now_us)
    }

    /// What the responder found, or none as long as it has not looked.
    ///
    /// # Errors
    /// [`JournalError`] if it cannot be read.
    pub fn sighting(&self, question_id: &str) -> Result<Option<Sighting>, JournalError> {
        self.journal.sighting(question_id)
    }
}

fn approved(record: ActionRecord, by: &str, now_us: i64) -> ActionRecord {
    ActionRecord {
        state: State::Approved,
        approval: Some(Approval::Person(by.to_owned())),
        approved_time_us: Some(now_us),
        sighted: None,
        hold: None,
        ..record
    }
}
