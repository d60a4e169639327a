//! What every action must survive; called once for each action and each place.

use std::sync::Arc;

use async_trait::async_trait;
use respond::action::{Action, Permission};
use respond::directory::{
    Directory, DirectoryError, DirectoryReads, Grant, InboxRule, ObjectId, Reply, Role, User,
};
use respond::executor::Progress;
use respond::journal::JournalError;
use respond::record::{ActionRecord, HoldReason, State};
use respond::review::Review;
use schemas::environment::Clock as _;

use crate::faulty::{Fault, FaultyDirectory};
use crate::world::World;

/// How a case of the kit begins: a fresh world in which the action has something to do.
pub(crate) struct Case {
    pub(crate) action: fn(&World) -> Action,
    /// What must happen before the action makes sense, for example the block that is lifted.
    pub(crate) before: Vec<Action>,
    /// False for an action that nothing can take back.
    pub(crate) can_be_undone: bool,
    pub(crate) simulated: bool,
}

impl Case {
    pub(crate) async fn world(&self) -> (World, Action) {
        let world = if self.simulated {
            World::simulated().await
        } else {
            World::in_memory()
        };
        for action in &self.before {
            let record = world.perform(action).await;
            assert_eq!(record.state, State::Effective, "{:?}", record.detail);
        }
        world.pass(2_000_000);
        let action = (self.action)(&world);
        (world, action)
    }
}

/// The hard questions.
pub(crate) async fn check(case: &Case) {
    applied_twice_is_applied_once(case).await;
    undone_leaves_the_world_as_found(case).await;
    intent_is_durable_before_the_first_change(case).await;
    what_is_refused_or_held_sends_nothing(case).await;
    success_without_effect_is_not_effective(case).await;
    failing_at_each_call_in_turn_leaves_no_half_change(case).await;
}

async fn applied_twice_is_applied_once(case: &Case) {
    let (world, action) = case.world().await;
    let before = world.changes().await.len();
    let record = world.perform(&action).await;
    assert_eq!(record.state, State::Effective, "{:?}", record.detail);
    assert_eq!(
        world.states(&record.action_id),
        ["planned", "approved", "intended", "applied", "effective"]
    );
    let changes = world.changes().await.len();
    assert!(changes > before, "{action:?} has something to do");
    // The same request, and the same action run again.
    assert_eq!(world.request(&action).action_id, record.action_id);
    assert_eq!(
        world.finish(&world.executor(), &record.action_id).await,
        State::Effective
    );
    assert_eq!(world.changes().await.len(), changes);
}

async fn undone_leaves_the_world_as_found(case: &Case) {
    let (world, action) = case.world().await;
    let found = world.account_state().await;
    let record = world.perform(&action).await;
    let review = Review::open(&world.journal_path()).unwrap();
    world.pass(2_000_000);
    let undo = review.undo(&record.action_id, "kim", false, world.clock.now_us());
    if case.can_be_undone {
        assert_ne!(world.account_state().await, found);
        let undo = undo.unwrap();
        let state = world.finish(&world.executor(), &undo.action_id).await;
        assert_eq!(state, State::Effective);
    } else {
        assert!(
            matches!(undo, Err(JournalError::NothingToUndo { .. })),
            "{undo:?}"
        );
    }
    assert_eq!(world.account_state().await, found);
}

/// Looks into the journal, through its own connection, at each change.
struct Witness {
    inner: Arc<dyn Directory>,
    review: Review,
    action_id: String,
}

impl Witness {
    fn look(&self) {
        let record: ActionRecord = self
            .review
            .actions(1_000)
            .unwrap()
            .into_iter()
            .find(|record| record.action_id == self.action_id)
            .unwrap();
        assert_eq!(record.state, State::Intended);
        assert!(record.receipt.is_some() && record.intended_time_us.is_some());
    }
}

#[async_trait]
impl DirectoryReads for Witness {
    async fn grant(&self, needed: &[Permission]) -> Result<Grant, DirectoryError> {
        self.inner.grant(needed).await
    }
    async fn user(&self, name: &str) -> Result<Option<User>, DirectoryError> {
        self.inner.user(name).await
    }
    async fn roles(&self, id: &ObjectId) -> Result<Vec<Role>, DirectoryError> {
        self.inner.roles(id).await
    }
    async fn inbox_rules(&self, id: &ObjectId) -> Result<Vec<InboxRule>, DirectoryError> {
        self.inner.inbox_rules(id).await
    }
}

#[async_trait]
impl Directory for Witness {
    async fn set_account_enabled(
        &self,
        id: &ObjectId,
        on: bool,
        request_id: &str,
    ) -> Result<Reply, DirectoryError> {
        self.look();
        self.inner.set_account_enabled(id, on, request_id).await
    }
    async fn revoke_sessions(
        &self,
        id: &ObjectId,
        request_id: &str,
    ) -> Result<Reply, DirectoryError> {
        self.look();
        self.inner.revoke_sessions(id, request_id).await
    }
    async fn set_rule_enabled(
        &self,
        id: &ObjectId,
        rule: &str,
        on: bool,
        request_id: &str,
    ) -> Result<Reply, DirectoryError> {
        self.look();
        self.inner.set_rule_enabled(id, rule, on, request_id).await
    }
}

async fn intent_is_durable_before_the_first_change(case: &Case) {
    // Invariant 6.
    let (world, action) = case.world().await;
    let record = world.request(&action);
    let witness = Arc::new(Witness {
        inner: Arc::clone(&world.directory),
        review: Review::open(&world.journal_path()).unwrap(),
        action_id: record.action_id.clone(),
    });
    let executor = world.executor_with(witness, world.journal.clone());
    assert_eq!(
        world.finish(&executor, &record.action_id).await,
        State::Effective
    );
}

