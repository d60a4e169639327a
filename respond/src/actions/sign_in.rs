//! What blocking and allowing sign-in share: the permission, the look before and the read-back.
//!
//! Protocol: Microsoft Graph, `PATCH /users/{id}` with `accountEnabled`; `GET /users/{id}`.

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::action::{Permission, READ_ROLES, READ_USER, Receipt, ReceiptOf, Seen};
use crate::directory::{DirectoryError, DirectoryReads, ObjectId, User};

/// What both need.
pub(crate) const PERMISSIONS: &[Permission] = &[
    Permission {
        least: "User.EnableDisableAccount.All",
        also: &["User.ReadWrite.All", "Directory.ReadWrite.All"],
    },
    READ_USER,
    READ_ROLES,
];

/// Whether sign-in was allowed before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignInReceipt {
    /// The account.
    pub user: ObjectId,
    /// Whether sign-in was allowed.
    pub was_enabled: bool,
}

impl ReceiptOf for SignInReceipt {
    fn of(receipt: &Receipt) -> Option<&Self> {
        match receipt {
            Receipt::SignIn(receipt) => Some(receipt),
            _ => None,
        }
    }

    fn wrap(self) -> Receipt {
        Receipt::SignIn(self)
    }
}

pub(crate) fn look(user: &User) -> SignInReceipt {
    SignInReceipt {
        user: user.id.clone(),
        was_enabled: user.account_enabled,
    }
}

/// Reads whether sign-in is as `wanted`.
///
/// An account that is gone cannot sign in: that counts as blocked, not as allowed.
pub(crate) async fn read_back(
    directory: &dyn DirectoryReads,
    receipt: &SignInReceipt,
    wanted: bool,
) -> Result<Seen, DirectoryError> {
    let Some(user) = directory.user(receipt.user.as_str()).await? else {
        return Ok(Seen {
            is_effective: !wanted,
            after: json!({"accountEnabled": null, "gone": true}),
            missing: if wanted {
                vec!["the account is gone".to_owned()]
            } else {
                Vec::new()
            },
        });
    };
    let is_effective = user.account_enabled == wanted;
    let missing = if is_effective {
        Vec::new()
    } else {
        vec![format!("accountEnabled is still {}", user.account_enabled)]
    };
    Ok(Seen {
        is_effective,
        after: json!({"accountEnabled": user.account_enabled}),
        missing,
    })
}
