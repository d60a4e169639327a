//! Whom the never-act list protects: under every name, and nobody is acted on before it is known whom it means.

use std::sync::Arc;

use respond::RespondError;
use respond::record::{HoldReason, State};

use crate::faulty::{Fault, FaultyDirectory};
use crate::house::{House, all};
use crate::memory::{ACCOUNT, MemoryDirectory, NAME};
use crate::town::{Resident, Town};
use crate::world::{T0, TENANT, World, alert, theirs};

const OTHER: &str = "1f00aaaa-0000-4000-8000-0000000000b2";
const HOUR_US: i64 = 3_600_000_000;

#[tokio::test]
async fn an_account_that_the_list_once_meant_is_spared_under_its_new_name() {
    let mut house = House::new().await;
    house.config.never_act = vec![NAME.to_owned()];
    // Today the account has the name; after the restart it is called otherwise, and somebody else has it.
    let made_us = T0 - 9_000 * HOUR_US;
    let before = Resident::new(ACCOUNT, made_us, NAME);
    let town = Town::new(Arc::clone(&house.clock), vec![before]);
    house.add(TENANT, Arc::new(town));
    let stage = house.start();
    house
        .until("the entry is found", |_| {
            let pins = house.review().never_act(TENANT);
            pins.is_ok_and(|pins| pins.len() == 1)
        })
        .await;
    stage.end().await;
    let after = vec![
        Resident::new(ACCOUNT, made_us, "ada.new@contoso.test"),
        Resident::new(OTHER, made_us, NAME),
    ];
    let town = Arc::new(Town::new(Arc::clone(&house.clock), after));
    house.add(TENANT, town.clone());
    let stage = house.start();
    house
        .publish(&[theirs(TENANT, ACCOUNT, "g1"), theirs(TENANT, OTHER, "g2")])
        .await;
    house
        .until("refused", |states| {
            states.values().all(|state| *state == State::Refused) && !states.is_empty()
        })
        .await;
    stage.end().await;
    assert_eq!(house.review().actions(9).unwrap().len(), 6);
    assert!(town.sent().is_empty(), "{:?}", town.sent());
}

#[tokio::test]
async fn an_entry_that_was_never_found_holds_everything_in_the_tenant_and_readiness_tells() {
    let mut house = House::new().await;
    house.config.never_act = vec!["break-glas@contoso.test".to_owned()];
    let directory = Arc::new(MemoryDirectory::new());
    house.add(TENANT, directory.clone());
    let stage = house.start();
    house.publish(&[alert(TENANT, ACCOUNT, "a1")]).await;
    house
        .until("held", |_| {
            let actions = house.review().actions(9).unwrap_or_default();
            let held = |reason| {
                move |one: &respond::record::ActionRecord| {
                    one.hold.as_ref().is_some_and(|hold| hold.reason == reason)
                }
            };
            actions
                .iter()
                .filter(|one| held(HoldReason::FactUnreadable)(one))
                .count()
                == 3
        })
        .await;
    let troubles = house.health.troubles();
    let part = format!("respond/never_act/{TENANT}");
    assert!(
        troubles[&part].why.contains("break-glas@contoso.test"),
        "{troubles:?}"
    );
    stage.end().await;
    assert!(directory.changes().is_empty());
    // An entry of another tenant does not hold here; the slip of the pen mended, it goes on.
    house.config.never_act = vec![format!("{OTHER}/break-glas@contoso.test")];
    let stage = house.start();
    house.until("contained", all(State::Effective, 3)).await;
    stage.end().await;
}

#[tokio::test]
async fn what_was_held_while_the_list_could_not_be_asked_for_goes_on_once_it_can() {
    let mut house = House::new().await;
    house.config.never_act = vec!["break-glass@contoso.test".to_owned()];
    // By its own next look an action would be held for five minutes more.
    house.config.retry_wait_ms = 600_000;
    let made_us = T0 - 9_000 * HOUR_US;
    let people = vec![
        Resident::new(ACCOUNT, made_us, NAME),
        Resident::new(OTHER, made_us, "break-glass@contoso.test"),
    ];
    let town = Arc::new(Town::new(Arc::clone(&house.clock), people));
    let away = FaultyDirectory::new(town.clone(), 1, Fault::Lost);
    house.add(TENANT, Arc::new(away));
    let stage = house.start();
    let part = format!("respond/never_act/{TENANT}");
    house
        .until("the list is not known", |_| {
            house.health.troubles().contains_key(&part)
        })
        .await;
    let why = house.health.troubles()[&part].why.clone();
    assert!(why.contains("not known yet"), "{why}");
    house.publish(&[alert(TENANT, ACCOUNT, "a1")]).await;
    house.until("contained", all(State::Effective, 3)).await;
    stage.end().await;
    assert!(house.health.troubles().is_empty());
}

#[tokio::test]
async fn live_mode_without_a_list_is_an_error_of_the_configuration() {
    let mut house = House::new().await;
    house.config.never_act_none = false;
    for list in [Vec::new(), vec![" ".to_owned()]] {
        house.config.never_act = list;
        let ended = house.start().running.await.unwrap();
        assert!(
            matches!(ended, Err(RespondError::NobodyProtected)),
            "{ended:?}"
        );
    }
    house.config.dry_run = true;
    assert!(house.config.check().is_ok());
}

#[tokio::test]
async fn an_entry_can_be_any_address_of_the_account() {
    let world = World::simulated().await;
    let local = world.name.split('@').next().unwrap();
    for address in [
        world.name.clone(),
        format!("{local}@harbour.onmicrosoft.example"),
    ] {
        let found = world.directory.addressed(&address).await.unwrap();
        assert_eq!(found.len(), 1, "{address}");
        assert_eq!(found[0].id.as_str(), world.account, "{address}");
    }
    for address in ["nobody@harbour.example", "o'brien@harbour.example", "x", ""] {
        let found = world.directory.addressed(address).await.unwrap();
        assert!(found.is_empty(), "{address}");
    }
}
