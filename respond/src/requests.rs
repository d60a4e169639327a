//! Pure: what a person's request for an action means where the same action is known already.

use crate::action::Action;
use crate::cases;
use crate::record::{ActionRecord, State};

/// How long an action that took effect answers a request for the same, in microseconds: a double click is one.
pub const SAME_WITHIN_US: i64 = 600_000_000;

/// What a request means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meaning {
    /// It asks for an action that is on its way or has just taken effect.
    Known {
        /// The action's id.
        action_id: String,
    },
    /// It asks for another run.
    New {
        /// The run's round.
        round: u32,
    },
}

/// Decides what a request for `action` means among the `known` actions of the case and of those merged into it.
pub fn meaning(known: &[ActionRecord], action: &Action, now_us: i64) -> Meaning {
    let of_kind = || {
        known
            .iter()
            .filter(|record| record.action.kind() == action.kind())
    };
    let round = cases::next_round(of_kind());
    let Some(latest) = of_kind()
        .filter(|record| record.action == *action && record.superseded_by.is_none())
        .max_by_key(|record| (record.is_to_end(), record.round, record.changed_time_us))
    else {
        return Meaning::New { round };
    };
    let is_undone = action.kind().inverse().is_some_and(|inverse| {
        known.iter().any(|record| {
            record.action.kind() == inverse
                && record.state == State::Effective
                && record.changed_time_us >= latest.changed_time_us
        })
    });
    let is_recent = now_us.saturating_sub(latest.changed_time_us) < SAME_WITHIN_US;
    let is_same = match latest.state {
        // A plan of a dry-run is never sent, so it cannot stand for what a person wants now.
        State::Planned => !latest.dry_run,
        State::Approved | State::Intended | State::Applied => true,
        State::Effective => is_recent && !is_undone,
        State::Refused
        | State::Expired
        | State::Withdrawn
        | State::NotEffective
        | State::Failed
        | State::Unknown => false,
    };
    if is_same {
        Meaning::Known {
            action_id: latest.action_id.clone(),
        }
    } else {
        Meaning::New { round }
    }
}

#[cfg(test)]
mod tests {
    use super::{Meaning, SAME_WITHIN_US, meaning};
    use crate::action::{Action, AllowSignIn, BlockSignIn};
    use crate::record::{ActionRecord, State};

    const BLOCK: Action = Action::BlockSignIn(BlockSignIn {});
    const ALLOW: Action = Action::AllowSignIn(AllowSignIn {});

    fn known(action: Action, state: State, changed_time_us: i64) -> ActionRecord {
        ActionRecord {
            action_id: format!("{}-{state}", action.kind()),
            case_id: "c".to_owned(),
            tenant_id: "t".to_owned(),
            target: "a".to_owned(),
            evidence: Vec::new(),
            provenance: String::new(),
            undoes: None,
            action,
            position: 0,
            round: 0,
            requested_by: "kim".to_owned(),
            superseded_by: None,
            approval: None,
            sighted: None,
            approved_time_us: None,
            evidence_time_us: 0,
            hold: None,
            dry_run: false,
            state,
            receipt: None,
            tries: Vec::new(),
            warnings: Vec::new(),
            attempts: 0,
            not_before_us: 0,
            planned_time_us: 0,
            intended_time_us: None,
            changed_time_us,
            detail: serde_json::Value::Null,
        }
    }

    #[test]
    fn a_double_click_is_one_action() {
        assert_eq!(meaning(&[], &BLOCK, 0), Meaning::New { round: 0 });
        for state in [
            State::Planned,
            State::Approved,
            State::Intended,
            State::Applied,
            State::Effective,
        ] {
            let expected = Meaning::Known {
                action_id: format!("block_sign_in-{state}"),
            };
            assert_eq!(
                meaning(&[known(BLOCK, state, 0)], &BLOCK, 1),
                expected,
                "{state}"
            );
        }
    }

    #[test]
    fn what_failed_or_was_undone_or_is_long_ago_can_be_asked_for_again() {
        let again = Meaning::New { round: 1 };
        for state in [
            State::Refused,
            State::Expired,
            State::Withdrawn,
            State::NotEffective,
            State::Failed,
            State::Unknown,
        ] {
            assert_eq!(
                meaning(&[known(BLOCK, state, 0)], &BLOCK, 1),
                again,
                "{state}"
            );
        }
        let undone = [
            known(BLOCK, State::Effective, 0),
            known(ALLOW, State::Effective, 5),
        ];
        assert_eq!(meaning(&undone, &BLOCK, 6), again);
        assert_eq!(
            meaning(&[known(BLOCK, State::Effective, 0)], &BLOCK, SAME_WITHIN_US),
            again
        );
        let mut dry = known(BLOCK, State::Planned, 0);
        dry.dry_run = true;
        assert_eq!(meaning(&[dry], &BLOCK, 1), again);
    }

    #[test]
    fn of_merged_cases_what_is_on_its_way_answers_for_what_stood_aside() {
        let mut aside = known(BLOCK, State::Refused, 9);
        aside.superseded_by = Some("block_sign_in-approved".to_owned());
        let on_its_way = known(BLOCK, State::Approved, 1);
        for order in [
            [aside.clone(), on_its_way.clone()],
            [on_its_way.clone(), aside.clone()],
        ] {
            let expected = Meaning::Known {
                action_id: on_its_way.action_id.clone(),
            };
            assert_eq!(meaning(&order, &BLOCK, 10), expected);
        }
        let mut failed = known(BLOCK, State::Failed, 5);
        failed.round = 1;
        let expected = Meaning::Known {
            action_id: on_its_way.action_id.clone(),
        };
        assert_eq!(meaning(&[failed, on_its_way], &BLOCK, 10), expected);
    }
}
