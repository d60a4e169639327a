//! Two hosts on one Kafka, and one responder that acts: whoever is killed, stands still or is cut off, nothing is sent
//! twice, and nothing by one that another has followed.
#![expect(clippy::unwrap_used, reason = "a test harness: it fails loudly")]

#[expect(dead_code, reason = "what only the runs of profiles need")]
#[path = "faults/broker.rs"]
mod broker;
#[path = "responders/house.rs"]
mod house;
#[path = "responders/proxy.rs"]
mod proxy;

use std::time::{Duration, Instant};

use house::{House, PATIENCE};
use proxy::Proxy;
use schemas::limits::LEASE_CONFIRMED_FOR;

const ACTS: &str = "this responder acts";
const STANDS_BY: &str = "this responder stands by";
const LOST: &str = "the lease is lost";

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_is_acted_on_by_one_host_and_the_other_follows_when_that_one_is_killed() {
    let house = House::new().await;
    let url = house.connection.http_url.clone();
    let mut north = house.start("north", &url);
    north.says(ACTS).await;
    let mut south = house.start("south", &url);
    house.raise(0).await;
    house.contained(0, &[&north, &south]).await;
    south.says(STANDS_BY).await;
    assert!(!south.log().contains(ACTS), "two act");
    house.assert_each_once().await;
    north.kill();
    house.raise(1).await;
    house.contained(1, &[&south]).await;
    south.says(ACTS).await;
    let mut north = house.start("north", &url);
    north.says(STANDS_BY).await;
    house.raise(2).await;
    house.contained(2, &[&north, &south]).await;
    house.assert_each_once().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_stood_still_until_another_acted_sends_nothing_more() {
    let house = House::new().await;
    let proxy = Proxy::to(&house.connection.http_url).await;
    let mut north = house.start("north", &proxy.url);
    north.says(ACTS).await;
    let mut south = house.start("south", &house.connection.http_url);
    house.raise(0).await;
    house.contained(0, &[&north, &south]).await;
    // It has asked about the account, and waits for the answer; then it stands still.
    proxy.is_quiet().await;
    let asked = proxy.asked();
    proxy.hold_answers();
    house.raise(1).await;
    let started = Instant::now();
    while proxy.asked() == asked {
        assert!(started.elapsed() < PATIENCE, "it asks:\n{}", north.log());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    north.signal("STOP");
    proxy.let_go();
    south.says(ACTS).await;
    house.raise(2).await;
    house.contained(2, &[&south]).await;
    let before = house.calls_on(1).await;
    north.signal("CONT");
    north.says(LOST).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(before, house.calls_on(1).await, "it has sent something");
    house.raise(3).await;
    house.contained(3, &[&north, &south]).await;
    house.assert_each_once().await;
    south.end();
    // It goes on with what it has not done, once it may act again.
    house.contained(1, &[&north]).await;
    house.assert_each_once().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_cut_off_from_kafka_stops_sending_and_goes_on_when_it_is_back() {
    let house = House::new().await;
    let proxy = Proxy::to(&house.connection.http_url).await;
    let mut north = house.start("north", &proxy.url);
    north.says(ACTS).await;
    house.raise(0).await;
    house.contained(0, &[&north]).await;
    proxy.is_quiet().await;
    let asked = proxy.asked();
    proxy.hold_answers();
    house.raise(1).await;
    let started = Instant::now();
    while proxy.asked() == asked {
        assert!(started.elapsed() < PATIENCE, "it asks:\n{}", north.log());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    tokio::task::block_in_place(|| house.broker.kill());
    // What was confirmed before may be relied on that long.
    tokio::time::sleep(LEASE_CONFIRMED_FOR).await;
    proxy.let_go();
    north.says(LOST).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(house.calls_on(1).await.is_empty(), "sent without a lease");
    tokio::task::block_in_place(|| house.broker.restart());
    house.contained(1, &[&north]).await;
    house.assert_each_once().await;
}
