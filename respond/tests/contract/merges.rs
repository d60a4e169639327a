//! Cases that turn out to be about one account, in the journal: nothing vanishes and nothing runs twice.

use std::collections::BTreeSet;

use respond::action::{Action, ActionKind, AllowSignIn};
use respond::cases::{Case, Intake, Policy, SeenAlert};
use respond::journal::{Journal as _, Step};
use respond::playbook;
use respond::record::State;
use respond::review::Review;
use schemas::severity::Severity;
use schemas::wire::Alert;

use crate::memory::{ACCOUNT, NAME};
use crate::world::{T0, World, alert, ours, theirs};

/// A tenant in which the world has no case.
const OTHER: &str = "7f3caaaa-0000-4000-8000-00000000000f";

fn admit(world: &World, alert: &Alert, now_us: i64) {
    let intake = Intake {
        policy: Policy {
            case_severity_min: Severity::High,
            window_us: Policy::window_of_hours(24),
            automatic: Vec::new(),
            automatic_age_us_max: Policy::age_of_hours(72),
            dry_run: false,
        },
        playbooks: playbook::load(&[]).unwrap(),
        acting_tenants: BTreeSet::from([OTHER.to_owned()]),
    };
    let seen = [SeenAlert::of(alert).unwrap()];
    world.journal.admit(&seen, &intake, now_us).unwrap();
}

/// Cases of the tenant that these tests have to themselves: those that go on, and those that were merged.
fn cases_of(world: &World) -> (Vec<Case>, Vec<Case>) {
    let cases = world.journal.cases(1_000).unwrap();
    cases
        .into_iter()
        .filter(|case| case.tenant_id == OTHER)
        .partition(|case| case.merged_into.is_none())
}

#[test]
fn in_every_order_of_arrival_one_case_goes_on_with_every_alert_and_one_plan() {
    let alerts = [
        theirs(OTHER, ACCOUNT, "g1"),
        ours(OTHER, NAME, "a1"),
        alert(OTHER, ACCOUNT, "a2"),
        Alert {
            severity: "low".to_owned(),
            ..theirs(OTHER, ACCOUNT, "g2")
        },
    ];
    let orders =
        (0..256_usize).map(|number| [number % 4, number / 4 % 4, number / 16 % 4, number / 64]);
    let orders = orders.filter(|order| BTreeSet::from(*order).len() == 4);
    for order in orders {
        let world = World::in_memory();
        for (step, place) in (1..).zip(order) {
            admit(&world, &alerts[place], T0 + step);
            // Told twice is told once.
            admit(&world, &alerts[place], T0 + step);
        }
        let (living, merged) = cases_of(&world);
        assert_eq!(living.len(), 1, "{order:?}");
        let ids: BTreeSet<&str> = living[0]
            .alerts
            .iter()
            .map(|one| one.alert_id.as_str())
            .collect();
        assert_eq!(ids, ["a1", "a2", "g1", "g2"].into(), "{order:?}");
        assert_eq!(living[0].alerts.len(), 4, "{order:?}");
        assert!(merged.len() <= 1, "{order:?}");
        let actions = world.journal.actions(Some(&living[0].case_id), 99).unwrap();
        let left: BTreeSet<ActionKind> = actions
            .iter()
            .filter(|one| one.state == State::Planned)
            .map(|one| one.action.kind())
            .collect();
        assert_eq!(left.len(), 3, "{order:?}");
        assert_eq!(actions.len(), 3 * (1 + merged.len()), "{order:?}");
    }
}

#[test]
fn what_a_merged_case_has_done_is_neither_planned_nor_asked_for_again() {
    let world = World::in_memory();
    let late = |alert: Alert, time_us: i64| Alert {
        accepted_time_us: time_us,
        ..alert
    };
    admit(&world, &late(theirs(OTHER, ACCOUNT, "g1"), T0), T0);
    admit(&world, &late(ours(OTHER, NAME, "a1"), T0), T0 + 1);
    let newer = cases_of(&world)
        .0
        .into_iter()
        .find(|case| case.user_id.is_empty())
        .unwrap();
    // A person's block of the newer case is on its way.
    let review = Review::open(&world.journal_path()).unwrap();
    let block = world
        .journal
        .actions(Some(&newer.case_id), 9)
        .unwrap()
        .remove(0);
    review.approve(&block.action_id, "kim", T0 + 2).unwrap();
    admit(&world, &late(alert(OTHER, ACCOUNT, "a2"), T0), T0 + 3);
    let (living, merged) = cases_of(&world);
    assert_eq!((living.len(), merged.len()), (1, 1));
    assert_eq!(merged[0].case_id, newer.case_id);
    let states = |kind: ActionKind| -> Vec<(bool, State)> {
        let actions = world.journal.actions(Some(&living[0].case_id), 99).unwrap();
        let of_kind = actions.into_iter().filter(|one| one.action.kind() == kind);
        of_kind
            .map(|one| (one.case_id == newer.case_id, one.state))
            .collect()
    };
    // The one that was approved stays, wherever it was planned.
    let expected = [(false, State::Refused), (true, State::Approved)];
    assert_eq!(states(ActionKind::BlockSignIn), expected);
    let expected = [(false, State::Planned), (true, State::Refused)];
    assert_eq!(states(ActionKind::RevokeSessions), expected);
    // Asked for in either case, it is the same action.
    for case in [&living[0], &merged[0]] {
        let asked = review.request(&case.case_id, block.action.clone(), "kim", false, T0 + 4);
        assert_eq!(asked.unwrap().action_id, block.action_id);
    }
    // Another request in the merged case is one of the case that goes on.
    let allow = Action::AllowSignIn(AllowSignIn {});
    let asked = review.request(&newer.case_id, allow, "kim", false, T0 + 5);
    assert_eq!(asked.unwrap().case_id, living[0].case_id);
    // It begins: the case that goes on is no longer new.
    let step = Step {
        action_id: block.action_id.clone(),
        from: &[State::Approved],
        to: State::Intended,
        detail: serde_json::Value::Null,
        receipt: None,
        tried: None,
        sighted: None,
        approval: None,
        warnings: Vec::new(),
        time_us: T0 + 6,
    };
    world.journal.advance(&step).unwrap();
    assert_eq!(
        cases_of(&world).0[0].status,
        schemas::case::CaseStatus::InProgress
    );
    admit(&world, &late(alert(OTHER, ACCOUNT, "a3"), T0 + 9), T0 + 9);
    assert_eq!(states(ActionKind::BlockSignIn).len(), 2);
    review.verify(Vec::new()).unwrap();
}
