//! Containment that cannot go on now is not dropped: it is held, told, and goes on; it ends by age only.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use respond::action::ActionKind;
use respond::cases::{Intake, Policy, SeenAlert};
use respond::journal::Journal;
use respond::journal::sqlite::SqliteJournal;
use respond::playbook;
use respond::record::{ActionRecord, Approval, HoldReason, State};
use schemas::environment::Clock;
use schemas::severity::Severity;
use schemas::topics::Topic;
use schemas::wire::AuditRecord;

use crate::house::{House, all};
use crate::memory::{ACCOUNT, MemoryDirectory};
use crate::world::{T0, TENANT, World, alert};

const HOUR_US: i64 = 3_600_000_000;

fn are_held(house: &House, reason: HoldReason, count: usize) -> bool {
    let actions = house.review().actions(99).unwrap_or_default();
    let held = |record: &&ActionRecord| {
        record
            .hold
            .as_ref()
            .is_some_and(|hold| hold.reason == reason)
    };
    actions.iter().filter(held).count() == count
}

async fn held_entries(house: &House) -> usize {
    let audit: Vec<AuditRecord> = house.read(Topic::Audit).await;
    audit.iter().filter(|entry| entry.state == "held").count()
}

#[tokio::test]
async fn a_directory_that_is_away_for_longer_than_any_number_of_tries_delays_and_drops_nothing() {
    let mut house = House::new().await;
    let directory = Arc::new(MemoryDirectory::new());
    directory.with(|state| state.is_away = true);
    house.add(TENANT, directory.clone());
    let stage = house.start();
    house.publish(&[alert(TENANT, ACCOUNT, "a1")]).await;
    house
        .until("tried more often than before", |states| {
            states.len() == 3
                && house
                    .review()
                    .actions(9)
                    .unwrap()
                    .iter()
                    .all(|record| record.attempts > 9)
        })
        .await;
    assert!(are_held(&house, HoldReason::DirectoryAway, 3));
    let part = format!("respond/held/{TENANT}");
    let told = house.health.troubles()[&part].why.clone();
    assert_eq!(told, "3 actions are held: directory_away 3");
    directory.with(|state| state.is_away = false);
    house.until("contained", all(State::Effective, 3)).await;
    stage.end().await;
    assert_eq!(directory.changes().len(), 4);
    assert_eq!(house.health.troubles().get(&part), None);
    // Once for each action and reason.
    assert_eq!(held_entries(&house).await, 3);
}

#[tokio::test]
async fn another_reason_begins_with_the_shortest_wait() {
    let world = World::in_memory();
    let mut executor = world.executor();
    executor.policy.never_act = ["break-glass@contoso.test".to_owned()].into();
    world.memory().with(|state| state.is_away = true);
    let block = respond::action::Action::BlockSignIn(respond::action::BlockSignIn {});
    let record = world.request(&block);
    for _ in 0..12 {
        executor.run(&record.action_id).await.unwrap();
        world.pass(HOUR_US / 6);
    }
    let away = world.record(&record.action_id);
    assert_eq!(away.hold.unwrap().reason, HoldReason::DirectoryAway);
    assert!(away.attempts > 9, "{}", away.attempts);
    // It is back, and whom the list means was not found yet.
    world.memory().with(|state| state.is_away = false);
    executor.run(&record.action_id).await.unwrap();
    let unread = world.record(&record.action_id);
    assert_eq!(unread.hold.unwrap().reason, HoldReason::FactUnreadable);
    assert_eq!(unread.attempts, 1, "so that it is looked at again at once");
}

#[tokio::test]
async fn a_kill_switch_that_is_lifted_lets_go_what_waited() {
    let mut house = House::new().await;
    let directory = Arc::new(MemoryDirectory::new());
    house.add(TENANT, directory.clone());
    std::fs::write(&house.config.kill_switch, "").unwrap();
    let stage = house.start();
    house.publish(&[alert(TENANT, ACCOUNT, "a1")]).await;
    house
        .until("held", |_| are_held(&house, HoldReason::KillSwitch, 3))
        .await;
    assert!(directory.changes().is_empty());
    std::fs::remove_file(&house.config.kill_switch).unwrap();
    house.until("contained", all(State::Effective, 3)).await;
    stage.end().await;
    assert_eq!(held_entries(&house).await, 3);
}

