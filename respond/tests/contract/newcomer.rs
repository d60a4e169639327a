//! A name that passes to somebody else after a person has decided: the decision was about another account.

use std::sync::Arc;
use std::time::Instant;

use respond::accounts::named::DoubtKind;
use respond::action::ActionKind;
use respond::directory::ObjectId;
use respond::preflight::Refusal;
use respond::record::{ActionRecord, HoldReason, State};
use respond::review::Review;
use respond::sighting::{NotSeen, Sighting};

use crate::house::{House, PATIENCE};
use crate::memory::{ACCOUNT, MemoryDirectory, NAME};
use crate::world::{T0, TENANT, ours};

const NEWCOMER: &str = "1f00aaaa-0000-4000-8000-0000000000ff";
const SECOND: i64 = 1_000_000;

/// The name goes to another account, which was made just now.
fn pass_on(directory: &MemoryDirectory, to: &str) {
    directory.with(|tenant| {
        let user = tenant.user.as_mut().unwrap();
        user.id = ObjectId::parse(to).unwrap();
        user.created_us = Some(T0 + 60 * SECOND);
        user.account_enabled = true;
    });
}

fn block(review: &Review) -> ActionRecord {
    let actions = review.actions(99).unwrap();
    let is_block = |record: &&ActionRecord| record.action.kind() == ActionKind::BlockSignIn;
    actions.iter().rev().find(is_block).unwrap().clone()
}

async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < PATIENCE, "{what}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

/// What the responder shows a person who is about to decide.
async fn shown(review: &Review, record: &ActionRecord, now_us: i64) -> Sighting {
    let rehearsal = review.rehearsal(&record.action_id, "kim", now_us).unwrap();
    let question = review.ask_whom(&rehearsal.unwrap(), now_us).unwrap();
    let mut found = None;
    until("answered", || {
        found = review.sighting(&question).unwrap();
        found.is_some()
    })
    .await;
    found.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_is_not_used_up_by_whoever_has_the_name_later() {
    let mut house = House::new().await;
    let directory = Arc::new(MemoryDirectory::new());
    directory.with(|tenant| tenant.is_away = true);
    house.add(TENANT, directory.clone());
    let stage = house.start();
    house.publish(&[ours(TENANT, NAME, "a1")]).await;
    let is_held = |review: &Review| {
        block(review).hold.map(|hold| hold.reason) == Some(HoldReason::DirectoryAway)
    };
    house.until("planned", |states| states.len() == 3).await;
    until("held", || is_held(&house.review())).await;
    // Kim wants it while nobody can be asked whom it is about.
    let id = block(&house.review()).action_id;
    let now_us = house.clock.now_us();
    house.review().retry(&id, "kim", false, now_us).unwrap();
    pass_on(&directory, NEWCOMER);
    directory.with(|tenant| tenant.is_away = false);
    until("ended", || block(&house.review()).state.is_final()).await;
    let refused = block(&house.review());
    assert_eq!(refused.state, State::Refused, "{:?}", refused.detail);
    assert!(
        refused.detail["refusals"]
            .to_string()
            .contains("made_after")
    );
    // Asked again, Kim is shown whom it would be about, and the doubt.
    let sighting = shown(&house.review(), &refused, house.clock.now_us()).await;
    let account = sighting.account.as_ref().unwrap();
    assert_eq!(account.id.as_str(), NEWCOMER);
    assert_eq!(sighting.doubts()[0].kind, DoubtKind::MadeAfter);
    assert!(matches!(
        sighting.seen(None, &[]),
        Err(NotSeen::Doubted { .. })
    ));
    // Asked for without looking, it is refused anew: nobody has decided the doubt.
    let now_us = house.clock.now_us();
    let again = house.review().retry(&id, "kim", false, now_us).unwrap();
    let ended = |id: &str| {
        let record = house.review().action(id).unwrap().unwrap();
        record.state.is_final().then_some(record.state)
    };
    until("ended", || ended(&again.action_id).is_some()).await;
    assert_eq!(ended(&again.action_id), Some(State::Refused));
    assert!(directory.changes().is_empty(), "{:?}", directory.changes());
    // Seen and confirmed, it is done, and the chain says what Kim saw.
    let sighted = sighting
        .seen(Some(NEWCOMER), &[DoubtKind::MadeAfter])
        .unwrap();
    let review = house.review().having_seen(sighted);
    let wanted = review
        .retry(&again.action_id, "kim", false, house.clock.now_us())
        .unwrap();
    until("ended", || ended(&wanted.action_id).is_some()).await;
    assert_eq!(ended(&wanted.action_id), Some(State::Effective));
    stage.end().await;
    let told = review.entries(&wanted.action_id, 99).unwrap();
    let approved = told.iter().find(|entry| entry.state == "approved").unwrap();
    assert!(
        approved.detail.contains(NEWCOMER) && approved.detail.contains("made_after"),
        "{}",
        approved.detail
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_is_of_the_account_that_was_shown() {
    let mut house = House::new().await;
    house.config.automatic = Vec::new();
    let directory = Arc::new(MemoryDirectory::new());
    directory.with(|tenant| tenant.is_away = true);
    house.add(TENANT, directory.clone());
    let stage = house.start();
    house.publish(&[ours(TENANT, NAME, "a1")]).await;
    house.until("planned", |states| states.len() == 3).await;
    directory.with(|tenant| tenant.is_away = false);
    let planned = block(&house.review());
    let sighting = shown(&house.review(), &planned, house.clock.now_us()).await;
    assert_eq!((sighting.doubts(), sighting.against()), (vec![], vec![]));
    let sighted = sighting.seen(None, &[]).unwrap();
    assert_eq!(sighted.as_ref().unwrap().account.as_str(), ACCOUNT);
    std::fs::write(&house.config.kill_switch, "").unwrap();
    let review = house.review().having_seen(sighted);
    review
        .approve(&planned.action_id, "kim", house.clock.now_us())
        .unwrap();
    pass_on(&directory, NEWCOMER);
    directory.with(|tenant| tenant.user.as_mut().unwrap().created_us = None);
    std::fs::remove_file(&house.config.kill_switch).unwrap();
    until("ended", || block(&review).state.is_final()).await;
    stage.end().await;
    let ended = block(&review);
    assert_eq!(ended.state, State::Refused, "{:?}", ended.detail);
    let refusals: Vec<Refusal> = serde_json::from_value(ended.detail["refusals"].clone()).unwrap();
    let is_other = |refusal: &Refusal| matches!(refusal, Refusal::AnotherThanSeen { .. });
    assert!(refusals.iter().any(is_other), "{refusals:?}");
    assert!(directory.changes().is_empty());
}
