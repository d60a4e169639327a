//! The stage on the embedded log: alerts in; cases, actions and a chain of audit entries out.

use std::sync::Arc;
use std::time::Duration;

use bus::Message;
use respond::audit::Verifier;
use respond::directory::Directory;
use respond::record::State;
use respond::review::{Review, VerifyError};
use respond::{RespondConfig, stage};
use schemas::topics::Topic;
use schemas::wire::{AuditRecord, Case, Coverage};
use tokio_util::sync::CancellationToken;

use crate::faulty::{Fault, FaultyDirectory};
use crate::house::{House, PATIENCE, Stage, all};
use crate::memory::{ACCOUNT, MemoryDirectory};
use crate::world::{Place, TENANT, World, alert};

const OTHER_TENANT: &str = "7f3caaaa-0000-4000-8000-000000000002";

#[tokio::test]
async fn an_alert_contains_the_account_and_everything_is_published_in_one_chain() {
    let mut house = House::new().await;
    let directory = Arc::new(MemoryDirectory::new());
    house.add(TENANT, directory.clone());
    let stage = house.start();
    house.publish(&[alert(TENANT, ACCOUNT, "a1")]).await;
    house.until("contained", all(State::Effective, 3)).await;
    // The same alert again, and another one, open no other case and act no second time.
    house
        .publish(&[alert(TENANT, ACCOUNT, "a1"), alert(TENANT, ACCOUNT, "a2")])
        .await;
    house
        .until("both are known", |_| {
            house.review().cases(9).unwrap()[0].alerts.len() == 2
        })
        .await;
    stage.end().await;

    assert_eq!(
        directory.changes(),
        [
            "accountEnabled=false",
            "revoke",
            "hides=false",
            "forwards=false"
        ]
    );
    let cases: Vec<Case> = house.read(Topic::Cases).await;
    let newest = cases.iter().max_by_key(|case| case.revision).unwrap();
    assert!(cases.iter().all(|case| case.case_id == newest.case_id));
    assert_eq!(newest.status, "in_progress");
    assert_eq!(newest.alert_ids, ["a1", "a2"]);
    let audit: Vec<AuditRecord> = house.read(Topic::Audit).await;
    let mut verifier = Verifier::default();
    for entry in &audit {
        verifier.take(entry).unwrap();
    }
    // What the responder may do; then planned, approved, intended, applied, effective, three times.
    assert_eq!(audit.len(), 16);
    assert_eq!(
        house.review().verify(Vec::new()).unwrap(),
        verifier.finish().unwrap()
    );
}

#[tokio::test]
async fn an_alert_of_a_state_that_nobody_knows_opens_no_case_and_is_in_the_ledger() {
    let mut house = House::new().await;
    house.add(TENANT, Arc::new(MemoryDirectory::new()));
    let stage = house.start();
    let unknown = schemas::wire::Alert {
        state: "snoozed".to_owned(),
        ..alert(TENANT, ACCOUNT, "a0")
    };
    house
        .publish(&[unknown, alert(TENANT, ACCOUNT, "a1")])
        .await;
    // The one behind it does not wait.
    house.until("contained", all(State::Effective, 3)).await;
    stage.end().await;
    let cases: Vec<Case> = house.read(Topic::Cases).await;
    assert!(cases.iter().all(|case| case.alert_ids == ["a1"]));
    let ledger: Vec<Coverage> = house.read(Topic::Coverage).await;
    let line = ledger.iter().find(|line| line.source == "respond").unwrap();
    assert_eq!(
        (line.subject.as_str(), line.state.as_str()),
        ("alerts/0", "lost")
    );
    assert!(
        line.detail.contains("alert state \"snoozed\""),
        "{}",
        line.detail
    );
}

#[tokio::test]
async fn evidence_that_is_not_live_is_planned_for_a_person_and_live_evidence_decides_after_all() {
    let mut house = House::new().await;
    let directory = Arc::new(MemoryDirectory::new());
    house.add(TENANT, directory.clone());
    let stage = house.start();
    for (number, provenance) in ["imported", "foreign", "", "Live"].into_iter().enumerate() {
        let told = schemas::wire::Alert {
            provenance: provenance.to_owned(),
            ..alert(TENANT, ACCOUNT, &format!("f{number}"))
        };
        house.publish(&[told]).await;
    }
    house.until("planned", all(State::Planned, 3)).await;
    house
        .until("all are known", |_| {
            house.review().cases(9).unwrap()[0].alerts_count() == 4
        })
        .await;
    stage.end().await;
    // Also at the next start.
    let stage = house.start();
    tokio::time::sleep(Duration::from_millis(700)).await;
    house.until("planned", all(State::Planned, 3)).await;
    assert!(directory.changes().is_empty());
    let told = house.review().actions(1).unwrap()[0].detail.to_string();
    assert!(told.contains("imported"), "{told}");
    // What was imported first does not keep live evidence from acting.
    house.publish(&[alert(TENANT, ACCOUNT, "a1")]).await;
    house.until("contained", all(State::Effective, 3)).await;
    stage.end().await;
}