#[tokio::test]
async fn what_the_budget_holds_goes_on_by_a_person() {
    let mut house = House::new().await;
    house.config.targets_per_hour_max = 0;
    let directory = Arc::new(MemoryDirectory::new());
    house.add(TENANT, directory.clone());
    let stage = house.start();
    house.publish(&[alert(TENANT, ACCOUNT, "a1")]).await;
    house
        .until("held", |_| are_held(&house, HoldReason::BudgetUsed, 3))
        .await;
    let review = house.review();
    for record in review.actions(9).unwrap() {
        let now_us = house.clock.now_us();
        review
            .retry(&record.action_id, "kim", false, now_us)
            .unwrap();
    }
    house.until("contained", all(State::Effective, 3)).await;
    stage.end().await;
    let approvals: Vec<Option<Approval>> = review
        .actions(9)
        .unwrap()
        .into_iter()
        .map(|record| record.approval)
        .collect();
    assert_eq!(approvals, vec![Some(Approval::Person("kim".to_owned())); 3]);
}

#[tokio::test]
async fn while_nothing_can_be_published_nothing_is_sent() {
    // For too long, or since before the start.
    for (outbox_age_us_max, started_us) in [(900_000_000, 0), (i64::MAX, i64::MAX)] {
        nothing_is_sent_while_the_outbox_is_held(outbox_age_us_max, started_us).await;
    }
}

async fn nothing_is_sent_while_the_outbox_is_held(outbox_age_us_max: i64, started_us: i64) {
    let world = World::in_memory();
    let policy = respond::preflight::Policy {
        outbox_age_us_max,
        started_us,
        ..world.policy.clone()
    };
    let mut executor = world.executor();
    executor.policy = policy;
    let block = respond::action::Action::BlockSignIn(respond::action::BlockSignIn {});
    // The world has no publisher: what was written at its beginning waits.
    world.pass(900_000_000);
    let record = world.request(&block);
    executor.run(&record.action_id).await.unwrap();
    let hold = world.record(&record.action_id).hold.unwrap();
    assert_eq!(hold.reason, HoldReason::OutboxOld);
    assert!(world.memory().changes().is_empty());
    let last = world
        .journal
        .outgoing(1_000)
        .unwrap()
        .last()
        .unwrap()
        .number;
    world.journal.published(last, &[]).unwrap();
    assert_eq!(
        world.finish(&executor, &record.action_id).await,
        State::Effective
    );
}

/// A journal, and what decides: the playbook of the program, everything automatic for 72 hours.
struct Desk {
    journal: SqliteJournal,
    intake: Intake,
    _folder: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let policy = Policy {
            case_severity_min: Severity::High,
            window_us: Policy::window_of_hours(24 * 30),
            automatic: ActionKind::ALL.to_vec(),
            automatic_age_us_max: Policy::age_of_hours(72),
            dry_run: false,
        };
        Self {
            journal: SqliteJournal::open(&folder.path().join("journal")).unwrap(),
            intake: Intake {
                policy,
                playbooks: playbook::load(&[]).unwrap(),
                acting_tenants: BTreeSet::from([TENANT.to_owned()]),
            },
            _folder: folder,
        }
    }

    /// Takes an alert of this hour and state at this hour; gives the states of all blocks by round.
    fn take(&self, id: &str, state: &str, hour: i64, now_hour: i64) -> Vec<State> {
        let mut wire = alert(TENANT, ACCOUNT, id);
        state.clone_into(&mut wire.state);
        wire.first_event_time_us = T0 + hour * HOUR_US;
        wire.accepted_time_us = wire.first_event_time_us;
        let now_us = T0 + now_hour * HOUR_US;
        self.journal
            .admit(&[SeenAlert::of(&wire).unwrap()], &self.intake, now_us)
            .unwrap();
        self.blocks().iter().map(|record| record.state).collect()
    }

    fn blocks(&self) -> Vec<ActionRecord> {
        let mut actions = self.journal.actions(None, 99).unwrap();
        actions.retain(|record| record.action.kind() == ActionKind::BlockSignIn);
        actions
    }
}

