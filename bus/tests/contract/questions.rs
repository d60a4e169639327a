//! What every kind of bus must answer alike.
#![expect(
    clippy::expect_used,
    reason = "a test ends where its footing is missing"
)]
#![expect(
    clippy::print_stdout,
    reason = "seeds and counts, for whoever looks into a failure"
)]

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bus::{BusConfig, BusError, Message, Position};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use schemas::fate::Fate;
use schemas::limits::MESSAGE_BYTES_MAX;
use schemas::tables::Table;
use schemas::topics::Topic;
use schemas::wire;

use crate::place::{
    PATIENCE, Place, assigned, by_key, next, number, numbered, position, read, read_until, silent,
};

const EVENTS: Topic = Topic::Events(Table::Signins);

pub(crate) async fn keeps_the_order_within_a_key(place: &Place) {
    let bus = place.open().await;
    for call in 0..5 {
        bus.publish(EVENTS, numbered(call * 1000..(call + 1) * 1000, 8))
            .await
            .expect("durable");
    }
    let mut consumer = bus.subscribe("order", &[EVENTS]).await.expect("joined");
    let records = read(&mut consumer, 5000).await;
    assert_eq!(records.len(), 5000);
    for (key, numbers) in by_key(&records) {
        assert_eq!(numbers.len(), 625, "{key}");
        assert!(numbers.is_sorted(), "{key}: {numbers:?}");
    }
}

pub(crate) async fn resumes_where_the_group_committed(place: &Place) {
    {
        let bus = place.open().await;
        bus.publish(Topic::Alerts, numbered(0..100, 5))
            .await
            .expect("durable");
        let mut consumer = bus
            .subscribe("resume", &[Topic::Alerts])
            .await
            .expect("joined");
        let records = read_until(&mut consumer, |all| all.len() >= 40).await;
        let fortieth = &records[39];
        consumer
            .commit(&[fortieth.after()])
            .await
            .expect("committed");
    }
    let bus = place.open().await;
    bus.publish(Topic::Alerts, numbered(100..120, 5))
        .await
        .expect("durable");
    let mut consumer = bus
        .subscribe("resume", &[Topic::Alerts])
        .await
        .expect("joined");
    let numbers: Vec<u32> = read(&mut consumer, 80).await.iter().map(number).collect();
    assert_eq!(numbers, (40..120).collect::<Vec<_>>());
}

pub(crate) async fn delivers_the_uncommitted_again(place: &Place) {
    let bus = place.open().await;
    bus.publish(Topic::Alerts, numbered(0..50, 5))
        .await
        .expect("durable");
    let mut first = bus
        .subscribe("again", &[Topic::Alerts])
        .await
        .expect("joined");
    assert_eq!(read(&mut first, 50).await.len(), 50);
    drop(first);
    let mut second = bus
        .subscribe("again", &[Topic::Alerts])
        .await
        .expect("joined");
    let numbers: Vec<u32> = read(&mut second, 50).await.iter().map(number).collect();
    assert_eq!(numbers, (0..50).collect::<Vec<_>>());
}

pub(crate) async fn gives_each_group_everything(place: &Place) {
    let bus = place.open().await;
    let mut early = bus
        .subscribe("early", &[Topic::Alerts])
        .await
        .expect("joined");
    bus.publish(Topic::Alerts, numbered(0..50, 5))
        .await
        .expect("durable");
    let records = read(&mut early, 50).await;
    early
        .commit(&[records[49].after()])
        .await
        .expect("committed");
    let mut late = bus
        .subscribe("late", &[Topic::Alerts])
        .await
        .expect("joined");
    assert_eq!(read(&mut late, 50).await.len(), 50);
}

pub(crate) async fn reads_on_from_where_it_is_told(place: &Place) {
    let bus = place.open().await;
    bus.publish(Topic::Alerts, numbered(0..100, 5))
        .await
        .expect("durable");
    let mut consumer = bus
        .subscribe("seek", &[Topic::Alerts])
        .await
        .expect("joined");
    assigned(&mut consumer, 1).await;
    let at = |next_offset| [position(Topic::Alerts, next_offset)];
    // As a reader with positions of its own does: after the assignment, before the first record.
    consumer.seek(&at(70)).await.expect("sought");
    let numbers: Vec<u32> = read(&mut consumer, 30).await.iter().map(number).collect();
    assert_eq!(numbers, (70..100).collect::<Vec<_>>());
    consumer.seek(&at(10)).await.expect("sought back");
    let numbers: Vec<u32> = read(&mut consumer, 90).await.iter().map(number).collect();
    assert_eq!(numbers, (10..100).collect::<Vec<_>>());
    // Beyond the end: the next message that is published there.
    consumer.seek(&at(100)).await.expect("sought to the end");
    silent(&mut consumer).await;
    bus.publish(Topic::Alerts, numbered(100..101, 5))
        .await
        .expect("durable");
    assert_eq!(number(&read(&mut consumer, 1).await[0]), 100);
}

