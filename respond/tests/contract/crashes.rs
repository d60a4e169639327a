//! The process dies at every step, and starts again.

use std::sync::Arc;

use respond::action::{Action, BlockSignIn, DisableInboxRules, RevokeSessions};
use respond::executor::Progress;
use respond::journal::sqlite::SqliteJournal;
use respond::journal::{Journal, JournalError, Step};
use respond::record::{HoldReason, State};
use respond::review::Review;

use crate::faulty::{Fault, FaultyDirectory, FaultyJournal};
use crate::world::World;

fn actions() -> [(Action, usize); 3] {
    [
        (Action::BlockSignIn(BlockSignIn {}), 1),
        (Action::RevokeSessions(RevokeSessions {}), 1),
        (Action::DisableInboxRules(DisableInboxRules::default()), 2),
    ]
}

/// After a restart the action ends as if nothing had happened: effective, each change sent once, chain whole.
async fn ends_as_if_undisturbed(world: &World, action_id: &str, changes: usize, place: &str) {
    assert_eq!(
        world.finish(&world.executor(), action_id).await,
        State::Effective,
        "{place}"
    );
    assert_eq!(world.memory().changes().len(), changes, "{place}");
    let states = world.states(action_id);
    assert_eq!(states[..3], ["planned", "approved", "intended"], "{place}");
    assert_eq!(states.last().unwrap(), "effective", "{place}");
}

#[tokio::test]
async fn at_every_write_of_the_journal() {
    for (action, changes) in actions() {
        for after in [false, true] {
            for nth in 1.. {
                let world = World::in_memory();
                let record = world.request(&action);
                let faulty = Arc::new(FaultyJournal::new(world.journal.clone(), nth, after));
                let executor = world.executor_with(Arc::clone(&world.directory), faulty.clone());
                let ran = executor.run(&record.action_id).await;
                let place = format!("{action:?}, write {nth}, after {after}");
                if !faulty.struck() {
                    assert!(
                        nth > 3,
                        "intended, applied and effective are written: {place}"
                    );
                    break;
                }
                assert!(ran.is_err(), "{place}");
                ends_as_if_undisturbed(&world, &record.action_id, changes, &place).await;
            }
        }
    }
}

#[tokio::test]
async fn at_every_call_of_the_directory() {
    for (action, changes) in actions() {
        for fault in [Fault::DiesBefore, Fault::DiesAfter] {
            for nth in 1.. {
                let world = World::in_memory();
                // An effect that shows late must not be taken for an absent one.
                world.memory().with(|state| state.reads_until_visible = 2);
                let record = world.request(&action);
                let faulty = Arc::new(FaultyDirectory::new(
                    Arc::clone(&world.directory),
                    nth,
                    fault,
                ));
                let executor = world.executor_with(faulty.clone(), world.journal.clone());
                let place = format!("{action:?}, call {nth}, {fault:?}");
                tokio::select! {
                    ran = executor.run(&record.action_id) => {
                        assert!(ran.is_ok() && !faulty.struck(), "{place}");
                        assert!(nth > 4, "{place}");
                        break;
                    }
                    () = faulty.dies.notified() => {}
                }
                ends_as_if_undisturbed(&world, &record.action_id, changes, &place).await;
            }
        }
    }
}

#[tokio::test]
async fn what_cannot_be_read_back_is_unknown_and_never_a_guess() {
    let mut world = World::in_memory();
    let record = world.request(&Action::BlockSignIn(BlockSignIn {}));
    // Grant, user, roles, change; then every look fails for good.
    let faulty = Arc::new(FaultyDirectory::new(
        Arc::clone(&world.directory),
        4,
        Fault::DiesAfter,
    ));
    let executor = world.executor_with(faulty.clone(), world.journal.clone());
    tokio::select! {
        ran = executor.run(&record.action_id) => panic!("{ran:?}"),
        () = faulty.dies.notified() => {}
    }
    // For as long as the approval is good, it waits for the directory.
    world.policy.approval_age_us_max = 20_000;
    let mut dead = Arc::clone(&world.directory);
    for nth in 1..=40 {
        dead = Arc::new(FaultyDirectory::new(dead, nth, Fault::Lost));
    }
    let executor = world.executor_with(dead, world.journal.clone());
    assert_eq!(
        world.finish(&executor, &record.action_id).await,
        State::Unknown
    );
    assert_eq!(world.memory().changes().len(), 1);
}

