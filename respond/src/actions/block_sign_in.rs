//! `block_sign_in`: the account can no longer sign in.
//!
//! Delivery: at least once, without harm; an account that is blocked already is left alone.
//! Protocol: Microsoft Graph, update user, `accountEnabled: false`. Needs `User.EnableDisableAccount.All`; for
//! holders of a directory role our own principal would need a higher role, so they are left to a human.

use serde::{Deserialize, Serialize};

use crate::action::{Action, ActionKind, ActionSpec, AllowSignIn, Permission, Seen, SignInReceipt};
use crate::actions::sign_in;
use crate::directory::{DirectoryError, DirectoryReads, User};
use crate::effects::Effects;

// Parameters.

/// Has no parameters besides its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlockSignIn {}

impl ActionSpec for BlockSignIn {
    type Receipt = SignInReceipt;

    const PERMISSIONS: &'static [Permission] = sign_in::PERMISSIONS;

    const INVERSE: Option<ActionKind> = Some(ActionKind::AllowSignIn);

    async fn look(
        &self,
        _directory: &dyn DirectoryReads,
        user: &User,
    ) -> Result<SignInReceipt, DirectoryError> {
        Ok(sign_in::look(user))
    }

    // Plan.

    fn plan(&self, target: &str) -> String {
        format!("Block sign-in of {target}; sessions that exist live on until they are revoked.")
    }

    // Apply.

    async fn apply(
        _directory: &dyn DirectoryReads,
        effects: &Effects<'_>,
        receipt: &SignInReceipt,
    ) -> Result<(), DirectoryError> {
        if receipt.was_enabled {
            effects.set_account_enabled(&receipt.user, false).await?;
        }
        Ok(())
    }

    async fn read_back(
        directory: &dyn DirectoryReads,
        receipt: &SignInReceipt,
    ) -> Result<Seen, DirectoryError> {
        sign_in::read_back(directory, receipt, false).await
    }

    // Undo.

    /// An account that was blocked before stays blocked.
    fn undo(receipt: &SignInReceipt) -> Option<Action> {
        receipt
            .was_enabled
            .then_some(Action::AllowSignIn(AllowSignIn {}))
    }
}

// Tests: the questions that every action answers are in tests/contract/kit.rs.

#[cfg(test)]
mod tests {
    use super::{ActionSpec as _, BlockSignIn};
    use crate::action::{Action, AllowSignIn, SignInReceipt};
    use crate::directory::ObjectId;

    #[test]
    fn undo_restores_what_was_before_rather_than_a_default() {
        let user = ObjectId::parse("1f00aaaa-0000-4000-8000-00000000000a").unwrap();
        let was = |was_enabled| SignInReceipt {
            user: user.clone(),
            was_enabled,
        };
        assert_eq!(
            BlockSignIn::undo(&was(true)),
            Some(Action::AllowSignIn(AllowSignIn {}))
        );
        assert_eq!(BlockSignIn::undo(&was(false)), None);
    }
}
