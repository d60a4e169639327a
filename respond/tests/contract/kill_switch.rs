//! The kill switch with a thousand actions under way: nothing after the acknowledgement, everything after the lifting.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use respond::action::{Action, ActionKind, BlockSignIn, DisableInboxRules, Permission};
use respond::directory::{
    Directory, DirectoryError, DirectoryReads, Grant, InboxRule, ObjectId, Reply, Role, User,
};
use respond::executor::Progress;
use respond::record::{ActionRecord, HoldReason, State};
use rusqlite::Connection;
use schemas::wire::{Alert, AuditRecord};

use crate::faulty::{Fault, FaultyDirectory};
use crate::house::House;
use crate::world::{TENANT, World, alert};

const PEOPLE: usize = 1_000;

/// As many people as anybody asks for; a change takes a few milliseconds.
#[derive(Default)]
struct Crowd {
    blocked: Mutex<BTreeSet<String>>,
    begun: AtomicUsize,
    done: AtomicUsize,
}

#[async_trait]
impl DirectoryReads for Crowd {
    async fn grant(&self, needed: &[Permission]) -> Result<Grant, DirectoryError> {
        Ok(Grant {
            roles: needed.iter().map(|one| one.least.to_owned()).collect(),
            own_ids: Vec::new(),
        })
    }
    async fn user(&self, name: &str) -> Result<Option<User>, DirectoryError> {
        Ok(Some(User {
            id: ObjectId::parse(name).unwrap(),
            user_principal_name: format!("{name}@contoso.test"),
            account_enabled: !self.blocked.lock().unwrap().contains(name),
            is_guest: false,
            is_synced: false,
            created_us: None,
            sessions_valid_from_us: None,
        }))
    }
    async fn roles(&self, _id: &ObjectId) -> Result<Vec<Role>, DirectoryError> {
        Ok(Vec::new())
    }
    async fn inbox_rules(&self, _id: &ObjectId) -> Result<Vec<InboxRule>, DirectoryError> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl Directory for Crowd {
    async fn set_account_enabled(
        &self,
        id: &ObjectId,
        on: bool,
        _request_id: &str,
    ) -> Result<Reply, DirectoryError> {
        assert!(!on);
        self.begun.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(3)).await;
        self.blocked.lock().unwrap().insert(id.as_str().to_owned());
        self.done.fetch_add(1, Ordering::SeqCst);
        Ok(Reply {
            status: 204,
            request_id: "r".to_owned(),
        })
    }
    async fn revoke_sessions(
        &self,
        _id: &ObjectId,
        _request_id: &str,
    ) -> Result<Reply, DirectoryError> {
        panic!("not asked for")
    }
    async fn set_rule_enabled(
        &self,
        _id: &ObjectId,
        _rule: &str,
        _on: bool,
        _request_id: &str,
    ) -> Result<Reply, DirectoryError> {
        panic!("not asked for")
    }
}

fn person(number: usize) -> String {
    format!("1f00aaaa-0000-4000-8000-{number:012}")
}

fn alerts() -> Vec<Alert> {
    (0..PEOPLE)
        .map(|number| Alert {
            user: format!("{}@contoso.test", person(number)),
            ..alert(TENANT, &person(number), &format!("a{number}"))
        })
        .collect()
}

fn blocks(house: &House) -> Vec<ActionRecord> {
    let mut actions = house.review().actions(9_999).unwrap();
    actions.retain(|record| record.action.kind() == ActionKind::BlockSignIn);
    actions
}

fn count(house: &House, is_so: impl Fn(&ActionRecord) -> bool) -> usize {
    blocks(house).iter().filter(|record| is_so(record)).count()
}

/// Longest that anything here may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(5);

/// Waits until it is so.
async fn until(what: &str, every: Duration, is_so: impl Fn() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < PATIENCE, "{what}");
        tokio::time::sleep(every).await;
    }
}