#[test]
fn a_clock_that_jumped_at_the_first_alert_leaves_nobody_without_containment() {
    let desk = Desk::new();
    // Ten days ahead for a moment.
    assert_eq!(desk.take("a1", "raised", 0, 240), [State::Planned]);
    // The same case, by the right clock: approved by what came since.
    assert_eq!(desk.take("a2", "raised", 1, 1), [State::Approved]);
    let block = &desk.blocks()[0];
    assert_eq!(block.approval, Some(Approval::Policy));
    assert_eq!(block.evidence_time_us, T0 + HOUR_US);
}

#[test]
fn what_is_old_by_every_clock_waits_for_a_person() {
    let desk = Desk::new();
    assert_eq!(desk.take("a1", "raised", 0, 240), [State::Planned]);
    assert_eq!(desk.take("a2", "raised", 1, 240), [State::Planned]);
}

#[tokio::test]
async fn an_approval_of_long_ago_is_none_when_the_stage_comes_back() {
    let world = World::in_memory();
    let block = respond::action::Action::BlockSignIn(respond::action::BlockSignIn {});
    let record = world.request(&block);
    world.pass(25 * HOUR_US);
    let state = world.finish(&world.executor(), &record.action_id).await;
    assert_eq!(state, State::Expired);
    assert!(world.memory().changes().is_empty());
    assert_eq!(world.states(&record.action_id)[2..], ["expired"]);
    // Asked for again, it is another run.
    let review = respond::review::Review::open(&world.journal_path()).unwrap();
    let now_us = world.clock.now_us();
    let again = review
        .retry(&record.action_id, "kim", false, now_us)
        .unwrap();
    assert_eq!((again.round, again.state), (1, State::Approved));
    let state = world.finish(&world.executor(), &again.action_id).await;
    assert_eq!(state, State::Effective);
}

#[test]
fn what_expired_is_planned_again_by_what_comes_after() {
    let desk = Desk::new();
    assert_eq!(desk.take("a1", "raised", 0, 0), [State::Approved]);
    let expire = respond::journal::Step {
        action_id: desk.blocks()[0].action_id.clone(),
        from: &[State::Approved],
        to: State::Expired,
        detail: serde_json::json!({}),
        receipt: None,
        tried: None,
        sighted: None,
        approval: None,
        warnings: Vec::new(),
        time_us: T0 + 80 * HOUR_US,
    };
    desk.journal.advance(&expire).unwrap();
    let planned = desk.take("a2", "raised", 81, 81);
    assert_eq!(planned, [State::Expired, State::Approved]);
}

#[test]
fn an_alert_that_is_taken_back_takes_back_what_has_not_begun() {
    let desk = Desk::new();
    desk.take("a1", "raised", 0, 0);
    assert_eq!(desk.take("a2", "raised", 1, 1), [State::Approved]);
    // The other one still speaks for it.
    assert_eq!(desk.take("a1", "withdrawn", 0, 2), [State::Approved]);
    assert_eq!(desk.take("a2", "withdrawn", 1, 3), [State::Withdrawn]);
    let why = desk.blocks()[0].detail["why"].to_string();
    assert!(why.contains("a2 is withdrawn"), "{why}");
    // What comes after is planned anew.
    let again = desk.take("a3", "raised", 4, 4);
    assert_eq!(again, [State::Withdrawn, State::Approved]);
}

#[test]
fn what_a_person_approved_is_the_persons_to_take_back() {
    let mut desk = Desk::new();
    desk.intake.policy.automatic.clear();
    assert_eq!(desk.take("a1", "raised", 0, 0), [State::Planned]);
    let approve = respond::journal::Step {
        action_id: desk.blocks()[0].action_id.clone(),
        from: &[State::Planned],
        to: State::Approved,
        detail: serde_json::json!({}),
        receipt: None,
        tried: None,
        sighted: None,
        approval: Some(Approval::Person("kim".to_owned())),
        warnings: Vec::new(),
        time_us: T0,
    };
    desk.journal.advance(&approve).unwrap();
    assert_eq!(desk.take("a1", "withdrawn", 0, 1), [State::Approved]);
}

