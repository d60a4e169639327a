//! A lease on a real Kafka: at most one holds it, whoever stood still, was cut off, or is gone.
#![expect(
    clippy::expect_used,
    reason = "a test ends where its footing is missing"
)]
#![expect(
    clippy::print_stdout,
    reason = "times, for whoever looks into a failure"
)]

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bus::config::KafkaConfig;
use bus::{Bus, BusConfig, BusError, Lease, Terms, Waiting};
use rdkafka::ClientConfig;
use rdkafka::producer::{FutureProducer, Producer as _};
use schemas::limits::LEASE_CONFIRMED_FOR;
use schemas::topics::Topic;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::broker::Broker;
use crate::place::{PATIENCE, Place, run};

/// What a former holder may have under way, in these tests.
const UNDER_WAY: Duration = Duration::from_secs(2);

/// Less patient than in earnest, so that tests end soon.
fn impatient(config: BusConfig) -> KafkaConfig {
    let BusConfig::Kafka(mut config) = config else {
        unreachable!("it is Kafka")
    };
    for (key, value) in [
        ("session.timeout.ms", "3000"),
        ("heartbeat.interval.ms", "500"),
    ] {
        config.settings.insert(key.to_owned(), value.to_owned());
    }
    config
}

async fn open(config: &KafkaConfig) -> Bus {
    let config = BusConfig::Kafka(config.clone());
    Bus::open(&config).await.expect("the bus opens")
}

fn terms(holder: &str) -> Terms {
    Terms {
        holder: holder.to_owned(),
        under_way_max: UNDER_WAY,
    }
}

async fn take(bus: &Bus, holder: &str) -> Lease {
    let terms = terms(holder);
    let taken = bus.lease("test", &terms, &|_| {});
    let taken = timeout(PATIENCE, taken).await.expect("in time");
    taken.expect("it is had")
}

/// One that waits for it in the background, and what it is told.
fn wait_for(bus: &Bus, holder: &str) -> (JoinHandle<Lease>, Arc<Mutex<Vec<Waiting>>>) {
    let said = Arc::new(Mutex::new(Vec::new()));
    let (bus, terms, hears) = (bus.clone(), terms(holder), Arc::clone(&said));
    let waits = tokio::spawn(async move {
        let told = move |waiting| hears.lock().expect("whole").push(waiting);
        bus.lease("test", &terms, &told).await.expect("it is had")
    });
    (waits, said)
}

async fn in_time(waits: JoinHandle<Lease>) -> Lease {
    timeout(PATIENCE, waits)
        .await
        .expect("in time")
        .expect("whole")
}

fn assert_lost(answer: Result<bus::Confirmed, BusError>) {
    let error = answer.expect_err("another holds it");
    assert!(matches!(error, BusError::LeaseLost { .. }), "{error:?}");
}

#[test]
fn the_second_waits_and_takes_over_at_once_from_one_that_gave_it_back() {
    let place = Place::kafka();
    run(async {
        let config = impatient(place.config());
        let (north, south) = (open(&config).await, open(&config).await);
        let first = take(&north, "north").await;
        let began = Instant::now();
        for _ in 0..20 {
            let confirmed = first.confirm().await.expect("it is held");
            assert_eq!(confirmed.epoch, first.epoch());
            assert!(confirmed.age() <= LEASE_CONFIRMED_FOR);
            sleep(Duration::from_millis(100)).await;
        }
        println!("20 confirmations within {:?}", began.elapsed());
        let (waits, said) = wait_for(&south, "south");
        sleep(Duration::from_secs(7)).await;
        assert!(!waits.is_finished(), "two hold it");
        first
            .confirm()
            .await
            .expect("one that waits changes nothing");
        let heard = format!("{:?}", said.lock().expect("whole"));
        let us = format!("(process {}) acts", std::process::id());
        assert!(heard.contains(&us), "{heard}");
        first.release().await;
        assert_lost(first.confirm().await);
        drop(first);
        let second = in_time(waits).await;
        second.confirm().await.expect("it is held");
        let heard = format!("{:?}", said.lock().expect("whole"));
        assert!(
            !heard.contains("takes over"),
            "nothing is under way: {heard}"
        );
    });
}

