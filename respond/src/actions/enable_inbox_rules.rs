//! `enable_inbox_rules`: inbox rules that were turned off are turned on again.
//!
//! Delivery: at least once, without harm; only rules that are still off are sent.
//! Protocol: Microsoft Graph, update messageRule, `isEnabled: true`. Needs `MailboxSettings.ReadWrite`.

use serde::{Deserialize, Serialize};

use crate::action::{
    Action, ActionKind, ActionSpec, DisableInboxRules, Permission, RuleBefore, RuleChoice,
    RulesReceipt, Seen,
};
use crate::actions::inbox_rules;
use crate::directory::{DirectoryError, DirectoryReads, User};
use crate::effects::Effects;

// Parameters.

/// Which rules to turn on.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnableInboxRules {
    /// Ids of the rules.
    pub rules: Vec<String>,
}

impl ActionSpec for EnableInboxRules {
    type Receipt = RulesReceipt;

    const PERMISSIONS: &'static [Permission] = inbox_rules::PERMISSIONS;

    const INVERSE: Option<ActionKind> = Some(ActionKind::DisableInboxRules);

    /// The named rules, also those that are gone: they cannot be turned on, and the read-back says so.
    async fn look(
        &self,
        directory: &dyn DirectoryReads,
        user: &User,
    ) -> Result<RulesReceipt, DirectoryError> {
        let found = directory.inbox_rules(&user.id).await?;
        let rules = self
            .rules
            .iter()
            .map(|id| match found.iter().find(|rule| rule.id == *id) {
                Some(rule) => RuleBefore::of(rule, "asked for by id"),
                None => RuleBefore {
                    id: id.clone(),
                    name: id.clone(),
                    was_enabled: false,
                    is_read_only: false,
                    why: "asked for by id, and gone".to_owned(),
                    rule: None,
                },
            })
            .collect();
        Ok(RulesReceipt {
            user: user.id.clone(),
            rules,
        })
    }

    // Plan.

    fn plan(&self, target: &str) -> String {
        format!(
            "Turn {} inbox rules of {target} on again.",
            self.rules.len()
        )
    }

    // Apply.

    async fn apply(
        directory: &dyn DirectoryReads,
        effects: &Effects<'_>,
        receipt: &RulesReceipt,
    ) -> Result<(), DirectoryError> {
        inbox_rules::apply(directory, effects, receipt, true).await
    }

    async fn read_back(
        directory: &dyn DirectoryReads,
        receipt: &RulesReceipt,
    ) -> Result<Seen, DirectoryError> {
        inbox_rules::read_back(directory, receipt, true).await
    }

    // Undo.

    /// Turns off again those that were off.
    fn undo(receipt: &RulesReceipt) -> Option<Action> {
        let ids: Vec<String> = receipt
            .rules
            .iter()
            .filter(|rule| !rule.was_enabled)
            .map(|rule| rule.id.clone())
            .collect();
        (!ids.is_empty()).then_some(Action::DisableInboxRules(DisableInboxRules {
            rules: RuleChoice::Ids(ids),
        }))
    }
}

// Tests: the questions that every action answers are in tests/contract/kit.rs.

#[cfg(test)]
mod tests {
    use super::{ActionSpec as _, EnableInboxRules};
    use crate::action::{Action, DisableInboxRules, RuleBefore, RuleChoice, RulesReceipt};
    use crate::directory::ObjectId;

    #[test]
    fn undo_turns_off_only_what_was_off() {
        let rule = |id: &str, was_enabled| RuleBefore {
            id: id.to_owned(),
            name: id.to_owned(),
            was_enabled,
            is_read_only: false,
            why: String::new(),
            rule: None,
        };
        let user = ObjectId::parse("1f00aaaa-0000-4000-8000-00000000000a").unwrap();
        let receipt = RulesReceipt {
            user,
            rules: vec![rule("a", true), rule("b", false)],
        };
        let expected = DisableInboxRules {
            rules: RuleChoice::Ids(vec!["b".to_owned()]),
        };
        assert_eq!(
            EnableInboxRules::undo(&receipt),
            Some(Action::DisableInboxRules(expected))
        );
    }
}