/// A clock that is put forward beside the world's time.
struct Ahead(Arc<dyn Clock>, AtomicI64);

impl Clock for Ahead {
    fn now_us(&self) -> i64 {
        self.0.now_us() + self.1.load(Ordering::SeqCst)
    }
}

/// An attacker must not be kept in for as long as a clock was wrong.
#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_was_ahead_and_is_put_right_puts_nothing_off() {
    let mut house = House::new().await;
    let directory = Arc::new(MemoryDirectory::new());
    directory.with(|state| state.is_away = true);
    house.add(TENANT, directory.clone());
    let clock = Arc::new(Ahead(Arc::clone(&house.clock), AtomicI64::new(0)));
    house.clock = clock.clone();
    let stage = house.start();
    house.publish(&[alert(TENANT, ACCOUNT, "a1")]).await;
    let put_off_us = |house: &House| {
        let actions = house.review().actions(9).unwrap_or_default();
        actions.iter().map(|record| record.not_before_us).min()
    };
    house
        .until("held", |_| are_held(&house, HoldReason::DirectoryAway, 3))
        .await;
    let right_us = clock.now_us();
    clock.1.store(HOUR_US * 2 / 3, Ordering::SeqCst);
    house
        .until("put off by the wrong clock", |_| {
            put_off_us(&house) > Some(right_us + HOUR_US / 2)
        })
        .await;
    clock.1.store(0, Ordering::SeqCst);
    directory.with(|state| state.is_away = false);
    house.until("contained", all(State::Effective, 3)).await;
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_in_a_tenant_that_left_the_configuration_is_held_told_and_ends_by_age() {
    let mut house = House::new().await;
    house.config.automatic = Vec::new();
    house.add(TENANT, Arc::new(MemoryDirectory::new()));
    let stage = house.start();
    house.publish(&[alert(TENANT, ACCOUNT, "a1")]).await;
    house.until("planned", all(State::Planned, 3)).await;
    stage.end().await;
    let review = house.review();
    let first = review.actions(9).unwrap()[0].action_id.clone();
    review.approve(&first, "kim", house.clock.now_us()).unwrap();
    let tenants = std::mem::take(&mut house.directories);
    let clock = Arc::new(Ahead(Arc::clone(&house.clock), AtomicI64::new(0)));
    house.clock = clock.clone();
    let stage = house.start();
    let is_held = |record: &ActionRecord| {
        let reason = record.hold.as_ref().map(|hold| hold.reason);
        reason == Some(HoldReason::TenantNotConfigured) && record.standing() == "held"
    };
    let are_all_held = || review.actions(9).unwrap().iter().all(is_held);
    house.until("held", |_| are_all_held()).await;
    let part = format!("respond/held/{TENANT}");
    let is_told = || house.health.troubles().contains_key(&part);
    house.until("told", |_| is_told()).await;
    stage.end().await;
    // With its tenant there again, the plans wait for a person as before; without, everything ends by age, told once.
    house.directories = tenants;
    std::fs::write(&house.config.kill_switch, "").unwrap();
    let stage = house.start();
    let are_free = || {
        review.actions(9).unwrap()[1..]
            .iter()
            .all(|one| one.hold.is_none())
    };
    house.until("waits for a person", |_| are_free()).await;
    stage.end().await;
    std::fs::remove_file(&house.config.kill_switch).unwrap();
    house.directories.clear();
    clock.1.store(80 * 3_600_000_000, Ordering::SeqCst);
    let stage = house.start();
    house.until("expired", all(State::Expired, 3)).await;
    let is_told = || house.health.troubles().contains_key(&part);
    house.until("well again", |_| !is_told()).await;
    stage.end().await;
    let told = review.entries(&first, 99).unwrap();
    let of_tenant = |entry: &&AuditRecord| {
        entry.state == "held" && entry.detail.contains("tenant_not_configured")
    };
    assert_eq!(told.iter().filter(of_tenant).count(), 1);
}
