//! `allow_sign_in`: the account can sign in again; undoes `block_sign_in`.
//!
//! Delivery: at least once, without harm; an account that may sign in already is left alone.
//! Protocol: Microsoft Graph, update user, `accountEnabled: true`. Needs `User.EnableDisableAccount.All`.

use serde::{Deserialize, Serialize};

use crate::action::{Action, ActionKind, ActionSpec, BlockSignIn, Permission, Seen, SignInReceipt};
use crate::actions::sign_in;
use crate::directory::{DirectoryError, DirectoryReads, User};
use crate::effects::Effects;

// Parameters.

/// Has no parameters besides its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AllowSignIn {}

impl ActionSpec for AllowSignIn {
    type Receipt = SignInReceipt;

    const PERMISSIONS: &'static [Permission] = sign_in::PERMISSIONS;

    const INVERSE: Option<ActionKind> = Some(ActionKind::BlockSignIn);

    async fn look(
        &self,
        _directory: &dyn DirectoryReads,
        user: &User,
    ) -> Result<SignInReceipt, DirectoryError> {
        Ok(sign_in::look(user))
    }

    // Plan.

    fn plan(&self, target: &str) -> String {
        format!("Allow {target} to sign in again.")
    }

    // Apply.

    async fn apply(
        _directory: &dyn DirectoryReads,
        effects: &Effects<'_>,
        receipt: &SignInReceipt,
    ) -> Result<(), DirectoryError> {
        if !receipt.was_enabled {
            effects.set_account_enabled(&receipt.user, true).await?;
        }
        Ok(())
    }

    async fn read_back(
        directory: &dyn DirectoryReads,
        receipt: &SignInReceipt,
    ) -> Result<Seen, DirectoryError> {
        sign_in::read_back(directory, receipt, true).await
    }

    // Undo.

    /// An account that could sign in before is not blocked.
    fn undo(receipt: &SignInReceipt) -> Option<Action> {
        (!receipt.was_enabled).then_some(Action::BlockSignIn(BlockSignIn {}))
    }
}

// Tests: the questions that every action answers are in tests/contract/kit.rs.

#[cfg(test)]
mod tests {
    use super::{ActionSpec as _, AllowSignIn};
    use crate::action::{Action, BlockSignIn, SignInReceipt};
    use crate::directory::ObjectId;

    #[test]
    fn undo_blocks_only_what_was_blocked() {
        let user = ObjectId::parse("1f00aaaa-0000-4000-8000-00000000000a").unwrap();
        let was = |was_enabled| SignInReceipt {
            user: user.clone(),
            was_enabled,
        };
        assert_eq!(AllowSignIn::undo(&was(true)), None);
        assert_eq!(
            AllowSignIn::undo(&was(false)),
            Some(Action::BlockSignIn(BlockSignIn {}))
        );
    }
}
