//! What is written to the journal and read from it, beside cases and actions themselves.

use schemas::topics::Topic;
use serde_json::Value;

use crate::accounts::named::Sighted;
use crate::action::{Action, Receipt};
use crate::record::{ActionRecord, Approval, HoldReason, State, Try};
use crate::undo::Undoes;

/// What an alert led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    /// False if it was seen before and said nothing new.
    pub is_new: bool,
    /// Its case.
    pub case_id: Option<String>,
    /// Ids of the actions that were planned.
    pub planned: Vec<String>,
    /// Ids of the cases that were merged into another one, because the alert says that they are about one account.
    pub merged: Vec<String>,
}

/// A change of an action's state.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The action.
    pub action_id: String,
    /// The states that it may start from.
    pub from: &'static [State],
    /// The new state.
    pub to: State,
    /// What was seen; goes into the audit entry.
    pub detail: Value,
    /// What was there before, with the intent.
    pub receipt: Option<Receipt>,
    /// The try that begins or ends with it.
    pub tried: Option<Try>,
    /// Who approved it, with the approval.
    pub approval: Option<Approval>,
    /// What that person had seen.
    pub sighted: Option<Sighted>,
    /// What the action does not achieve on this account, with the intent.
    pub warnings: Vec<String>,
    /// When, in microseconds since the Unix epoch, UTC.
    pub time_us: i64,
}

/// An action that cannot go on now, and stays in its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holding {
    /// The action.
    pub action_id: String,
    /// Why.
    pub reason: HoldReason,
    /// The same for a person, with what was seen.
    pub why: String,
    /// Failed tries since the last change of state.
    pub attempts: u32,
    /// When it is looked at again; 0 for as soon as the reason is gone.
    pub not_before_us: i64,
    /// When, in microseconds since the Unix epoch, UTC.
    pub time_us: i64,
}

/// A row of an action as it is stored, whatever it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAction {
    /// The action's id.
    pub action_id: String,
    /// The state's column, if it is text.
    pub state: Option<String>,
    /// The record, if it is text.
    pub body: Option<String>,
}

/// Something for the audit chain that is no change of an action.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice {
    /// What it is about, for example [`Self::KILL_SWITCH`].
    pub what: &'static str,
    /// What became of it.
    pub state: &'static str,
    /// Who did it, or empty.
    pub by: String,
    /// What was seen.
    pub detail: Value,
    /// When, in microseconds since the Unix epoch, UTC.
    pub time_us: i64,
}

impl Notice {
    /// The kill switch was set or lifted, and that counts from this entry on.
    pub const KILL_SWITCH: &'static str = "kill_switch";
    /// The journal began anew although entries were published before.
    pub const JOURNAL: &'static str = "journal";
    /// A responder started with another configuration than before.
    pub const CONFIGURATION: &'static str = "configuration";
    /// A row of the journal cannot be read and was set aside.
    pub const DAMAGED_ROW: &'static str = "damaged_row";
    /// What a person decided changed no action: it was refused, or something was only tried again at once.
    pub const DECISION: &'static str = "decision";
}

/// What is still to be published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Outbox {
    /// Messages.
    pub count: u64,
    /// When the oldest of them was written, in microseconds since the Unix epoch, UTC.
    pub oldest_us: Option<i64>,
}

/// A person's request for an action.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The case.
    pub case_id: String,
    /// The action.
    pub action: Action,
    /// Who asks; this is also the approval.
    pub by: String,
    /// Whom the system knows as the one who asks, or null.
    pub os_user: Value,
    /// Plan only.
    pub dry_run: bool,
    /// What it takes back, if it is an undo; it is then about the account that was changed.
    pub undoes: Option<Undoes>,
    /// What whoever asks had seen of the account.
    pub sighted: Option<Sighted>,
    /// When, in microseconds since the Unix epoch, UTC.
    pub time_us: i64,
}

/// A message that is still to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Its place in the order of publication.
    pub number: i64,
    /// The topic.
    pub topic: Topic,
    /// The message's key.
    pub key: String,
    /// The encoded wire type.
    pub payload: Vec<u8>,
}

/// A person wants to be shown whom an action is about.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// Its id.
    pub question_id: String,
    /// The action as it would run.
    pub record: ActionRecord,
}
