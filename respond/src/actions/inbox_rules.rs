//! What turning inbox rules off and on share: the permission, the receipt, the change and the read-back.
//!
//! Protocol: Microsoft Graph, `messageRules` of the inbox, `isEnabled`. Not seen by Graph, and therefore not
//! touched: rules hidden in MAPI, forwarding of the whole mailbox, transport rules.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::action::{Permission, READ_ROLES, READ_USER, Receipt, ReceiptOf, Seen};
use crate::directory::{DirectoryError, DirectoryReads, InboxRule, ObjectId};
use crate::effects::Effects;

/// What both need.
pub(crate) const PERMISSIONS: &[Permission] = &[
    Permission {
        least: "MailboxSettings.ReadWrite",
        also: &[],
    },
    READ_USER,
    READ_ROLES,
];

/// What every outcome says, because Graph does not show it.
pub(crate) const NOT_SEEN: &str =
    "not visible through Graph: hidden rules, forwarding of the whole mailbox, transport rules";

/// The rules that an action is about, as they were before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RulesReceipt {
    /// The account.
    pub user: ObjectId,
    /// The chosen rules.
    pub rules: Vec<RuleBefore>,
}

impl ReceiptOf for RulesReceipt {
    fn of(receipt: &Receipt) -> Option<&Self> {
        match receipt {
            Receipt::Rules(receipt) => Some(receipt),
            _ => None,
        }
    }

    fn wrap(self) -> Receipt {
        Receipt::Rules(self)
    }
}

/// A rule as it was before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RuleBefore {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whether it ran.
    pub was_enabled: bool,
    /// True if Graph cannot change it.
    pub is_read_only: bool,
    /// Why it was chosen.
    pub why: String,
    /// The whole rule; none where it was gone, or in a journal of before.
    #[serde(default)]
    pub rule: Option<InboxRule>,
}

impl RuleBefore {
    pub(crate) fn of(rule: &InboxRule, why: &str) -> Self {
        Self {
            id: rule.id.clone(),
            name: rule.name.clone(),
            was_enabled: rule.is_enabled,
            is_read_only: rule.is_read_only,
            why: why.to_owned(),
            rule: Some(rule.clone()),
        }
    }
}

/// Turns the receipt's rules on or off, each once, and sends nothing for those that are so already.
///
/// A rule that is refused does not keep the others from being tried.
pub(crate) async fn apply(
    directory: &dyn DirectoryReads,
    effects: &Effects<'_>,
    receipt: &RulesReceipt,
    wanted: bool,
) -> Result<(), DirectoryError> {
    if receipt.rules.is_empty() {
        return Ok(());
    }
    let now = directory.inbox_rules(&receipt.user).await?;
    let mut refusal = None;
    for before in receipt.rules.iter().filter(|rule| !rule.is_read_only) {
        let is_pending = now
            .iter()
            .any(|rule| rule.id == before.id && rule.is_enabled != wanted);
        if !is_pending {
            continue;
        }
        match effects
            .set_rule_enabled(&receipt.user, &before.id, wanted)
            .await
        {
            Ok(()) => {}
            Err(
                error @ (DirectoryError::Unreachable { .. }
                | DirectoryError::HeldBack { .. }
                | DirectoryError::CutOff { .. }),
            ) => return Err(error),
            Err(error) => refusal = refusal.or(Some(error)),
        }
    }
    refusal.map_or(Ok(()), Err)
}

/// Reads whether every rule of the receipt is on or off as `wanted`; a rule that is gone no longer runs.
pub(crate) async fn read_back(
    directory: &dyn DirectoryReads,
    receipt: &RulesReceipt,
    wanted: bool,
) -> Result<Seen, DirectoryError> {
    let now = match directory.inbox_rules(&receipt.user).await {
        Ok(rules) => rules,
        // The account or its mailbox is gone, and its rules with it.
        Err(DirectoryError::Missing { .. }) => Vec::new(),
        Err(error) => return Err(error),
    };
    let mut missing = Vec::new();
    let mut after: Vec<Value> = Vec::new();
    for before in &receipt.rules {
        let found = now
            .iter()
            .find(|rule| rule.id == before.id)
            .map(|rule| rule.is_enabled);
        after.push(json!({"id": before.id, "name": before.name, "isEnabled": found}));
        match found {
            Some(is_enabled) if is_enabled != wanted => {
                let reason = if before.is_read_only {
                    " because it is read-only"
                } else {
                    ""
                };
                missing.push(format!(
                    "rule \"{}\" is still {}{reason}",
                    before.name,
                    on_or_off(is_enabled)
                ));
            }
            None if wanted => missing.push(format!("rule \"{}\" is gone", before.name)),
            _ => {}
        }
    }
    Ok(Seen {
        is_effective: missing.is_empty(),
        after: json!({"rules": after, "note": NOT_SEEN}),
        missing,
    })
}

const fn on_or_off(is_enabled: bool) -> &'static str {
    if is_enabled { "on" } else { "off" }
}
