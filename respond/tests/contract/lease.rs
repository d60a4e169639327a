//! One responder acts: who lost the lease sends nothing, whenever it was lost, and goes on once it has it again.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bus::{BusError, Confirmed};
use respond::action::{Action, BlockSignIn};
use respond::effects::Tenure;
use respond::executor::{Executor, Progress};
use respond::record::{ActionRecord, HoldReason, State};
use schemas::limits::LEASE_CONFIRMED_FOR;
use tokio::sync::Notify;

use crate::faulty::{Fault, FaultyDirectory};
use crate::house::{House, PATIENCE, all};
use crate::memory::{ACCOUNT, MemoryDirectory};
use crate::world::{TENANT, World, alert};

/// A lease that a test gives and takes.
#[derive(Default)]
struct Hand {
    is_lost: Mutex<Option<&'static str>>,
    taken: Notify,
    asked: AtomicU64,
    /// How long the process stands still just after it was told that it holds the lease, once.
    stands_still: Mutex<Duration>,
}

impl Hand {
    fn take(&self) {
        *self.is_lost.lock().unwrap() = Some("another acts");
        self.taken.notify_waiters();
    }

    fn give(&self) {
        *self.is_lost.lock().unwrap() = None;
    }

    fn asked(&self) -> u64 {
        self.asked.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Tenure for Hand {
    fn epoch(&self) -> u64 {
        7
    }
    async fn confirm(&self) -> Result<Confirmed, BusError> {
        if let Some(why) = *self.is_lost.lock().unwrap() {
            return Err(BusError::LeaseLost {
                why: why.to_owned(),
            });
        }
        self.asked.fetch_add(1, Ordering::SeqCst);
        let confirmed = Confirmed::now(7).unwrap();
        let stands_still = std::mem::take(&mut *self.stands_still.lock().unwrap());
        if !stands_still.is_zero() {
            std::thread::sleep(stands_still);
            self.take();
        }
        Ok(confirmed)
    }
    async fn lost(&self) -> String {
        let taken = self.taken.notified();
        if self.is_lost.lock().unwrap().is_none() {
            taken.await;
        }
        "another acts".to_owned()
    }
}

fn executor(world: &World, hand: &Arc<Hand>) -> Executor {
    let tenure: Arc<dyn Tenure> = hand.clone();
    Executor {
        gates: world.gates.clone().held_by(tenure),
        ..world.executor()
    }
}

fn is_held(record: &ActionRecord) -> bool {
    let reason = record.hold.as_ref().map(|hold| hold.reason);
    reason == Some(HoldReason::LeaseLost)
}

#[tokio::test]
async fn who_lost_the_lease_sends_nothing_and_goes_on_once_it_has_it_again() {
    let world = World::in_memory();
    let hand = Arc::new(Hand::default());
    let executor = executor(&world, &hand);
    let record = world.request(&Action::BlockSignIn(BlockSignIn {}));
    hand.take();
    for _ in 0..3 {
        let ran = executor.run(&record.action_id).await.unwrap();
        assert!(matches!(ran, Progress::Later { .. }), "{ran:?}");
        assert!(world.memory().changes().is_empty());
    }
    let waits = world.record(&record.action_id);
    assert!(is_held(&waits), "{waits:?}");
    assert_eq!(waits.state, State::Intended, "it is held, and not failed");
    hand.give();
    let state = world.finish(&executor, &record.action_id).await;
    assert_eq!(state, State::Effective);
    assert_eq!(world.memory().changes(), ["accountEnabled=false"]);
    let told = world.states(&record.action_id);
    let held = told.iter().filter(|state| *state == "held").count();
    assert_eq!(held, 1, "told once: {told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_stood_still_after_it_asked_asks_again_before_it_sends() {
    let world = World::in_memory();
    let hand = Arc::new(Hand::default());
    *hand.stands_still.lock().unwrap() = LEASE_CONFIRMED_FOR + Duration::from_millis(50);
    let executor = executor(&world, &hand);
    let record = world.request(&Action::BlockSignIn(BlockSignIn {}));
    executor.run(&record.action_id).await.unwrap();
    assert_eq!(hand.asked(), 1, "it was told that it held the lease");
    assert!(
        world.memory().changes().is_empty(),
        "and another acted since"
    );
    assert!(is_held(&world.record(&record.action_id)));
}

#[tokio::test]
async fn a_call_that_was_under_way_when_the_lease_was_lost_is_looked_at_before_it_is_made_again() {
    for arrives in [false, true] {
        let world = World::in_memory();
        let hand = Arc::new(Hand::default());
        let record = world.request(&Action::BlockSignIn(BlockSignIn {}));
        // Grant, user, roles; the change is under way when the lease is lost.
        let fault = if arrives {
            Fault::DiesAfter
        } else {
            Fault::Waits
        };
        let faulty = Arc::new(FaultyDirectory::new(Arc::clone(&world.directory), 4, fault));
        let tenure: Arc<dyn Tenure> = hand.clone();
        let cut_off = Executor {
            gates: world.gates.clone().held_by(tenure),
            ..world.executor_with(faulty.clone(), world.journal.clone())
        };
        let (ran, ()) = tokio::join!(cut_off.run(&record.action_id), async {
            faulty.dies.notified().await;
            hand.take();
        });
        assert!(matches!(ran.unwrap(), Progress::Later { .. }));
        let waits = world.record(&record.action_id);
        assert!(is_held(&waits), "{waits:?}");
        assert_eq!(waits.state, State::Intended, "nobody knows yet");
        hand.give();
        let state = world
            .finish(&executor(&world, &hand), &record.action_id)
            .await;
        assert_eq!(state, State::Effective);
        assert_eq!(world.memory().changes(), ["accountEnabled=false"], "once");
    }
}

#[tokio::test]
async fn a_long_call_is_followed_by_one_that_still_holds_the_lease() {
    let world = World::in_memory();
    let hand = Arc::new(Hand::default());
    let record = world.request(&Action::BlockSignIn(BlockSignIn {}));
    let faulty = Arc::new(FaultyDirectory::new(
        Arc::clone(&world.directory),
        4,
        Fault::Waits,
    ));
    let tenure: Arc<dyn Tenure> = hand.clone();
    let executor = Executor {
        gates: world.gates.clone().held_by(tenure),
        ..world.executor_with(faulty.clone(), world.journal.clone())
    };
    let (ran, ()) = tokio::join!(executor.run(&record.action_id), async {
        faulty.dies.notified().await;
        tokio::time::sleep(LEASE_CONFIRMED_FOR * 2).await;
        faulty.goes_on.notify_one();
    });
    assert_eq!(ran.unwrap(), Progress::Ended(State::Effective));
    assert_eq!(
        hand.asked(),
        2,
        "once before it, and once before it went on"
    );
}

#[tokio::test]
async fn of_two_hosts_on_one_bus_one_acts_and_the_other_follows() {
    let mut north = House::new().await;
    let mut south = House::new().await;
    south.bus = north.bus.clone();
    let directory = Arc::new(MemoryDirectory::new());
    north.add(TENANT, directory.clone());
    south.add(TENANT, directory.clone());
    let first = north.start();
    north.publish(&[alert(TENANT, ACCOUNT, "a1")]).await;
    north.until("contained", all(State::Effective, 3)).await;
    let done = directory.changes();
    let second = south.start();
    let started = tokio::time::Instant::now();
    while !south.health.notes().contains_key("respond/lease") {
        assert!(
            started.elapsed() < PATIENCE,
            "it does not say that it stands by"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let note = &south.health.notes()["respond/lease"];
    assert!(
        note.starts_with("stands by: ") && note.ends_with(" acts"),
        "{note}"
    );
    assert!(south.health.troubles().is_empty(), "it is well");
    let said = respond::stage::stands_by(&south.config.journal).unwrap();
    assert!(said.ends_with(" acts"), "{said}");
    assert!(respond::stage::stands_by(&north.config.journal).is_none());
    assert!(
        south.states().is_none(),
        "it reads nothing, and has no journal"
    );
    assert!(!north.health.notes().contains_key("respond/lease"));
    first.kill().await;
    let follows = |states: &std::collections::BTreeMap<String, State>| !states.is_empty();
    south.publish(&[alert(TENANT, ACCOUNT, "a2")]).await;
    south.until("it follows", follows).await;
    south
        .until("it looks first", all(State::Effective, 3))
        .await;
    assert!(!south.health.notes().contains_key("respond/lease"));
    assert!(respond::stage::stands_by(&south.config.journal).is_none());
    let again: Vec<String> = directory.changes().split_off(done.len());
    assert_eq!(again, ["revoke"], "what is so already is not done again");
    second.end().await;
}