#[tokio::test]
async fn dry_run_is_the_default_and_sends_nothing() {
    assert!(RespondConfig::default().dry_run);
    let mut house = House::new().await;
    house.config.dry_run = true;
    let directory = Arc::new(MemoryDirectory::new());
    house.add(TENANT, directory.clone());
    let stage = house.start();
    house.publish(&[alert(TENANT, ACCOUNT, "a1")]).await;
    house.until("planned", all(State::Planned, 3)).await;
    stage.end().await;
    let audit: Vec<AuditRecord> = house.read(Topic::Audit).await;
    let of_actions: Vec<&AuditRecord> = audit
        .iter()
        .filter(|entry| !entry.action_id.is_empty())
        .collect();
    assert_eq!(of_actions.len(), 3);
    assert!(
        of_actions
            .iter()
            .all(|entry| entry.dry_run && entry.state == "planned")
    );
    // What was planned in dry-run is not sent when dry-run is turned off.
    house.config.dry_run = false;
    let record = &house.review().actions(9).unwrap()[0];
    assert!(house.review().approve(&record.action_id, "kim", 0).is_err());
    let stage = house.start();
    tokio::time::sleep(Duration::from_millis(300)).await;
    stage.end().await;
    assert!(directory.changes().is_empty());
}

#[tokio::test]
async fn without_a_list_of_automatic_actions_a_person_decides() {
    let mut house = House::new().await;
    house.config.automatic = Vec::new();
    let directory = Arc::new(MemoryDirectory::new());
    house.add(TENANT, directory.clone());
    let stage = house.start();
    house.publish(&[alert(TENANT, ACCOUNT, "a1")]).await;
    house.until("planned", all(State::Planned, 3)).await;
    let review = house.review();
    let actions = review.actions(9).unwrap();
    let now_us = house.clock.now_us();
    review
        .approve(&actions[0].action_id, "kim", now_us)
        .unwrap();
    review.deny(&actions[1].action_id, "kim", now_us).unwrap();
    house
        .until("decided", |states| {
            states["1 block_sign_in 0"] == State::Effective
                && states["1 revoke_sessions 0"] == State::Refused
        })
        .await;
    stage.end().await;
    assert_eq!(directory.changes(), ["accountEnabled=false"]);
    assert!(
        review.approve(&actions[1].action_id, "kim", 1).is_err(),
        "denied is denied"
    );
}

#[tokio::test]
async fn a_tenant_whose_directory_hangs_does_not_stall_another() {
    // Invariant 7.
    let mut house = House::new().await;
    let stuck = MemoryDirectory::new();
    let stuck: Arc<dyn Directory> =
        Arc::new(FaultyDirectory::new(Arc::new(stuck), 1, Fault::DiesBefore));
    house.add(TENANT, stuck);
    let directory = Arc::new(MemoryDirectory::new());
    house.add(OTHER_TENANT, directory.clone());
    let stage = house.start();
    house.publish(&[alert(TENANT, ACCOUNT, "a1")]).await;
    house.publish(&[alert(OTHER_TENANT, ACCOUNT, "a2")]).await;
    house
        .until("the other is contained", |states| {
            states
                .iter()
                .filter(|(key, state)| key.starts_with('2') && **state == State::Effective)
                .count()
                == 3
        })
        .await;
    assert_eq!(directory.changes().len(), 4);
    stage.kill().await;
}

#[tokio::test]
async fn killed_at_every_call_and_started_again_it_ends_as_if_undisturbed() {
    // Each change arrives once, whatever the moment.
    for fault in [Fault::DiesBefore, Fault::DiesAfter] {
        for nth in [1, 3, 4, 5, 6, 9, 10, 14, 15, 16, 17] {
            let mut house = House::new().await;
            let directory = Arc::new(MemoryDirectory::new());
            let faulty = Arc::new(FaultyDirectory::new(directory.clone(), nth, fault));
            house.add(TENANT, faulty.clone());
            let stage = house.start();
            house.publish(&[alert(TENANT, ACCOUNT, "a1")]).await;
            tokio::time::timeout(PATIENCE, faulty.dies.notified())
                .await
                .expect("it dies");
            stage.kill().await;
            let stage = house.start();
            house
                .until(&format!("{fault:?} {nth}"), all(State::Effective, 3))
                .await;
            stage.end().await;
            assert_eq!(
                directory.changes(),
                [
                    "accountEnabled=false",
                    "revoke",
                    "hides=false",
                    "forwards=false"
                ],
                "{fault:?} {nth}"
            );
            house.review().verify(Vec::new()).unwrap();
        }
    }
}