/// The responder's word on the switch, once it is this one.
async fn acknowledgement(house: &House, state: &str) -> AuditRecord {
    let said = || house.review().kill_switch().unwrap();
    let is_so = || said().is_some_and(|entry| entry.state == state);
    until(state, Duration::from_millis(1), is_so).await;
    said().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_thousand_actions_none_is_sent_after_the_acknowledgement_and_all_go_on_later() {
    let mut house = House::new().await;
    house.config.automatic = vec![ActionKind::BlockSignIn];
    house.config.targets_per_hour_max = u32::MAX;
    house.config.read_backs_max = 1;
    let crowd = Arc::new(Crowd::default());
    house.add(TENANT, crowd.clone());
    let stage = house.start();
    house.publish(&alerts()).await;
    let are_under_way = || crowd.done.load(Ordering::SeqCst) >= 10;
    until("under way", Duration::from_millis(1), are_under_way).await;
    std::fs::write(&house.config.kill_switch, r#"{"by": "kim"}"#).unwrap();
    let entry = acknowledgement(&house, "set").await;
    let begun = crowd.begun.load(Ordering::SeqCst);
    assert_eq!(
        (entry.state.as_str(), entry.requested_by.as_str()),
        ("set", "kim")
    );
    assert!(begun < PEOPLE / 2, "they are under way: {begun}");
    let is_held = |record: &ActionRecord| {
        let reason = record.hold.as_ref().map(|hold| hold.reason);
        reason == Some(HoldReason::KillSwitch)
    };
    let all_are = || count(&house, is_held) >= PEOPLE - begun;
    until("held", Duration::from_millis(500), all_are).await;
    let begun_since = crowd.begun.load(Ordering::SeqCst) - begun;
    assert_eq!(begun_since, 0, "after the acknowledgement");
    assert!(house.health.troubles().contains_key("respond/kill_switch"));
    std::fs::remove_file(&house.config.kill_switch).unwrap();
    let all_ended = || count(&house, |record| record.state.is_final()) >= PEOPLE;
    until("ended", Duration::from_secs(1), all_ended).await;
    stage.end().await;
    let cut_off = count(&house, |record| record.state == State::Unknown);
    assert!(cut_off <= 1, "at most the one under way: {cut_off}");
    let effective = count(&house, |record| record.state == State::Effective);
    assert_eq!(effective, PEOPLE - cut_off);
    assert!(!house.health.troubles().contains_key("respond/kill_switch"));
    assert_eq!(
        house.review().kill_switch().unwrap().unwrap().state,
        "lifted"
    );
    house.review().verify(Vec::new()).unwrap();
}

#[tokio::test]
async fn a_call_that_the_switch_cut_off_is_unknown() {
    let world = World::in_memory();
    let record = world.request(&Action::BlockSignIn(BlockSignIn {}));
    // Grant, user, roles; the change is under way when the switch is set.
    let faulty = Arc::new(FaultyDirectory::new(
        Arc::clone(&world.directory),
        4,
        Fault::Waits,
    ));
    let executor = world.executor_with(faulty.clone(), world.journal.clone());
    let (ran, ()) = tokio::join!(executor.run(&record.action_id), async {
        faulty.dies.notified().await;
        std::fs::write(&world.gates.kill_switch, "").unwrap();
        // Comes back only once the call is over.
        world.gates.stop().await;
    });
    assert_eq!(ran.unwrap(), Progress::Ended(State::Unknown));
    let why = world.record(&record.action_id).detail["why"].to_string();
    assert!(why.contains("kill_switch"), "{why}");
}

#[tokio::test]
async fn what_is_stopped_stays_stopped_until_the_lifting_is_noted() {
    let world = World::in_memory();
    world.gates.stop().await;
    let record = world.request(&Action::BlockSignIn(BlockSignIn {}));
    let executor = world.executor();
    executor.run(&record.action_id).await.unwrap();
    assert!(world.memory().changes().is_empty());
    world.gates.start();
    assert_eq!(
        world.finish(&executor, &record.action_id).await,
        State::Effective
    );
}

#[tokio::test]
async fn rules_of_which_the_switch_cut_off_the_first_are_unknown_and_not_held() {
    let world = World::in_memory();
    let record = world.request(&Action::DisableInboxRules(DisableInboxRules::default()));
    // Grant, user, roles, rules, rules; the first change is under way when the switch is set.
    let faulty = Arc::new(FaultyDirectory::new(
        Arc::clone(&world.directory),
        6,
        Fault::Waits,
    ));
    let executor = world.executor_with(faulty.clone(), world.journal.clone());
    let (ran, ()) = tokio::join!(executor.run(&record.action_id), async {
        faulty.dies.notified().await;
        std::fs::write(&world.gates.kill_switch, "").unwrap();
        world.gates.stop().await;
    });
    assert_eq!(ran.unwrap(), Progress::Ended(State::Unknown));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_that_was_lifted_while_nobody_ran_is_said_to_be_lifted() {
    let mut house = House::new().await;
    house.add(TENANT, Arc::new(Crowd::default()));
    std::fs::write(&house.config.kill_switch, "").unwrap();
    let stage = house.start();
    house.publish(&alerts()[..1]).await;
    house.until("planned", |states| !states.is_empty()).await;
    acknowledgement(&house, "set").await;
    stage.end().await;
    std::fs::remove_file(&house.config.kill_switch).unwrap();
    let stage = house.start();
    acknowledgement(&house, "lifted").await;
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flip_that_cannot_be_written_is_owed_and_holds_nothing_for_ever() {
    let mut house = House::new().await;
    house.config.automatic = vec![ActionKind::BlockSignIn];
    house.add(TENANT, Arc::new(Crowd::default()));
    let stage = house.start();
    house.publish(&alerts()[..1]).await;
    let every = Duration::from_millis(20);
    house.until("planned", |states| !states.is_empty()).await;
    let are_blocked = |wanted| count(&house, |record| record.state == State::Effective) == wanted;
    until("blocked", every, || are_blocked(1)).await;
    // Nobody can write, as on a full disk.
    let other = Connection::open(&house.config.journal).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    std::fs::write(&house.config.kill_switch, r#"{"by": "kim"}"#).unwrap();
    let trouble = |words: &str| {
        let troubles = house.health.troubles();
        let told = troubles.get("respond/kill_switch");
        told.is_some_and(|trouble| trouble.why.contains(words))
    };
    until("told", every, || trouble("is set")).await;
    until("told", every, || trouble("not acknowledged")).await;
    assert!(house.review().kill_switch().unwrap().is_none());
    std::fs::remove_file(&house.config.kill_switch).unwrap();
    until("told", every, || trouble("is lifted, and nothing is sent")).await;
    other.execute_batch("ROLLBACK").unwrap();
    let entry = acknowledgement(&house, "lifted").await;
    assert!(entry.sequence > 0);
    house.publish(&alerts()[1..2]).await;
    until("goes on", every, || are_blocked(2)).await;
    assert!(!house.health.troubles().contains_key("respond/kill_switch"));
    stage.end().await;
    let told = house.review().entries("kill_switch", 99).unwrap();
    let told: Vec<&str> = told.iter().map(|entry| entry.state.as_str()).collect();
    assert_eq!(told, ["set", "lifted"]);
}
