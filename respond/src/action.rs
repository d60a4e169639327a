//! Everything respond may do to a tenant; nothing outside this list can happen.
//!
//! | action | undone by | least permission |
//! |---|---|---|
//! | `block_sign_in` | `allow_sign_in` | `User.EnableDisableAccount.All` |
//! | `allow_sign_in` | `block_sign_in` | `User.EnableDisableAccount.All` |
//! | `revoke_sessions` | nothing: the user signs in again | `User.RevokeSessions.All` |
//! | `disable_inbox_rules` | `enable_inbox_rules` | `MailboxSettings.ReadWrite` |
//! | `enable_inbox_rules` | `disable_inbox_rules` | `MailboxSettings.ReadWrite` |
//!
//! Each has a file in `actions/` with five parts: parameters, plan, apply, undo, tests. An undo is itself an
//! action, so that it passes the same gates and is audited and read back like any other.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::actions::{inbox_rules, sign_in};
use crate::directory::{DirectoryError, DirectoryReads, ObjectId, User};
use crate::effects::Effects;

pub use crate::actions::allow_sign_in::AllowSignIn;
pub use crate::actions::block_sign_in::BlockSignIn;
pub use crate::actions::disable_inbox_rules::{DisableInboxRules, RuleChoice};
pub use crate::actions::enable_inbox_rules::EnableInboxRules;
pub use crate::actions::inbox_rules::{RuleBefore, RulesReceipt};
pub use crate::actions::revoke_sessions::{RevokeSessions, SessionsReceipt};
pub use crate::actions::sign_in::SignInReceipt;

/// Everything respond may do, with its parameters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Action {
    /// Block sign-in.
    BlockSignIn(BlockSignIn),
    /// Allow sign-in.
    AllowSignIn(AllowSignIn),
    /// Void every session.
    RevokeSessions(RevokeSessions),
    /// Turn inbox rules off.
    DisableInboxRules(DisableInboxRules),
    /// Turn inbox rules on again.
    EnableInboxRules(EnableInboxRules),
}

/// The same list without parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionKind {
    /// Block sign-in.
    BlockSignIn,
    /// Allow sign-in.
    AllowSignIn,
    /// Void every session.
    RevokeSessions,
    /// Turn inbox rules off.
    DisableInboxRules,
    /// Turn inbox rules on again.
    EnableInboxRules,
}

/// A permission that an action needs: the least one, and broader ones that contain it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permission {
    /// What an administrator should grant.
    pub least: &'static str,
    /// What also suffices.
    pub also: &'static [&'static str],
}

impl Permission {
    /// Whether the token's roles contain it.
    pub fn is_in(&self, roles: &[String]) -> bool {
        roles
            .iter()
            .any(|role| role == self.least || self.also.contains(&role.as_str()))
    }
}

/// Reading the account, which every action does.
pub const READ_USER: Permission = Permission {
    least: "User.Read.All",
    also: &[
        "User.ReadWrite.All",
        "Directory.Read.All",
        "Directory.ReadWrite.All",
    ],
};

/// Reading the roles that the account holds, which every preflight does.
pub const READ_ROLES: Permission = Permission {
    least: "RoleManagement.Read.Directory",
    also: &[
        "RoleManagement.Read.All",
        "RoleManagement.ReadWrite.Directory",
        "Directory.Read.All",
        "Directory.ReadWrite.All",
    ],
};

/// What was there before, written down with the intent: the recipe by which an action is undone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "receipt", rename_all = "snake_case")]
pub enum Receipt {
    /// Whether sign-in was allowed.
    SignIn(SignInReceipt),
    /// Since when sessions were valid.
    Sessions(SessionsReceipt),
    /// Which rules were on.
    Rules(RulesReceipt),
}

/// What a read-back found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    /// True if what the action is for is so now.
    pub is_effective: bool,
    /// What was found.
    pub after: Value,
    /// What is not as it should be, one sentence each.
    pub missing: Vec<String>,
}

impl ActionKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [
        Self::BlockSignIn,
        Self::AllowSignIn,
        Self::RevokeSessions,
        Self::DisableInboxRules,
        Self::EnableInboxRules,
    ];

    /// The word on the wire and in playbooks.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BlockSignIn => "block_sign_in",
            Self::AllowSignIn => "allow_sign_in",
            Self::RevokeSessions => "revoke_sessions",
            Self::DisableInboxRules => "disable_inbox_rules",
            Self::EnableInboxRules => "enable_inbox_rules",
        }
    }
}

impl fmt::Display for ActionKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

fn other_receipt() -> DirectoryError {
    DirectoryError::Malformed {
        what: "the receipt is of another action".to_owned(),
    }
}

impl Action {
    /// Its kind.
    pub const fn kind(&self) -> ActionKind {
        match self {
            Self::BlockSignIn(_) => ActionKind::BlockSignIn,
            Self::AllowSignIn(_) => ActionKind::AllowSignIn,
            Self::RevokeSessions(_) => ActionKind::RevokeSessions,
            Self::DisableInboxRules(_) => ActionKind::DisableInboxRules,
            Self::EnableInboxRules(_) => ActionKind::EnableInboxRules,
        }
    }

