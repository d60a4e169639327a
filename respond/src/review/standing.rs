//! Whether the journal's actions are what the audit chain says of them: the chain is what was decided and done, and the
//! table is what people are shown and the responder goes by.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{AUDIT_PAGE, Review};
use crate::journal::{Journal as _, JournalError, Notice, StoredAction};
use crate::record::{ActionRecord, State};

/// What the chain says of an action.
#[derive(Debug, Default)]
struct Told {
    state: String,
    target: String,
    requested_by: String,
    dry_run: bool,
    /// Who approved it last, as the entry says it.
    approved_by: Option<Value>,
}

/// An action of which the journal and the chain say different things.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    /// The action's id.
    pub action_id: String,
    /// What differs, for a person.
    pub what: String,
}

impl Review {
    /// The actions that are not what the chain says of them; an action that was set aside because it could not be read is
    /// told by the chain, and is none of them.
    ///
    /// # Errors
    /// [`JournalError`] if they cannot be read.
    pub fn differences(&self) -> Result<Vec<Difference>, JournalError> {
        let stored = self.journal.stored_actions()?;
        let (mut told, aside) = self.told()?;
        let mut found = Vec::new();
        for row in &stored {
            let said = told.remove(&row.action_id);
            let what = match said {
                None => Some("the chain has no entry of it".to_owned()),
                Some(said) => said.differs(row),
            };
            found.extend(what.map(|what| Difference {
                action_id: row.action_id.clone(),
                what,
            }));
        }
        for (action_id, said) in told {
            if !aside.contains(&action_id) {
                let what = format!("{} in the chain, and not there", said.state);
                found.push(Difference { action_id, what });
            }
        }
        found.sort();
        Ok(found)
    }

    /// Since when something waits to be published, in microseconds since the Unix epoch, UTC; none if nothing does.
    ///
    /// # Errors
    /// [`JournalError`] if it cannot be read.
    pub fn unpublished_since(&self) -> Result<Option<i64>, JournalError> {
        Ok(self.journal.outbox()?.oldest_us)
    }

    /// How many entries the chain begins with that were written before a time.
    ///
    /// # Errors
    /// [`JournalError`] if they cannot be read.
    pub fn entries_before(&self, time_us: i64) -> Result<u64, JournalError> {
        let mut after = 0;
        loop {
            let entries = self.journal.audit(after, AUDIT_PAGE)?;
            for entry in &entries {
                if entry.time_us >= time_us {
                    return Ok(after);
                }
                after = entry.sequence;
            }
            if entries.is_empty() {
                return Ok(after);
            }
        }
    }

    /// What the chain says of each action, and which rows it says were set aside.
    fn told(&self) -> Result<(BTreeMap<String, Told>, BTreeSet<String>), JournalError> {
        let (mut told, mut aside) = (BTreeMap::<String, Told>::new(), BTreeSet::new());
        let mut after = 0;
        loop {
            let entries = self.journal.audit(after, AUDIT_PAGE)?;
            let Some(last) = entries.last() else {
                return Ok((told, aside));
            };
            after = last.sequence;
            for entry in entries {
                let detail: Value = serde_json::from_str(&entry.detail).unwrap_or_default();
                if entry.action_id.is_empty() {
                    if entry.action == Notice::DAMAGED_ROW && detail["table"] == "actions" {
                        aside.extend(detail["key"].as_str().map(str::to_owned));
                    }
                    continue;
                }
                let said = told.entry(entry.action_id).or_default();
                // That it is held is no state of its own.
                if entry.state != State::HELD {
                    if entry.state == State::Approved.as_str() {
                        said.approved_by = detail.get("approved_by").cloned();
                    }
                    said.state = entry.state;
                }
                said.target = entry.target;
                said.requested_by = entry.requested_by;
                said.dry_run = entry.dry_run;
            }
        }
    }
}

impl Told {
    /// What a row says otherwise, or none.
    fn differs(&self, row: &StoredAction) -> Option<String> {
        let Some(record) = row
            .body
            .as_deref()
            .and_then(|body| serde_json::from_str::<ActionRecord>(body).ok())
        else {
            return Some("its row cannot be read".to_owned());
        };
        let approved_by = record.approval.as_ref().map(|approval| json!(approval));
        let word = |value: &Option<Value>| match value {
            Some(value) => value.to_string(),
            None => "nobody".to_owned(),
        };
        let pairs = [
            ("id", row.action_id.clone(), record.action_id.clone()),
            (
                "state",
                self.state.clone(),
                record.state.as_str().to_owned(),
            ),
            (
                "state",
                self.state.clone(),
                row.state.clone().unwrap_or_default(),
            ),
            ("target", self.target.clone(), record.account().to_owned()),
            (
                "requested_by",
                self.requested_by.clone(),
                record.requested_by.clone(),
            ),
            (
                "dry_run",
                self.dry_run.to_string(),
                record.dry_run.to_string(),
            ),
            ("approved_by", word(&self.approved_by), word(&approved_by)),
        ];
        let differing = pairs.into_iter().find(|(_, told, kept)| told != kept);
        differing.map(|(what, told, kept)| {
            format!("{what} is {told} in the chain, and {kept} in the journal")
        })
    }
}