pub(crate) async fn refuses_positions_of_others(place: &Place) {
    let bus = place.open().await;
    let mut consumer = bus
        .subscribe("others", &[Topic::Alerts])
        .await
        .expect("joined");
    assigned(&mut consumer, 1).await;
    let strange = position(Topic::Cases, 1);
    let refused = consumer.seek(&[strange]).await.expect_err("not ours");
    assert!(matches!(
        refused,
        BusError::NotAssigned {
            topic: Topic::Cases,
            partition: 0
        }
    ));
    assert_eq!(refused.fate(), Fate::Stop);
}

pub(crate) async fn tells_ends_and_commits(place: &Place) {
    let bus = place.open().await;
    let total = |ends: Vec<Position>| ends.iter().map(|end| end.next_offset).sum::<i64>();
    assert_eq!(total(bus.ends(EVENTS).await.expect("ends")), 0);
    assert!(
        bus.committed("lag", EVENTS)
            .await
            .expect("answered")
            .is_empty()
    );
    bus.publish(EVENTS, numbered(0..200, 50))
        .await
        .expect("durable");
    assert_eq!(total(bus.ends(EVENTS).await.expect("ends")), 200);
    let mut consumer = bus.subscribe("lag", &[EVENTS]).await.expect("joined");
    let records = read(&mut consumer, 200).await;
    let mut last = std::collections::BTreeMap::new();
    for record in &records {
        last.insert(record.partition, record.after());
    }
    let positions: Vec<Position> = last.into_values().collect();
    consumer.commit(&positions).await.expect("committed");
    let mut committed = bus.committed("lag", EVENTS).await.expect("answered");
    committed.sort_by_key(|position| position.partition);
    // What a bus notes of the messages before them is its own affair.
    let places = |all: &[Position]| -> Vec<_> {
        all.iter()
            .map(|at| (at.partition, at.next_offset))
            .collect()
    };
    assert_eq!(places(&committed), places(&positions));
    assert_eq!(total(committed), 200);
}

pub(crate) async fn carries_the_largest_message_and_refuses_a_larger(place: &Place) {
    let bus = place.open().await;
    // Bytes that zstd cannot shrink.
    let mut payload = vec![0; MESSAGE_BYTES_MAX - 3];
    ChaCha8Rng::seed_from_u64(1).fill(payload.as_mut_slice());
    let message = |payload: Vec<u8>| Message {
        key: "key".to_owned(),
        payload,
    };
    let mut larger = payload.clone();
    larger.push(0);
    let refused = bus
        .publish(EVENTS, vec![message(vec![1]), message(larger)])
        .await
        .expect_err("too large");
    assert!(
        matches!(refused, BusError::MessageTooLarge { index: 1, .. }),
        "{refused:?}"
    );
    assert_eq!(refused.fate(), Fate::DeadLetter);
    // Several, so that queues turn over.
    for _ in 0..4 {
        bus.publish(EVENTS, vec![message(payload.clone())])
            .await
            .expect("durable");
    }
    let mut consumer = bus.subscribe("large", &[EVENTS]).await.expect("joined");
    let records = read(&mut consumer, 4).await;
    assert!(records.iter().all(|record| record.payload == payload));
    silent(&mut consumer).await;
}

pub(crate) async fn carries_empty_payloads_and_strange_keys(place: &Place) {
    let bus = place.open().await;
    let messages: Vec<Message> = ["", "\0", "ключ", "a\nb", "'; DROP TABLE messages; --"]
        .iter()
        .map(|key| Message {
            key: (*key).to_owned(),
            payload: Vec::new(),
        })
        .collect();
    bus.publish(Topic::Alerts, messages.clone())
        .await
        .expect("durable");
    bus.publish(Topic::Alerts, Vec::new())
        .await
        .expect("nothing is durable at once");
    let mut consumer = bus
        .subscribe("empty", &[Topic::Alerts])
        .await
        .expect("joined");
    let records = read(&mut consumer, messages.len()).await;
    let came: Vec<Message> = records
        .into_iter()
        .map(|record| Message {
            key: record.key,
            payload: record.payload,
        })
        .collect();
    assert_eq!(came, messages);
}

