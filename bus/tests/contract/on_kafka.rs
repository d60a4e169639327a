//! What only Kafka can be asked: members that share a topic, a broker that dies, other people's messages.
#![expect(
    clippy::expect_used,
    reason = "a test ends where its footing is missing"
)]
#![expect(
    clippy::print_stdout,
    reason = "seeds and counts, for whoever looks into a failure"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use bus::config::KafkaConfig;
use bus::{Bus, BusConfig, Consumer, Delivery, Position};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rdkafka::ClientConfig;
use rdkafka::producer::{FutureProducer, FutureRecord};
use schemas::fate::Fate;
use schemas::limits::EVENT_PARTITIONS;
use schemas::tables::Table;
use schemas::topics::Topic;

use crate::broker::Broker;
use crate::place::{
    PATIENCE, Place, assigned, by_key, next, number, numbered, read, read_until, run,
};

const EVENTS: Topic = Topic::Events(Table::Signins);
const PARTITIONS: usize = EVENT_PARTITIONS as usize;

/// A member that does what it reads: it remembers the numbers and commits them.
struct Member {
    consumer: Consumer,
    owned: BTreeSet<(Topic, i32)>,
    done: Vec<u32>,
}

impl Member {
    async fn join(bus: &Bus) -> Self {
        let consumer = bus.subscribe("shared", &[EVENTS]).await.expect("joined");
        Self {
            consumer,
            owned: BTreeSet::new(),
            done: Vec::new(),
        }
    }

    async fn work(&mut self) {
        let wait = Duration::from_millis(100);
        let polled = self
            .consumer
            .next(50, wait)
            .await
            .expect("the bus is there");
        for partition in &polled.revoked {
            self.owned.remove(partition);
        }
        self.owned.extend(polled.assigned);
        let mut positions = BTreeMap::new();
        for record in &polled.records {
            assert!(
                self.owned.contains(&(record.topic, record.partition)),
                "not ours: {record:?}"
            );
            self.done.push(number(record));
            positions.insert(record.partition, record.after());
        }
        let positions: Vec<Position> = positions.into_values().collect();
        self.consumer.commit(&positions).await.expect("committed");
    }
}

/// Members share the partitions, take over those of one that leaves, and nothing is left out.
#[test]
fn two_members_share_and_take_over() {
    let place = Place::kafka();
    run(async {
        let bus = place.open().await;
        let mut first = Member::join(&bus).await;
        let mut published = 0;
        let mut publish = async || {
            bus.publish(EVENTS, numbered(published..published + 100, 40))
                .await
                .expect("durable");
            published += 100;
        };
        publish().await;
        let started = Instant::now();
        while first.owned.len() < PARTITIONS || first.done.len() < 100 {
            assert!(started.elapsed() < PATIENCE, "{:?}", first.owned);
            first.work().await;
        }
        let mut second = Member::join(&place.open().await).await;
        while first.owned.len() != PARTITIONS / 2 || second.owned.len() != PARTITIONS / 2 {
            assert!(
                started.elapsed() < PATIENCE,
                "{:?} {:?}",
                first.owned,
                second.owned
            );
            publish().await;
            tokio::join!(first.work(), second.work());
        }
        assert!(first.owned.is_disjoint(&second.owned));
        // What is no longer ours is left to its owner, wherever we stood.
        let lost = Position {
            topic: EVENTS,
            partition: second.owned.first().expect("one").1,
            next_offset: 0,
            last: None,
        };
        let before = bus.committed("shared", EVENTS).await.expect("answered");
        first
            .consumer
            .commit(&[lost])
            .await
            .expect("nothing to commit");
        assert_eq!(
            bus.committed("shared", EVENTS).await.expect("answered"),
            before
        );
        publish().await;
        let Member { consumer, done, .. } = first;
        drop(consumer);
        let mut numbers: BTreeSet<u32> = done.into_iter().collect();
        let started = Instant::now();
        let all = |published: u32, numbers: &BTreeSet<u32>| numbers.len() == published as usize;
        while second.owned.len() < PARTITIONS || !all(published, &numbers) {
            assert!(
                started.elapsed() < PATIENCE,
                "{} of {published}",
                numbers.len()
            );
            second.work().await;
            numbers.extend(second.done.iter());
        }
        println!("taken over after {:?}", started.elapsed());
    });
}