#[tokio::test]
async fn a_second_process_waits_for_the_first() {
    let mut house = House::new().await;
    house.add(TENANT, Arc::new(MemoryDirectory::new()));
    let first = house.start();
    house.publish(&[alert(TENANT, ACCOUNT, "a1")]).await;
    house.until("contained", all(State::Effective, 3)).await;
    let second = house.start();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!second.running.is_finished());
    second.end().await;
    first.end().await;
}

#[tokio::test]
async fn tampering_with_the_file_is_found_and_named() {
    let house = House::contained().await;
    let head = house.review().verify(Vec::new()).unwrap().unwrap();
    for (sql, at) in [
        (
            "UPDATE audit SET target = 'somebody else' WHERE sequence = 7",
            "entry 7 was changed",
        ),
        (
            "UPDATE audit SET time_us = time_us - 1 WHERE sequence = 2",
            "entry 2 was changed",
        ),
        ("DELETE FROM audit WHERE sequence = 4", "entry 4 is missing"),
        (
            "DELETE FROM audit WHERE sequence > 12",
            "ends before entry 16",
        ),
    ] {
        let copy = house.folder.path().join("copy");
        let source = rusqlite::Connection::open(&house.config.journal).unwrap();
        source
            .execute("VACUUM INTO ?1", [copy.to_str().unwrap()])
            .unwrap();
        rusqlite::Connection::open(&copy)
            .unwrap()
            .execute(sql, [])
            .unwrap();
        let verdict = Review::open(&copy).unwrap().verify(vec![head.clone()]);
        let Err(VerifyError::Broken(broken)) = verdict else {
            panic!("{sql}: {verdict:?}")
        };
        assert!(broken.to_string().contains(at), "{sql}: {broken}");
        std::fs::remove_file(&copy).unwrap();
    }
}

#[tokio::test]
async fn what_is_not_an_alert_does_not_stop_the_stage() {
    let mut house = House::new().await;
    house.add(TENANT, Arc::new(MemoryDirectory::new()));
    let stage = house.start();
    let garbage = |payload: &[u8]| Message {
        key: "x".to_owned(),
        payload: payload.to_vec(),
    };
    house
        .bus
        .publish(Topic::Alerts, vec![garbage(b"\xff\xff\xff"), garbage(b"")])
        .await
        .unwrap();
    let mut hostile = alert(TENANT, "../../users", "h1");
    hostile.user = "'; DROP TABLE cases; --<script>".to_owned();
    house
        .publish(&[hostile, alert(TENANT, ACCOUNT, "a1")])
        .await;
    house
        .until("contained", |states| {
            states.len() == 3 && house.review().actions(9).unwrap().len() == 6
        })
        .await;
    house
        .until("ended", |_| {
            house
                .review()
                .actions(9)
                .unwrap()
                .iter()
                .all(|record| record.state.is_final())
        })
        .await;
    stage.end().await;
    let states: Vec<State> = house
        .review()
        .actions(9)
        .unwrap()
        .iter()
        .map(|record| record.state)
        .collect();
    assert_eq!(states[..3], [State::Refused; 3], "there is no such account");
    assert_eq!(states[3..], [State::Effective; 3]);
}

#[tokio::test]
async fn the_simulated_victim_is_contained_over_http_by_the_configuration_alone() {
    // On the protocols that a real tenant speaks.
    let world = World::simulated().await;
    let Place::Simulated { registration, .. } = &world.place else {
        panic!("simulated")
    };
    let mut house = House::new().await;
    house.config.tenants = vec![registration.as_ref().clone()];
    let stop = CancellationToken::new();
    let (config, bus) = (house.config.clone(), house.bus.clone());
    let running = tokio::spawn(stage::run(
        config,
        bus,
        Arc::clone(&house.clock),
        schemas::health::Health::default(),
        stop.clone(),
    ));
    house.publish(&[world.alert("a1")]).await;
    house.until("contained", all(State::Effective, 3)).await;
    Stage { running, stop }.end().await;
    let now = world.account_state().await;
    assert_eq!(now["enabled"], false, "{now}");
    let kinds: Vec<bool> = world
        .changes()
        .await
        .iter()
        .map(|call| call.contains("messageRules/"))
        .collect();
    assert_eq!(
        kinds,
        [false, false, true, true],
        "block, revoke, the hiding and the forwarding rule"
    );
}