pub(crate) async fn reports_partitions_before_their_records(place: &Place) {
    let bus = place.open().await;
    bus.publish(EVENTS, numbered(0..500, 50))
        .await
        .expect("durable");
    let mut consumer = bus.subscribe("report", &[EVENTS]).await.expect("joined");
    let mut owned = BTreeSet::new();
    let mut count = 0;
    let started = Instant::now();
    while count < 500 {
        assert!(started.elapsed() < PATIENCE);
        let polled = next(&mut consumer).await;
        for record in &polled.records {
            assert!(
                owned.contains(&(record.topic, record.partition)),
                "unreported partition"
            );
        }
        count += polled.records.len();
        owned.extend(polled.assigned);
    }
}

pub(crate) async fn brings_no_more_than_asked(place: &Place) {
    let bus = place.open().await;
    bus.publish(Topic::Alerts, numbered(0..100, 5))
        .await
        .expect("durable");
    let mut consumer = bus
        .subscribe("asked", &[Topic::Alerts])
        .await
        .expect("joined");
    let mut numbers = Vec::new();
    let started = Instant::now();
    while numbers.len() < 100 {
        assert!(started.elapsed() < PATIENCE);
        let polled = consumer
            .next(7, Duration::from_millis(500))
            .await
            .expect("the bus is there");
        assert!(polled.records.len() <= 7);
        numbers.extend(polled.records.iter().map(number));
    }
    assert_eq!(numbers, (0..100).collect::<Vec<_>>());
}

pub(crate) async fn loses_nothing_when_next_is_cancelled(place: &Place) {
    let seed = rand::rng().random();
    println!("seed {seed}");
    let mut chance = ChaCha8Rng::seed_from_u64(seed);
    let bus = place.open().await;
    let mut consumer = bus
        .subscribe("cancel", &[Topic::Alerts])
        .await
        .expect("joined");
    assigned(&mut consumer, 1).await;
    let publisher = {
        let bus = bus.clone();
        tokio::spawn(async move {
            for call in 0..100 {
                let messages = numbered(call * 10..(call + 1) * 10, 5);
                bus.publish(Topic::Alerts, messages).await.expect("durable");
            }
        })
    };
    let mut numbers = Vec::new();
    let started = Instant::now();
    while numbers.len() < 1000 {
        assert!(started.elapsed() < PATIENCE, "only {} came", numbers.len());
        let patience = Duration::from_micros(chance.random_range(0..3000));
        let call = consumer.next(50, Duration::from_secs(1));
        if let Ok(polled) = tokio::time::timeout(patience, call).await {
            numbers.extend(polled.expect("the bus is there").records.iter().map(number));
        }
    }
    publisher.await.expect("published");
    assert_eq!(numbers, (0..1000).collect::<Vec<_>>());
}

pub(crate) async fn wakes_a_waiting_reader(place: &Place) {
    let bus = place.open().await;
    let mut consumer = bus
        .subscribe("wake", &[Topic::Alerts])
        .await
        .expect("joined");
    assigned(&mut consumer, 1).await;
    // The first message finds the connections cold.
    bus.publish(Topic::Alerts, numbered(0..1, 1))
        .await
        .expect("durable");
    read(&mut consumer, 1).await;
    let mut waits = Vec::new();
    for count in 1..11 {
        let reader = tokio::spawn(async move {
            let records = read(&mut consumer, 1).await;
            (consumer, records, Instant::now())
        });
        tokio::time::sleep(Duration::from_millis(50)).await;
        bus.publish(Topic::Alerts, numbered(count..count + 1, 1))
            .await
            .expect("durable");
        let acknowledged = Instant::now();
        let (back, records, read_at) = reader.await.expect("read");
        consumer = back;
        assert_eq!(number(&records[0]), count);
        waits.push(read_at.saturating_duration_since(acknowledged));
    }
    waits.sort();
    println!(
        "from acknowledged to read: median {:?}, worst {:?}",
        waits[5], waits[9]
    );
    // Far below the second that next waits: it was woken, not timed out.
    assert!(waits[5] < Duration::from_millis(250), "{waits:?}");
}

