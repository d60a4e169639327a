//! A row of the journal that cannot be read ends nothing but what it is about.

use std::sync::Arc;

use respond::record::State;
use rusqlite::Connection;
use schemas::wire::Alert;

use crate::house::{House, PATIENCE};
use crate::town::{Resident, Town};
use crate::world::{T0, TENANT, alert};

const ADA: &str = "1f00aaaa-0000-4000-8000-00000000000a";
const BOB: &str = "1f00aaaa-0000-4000-8000-00000000000b";

fn about(id: &str, name: &str, alert_id: &str) -> Alert {
    Alert {
        user: format!("{name}@contoso.test"),
        ..alert(TENANT, id, alert_id)
    }
}

fn resident(id: &str, name: &str) -> Resident {
    Resident::new(
        id,
        T0 - 365 * 86_400_000_000,
        &format!("{name}@contoso.test"),
    )
}

fn count(house: &House, sql: &str) -> i64 {
    let journal = Connection::open(&house.config.journal).unwrap();
    journal.query_row(sql, [], |row| row.get(0)).unwrap()
}

/// Cuts the body of an action short, and makes that of every case what is no text.
fn damage(house: &House, action_id: &str) {
    let journal = Connection::open(&house.config.journal).unwrap();
    let damage = |sql: &str| assert_eq!(journal.execute(sql, []).unwrap(), 1, "{sql}");
    damage(&format!(
        "UPDATE actions SET body = substr(body, 1, 40) WHERE action_id = '{action_id}'"
    ));
    damage("UPDATE cases SET body = x'ff00ff'");
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_set_aside_and_everybody_else_is_contained() {
    let mut house = House::new().await;
    let residents = vec![resident(ADA, "ada"), resident(BOB, "bob")];
    let town = Arc::new(Town::new(Arc::clone(&house.clock), residents));
    house.add(TENANT, town.clone());
    // Ada's actions are approved, and none has begun.
    std::fs::write(&house.config.kill_switch, "").unwrap();
    let stage = house.start();
    house.publish(&[about(ADA, "ada", "a1")]).await;
    house
        .until("planned", |states| {
            states.len() == 3 && states.values().all(|state| *state == State::Approved)
        })
        .await;
    stage.end().await;
    let blocks = house.review().actions(9).unwrap();
    let block = &blocks[0];
    damage(&house, &block.action_id);
    std::fs::remove_file(&house.config.kill_switch).unwrap();

    let stage = house.start();
    house
        .publish(&[about(BOB, "bob", "b1"), about(ADA, "ada", "a2")])
        .await;
    let started = tokio::time::Instant::now();
    let effective = || {
        let actions = house.review().actions(99).unwrap_or_default();
        let of = |id: &str| {
            let done = actions
                .iter()
                .filter(|record| record.account() == id && record.state == State::Effective);
            done.count()
        };
        (of(ADA), of(BOB))
    };
    // What is left of Ada's goes on too. It is the responder that finds them: nobody reads the journal before it has.
    while !house.health.troubles().contains_key("respond/damaged_rows") || effective() != (2, 3) {
        assert!(!stage.running.is_finished(), "the stage goes on");
        assert!(started.elapsed() < PATIENCE, "it goes on");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    stage.end().await;
    assert_eq!(town.hit(), [ADA, BOB]);
    // Nothing of it is gone, and what cannot be read is not done once more.
    let told = "SELECT count(*) FROM audit WHERE action = 'damaged_row' AND state = 'set_aside'";
    assert_eq!(count(&house, told), 2);
    let kept = "SELECT count(*) FROM damaged WHERE body = x'ff00ff' OR length(body) = 40";
    assert_eq!(count(&house, kept), 2);
    assert_eq!(effective(), (2, 3));
    let blocked = town
        .sent()
        .iter()
        .filter(|sent| sent.id == ADA && sent.what.starts_with("enabled"))
        .count();
    assert_eq!(blocked, 0, "it may have been done before");
    house.review().verify(Vec::new()).unwrap();
    // A person can ask for it, as another one.
    let case_id = block.case_id.clone();
    let now_us = house.clock.now_us();
    let asked = house
        .review()
        .request(&case_id, block.action.clone(), "kim", false, now_us)
        .unwrap();
    assert_eq!(asked.round, 1);
    assert_ne!(asked.action_id, block.action_id);
}