#[tokio::test]
async fn the_kill_switch_holds_between_a_crash_and_the_next_call() {
    // The intent is durable, the call was not made, the switch is set meanwhile.
    let world = World::in_memory();
    let record = world.request(&Action::BlockSignIn(BlockSignIn {}));
    let faulty = Arc::new(FaultyDirectory::new(
        Arc::clone(&world.directory),
        4,
        Fault::DiesBefore,
    ));
    let executor = world.executor_with(faulty.clone(), world.journal.clone());
    tokio::select! {
        ran = executor.run(&record.action_id) => panic!("{ran:?}"),
        () = faulty.dies.notified() => {}
    }
    assert_eq!(world.record(&record.action_id).state, State::Intended);
    std::fs::write(&world.gates.kill_switch, "").unwrap();
    for _ in 0..20 {
        let progress = world.executor().run(&record.action_id).await.unwrap();
        assert!(matches!(progress, Progress::Later { .. }), "{progress:?}");
        world.pass(60_000_000);
    }
    let held = world.record(&record.action_id);
    assert_eq!(held.state, State::Intended, "it goes on from here");
    assert_eq!(held.hold.unwrap().reason, HoldReason::KillSwitch);
    assert!(world.memory().changes().is_empty());
    let told = world.states(&record.action_id);
    assert_eq!(told, ["planned", "approved", "intended", "held"]);
    std::fs::remove_file(&world.gates.kill_switch).unwrap();
    ends_as_if_undisturbed(&world, &record.action_id, 1, "lifted").await;
}

#[tokio::test]
async fn a_change_that_was_sent_is_read_back_after_any_outage() {
    // The directory goes away right after the change, for longer than the tries that are not told.
    let world = World::in_memory();
    let record = world.request(&Action::BlockSignIn(BlockSignIn {}));
    let mut away = Arc::clone(&world.directory);
    // Grant, user, roles, change: from the fifth call on it is away.
    for _ in 0..60 {
        away = Arc::new(FaultyDirectory::new(away, 5, Fault::Lost));
    }
    let executor = world.executor_with(away, world.journal.clone());
    assert_eq!(
        world.finish(&executor, &record.action_id).await,
        State::Effective
    );
    assert_eq!(world.memory().changes().len(), 1);
    let told = world.states(&record.action_id);
    assert_eq!(told[3..], ["applied", "held", "effective"]);
}

#[tokio::test]
async fn of_those_that_race_for_the_intent_one_wins() {
    // As processes would, each through its own connection; only the winner goes on to send.
    let world = World::in_memory();
    let record = world.request(&Action::RevokeSessions(RevokeSessions {}));
    let racers: Vec<_> = (0..8)
        .map(|_| {
            let (path, action_id) = (world.journal_path(), record.action_id.clone());
            std::thread::spawn(move || {
                let step = Step {
                    action_id,
                    from: &[State::Approved],
                    to: State::Intended,
                    detail: serde_json::Value::Null,
                    receipt: None,
                    tried: None,
                    sighted: None,
                    approval: None,
                    warnings: Vec::new(),
                    time_us: 1,
                };
                SqliteJournal::open_beside(&path).unwrap().advance(&step)
            })
        })
        .collect();
    let outcomes: Vec<_> = racers
        .into_iter()
        .map(|racer| racer.join().unwrap())
        .collect();
    let (won, lost): (Vec<_>, Vec<_>) = outcomes.iter().partition(|outcome| outcome.is_ok());
    assert_eq!(won.len(), 1, "{outcomes:?}");
    assert!(
        lost.iter().all(|outcome| matches!(
            outcome,
            Err(JournalError::Conflict {
                found: State::Intended,
                ..
            })
        )),
        "{outcomes:?}"
    );
    assert_eq!(
        world.states(&record.action_id),
        ["planned", "approved", "intended"]
    );
}

#[tokio::test]
async fn an_action_that_somebody_else_ended_meanwhile_is_left_as_it_is() {
    let world = World::in_memory();
    let record = world.request(&Action::BlockSignIn(BlockSignIn {}));
    let review = Review::open(&world.journal_path()).unwrap();
    // Denied while the facts are read: the first call of the directory hangs.
    let faulty = Arc::new(FaultyDirectory::new(
        Arc::clone(&world.directory),
        1,
        Fault::Waits,
    ));
    let executor = world.executor_with(faulty.clone(), world.journal.clone());
    let (ran, ()) = tokio::join!(executor.run(&record.action_id), async {
        faulty.dies.notified().await;
        review.deny(&record.action_id, "kim", 1).unwrap();
        faulty.goes_on.notify_one();
    });
    assert_eq!(ran.unwrap(), Progress::Ended(State::Refused));
    assert!(world.memory().changes().is_empty());
}