async fn refused(
    mut world: World,
    action: &Action,
    arrange: impl FnOnce(&mut World),
    reason: &str,
) {
    arrange(&mut world);
    let changes = world.changes().await;
    let record = world.perform(action).await;
    assert_eq!(
        record.state,
        State::Refused,
        "{reason}: {:?}",
        record.detail
    );
    let refusals = record.detail["refusals"].to_string();
    assert!(refusals.contains(reason), "{refusals}");
    assert_eq!(world.states(&record.action_id).last().unwrap(), "refused");
    assert_eq!(world.changes().await, changes, "{reason}: nothing is sent");
}

/// Nothing is sent while the reason lasts, and it goes on once it is gone.
async fn held(
    mut world: World,
    action: &Action,
    arrange: impl FnOnce(&mut World),
    reason: HoldReason,
    lift: impl FnOnce(&mut World),
) {
    arrange(&mut world);
    let changes = world.changes().await;
    let record = world.request(action);
    for _ in 0..12 {
        let progress = world.executor().run(&record.action_id).await.unwrap();
        let Progress::Later { at_us } = progress else {
            panic!("{reason}: {progress:?}")
        };
        world.pass((at_us - world.clock.now_us()).max(1));
    }
    let waits = world.record(&record.action_id);
    assert_eq!(waits.hold.map(|hold| hold.reason), Some(reason));
    // Told once, however often it was looked at.
    let told = world.states(&record.action_id);
    assert_eq!(told, ["planned", "approved", "held"]);
    assert_eq!(world.changes().await, changes, "{reason}: nothing is sent");
    lift(&mut world);
    let state = world.finish(&world.executor(), &record.action_id).await;
    assert_eq!(state, State::Effective, "{reason}");
}

/// Each guardrail in turn: nothing is sent, and the state says why.
async fn what_is_refused_or_held_sends_nothing(case: &Case) {
    let (world, action) = case.world().await;
    held(
        world,
        &action,
        |world| std::fs::write(&world.gates.kill_switch, "").unwrap(),
        HoldReason::KillSwitch,
        |world| std::fs::remove_file(&world.gates.kill_switch).unwrap(),
    )
    .await;

    let (world, action) = case.world().await;
    let never = |world: &mut World| world.policy.never_act.extend([world.account.clone()]);
    refused(world, &action, never, "never_act").await;

    let (world, action) = case.world().await;
    let dry = |world: &mut World| {
        world.policy.dry_run = true;
        world.gates.dry_run = true;
    };
    refused(world, &action, dry, "dry_run").await;

    if !case.simulated {
        let (world, action) = case.world().await;
        let crown = |world: &mut World| {
            let id = "62e90394-69f5-4237-9190-012177145e10".to_owned();
            let name = "Global Administrator".to_owned();
            world
                .memory()
                .with(|state| state.roles.push(Role { id, name }));
        };
        refused(world, &action, crown, "privileged").await;

        let (world, action) = case.world().await;
        let granted = world.memory().state().grant;
        held(
            world,
            &action,
            |world| world.memory().with(|state| state.grant.roles.clear()),
            HoldReason::PermissionMissing,
            |world| world.memory().with(|state| state.grant = granted),
        )
        .await;

        let (world, action) = case.world().await;
        let away =
            |is_away| move |world: &mut World| world.memory().with(|state| state.is_away = is_away);
        held(
            world,
            &action,
            away(true),
            HoldReason::DirectoryAway,
            away(false),
        )
        .await;
    }
}

/// HTTP 2xx alone is no outcome.
async fn success_without_effect_is_not_effective(case: &Case) {
    let (world, action) = case.world().await;
    world.make_ineffective().await;
    let record = world.perform(&action).await;
    assert_eq!(record.state, State::NotEffective, "{:?}", record.detail);
    assert_ne!(record.detail["missing"], serde_json::json!([]));
}

async fn failing_at_each_call_in_turn_leaves_no_half_change(case: &Case) {
    let clean = changes_of_a_clean_run(case).await;
    for fault in [Fault::Lost, Fault::AnswerLost, Fault::Denied] {
        for nth in 1..100 {
            // The simulated tenant takes part in a few places only: each world takes a while to build.
            if case.simulated && nth % 3 != 0 {
                continue;
            }
            let (world, action) = case.world().await;
            let found = world.account_state().await;
            let sent_before = world.changes().await.len();
            let record = world.request(&action);
            let faulty = Arc::new(FaultyDirectory::new(
                Arc::clone(&world.directory),
                nth,
                fault,
            ));
            let executor = world.executor_with(faulty.clone(), world.journal.clone());
            let state = world.finish(&executor, &record.action_id).await;
            let ended = world.record(&record.action_id);
            let now = world.account_state().await;
            let sent = world.changes().await.len() - sent_before;
            let place = format!("{fault:?} at call {nth}: {state}, {:?}", ended.detail);
            if fault == Fault::Denied {
                // Nothing half-done is unrecorded: a change is effective, or its undo restores it.
                match state {
                    State::Refused => assert_eq!(sent, 0, "{place}"),
                    State::Effective | State::Failed | State::Unknown => {}
                    other => panic!("{other}: {place}"),
                }
                if case.can_be_undone && now != found {
                    assert!(ended.receipt.is_some(), "{place}");
                }
            } else {
                assert_eq!(state, State::Effective, "{place}");
                assert_eq!(sent, clean, "each change arrives once; {place}");
            }
            if !faulty.struck() {
                break;
            }
            assert!(nth < 99, "the action ends");
        }
    }
}

async fn changes_of_a_clean_run(case: &Case) -> usize {
    let (world, action) = case.world().await;
    let before = world.changes().await.len();
    world.perform(&action).await;
    world.changes().await.len() - before
}
