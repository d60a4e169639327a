//! What is known about one action.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use schemas::action::ActionState as State;

use crate::accounts::named::{Named, Sighted};
use crate::action::{Action, ActionKind, Receipt};
use crate::directory::Reply;
use crate::undo::Undoes;

/// Why an action waits although its turn has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldReason {
    /// The kill switch is set.
    KillSwitch,
    /// The directory cannot be reached, or asked for a pause.
    DirectoryAway,
    /// The directory answers, and a fact that decides cannot be read from it.
    FactUnreadable,
    /// The token lacks a permission.
    PermissionMissing,
    /// As many accounts as are allowed without a person were acted on within an hour.
    BudgetUsed,
    /// What was done before cannot be published: nobody outside would see what is done now.
    OutboxOld,
    /// Another responder may act: this one sends nothing until the lease is its own again, and then looks first.
    LeaseLost,
    /// Its tenant is not in the configuration, or not as one in which may be acted.
    TenantNotConfigured,
}

impl HoldReason {
    /// Every reason.
    pub const ALL: [Self; 8] = [
        Self::KillSwitch,
        Self::DirectoryAway,
        Self::FactUnreadable,
        Self::PermissionMissing,
        Self::BudgetUsed,
        Self::OutboxOld,
        Self::LeaseLost,
        Self::TenantNotConfigured,
    ];

    /// The word in audit entries and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::KillSwitch => "kill_switch",
            Self::DirectoryAway => "directory_away",
            Self::FactUnreadable => "fact_unreadable",
            Self::PermissionMissing => "permission_missing",
            Self::BudgetUsed => "budget_used",
            Self::OutboxOld => "outbox_old",
            Self::LeaseLost => "lease_lost",
            Self::TenantNotConfigured => "tenant_not_configured",
        }
    }

    /// The reason of a word.
    pub fn of_str(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }
}

impl fmt::Display for HoldReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// An action that waits, since when and why; it goes on by itself once the reason is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// The reason now.
    pub reason: HoldReason,
    /// The same for a person, with what was seen.
    pub why: String,
    /// Since when, in microseconds since the Unix epoch, UTC.
    pub since_us: i64,
    /// The reasons since then that the audit chain has an entry for: each is told once.
    pub told: Vec<HoldReason>,
}

/// Who approved an action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Approval {
    /// The configuration: the action is on the list of automatic ones.
    Policy,
    /// A person.
    Person(String),
}

/// Most tries of an action that are kept: more than there are within the age of an approval.
const TRIES_MAX: usize = 1_000;

/// One try to make an action's changes: kept before the first of its calls, and again when they are over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Try {
    /// What its calls are sent with as `client-request-id`: a GUID.
    pub client_request_id: String,
    /// The answers, in order, also those that refuse.
    pub replies: Vec<Reply>,
    /// False while, and where, nobody knows whether one of its calls was carried out or will be.
    pub is_answered: bool,
}

impl Try {
    /// A try that is about to begin: of one that is never heard of again, nobody knows.
    pub fn begun() -> Self {
        Self {
            client_request_id: uuid::Uuid::new_v4().to_string(),
            replies: Vec::new(),
            is_answered: false,
        }
    }
}

/// One action.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ActionRecord {
    /// Hash of case, action, target and round.
    pub action_id: String,
    /// The case.
    pub case_id: String,
    /// The tenant.
    pub tenant_id: String,
    /// Object id, or user principal name where no id was known when it was planned.
    pub target: String,
    /// Whom the evidence for it names in its own words; without it nothing is sent.
    #[serde(default)]
    pub evidence: Vec<Named>,
    /// Where that evidence came from, by the word of [`schemas::provenance::Provenance`].
    #[serde(default)]
    pub provenance: String,
    /// What it takes back, if it is an undo.
    #[serde(default)]
    pub undoes: Option<Undoes>,
    /// The action.
    pub action: Action,
    /// Its place among the actions of its case.
    pub position: u32,
    /// 0, and one more each time that it is asked for again after it ended.
    pub round: u32,
    /// `playbook:NAME` or a person.
    pub requested_by: String,
    /// Id of the action that stands for this one since their cases were merged; this one was refused for it.
    #[serde(default)]
    pub superseded_by: Option<String>,
    /// Who approved it.
    pub approval: Option<Approval>,
    /// What the person who approved it had seen of the account: the approval is of that one, and waives no other doubt.
    #[serde(default)]
    pub sighted: Option<Sighted>,
    /// When it was approved, in microseconds since the Unix epoch, UTC.
    #[serde(default)]
    pub approved_time_us: Option<i64>,
    /// When what speaks for it happened, in microseconds since the Unix epoch, UTC; 0 where that was not kept.
    #[serde(default)]
    pub evidence_time_us: i64,
    /// Why it waits, if it does.
    #[serde(default)]
    pub hold: Option<Hold>,
    /// True if it was planned in dry-run: it is never sent, also when dry-run is turned off later.
    pub dry_run: bool,
    /// The state.
    pub state: State,
    /// What was there before; written with the intent.
    pub receipt: Option<Receipt>,
    /// The tries to make its changes, in order.
    #[serde(default)]
    pub tries: Vec<Try>,
    /// What the action does not achieve on this account; written with the intent.
    pub warnings: Vec<String>,
    /// Failed tries since the last change of state.
    pub attempts: u32,
    /// Not before this time, in microseconds since the Unix epoch, UTC.
    pub not_before_us: i64,
    /// When it was planned, in microseconds since the Unix epoch, UTC.
    pub planned_time_us: i64,
    /// When its intent was written.
    pub intended_time_us: Option<i64>,
    /// When its state last changed.
    pub changed_time_us: i64,
    /// What the last change of state said.
    pub detail: Value,
}