pub(crate) async fn takes_many_publishers_at_once(place: &Place) {
    let bus = place.open().await;
    let publishers: Vec<_> = (0..50_u32)
        .map(|publisher| {
            let bus = bus.clone();
            tokio::spawn(async move {
                for call in 0..4 {
                    let first = publisher * 100 + call * 25;
                    bus.publish(EVENTS, numbered(first..first + 25, 7))
                        .await
                        .expect("durable");
                }
            })
        })
        .collect();
    for publisher in publishers {
        publisher.await.expect("published");
    }
    let mut consumer = bus.subscribe("many", &[EVENTS]).await.expect("joined");
    let numbers: BTreeSet<u32> = read(&mut consumer, 5000).await.iter().map(number).collect();
    assert_eq!(numbers, (0..5000).collect());
    silent(&mut consumer).await;
}

/// What was acknowledged is there after a SIGKILL of the publisher at any moment.
pub(crate) async fn keeps_what_a_killed_publisher_was_told(place: &Place) {
    let seed = rand::rng().random();
    println!("seed {seed}");
    let mut chance = ChaCha8Rng::seed_from_u64(seed);
    let bus = place.open().await;
    let (kind, target, prefix) = match place.config() {
        BusConfig::Log(config) => ("log", config.path.display().to_string(), String::new()),
        BusConfig::Kafka(config) => ("kafka", config.brokers, config.prefix),
    };
    let mut told = BTreeSet::new();
    for round in 0..5_u32 {
        let mut child = Command::new(publisher())
            .args([kind, &target, &prefix, &(round * 1_000_000).to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the publisher runs");
        let mut lines = BufReader::new(child.stdout.take().expect("its output"));
        let mut first = String::new();
        lines
            .read_line(&mut first)
            .expect("its first acknowledgement");
        std::thread::sleep(Duration::from_millis(chance.random_range(0..400)));
        child.kill().expect("killed");
        child.wait().expect("ended");
        let mut rest = String::new();
        lines
            .read_to_string(&mut rest)
            .expect("its other acknowledgements");
        // A last line without an end was cut off by the kill.
        let whole = rest.rfind('\n').map_or("", |end| &rest[..end]);
        told.extend(first.lines().chain(whole.lines()).map(|line| {
            line.parse::<u32>()
                .expect("the number of a message that is durable")
        }));
    }
    let mut consumer = bus.subscribe("killed", &[EVENTS]).await.expect("joined");
    let all = |numbers: &BTreeSet<u32>| numbers.is_superset(&told);
    let mut came: BTreeSet<u32> = BTreeSet::new();
    let started = Instant::now();
    while !all(&came) {
        assert!(
            started.elapsed() < PATIENCE,
            "lost {:?}",
            told.difference(&came).next()
        );
        came.extend(next(&mut consumer).await.records.iter().map(number));
    }
    println!("{} acknowledged, {} there", told.len(), came.len());
}

/// The example that publishes numbers until it is killed.
fn publisher() -> PathBuf {
    let test = std::env::current_exe().expect("our own path");
    let folder = test
        .parent()
        .and_then(|deps| deps.parent())
        .expect("the target folder");
    let path = folder.join("examples/publish_numbers");
    assert!(
        path.exists(),
        "build {} with `cargo build -p bus --examples`",
        path.display()
    );
    path
}

pub(crate) async fn carries_wire_types(place: &Place) {
    let bus = place.open().await;
    let letter = wire::DeadLetter {
        id: "d1".to_owned(),
        ..wire::DeadLetter::default()
    };
    bus.publish(Topic::DeadLetters, vec![Message::of("d1", &letter)])
        .await
        .expect("durable");
    let broken = Message {
        key: "d2".to_owned(),
        payload: vec![0xff, 0xff, 0xff],
    };
    bus.publish(Topic::DeadLetters, vec![broken])
        .await
        .expect("durable");
    let mut consumer = bus
        .subscribe("wire", &[Topic::DeadLetters])
        .await
        .expect("joined");
    let records = read(&mut consumer, 2).await;
    assert_eq!(
        records[0].decode::<wire::DeadLetter>().expect("decodes"),
        letter
    );
    let refused = records[1]
        .decode::<wire::DeadLetter>()
        .expect_err("no protobuf");
    assert_eq!(refused.fate(), Fate::DeadLetter);
}
