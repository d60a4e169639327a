//! Each action through the kit, in memory and on the simulated tenant.

use respond::action::{
    Action, AllowSignIn, BlockSignIn, DisableInboxRules, EnableInboxRules, Receipt, RevokeSessions,
};
use respond::journal::JournalError;
use respond::record::State;
use respond::review::Review;
use schemas::environment::Clock as _;

use crate::kit::{Case, check};
use crate::world::World;

const BLOCK: Action = Action::BlockSignIn(BlockSignIn {});
const ALLOW: Action = Action::AllowSignIn(AllowSignIn {});
const REVOKE: Action = Action::RevokeSessions(RevokeSessions {});

fn disable() -> Action {
    Action::DisableInboxRules(DisableInboxRules::default())
}

/// What turns on again what was turned off: its ids are in the receipt.
fn enable(world: &World) -> Action {
    let records = respond::review::Review::open(&world.journal_path())
        .unwrap()
        .actions(10)
        .unwrap();
    let Some(Receipt::Rules(receipt)) = &records.last().unwrap().receipt else {
        panic!("no rules were turned off")
    };
    let rules = receipt.rules.iter().map(|rule| rule.id.clone()).collect();
    Action::EnableInboxRules(EnableInboxRules { rules })
}

async fn both(action: fn(&World) -> Action, before: Vec<Action>, can_be_undone: bool) {
    for simulated in [false, true] {
        let before = before.clone();
        check(&Case {
            action,
            before,
            can_be_undone,
            simulated,
        })
        .await;
    }
}

#[tokio::test]
async fn block_sign_in() {
    both(|_| BLOCK, Vec::new(), true).await;
}

#[tokio::test]
async fn allow_sign_in() {
    both(|_| ALLOW, vec![BLOCK], true).await;
}

#[tokio::test]
async fn revoke_sessions() {
    both(|_| REVOKE, Vec::new(), false).await;
}

#[tokio::test]
async fn disable_inbox_rules() {
    both(|_| disable(), Vec::new(), true).await;
}

#[tokio::test]
async fn enable_inbox_rules() {
    both(enable, vec![disable()], true).await;
}

#[tokio::test]
async fn only_rules_that_take_or_hide_mail_are_turned_off_and_only_those_come_back() {
    let world = World::in_memory();
    let record = world.perform(&disable()).await;
    assert_eq!(world.memory().changes(), ["hides=false", "forwards=false"]);
    let review = respond::review::Review::open(&world.journal_path()).unwrap();
    let undo = review
        .undo(
            &record.action_id,
            "kim",
            false,
            crate::world::T0 + 9_000_000,
        )
        .unwrap();
    world.finish(&world.executor(), &undo.action_id).await;
    assert_eq!(
        world.memory().changes()[2..],
        ["hides=true", "forwards=true"]
    );
}

#[tokio::test]
async fn what_somebody_changed_since_is_not_undone() {
    // Blocked, allowed by the help desk: the undo says what is there, and nothing is sent.
    let world = World::in_memory();
    let review = Review::open(&world.journal_path()).unwrap();
    let blocked = world.perform(&Action::BlockSignIn(BlockSignIn {})).await;
    world
        .memory()
        .with(|state| state.user.as_mut().unwrap().account_enabled = true);
    let undo = review.undo(&blocked.action_id, "kim", false, world.clock.now_us());
    let undo = undo.unwrap().action_id;
    assert_eq!(world.finish(&world.executor(), &undo).await, State::Refused);
    let told = world.record(&undo).detail["refusals"].to_string();
    assert!(told.contains("changed_since"), "{told}");
    assert!(told.contains("false") && told.contains("true"), "{told}");
    // A week later the same bit may be somebody else's decision: a leaver stays out.
    world
        .memory()
        .with(|state| state.user.as_mut().unwrap().account_enabled = false);
    world.pass(7 * 24 * 3_600_000_000);
    let late = review.undo(&blocked.action_id, "kim", false, world.clock.now_us());
    assert!(
        matches!(late, Err(JournalError::CannotUndo { .. })),
        "{late:?}"
    );

    // The rule that was turned off forwards elsewhere by now.
    let world = World::in_memory();
    let review = Review::open(&world.journal_path()).unwrap();
    let disabled = world.perform(&disable()).await;
    world.memory().with(|state| {
        let rule = state.rules.iter_mut().find(|rule| rule.id == "forwards");
        rule.unwrap().actions = serde_json::json!({"forwardTo": ["evil.test"]});
    });
    let sent = world.changes().await.len();
    let undo = review.undo(&disabled.action_id, "kim", false, world.clock.now_us());
    let undo = undo.unwrap().action_id;
    assert_eq!(world.finish(&world.executor(), &undo).await, State::Refused);
    let told = world.record(&undo).detail["refusals"].to_string();
    assert!(told.contains("evil.test"), "{told}");
    assert_eq!(world.changes().await.len(), sent);
}

#[tokio::test]
async fn a_rule_that_is_gone_counts_as_off_and_cannot_come_back() {
    let world = World::in_memory();
    let record = world.perform(&disable()).await;
    world
        .memory()
        .with(|state| state.rules.retain(|rule| rule.id != "hides"));
    let review = respond::review::Review::open(&world.journal_path()).unwrap();
    let undo = review
        .undo(
            &record.action_id,
            "kim",
            false,
            crate::world::T0 + 9_000_000,
        )
        .unwrap();
    let state = world.finish(&world.executor(), &undo.action_id).await;
    assert_eq!(state, State::NotEffective);
    let detail = world.record(&undo.action_id).detail;
    assert!(
        detail["missing"][0].as_str().unwrap().contains("is gone"),
        "{detail}"
    );
}

#[tokio::test]
async fn a_read_only_rule_is_reported_rather_than_passed_over() {
    let world = World::in_memory();
    world
        .memory()
        .with(|state| state.rules[0].is_read_only = true);
    let record = world.perform(&disable()).await;
    assert_eq!(record.state, State::NotEffective);
    assert_eq!(world.memory().changes(), ["forwards=false"]);
    assert!(
        record.detail["missing"][0]
            .as_str()
            .unwrap()
            .contains("read-only"),
        "{}",
        record.detail
    );
}

#[tokio::test]
async fn an_account_that_was_blocked_before_is_left_alone_and_stays_blocked() {
    let world = World::in_memory();
    world
        .memory()
        .with(|state| state.user.as_mut().unwrap().account_enabled = false);
    let record = world.perform(&BLOCK).await;
    assert_eq!(record.state, State::Effective);
    assert!(world.memory().changes().is_empty());
    let review = respond::review::Review::open(&world.journal_path()).unwrap();
    assert!(review.undo(&record.action_id, "kim", false, 0).is_err());
}

#[tokio::test]
async fn an_effect_that_shows_late_is_waited_for() {
    // Graph is eventually consistent.
    let world = World::in_memory();
    world.memory().with(|state| state.reads_until_visible = 3);
    for action in [BLOCK, REVOKE, disable()] {
        let record = world.perform(&action).await;
        assert_eq!(
            record.state,
            State::Effective,
            "{action:?}: {}",
            record.detail
        );
    }
    assert_eq!(world.memory().changes().len(), 4);
}

#[tokio::test]
async fn a_synchronised_account_is_blocked_with_a_warning() {
    let world = World::in_memory();
    world
        .memory()
        .with(|state| state.user.as_mut().unwrap().is_synced = true);
    let record = world.perform(&BLOCK).await;
    assert_eq!(record.state, State::Effective);
    assert!(
        record.detail["warnings"][0]
            .as_str()
            .unwrap()
            .starts_with("cloud only")
    );
}