    /// One line that a human approves.
    pub fn plan(&self, target: &str) -> String {
        match self {
            Self::BlockSignIn(_) => BlockSignIn::plan(target),
            Self::AllowSignIn(_) => AllowSignIn::plan(target),
            Self::RevokeSessions(_) => RevokeSessions::plan(target),
            Self::DisableInboxRules(action) => action.plan(target),
            Self::EnableInboxRules(action) => action.plan(target),
        }
    }

    /// The permissions that it needs, reads included.
    pub const fn permissions(&self) -> &'static [Permission] {
        match self {
            Self::BlockSignIn(_) | Self::AllowSignIn(_) => sign_in::PERMISSIONS,
            Self::RevokeSessions(_) => RevokeSessions::PERMISSIONS,
            Self::DisableInboxRules(_) | Self::EnableInboxRules(_) => inbox_rules::PERMISSIONS,
        }
    }

    /// Reads what is there before, as far as this action may change it; changes nothing.
    ///
    /// # Errors
    /// [`DirectoryError`] if it cannot be read: without a receipt nothing is applied.
    pub async fn look(
        &self,
        directory: &dyn DirectoryReads,
        user: &User,
    ) -> Result<Receipt, DirectoryError> {
        match self {
            Self::BlockSignIn(_) | Self::AllowSignIn(_) => Ok(Receipt::SignIn(sign_in::look(user))),
            Self::RevokeSessions(_) => Ok(Receipt::Sessions(RevokeSessions::look(user))),
            Self::DisableInboxRules(action) => {
                action.look(directory, user).await.map(Receipt::Rules)
            }
            Self::EnableInboxRules(action) => {
                action.look(directory, user).await.map(Receipt::Rules)
            }
        }
    }

    /// Makes the change, sending only what is still needed.
    ///
    /// # Errors
    /// [`DirectoryError`] if a call failed; a part may have happened, and a read-back tells which.
    pub async fn apply(
        &self,
        directory: &dyn DirectoryReads,
        effects: &Effects<'_>,
        receipt: &Receipt,
    ) -> Result<(), DirectoryError> {
        match (self, receipt) {
            (Self::BlockSignIn(_), Receipt::SignIn(receipt)) => {
                BlockSignIn::apply(effects, receipt).await
            }
            (Self::AllowSignIn(_), Receipt::SignIn(receipt)) => {
                AllowSignIn::apply(effects, receipt).await
            }
            (Self::RevokeSessions(_), Receipt::Sessions(receipt)) => {
                RevokeSessions::apply(effects, receipt).await
            }
            (Self::DisableInboxRules(_), Receipt::Rules(receipt)) => {
                DisableInboxRules::apply(directory, effects, receipt).await
            }
            (Self::EnableInboxRules(_), Receipt::Rules(receipt)) => {
                EnableInboxRules::apply(directory, effects, receipt).await
            }
            _ => Err(other_receipt()),
        }
    }

    /// Reads whether what the action is for is so now; changes nothing.
    ///
    /// # Errors
    /// [`DirectoryError`] if it cannot be read.
    pub async fn read_back(
        &self,
        directory: &dyn DirectoryReads,
        receipt: &Receipt,
    ) -> Result<Seen, DirectoryError> {
        match (self, receipt) {
            (Self::BlockSignIn(_), Receipt::SignIn(receipt)) => {
                sign_in::read_back(directory, receipt, false).await
            }
            (Self::AllowSignIn(_), Receipt::SignIn(receipt)) => {
                sign_in::read_back(directory, receipt, true).await
            }
            (Self::RevokeSessions(_), Receipt::Sessions(receipt)) => {
                RevokeSessions::read_back(directory, receipt).await
            }
            (Self::DisableInboxRules(_), Receipt::Rules(receipt)) => {
                inbox_rules::read_back(directory, receipt, false).await
            }
            (Self::EnableInboxRules(_), Receipt::Rules(receipt)) => {
                inbox_rules::read_back(directory, receipt, true).await
            }
            _ => Err(other_receipt()),
        }
    }

    /// The action that restores what was there before, which is not always the opposite; none if nothing is to
    /// be restored.
    pub fn undo(&self, receipt: &Receipt) -> Option<Self> {
        match (self, receipt) {
            (Self::BlockSignIn(_), Receipt::SignIn(receipt)) => BlockSignIn::undo(receipt),
            (Self::AllowSignIn(_), Receipt::SignIn(receipt)) => AllowSignIn::undo(receipt),
            (Self::DisableInboxRules(_), Receipt::Rules(receipt)) => {
                DisableInboxRules::undo(receipt)
            }
            (Self::EnableInboxRules(_), Receipt::Rules(receipt)) => EnableInboxRules::undo(receipt),
            _ => None,
        }
    }
}

/// The account that a receipt is about.
impl Receipt {
    /// Object id of the account.
    pub const fn user(&self) -> &ObjectId {
        match self {
            Self::SignIn(receipt) => &receipt.user,
            Self::Sessions(receipt) => &receipt.user,
            Self::Rules(receipt) => &receipt.user,
        }
    }
}