#[test]
fn one_that_is_gone_is_followed_after_what_it_may_have_under_way() {
    let place = Place::kafka();
    run(async {
        let config = impatient(place.config());
        let (north, south) = (open(&config).await, open(&config).await);
        let first = take(&north, "north").await;
        let epoch = first.epoch();
        let (waits, said) = wait_for(&south, "south");
        // Not given back, as if it had been killed.
        drop(first);
        drop(north);
        let gone = Instant::now();
        let second = in_time(waits).await;
        println!("taken over after {:?}", gone.elapsed());
        assert!(gone.elapsed() >= UNDER_WAY);
        assert!(second.epoch() > epoch);
        assert!(second.taken_from().is_some(), "of whom work may be left");
        let heard = format!("{:?}", said.lock().expect("whole"));
        assert!(heard.contains("takes over from"), "{heard}");
    });
}

#[test]
fn one_that_starts_anew_has_it_again_at_once_and_its_former_self_never() {
    let place = Place::kafka();
    run(async {
        let config = impatient(place.config());
        let (north, south) = (open(&config).await, open(&config).await);
        let first = take(&north, "north").await;
        first.confirm().await.expect("it is held");
        let (waits, _) = wait_for(&south, "south");
        sleep(Duration::from_secs(1)).await;
        let began = Instant::now();
        let again = take(&open(&config).await, "north").await;
        println!("had again after {:?}", began.elapsed());
        assert!(again.epoch() > first.epoch());
        assert_eq!(again.taken_from(), None);
        // What was confirmed a moment ago may be relied on that long.
        sleep(LEASE_CONFIRMED_FOR).await;
        assert_lost(first.confirm().await);
        again.confirm().await.expect("it is held");
        assert!(!waits.is_finished(), "the other still waits");
        waits.abort();
    });
}

#[test]
fn one_that_did_not_hear_of_its_successor_is_refused_for_good() {
    let place = Place::kafka();
    run(async {
        let config = impatient(place.config());
        let bus = open(&config).await;
        let first = take(&bus, "north").await;
        first.confirm().await.expect("it is held");
        // A successor as Kafka sees it; the group says nothing.
        let successor: FutureProducer = ClientConfig::new()
            .set("bootstrap.servers", &config.brokers)
            .set(
                "transactional.id",
                format!("{}{}.test", config.prefix, Topic::Responder.name()),
            )
            .create()
            .expect("a producer");
        tokio::task::block_in_place(|| successor.init_transactions(PATIENCE).expect("taken"));
        sleep(LEASE_CONFIRMED_FOR).await;
        let asked = Instant::now();
        assert_lost(first.confirm().await);
        println!("refused after {:?}", asked.elapsed());
        assert_lost(first.confirm().await);
        let why = timeout(PATIENCE, first.lost()).await.expect("in time");
        assert!(why.contains("could not be confirmed"), "{why}");
        drop(first);
        // It may be had again, by asking anew.
        take(&bus, "north").await.confirm().await.expect("held");
    });
}

#[test]
fn one_that_is_cut_off_loses_it_and_a_broker_that_comes_back_soon_changes_nothing() {
    let broker = Broker::start();
    let config = impatient(BusConfig::Kafka(KafkaConfig {
        brokers: broker.address().to_owned(),
        development: true,
        ..KafkaConfig::default()
    }));
    run(async {
        let bus = open(&config).await;
        let first = take(&bus, "north").await;
        first.confirm().await.expect("it is held");
        tokio::task::block_in_place(|| broker.kill());
        let cut_off = Instant::now();
        sleep(LEASE_CONFIRMED_FOR).await;
        let (confirmed, why) = timeout(PATIENCE, async {
            tokio::join!(first.confirm(), first.lost())
        })
        .await
        .expect("in time");
        assert_lost(confirmed);
        println!("noticed after {:?}: {why}", cut_off.elapsed());
        tokio::task::block_in_place(|| broker.restart());
        drop(first);
        let again = take(&bus, "north").await;
        again.confirm().await.expect("held again");
        println!("had again after {:?}", cut_off.elapsed());
    });
}