/// A broker that dies while we publish loses nothing that it acknowledged, and every publish ends well.
#[test]
fn a_killed_broker_loses_nothing_acknowledged() {
    let seed = rand::rng().random();
    println!("seed {seed}");
    let mut chance = ChaCha8Rng::seed_from_u64(seed);
    let broker = Broker::start();
    let config = BusConfig::Kafka(KafkaConfig {
        brokers: broker.address().to_owned(),
        development: true,
        ..KafkaConfig::default()
    });
    run(async {
        let bus = Bus::open(&config).await.expect("the bus opens");
        let stop = Arc::new(AtomicBool::new(false));
        let acknowledged = Arc::new(AtomicU32::new(0));
        let publisher = {
            let (bus, stop, acknowledged) = (bus.clone(), stop.clone(), acknowledged.clone());
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let first = acknowledged.load(Ordering::Relaxed);
                    let messages = numbered(first..first + 200, 16);
                    bus.publish(EVENTS, messages)
                        .await
                        .expect("every publish ends well");
                    acknowledged.fetch_add(200, Ordering::Relaxed);
                }
            })
        };
        for _ in 0..3 {
            // Publishing is under way again; then any moment will do.
            let before = acknowledged.load(Ordering::Relaxed);
            let started = Instant::now();
            while acknowledged.load(Ordering::Relaxed) == before {
                assert!(started.elapsed() < PATIENCE, "publishing did not go on");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            println!("went on after {:?}", started.elapsed());
            tokio::time::sleep(Duration::from_millis(chance.random_range(0..1000))).await;
            tokio::task::block_in_place(|| broker.kill());
            tokio::time::sleep(Duration::from_millis(chance.random_range(0..1500))).await;
            tokio::task::block_in_place(|| broker.restart());
        }
        stop.store(true, Ordering::Relaxed);
        publisher.await.expect("published");
        let count = acknowledged.load(Ordering::Relaxed);
        let mut reader = bus.subscribe("after", &[EVENTS]).await.expect("joined");
        let records = read(&mut reader, count as usize).await;
        let numbers: BTreeSet<u32> = records.iter().map(number).collect();
        let expected: BTreeSet<u32> = (0..count).collect();
        assert_eq!(expected.difference(&numbers).next(), None, "lost");
        println!(
            "{count} acknowledged, {} duplicates",
            records.len() - numbers.len()
        );
        for (key, numbers) in by_key(&records) {
            assert!(
                last_occurrences(&numbers).is_sorted(),
                "{key} lost its order"
            );
        }
    });
}

/// Each number where it came last.
fn last_occurrences(numbers: &[u32]) -> Vec<u32> {
    let mut seen = BTreeSet::new();
    let mut last: Vec<u32> = numbers
        .iter()
        .rev()
        .copied()
        .filter(|at| seen.insert(*at))
        .collect();
    last.reverse();
    last
}

/// A group goes on after its broker was away.
#[test]
fn a_reader_outlives_its_broker() {
    let broker = Broker::start();
    let config = BusConfig::Kafka(KafkaConfig {
        brokers: broker.address().to_owned(),
        development: true,
        ..KafkaConfig::default()
    });
    run(async {
        let bus = Bus::open(&config).await.expect("the bus opens");
        let mut reader = bus
            .subscribe("reader", &[Topic::Alerts])
            .await
            .expect("joined");
        bus.publish(Topic::Alerts, numbered(0..10, 2))
            .await
            .expect("durable");
        let records = read(&mut reader, 10).await;
        reader
            .commit(&[records[9].after()])
            .await
            .expect("committed");
        broker.kill();
        let polled = reader
            .next(10, Duration::from_millis(500))
            .await
            .expect("still waiting");
        assert!(polled.records.is_empty());
        broker.restart();
        bus.publish(Topic::Alerts, numbered(10..20, 2))
            .await
            .expect("durable");
        // While the broker was away the group may have given the member up: then its first commit is left to
        // the partition's next owner, which is this reader, and all that was not committed comes again.
        let end = commit_to_the_end(&bus, &mut reader, 10..20).await;
        let committed = bus
            .committed("reader", Topic::Alerts)
            .await
            .expect("answered");
        assert_eq!(committed, [end]);
    });
}

/// Reads `numbers` and commits, again as long as the group was rearranged in between; the last position.
async fn commit_to_the_end(bus: &Bus, reader: &mut Consumer, numbers: Range<u32>) -> Position {
    let expected: BTreeSet<u32> = numbers.collect();
    loop {
        let all_came = |all: &[Delivery]| all.last().map(number).as_ref() == expected.last();
        let records = read_until(reader, all_came).await;
        assert_eq!(
            records.iter().map(number).collect::<BTreeSet<_>>(),
            expected
        );
        let end = records[records.len() - 1].after();
        reader.commit(&[end]).await.expect("committed");
        let committed = bus.committed("reader", Topic::Alerts).await;
        if committed.expect("answered") == [end] {
            return end;
        }
        println!("the group was rearranged before the commit");
    }
}

