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

use crate::directory::{DirectoryError, DirectoryReads, ObjectId, User};
use crate::effects::Effects;

pub use crate::actions::allow_sign_in::AllowSignIn;
pub use crate::actions::block_sign_in::BlockSignIn;
pub use crate::actions::disable_inbox_rules::{DisableInboxRules, RuleChoice};
pub use crate::actions::enable_inbox_rules::EnableInboxRules;
pub use crate::actions::inbox_rules::{RuleBefore, RulesReceipt};
pub use crate::actions::revoke_sessions::{RevokeSessions, SessionsReceipt};
pub use crate::actions::sign_in::SignInReceipt;

/// The actions, each by its type in `actions/` and its word on the wire and in playbooks.
macro_rules! actions {
    ($($(#[$documentation:meta])* $action:ident = $word:literal,)*) => {
        /// Everything respond may do, with its parameters.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(tag = "action")]
        pub enum Action {
            $($(#[$documentation])* #[serde(rename = $word)] $action($action),)*
        }

        /// The same list without parameters.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum ActionKind {
            $($(#[$documentation])* #[serde(rename = $word)] $action,)*
        }

        impl ActionKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$action,)*];

            /// The word on the wire and in playbooks.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$action => $word,)*
                }
            }

            /// The kind that does the opposite, if any does.
            pub const fn inverse(self) -> Option<Self> {
                match self {
                    $(Self::$action => $action::INVERSE,)*
                }
            }
        }

        impl Action {
            /// Its kind.
            pub const fn kind(&self) -> ActionKind {
                match self {
                    $(Self::$action(_) => ActionKind::$action,)*
                }
            }

            /// One line that a human approves.
            pub fn plan(&self, target: &str) -> String {
                match self {
                    $(Self::$action(action) => action.plan(target),)*
                }
            }

            /// The permissions that it needs, reads included.
            pub const fn permissions(&self) -> &'static [Permission] {
                match self {
                    $(Self::$action(_) => $action::PERMISSIONS,)*
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
                    $(Self::$action(action) => Ok(action.look(directory, user).await?.wrap()),)*
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
                match self {
                    $(Self::$action(_) => $action::apply(directory, effects, own(receipt)?).await,)*
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
                match self {
                    $(Self::$action(_) => $action::read_back(directory, own(receipt)?).await,)*
                }
            }

            /// The action that restores what was there before, which is not always the opposite; none if nothing is to
            /// be restored.
            pub fn undo(&self, receipt: &Receipt) -> Option<Self> {
                match self {
                    $(Self::$action(_) => $action::undo(ReceiptOf::of(receipt)?),)*
                }
            }
        }
    };
}

actions! {
    /// Block sign-in.
    BlockSignIn = "block_sign_in",
    /// Allow sign-in.
    AllowSignIn = "allow_sign_in",
    /// Void every session.
    RevokeSessions = "revoke_sessions",
    /// Turn inbox rules off.
    DisableInboxRules = "disable_inbox_rules",
    /// Turn inbox rules on again.
    EnableInboxRules = "enable_inbox_rules",
}

/// The receipt as that of the action whose it must be.
fn own<R: ReceiptOf>(receipt: &Receipt) -> Result<&R, DirectoryError> {
    R::of(receipt).ok_or_else(|| DirectoryError::Malformed {
        what: "the receipt is of another action".to_owned(),
    })
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

impl fmt::Display for ActionKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// What an action writes down with its intent; one variant of [`Receipt`].
pub(crate) trait ReceiptOf: Sized {
    /// This receipt, if it is one of these.
    fn of(receipt: &Receipt) -> Option<&Self>;

    /// It as one of all receipts.
    fn wrap(self) -> Receipt;
}

/// One action, by its parameters.
pub(crate) trait ActionSpec {
    /// What was there before.
    type Receipt: ReceiptOf;

    /// What it needs, reads included.
    const PERMISSIONS: &'static [Permission];

    /// The kind that does the opposite, if any does.
    const INVERSE: Option<ActionKind>;

    /// One line that a human approves.
    fn plan(&self, target: &str) -> String;

    /// Reads what is there before, as far as this action may change it.
    async fn look(
        &self,
        directory: &dyn DirectoryReads,
        user: &User,
    ) -> Result<Self::Receipt, DirectoryError>;

    /// Makes the change, sending only what is still needed.
    async fn apply(
        directory: &dyn DirectoryReads,
        effects: &Effects<'_>,
        receipt: &Self::Receipt,
    ) -> Result<(), DirectoryError>;

    /// Reads whether what the action is for is so now.
    async fn read_back(
        directory: &dyn DirectoryReads,
        receipt: &Self::Receipt,
    ) -> Result<Seen, DirectoryError>;

    /// The action that restores what was there before; none if nothing is to be restored.
    fn undo(receipt: &Self::Receipt) -> Option<Action>;
}

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