/// The idempotency key: the same action on the same target in the same case is one action.
pub fn action_id(case_id: &str, kind: ActionKind, target: &str, round: u32) -> String {
    schemas::ids::hex(&[
        b"action",
        case_id.as_bytes(),
        kind.as_str().as_bytes(),
        target.as_bytes(),
        &round.to_le_bytes(),
    ])
}

/// Longest that an action is not looked at because its time has not come: whatever it waits for is looked for again then.
pub(crate) const WAIT_MAX: Duration = Duration::from_mins(5);

/// The latest time that an action can wait for now. What waits for a later one was put off by a clock that has been set
/// back since, and is due: a step of hours must not keep an attacker in for hours.
pub(crate) fn wait_end_us(now_us: i64) -> i64 {
    let wait_us = i64::try_from(WAIT_MAX.as_micros()).unwrap_or(i64::MAX);
    now_us.saturating_add(wait_us)
}

impl ActionRecord {
    /// Whether it may be taken further now.
    pub(crate) fn is_due(&self, now_us: i64) -> bool {
        self.not_before_us <= now_us || self.not_before_us > wait_end_us(now_us)
    }

    /// When what speaks for it happened, as far as known.
    pub const fn evidence_time_us(&self) -> i64 {
        if self.evidence_time_us > 0 {
            self.evidence_time_us
        } else {
            self.planned_time_us
        }
    }

    /// Keeps a try, or what is known of it now.
    pub fn keep_try(&mut self, tried: Try) {
        let known = self
            .tries
            .iter_mut()
            .find(|one| one.client_request_id == tried.client_request_id);
        if let Some(known) = known {
            *known = tried;
            return;
        }
        if self.tries.len() >= TRIES_MAX {
            // Those that nobody knows the end of decide how the action ends: they are forgotten last.
            let oldest = self.tries.iter().position(|one| one.is_answered);
            self.tries.remove(oldest.unwrap_or_default());
        }
        self.tries.push(tried);
    }

    /// Whether one of its calls may have been carried out, or may be yet, without an answer that says so.
    ///
    /// Of an action that was intended by an earlier version nobody knows.
    pub fn may_have_happened(&self) -> bool {
        self.tries.is_empty() || self.tries.iter().any(|one| !one.is_answered)
    }

    /// Whether a playbook asked for it.
    pub fn is_of_playbook(&self) -> bool {
        self.requested_by.starts_with("playbook:")
    }

    /// The word for where it stands: its state, or that it is held there.
    pub const fn standing(&self) -> &'static str {
        if self.hold.is_some() && self.can_be_held() {
            State::HELD
        } else {
            self.state.as_str()
        }
    }

    /// Whether it can wait for something else than its turn: also what waits for a person, where nobody can act.
    pub const fn can_be_held(&self) -> bool {
        self.state.is_runnable() || matches!(self.state, State::Planned)
    }

    /// Whether it waits for a person or has something left to do; what a dry-run planned waits for ever.
    pub fn is_to_end(&self) -> bool {
        self.state.is_runnable() || (self.state == State::Planned && !self.dry_run)
    }

    /// The account as Microsoft knows it: the object id once it is known.
    pub fn account(&self) -> &str {
        self.receipt
            .as_ref()
            .map_or(&self.target, |receipt| receipt.user().as_str())
    }
}
