//! `revoke_sessions`: every refresh token and browser session of the account is void.
//!
//! Delivery: at least once; after a crash the read-back decides, so that a revocation that happened is not
//! repeated. Protocol: Microsoft Graph, `revokeSignInSessions`. Needs `User.RevokeSessions.All`.
//! Not done by it: access tokens live on for about an hour where continuous access evaluation is not in use;
//! sessions of guests belong to their home tenant; device-bound tokens survive.

use schemas::time::iso_ms;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::action::{
    Action, ActionKind, ActionSpec, Permission, READ_ROLES, READ_USER, Receipt, ReceiptOf, Seen,
};
use crate::directory::{DirectoryError, DirectoryReads, ObjectId, User};
use crate::effects::Effects;

// Parameters.

/// Has no parameters besides its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevokeSessions {}

/// Since when sessions were valid before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionsReceipt {
    /// The account.
    pub user: ObjectId,
    /// `signInSessionsValidFromDateTime`, in microseconds since the Unix epoch, UTC.
    pub valid_from_us: Option<i64>,
}

impl ReceiptOf for SessionsReceipt {
    fn of(receipt: &Receipt) -> Option<&Self> {
        match receipt {
            Receipt::Sessions(receipt) => Some(receipt),
            _ => None,
        }
    }

    fn wrap(self) -> Receipt {
        Receipt::Sessions(self)
    }
}

impl RevokeSessions {
    /// What every outcome says, because the read-back does not show it.
    pub(crate) const LIMITS: &'static str = "access tokens that were issued before can live on for about an hour; device-bound tokens survive";
}

impl ActionSpec for RevokeSessions {
    type Receipt = SessionsReceipt;

    const PERMISSIONS: &'static [Permission] = &[
        Permission {
            least: "User.RevokeSessions.All",
            also: &["User.ReadWrite.All", "Directory.ReadWrite.All"],
        },
        READ_USER,
        READ_ROLES,
    ];

    const INVERSE: Option<ActionKind> = None;

    async fn look(
        &self,
        _directory: &dyn DirectoryReads,
        user: &User,
    ) -> Result<SessionsReceipt, DirectoryError> {
        Ok(SessionsReceipt {
            user: user.id.clone(),
            valid_from_us: user.sessions_valid_from_us,
        })
    }

    // Plan.

    fn plan(&self, target: &str) -> String {
        format!("Revoke every session of {target}; access tokens can live on for about an hour.")
    }

    // Apply.

    async fn apply(
        _directory: &dyn DirectoryReads,
        effects: &Effects<'_>,
        receipt: &SessionsReceipt,
    ) -> Result<(), DirectoryError> {
        effects.revoke_sessions(&receipt.user).await
    }

    /// Effective once `signInSessionsValidFromDateTime` lies after where it lay before the intent.
    ///
    /// Compared with the directory's own earlier value and not with our clock: the two clocks differ.
    async fn read_back(
        directory: &dyn DirectoryReads,
        receipt: &SessionsReceipt,
    ) -> Result<Seen, DirectoryError> {
        let Some(user) = directory.user(receipt.user.as_str()).await? else {
            return Ok(Seen {
                is_effective: true,
                after: json!({"gone": true}),
                missing: Vec::new(),
            });
        };
        let is_effective = user.sessions_valid_from_us > receipt.valid_from_us;
        let after =
            json!({"signInSessionsValidFromDateTime": user.sessions_valid_from_us.map(iso_ms)});
        let missing = if is_effective {
            Vec::new()
        } else {
            vec!["signInSessionsValidFromDateTime has not moved".to_owned()]
        };
        Ok(Seen {
            is_effective,
            after,
            missing,
        })
    }

    // Undo.

    /// Sessions cannot be given back; the user signs in again.
    fn undo(_receipt: &SessionsReceipt) -> Option<Action> {
        None
    }
}

// Tests: the questions that every action answers are in tests/contract/kit.rs.

#[cfg(test)]
mod tests {
    use super::{RevokeSessions, SessionsReceipt};
    use crate::action::{Action, Receipt};
    use crate::directory::ObjectId;

    #[test]
    fn sessions_cannot_be_given_back() {
        let user = ObjectId::parse("1f00aaaa-0000-4000-8000-00000000000a").unwrap();
        let receipt = Receipt::Sessions(SessionsReceipt {
            user,
            valid_from_us: None,
        });
        assert_eq!(
            Action::RevokeSessions(RevokeSessions {}).undo(&receipt),
            None
        );
    }
}
