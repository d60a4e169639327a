//! `disable_inbox_rules`: inbox rules that take or hide mail are turned off, and remembered.
//!
//! Delivery: at least once, without harm; only rules that are still on are sent.
//! Protocol: Microsoft Graph, update messageRule, `isEnabled: false`. Needs `MailboxSettings.ReadWrite`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::action::{
    Action, ActionKind, ActionSpec, EnableInboxRules, Permission, RuleBefore, RulesReceipt, Seen,
};
use crate::actions::inbox_rules;
use crate::directory::{DirectoryError, DirectoryReads, InboxRule, User};
use crate::effects::Effects;

// Parameters.

/// Which rules to turn off.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DisableInboxRules {
    /// Which rules.
    #[serde(default)]
    pub rules: RuleChoice,
}

/// Which rules.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleChoice {
    /// Those that forward, redirect, delete or hide mail.
    #[default]
    TakingOrHiding,
    /// Every rule.
    All,
    /// Those with these ids.
    Ids(Vec<String>),
}

/// Folders in which attackers let mail disappear, in lower case; part of a name or of a well-known id.
///
/// Source: MITRE ATT&CK T1564.008, Email Hiding Rules, procedure examples.
const HIDING_FOLDERS: [&str; 8] = [
    "rss",
    "conversation history",
    "conversationhistory",
    "archive",
    "junk",
    "deleted items",
    "deleteditems",
    "notes",
];

/// Why a rule takes or hides mail, or none.
///
/// Graph names the folder by an id that says nothing, so a move that also marks as read counts as hiding.
pub(crate) fn takes_or_hides(rule: &InboxRule) -> Option<&'static str> {
    let actions = &rule.actions;
    let has_any = |key: &str| {
        actions
            .get(key)
            .and_then(Value::as_array)
            .is_some_and(|list| !list.is_empty())
    };
    let is_true = |key: &str| actions.get(key).and_then(Value::as_bool) == Some(true);
    let folder = actions
        .get("moveToFolder")
        .and_then(Value::as_str)
        .unwrap_or_default();
    if has_any("forwardTo") || has_any("forwardAsAttachmentTo") {
        Some("forwards")
    } else if has_any("redirectTo") {
        Some("redirects")
    } else if is_true("delete") || is_true("permanentDelete") {
        Some("deletes")
    } else if folder.is_empty() {
        None
    } else if HIDING_FOLDERS
        .iter()
        .any(|name| folder.to_lowercase().contains(name))
    {
        Some("moves to a folder that nobody reads")
    } else {
        is_true("markAsRead").then_some("moves and marks as read")
    }
}

impl DisableInboxRules {
    fn chooses(&self, rule: &InboxRule) -> Option<&'static str> {
        match &self.rules {
            RuleChoice::TakingOrHiding => takes_or_hides(rule),
            RuleChoice::All => Some("every rule was asked for"),
            RuleChoice::Ids(ids) => ids.contains(&rule.id).then_some("asked for by id"),
        }
    }
}

impl ActionSpec for DisableInboxRules {
    type Receipt = RulesReceipt;

    const PERMISSIONS: &'static [Permission] = inbox_rules::PERMISSIONS;

    const INVERSE: Option<ActionKind> = Some(ActionKind::EnableInboxRules);

    /// The rules that are on and chosen.
    async fn look(
        &self,
        directory: &dyn DirectoryReads,
        user: &User,
    ) -> Result<RulesReceipt, DirectoryError> {
        let rules = directory.inbox_rules(&user.id).await?;
        let chosen = rules
            .iter()
            .filter(|rule| rule.is_enabled)
            .filter_map(|rule| self.chooses(rule).map(|why| RuleBefore::of(rule, why)))
            .collect();
        Ok(RulesReceipt {
            user: user.id.clone(),
            rules: chosen,
        })
    }

    // Plan.

    fn plan(&self, target: &str) -> String {
        match &self.rules {
            RuleChoice::TakingOrHiding => {
                format!(
                    "Turn off the inbox rules of {target} that forward, redirect, delete or hide mail."
                )
            }
            RuleChoice::All => format!("Turn off every inbox rule of {target}."),
            RuleChoice::Ids(ids) => {
                format!("Turn off {} named inbox rules of {target}.", ids.len())
            }
        }
    }

    // Apply.

    async fn apply(
        directory: &dyn DirectoryReads,
        effects: &Effects<'_>,
        receipt: &RulesReceipt,
    ) -> Result<(), DirectoryError> {
        inbox_rules::apply(directory, effects, receipt, false).await
    }

    async fn read_back(
        directory: &dyn DirectoryReads,
        receipt: &RulesReceipt,
    ) -> Result<Seen, DirectoryError> {
        inbox_rules::read_back(directory, receipt, false).await
    }

    // Undo.

    /// Turns on again those that were on.
    fn undo(receipt: &RulesReceipt) -> Option<Action> {
        let rules: Vec<String> = receipt
            .rules
            .iter()
            .filter(|rule| rule.was_enabled)
            .map(|rule| rule.id.clone())
            .collect();
        (!rules.is_empty()).then_some(Action::EnableInboxRules(EnableInboxRules { rules }))
    }
}

// Tests: the questions that every action answers are in tests/contract/kit.rs.

#[cfg(test)]
mod tests {
    use super::takes_or_hides;
    use crate::directory::InboxRule;
    use serde_json::{Value, json};

    fn check(actions: Value, expected: Option<&str>) {
        let shown = actions.to_string();
        let rule = InboxRule {
            id: "1".to_owned(),
            name: ".".to_owned(),
            is_enabled: true,
            is_read_only: false,
            actions,
            more: Value::Null,
        };
        assert_eq!(takes_or_hides(&rule), expected, "{shown}");
    }

    #[test]
    fn finds_rules_that_take_or_hide_mail_and_leaves_ordinary_ones() {
        check(
            json!({"forwardTo": [{"emailAddress": {"address": "x@evil.test"}}]}),
            Some("forwards"),
        );
        check(json!({"forwardAsAttachmentTo": [{}]}), Some("forwards"));
        check(json!({"redirectTo": [{}]}), Some("redirects"));
        check(json!({"delete": true}), Some("deletes"));
        check(json!({"permanentDelete": true}), Some("deletes"));
        check(
            json!({"moveToFolder": "RSS Feeds"}),
            Some("moves to a folder that nobody reads"),
        );
        check(
            json!({"moveToFolder": "AQMkAD", "markAsRead": true}),
            Some("moves and marks as read"),
        );
        check(
            json!({"moveToFolder": "AQMkAD", "stopProcessingRules": true}),
            None,
        );
        check(json!({"forwardTo": [], "delete": false}), None);
        check(json!({"markAsRead": true}), None);
        check(json!(null), None);
        check(json!({"forwardTo": "not a list", "moveToFolder": 7}), None);
    }
}
