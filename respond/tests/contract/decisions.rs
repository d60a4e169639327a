//! The audit chain has what was decided, also where nothing came of it, and by whom as the system knows them.

use std::sync::Arc;

use respond::action::{Action, ActionKind, BlockSignIn};
use respond::journal::sqlite::SqliteJournal;
use respond::journal::{Journal as _, JournalError, Notice};
use respond::record::State;
use respond::review::Review;
use schemas::environment::Clock as _;
use schemas::wire::AuditRecord;
use serde_json::{Value, json};

use crate::house::House;
use crate::memory::MemoryDirectory;
use crate::world::{TENANT, World};

fn detail(entry: &AuditRecord) -> Value {
    serde_json::from_str(&entry.detail).unwrap()
}

#[test]
fn nobody_decides_nothing() {
    let world = World::in_memory();
    let review = Review::open(&world.journal_path()).unwrap();
    let block = || Action::BlockSignIn(BlockSignIn {});
    let now_us = world.clock.now_us();
    let record = world.request(&block());
    for by in ["", " ", "\u{0}", "kim\n", "\u{200b}", "playbook:x"] {
        let id = record.action_id.as_str();
        for (what, result) in [
            ("approve", review.approve(id, by, now_us)),
            ("deny", review.deny(id, by, now_us)),
            ("retry", review.retry(id, by, false, now_us)),
            ("undo", review.undo(id, by, false, now_us)),
            (
                "request",
                review.request(&world.case_id, block(), by, false, now_us),
            ),
        ] {
            assert!(
                matches!(result, Err(JournalError::NoName(_))),
                "{what} by {by:?}: {result:?}"
            );
        }
    }
    assert_eq!(world.record(&record.action_id), record);
}

#[tokio::test]
async fn a_decision_that_was_refused_stands_in_the_chain_with_whom_the_system_knows() {
    let world = World::in_memory();
    let kim = json!({"uid": 1000, "name": "kim"});
    let review = Review::open(&world.journal_path())
        .unwrap()
        .as_user(kim.clone());
    let now_us = world.clock.now_us();
    let block = || Action::BlockSignIn(BlockSignIn {});
    let record = review
        .request(&world.case_id, block(), "boss", false, now_us)
        .unwrap();
    let id = record.action_id.as_str();
    assert_eq!(world.finish(&world.executor(), id).await, State::Effective);
    let granted = review.entries(id, 100).unwrap();
    let approved = granted.iter().find(|entry| entry.state == "approved");
    assert_eq!(detail(approved.unwrap())["os_user"], kim);

    let refused = [
        ("approve", review.approve(id, "boss", now_us)),
        ("deny", review.deny(id, "boss", now_us)),
        ("retry", review.retry(id, "boss", false, now_us)),
    ];
    for (what, result) in refused {
        assert!(
            matches!(result, Err(JournalError::Conflict { .. })),
            "{what}: {result:?}"
        );
    }
    let nobody = review.undo("no such action", "boss", false, now_us);
    assert!(matches!(nobody, Err(JournalError::NoSuchAction { .. })));
    let nowhere = review.request("no such case", block(), "boss", false, now_us);
    assert!(matches!(nowhere, Err(JournalError::NoSuchCase { .. })));

    let decisions: Vec<AuditRecord> = review
        .entries(id, 100)
        .unwrap()
        .into_iter()
        .filter(|entry| entry.action == Notice::DECISION)
        .collect();
    let told: Vec<Value> = decisions
        .iter()
        .map(|entry| detail(entry)["decision"].clone())
        .collect();
    assert_eq!(told, ["approve", "deny", "retry"]);
    for entry in &decisions {
        assert_eq!(
            (entry.state.as_str(), entry.requested_by.as_str()),
            ("refused", "boss")
        );
        assert_eq!(detail(entry)["os_user"], kim);
        assert!(detail(entry)["why"].to_string().contains("is effective"));
    }
    for about in ["no such action", "no such case"] {
        assert_eq!(review.entries(about, 100).unwrap().len(), 1, "{about}");
    }
    // Whatever somebody passes as an id, an entry is short.
    let long = "x".repeat(1_000_000);
    assert!(review.approve(&long, &long, now_us).is_err());
    let newest = review.entries(&"x".repeat(512), 1).unwrap();
    assert!(newest[0].detail.len() < 2_000, "{}", newest[0].detail.len());
    assert_eq!(review.entries(Notice::DECISION, 100).unwrap().len(), 6);
    // The newest of many.
    assert_eq!(review.entries(id, 2).unwrap().len(), 2);
    review.verify(Vec::new()).unwrap();
}

#[tokio::test]
async fn what_a_responder_may_do_is_told_when_it_is_not_what_it_was() {
    let mut house = House::new().await;
    house.add(TENANT, Arc::new(MemoryDirectory::new()));
    let told = |house: &House| -> Vec<Value> {
        let journal = SqliteJournal::open_beside(&house.config.journal).unwrap();
        let entries = journal.audit(0, 1_000).unwrap().into_iter();
        let is_told = |entry: &AuditRecord| entry.action == Notice::CONFIGURATION;
        entries
            .filter(is_told)
            .map(|entry| detail(&entry))
            .collect()
    };
    for (automatic, count) in [
        (ActionKind::ALL.to_vec(), 1),
        (ActionKind::ALL.to_vec(), 1),
        (vec![ActionKind::BlockSignIn], 2),
    ] {
        house.config.automatic = automatic;
        let stage = house.start();
        house
            .until("it has begun", |_| told(&house).len() == count)
            .await;
        stage.end().await;
        assert_eq!(told(&house).len(), count);
    }
    let told = told(&house);
    assert_eq!(told[1]["automatic"], json!(["block_sign_in"]));
    assert_eq!(told[1]["dry_run"], json!(false));
    assert_eq!(told[1]["tenants"], json!([TENANT]));
    assert_ne!(told[0]["hash"], told[1]["hash"]);
}