/// Bad input 17: a tombstone, a key that is no text, a key that is absent.
#[test]
fn other_peoples_messages_are_data() {
    let place = Place::kafka();
    run(async {
        let bus = place.open().await;
        let BusConfig::Kafka(config) = place.config() else {
            unreachable!("it is Kafka")
        };
        let producer: FutureProducer = ClientConfig::new()
            .set("bootstrap.servers", &config.brokers)
            .create()
            .expect("a producer");
        let name = format!("{}{}", config.prefix, Topic::Alerts.name());
        let key: &[u8] = &[0xff, 0xfe, b'k'];
        let tombstone = FutureRecord::<[u8], [u8]>::to(&name).key(key);
        producer.send(tombstone, PATIENCE).await.expect("durable");
        let keyless = FutureRecord::<[u8], [u8]>::to(&name).payload(b"bytes");
        producer.send(keyless, PATIENCE).await.expect("durable");
        let mut reader = bus
            .subscribe("reader", &[Topic::Alerts])
            .await
            .expect("joined");
        let records = read(&mut reader, 2).await;
        assert_eq!(
            (records[0].key.as_str(), records[0].payload.len()),
            ("\u{fffd}\u{fffd}k", 0)
        );
        assert_eq!(
            (records[1].key.as_str(), records[1].payload.as_slice()),
            ("", &b"bytes"[..])
        );
    });
}

/// A member that is dropped as it joins, whenever that is, has left its group: nobody waits for its session to end.
#[test]
fn a_member_that_is_dropped_as_it_joins_leaves() {
    let place = Place::kafka();
    run(async {
        let bus = place.open().await;
        for moment in (0..150).step_by(10).map(Duration::from_millis) {
            let group = format!("left after {} ms", moment.as_millis());
            let mut first = bus.subscribe(&group, &[EVENTS]).await.expect("joined");
            // Cancelled, as by a stage that fails.
            drop(tokio::time::timeout(moment, first.next(1, PATIENCE)).await);
            drop(first);
            let mut second = bus.subscribe(&group, &[EVENTS]).await.expect("joined");
            let started = Instant::now();
            assigned(&mut second, PARTITIONS).await;
            let waited = started.elapsed();
            println!("{group}: {waited:?}");
            // A session is 10 s.
            assert!(waited < Duration::from_secs(8), "{group}: {waited:?}");
        }
    });
}

/// Opening again finds the topics as they are; they have the partitions that the nouns say.
#[test]
fn topics_are_created_once_as_the_nouns_say() {
    let place = Place::kafka();
    run(async {
        place.open().await;
        let bus = place.open().await;
        for topic in Topic::all() {
            let ends = bus.ends(topic).await.expect("ends");
            assert_eq!(i32::try_from(ends.len()), Ok(topic.partitions()), "{topic}");
        }
        let mut reader = bus.subscribe("all", &Topic::all()).await.expect("joined");
        let partitions: i32 = Topic::all().into_iter().map(Topic::partitions).sum();
        assigned(&mut reader, usize::try_from(partitions).expect("a count")).await;
        let polled = next(&mut reader).await;
        assert!(polled.records.is_empty() && polled.revoked.is_empty());
    });
}

/// Topics as a developer's machine has them are told of where messages must not be lost; the settings that we make
/// topics with are not among what is told.
#[test]
fn topics_that_can_lose_messages_are_told() {
    let place = Place::kafka();
    run(async {
        assert!(place.open().await.concerns().is_empty());
        let BusConfig::Kafka(config) = place.config() else {
            unreachable!("it is Kafka")
        };
        let earnest = KafkaConfig {
            development: false,
            ..config
        };
        let bus = Bus::open(&BusConfig::Kafka(earnest.clone()))
            .await
            .expect("topics that exist are used");
        let concerns = bus.concerns();
        let topics = Topic::all().len();
        assert_eq!(concerns.len(), 2 * topics, "{concerns:#?}");
        for fault in ["has 1 replicas and not 3", "min.insync.replicas=2"] {
            let found = concerns.iter().filter(|one| one.why.contains(fault));
            assert_eq!(found.filter(|one| one.is_loss).count(), topics, "{fault}");
        }
        let one_disk = KafkaConfig {
            replication_factor: 1,
            ..earnest
        };
        let refused = Bus::open(&BusConfig::Kafka(one_disk)).await.err();
        let refused = refused.expect("refused").to_string();
        assert!(refused.contains("development = true"), "{refused}");
    });
}

/// A broker that is not there is asked again, and then an error that may pass.
#[test]
fn an_absent_broker_is_told() {
    run(async {
        // Port 9 (discard) of this machine: nobody listens.
        let config = KafkaConfig {
            brokers: "127.0.0.1:9".to_owned(),
            development: true,
            ..KafkaConfig::default()
        };
        let refused = Bus::open(&BusConfig::Kafka(config))
            .await
            .err()
            .expect("no broker");
        assert!(matches!(refused.fate(), Fate::Retry { .. }), "{refused:?}");
    });
}
