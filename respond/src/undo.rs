//! Pure: what an action left behind, and whether it is still so: an undo must not undo what somebody did since.
//!
//! Whether sign-in is allowed is one bit: that it was changed and changed back cannot be seen in it. So a block is
//! undone for a day only; after that a person asks for `allow_sign_in` itself, having looked. Whoever takes a person's
//! undo looks into the tenant's audit log first, where there is a lake.

use serde::{Deserialize, Serialize};

use crate::action::{Action, Receipt, RulesReceipt};
use crate::directory::{InboxRule, ObjectId};
use crate::record::State;

/// How long a change of whether sign-in is allowed can be undone, in microseconds: false alarms show within a day.
pub const SIGN_IN_AGE_MAX_US: i64 = 24 * 3_600_000_000;

/// What an action left behind, or what is there now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Left {
    /// Whether sign-in is allowed.
    SignIn {
        /// True if it is.
        enabled: bool,
    },
    /// Inbox rules, whole, in the order of their ids.
    Rules {
        /// The rules.
        rules: Vec<InboxRule>,
    },
}

/// What an undo takes back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Undoes {
    /// The action that it takes back.
    pub action_id: String,
    /// The account that that one changed.
    pub account: ObjectId,
    /// What that one left behind.
    pub left: Left,
}

/// Whether an action that ended so can have changed something.
pub const fn can_be_undone(state: State) -> bool {
    matches!(
        state,
        State::Effective | State::NotEffective | State::Unknown
    )
}

/// What an action left behind where it did what it is for; none if it does not tell, or left nothing.
pub fn left_by(action: &Action, receipt: &Receipt) -> Option<Left> {
    match (action, receipt) {
        (Action::BlockSignIn(_), Receipt::SignIn(_)) => Some(Left::SignIn { enabled: false }),
        (Action::AllowSignIn(_), Receipt::SignIn(_)) => Some(Left::SignIn { enabled: true }),
        (Action::DisableInboxRules(_), Receipt::Rules(receipt)) => rules_left(receipt, false),
        (Action::EnableInboxRules(_), Receipt::Rules(receipt)) => rules_left(receipt, true),
        _ => None,
    }
}

/// The changed rules as they were, but turned on or off; none if one of them was not kept whole.
fn rules_left(receipt: &RulesReceipt, enabled: bool) -> Option<Left> {
    let changed = receipt
        .rules
        .iter()
        .filter(|before| before.was_enabled != enabled && !before.is_read_only);
    let rules: Option<Vec<InboxRule>> = changed
        .map(|before| {
            before.rule.clone().map(|rule| InboxRule {
                is_enabled: enabled,
                ..rule
            })
        })
        .collect();
    Some(Left::rules(rules?))
}

impl Left {
    /// Rules in the order of their ids.
    pub fn rules(mut rules: Vec<InboxRule>) -> Self {
        rules.sort_by(|one, other| one.id.cmp(&other.id));
        Self::Rules { rules }
    }

    /// Whether what is there now is as it was left; a rule that is gone is not there to be different.
    pub fn is_still(&self, present: &Self) -> bool {
        match (self, present) {
            (Self::Rules { rules }, Self::Rules { rules: now }) => {
                now.iter().all(|rule| rules.contains(rule))
            }
            (one, other) => one == other,
        }
    }

    /// Of these rules, those that it is about.
    #[must_use]
    pub fn of_these(&self, present: Vec<InboxRule>) -> Self {
        let Self::Rules { rules } = self else {
            return Self::rules(present);
        };
        let is_asked = |rule: &InboxRule| rules.iter().any(|own| own.id == rule.id);
        Self::rules(present.into_iter().filter(is_asked).collect())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Left, left_by};
    use crate::action::{Action, DisableInboxRules, Receipt, RuleBefore, RulesReceipt};
    use crate::directory::{InboxRule, ObjectId};

    fn rule(id: &str, is_enabled: bool, to: &str) -> InboxRule {
        InboxRule {
            id: id.to_owned(),
            name: id.to_owned(),
            is_enabled,
            is_read_only: false,
            actions: json!({"forwardTo": [to]}),
            more: Value::Null,
        }
    }

    #[test]
    fn what_a_rule_does_is_part_of_what_was_left() {
        let receipt = |rules: &[InboxRule]| {
            Receipt::Rules(RulesReceipt {
                user: ObjectId::parse("1f00aaaa-0000-4000-8000-00000000000a").unwrap(),
                rules: rules
                    .iter()
                    .map(|rule| RuleBefore::of(rule, "forwards"))
                    .collect(),
            })
        };
        let action = Action::DisableInboxRules(DisableInboxRules::default());
        let before = [
            rule("b", true, "x@evil.test"),
            rule("a", true, "x@evil.test"),
        ];
        let left = left_by(&action, &receipt(&before)).unwrap();
        let now = |to: &str| {
            left.of_these(vec![
                rule("a", false, "x@evil.test"),
                rule("b", false, to),
                rule("c", true, to),
            ])
        };
        assert!(left.is_still(&now("x@evil.test")));
        assert!(!left.is_still(&now("y@evil.test")));
        assert!(left.is_still(&left.of_these(vec![rule("a", false, "x@evil.test")])));
        assert!(!left.is_still(&left.of_these(vec![rule("a", true, "x@evil.test")])));
        // A receipt of before kept ids only: nobody knows what was left.
        let Receipt::Rules(mut old) = receipt(&before) else {
            panic!("it is of rules")
        };
        old.rules[0].rule = None;
        assert_eq!(left_by(&action, &Receipt::Rules(old)), None::<Left>);
    }
}
