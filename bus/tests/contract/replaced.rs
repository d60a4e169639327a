//! A log that is not the one that was read: its positions are told from those of the one that is there.
#![expect(
    clippy::expect_used,
    reason = "a test ends where its footing is missing"
)]

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use bus::config::KafkaConfig;
use bus::{Bus, BusConfig, Consumer, Fingerprint, Position};
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use schemas::tables::Table;
use schemas::topics::Topic;

use crate::place::{PATIENCE, Place, assigned, number, numbered, read, run};

/// Publishes 50 messages of the first topic and does them as a group of all; gives its member, and the position after them.
async fn fifty_done(bus: &Bus, topics: &[Topic]) -> (Consumer, Position) {
    bus.publish(topics[0], numbered(0..50, 5))
        .await
        .expect("durable");
    let mut reader = bus.subscribe("stage", topics).await.expect("joined");
    let records = read(&mut reader, 50).await;
    let end = records[49].after();
    reader.commit(&[end]).await.expect("committed");
    (reader, end)
}

/// The same, of a group whose member has left.
async fn do_fifty(bus: &Bus) -> Position {
    fifty_done(bus, &[Topic::Alerts]).await.1
}

async fn is_same_log(bus: &Bus, position: Position) -> bool {
    let found = bus.recognise("stage", &[position]).await.expect("answered");
    found[0].is_same_log
}

pub(crate) async fn knows_a_log_by_the_message_before_a_position(place: &Place) {
    let bus = place.open().await;
    let end = do_fifty(&bus).await;
    assert!(is_same_log(&bus, end).await);
    bus.publish(Topic::Alerts, numbered(50..60, 5))
        .await
        .expect("durable");
    assert!(is_same_log(&bus, end).await, "it went on");
    let other = Position {
        last: Some(Fingerprint::of_i64(1)),
        ..end
    };
    assert!(!is_same_log(&bus, other).await, "another message is there");
    let beyond = Position {
        next_offset: 61,
        ..end
    };
    assert!(!is_same_log(&bus, beyond).await, "nothing is there");
    let unnoted = Position { last: None, ..end };
    assert!(is_same_log(&bus, unnoted).await, "nobody noted what was");
    // A group that stands where it stood has nothing to begin anew.
    let mut reader = bus
        .subscribe("stage", &[Topic::Alerts])
        .await
        .expect("joined");
    assigned(&mut reader, 1).await;
    let replaced = reader.resume(&[(Topic::Alerts, 0)]).await.expect("resumed");
    assert!(replaced.is_empty(), "{replaced:?}");
    let numbers: Vec<u32> = read(&mut reader, 10).await.iter().map(number).collect();
    assert_eq!(numbers, (50..60).collect::<Vec<_>>());
}

/// Whoever publishes can store where it stands, and tell by that alone that the bus still has what it took.
pub(crate) async fn says_where_it_put_what_it_took(place: &Place) {
    const TOPIC: Topic = Topic::Events(Table::Signins);
    let bus = place.open().await;
    let mut placed = Vec::new();
    for from in [0, 40] {
        let messages = numbered(from..from + 40, 7);
        placed = bus.publish_placed(TOPIC, messages).await.expect("durable");
    }
    assert!(!placed.is_empty());
    let ends = bus.ends(TOPIC).await.expect("answered");
    for at in &placed {
        assert!(at.last.is_some(), "{at:?}");
        let is_end = |end: &&Position| end.partition == at.partition;
        let end = ends.iter().find(is_end).expect("a partition");
        assert_eq!(at.next_offset, end.next_offset);
        assert!(is_same_log(&bus, *at).await, "{at:?}");
        let other = Position {
            last: Some(Fingerprint::of_i64(1)),
            ..*at
        };
        assert!(!is_same_log(&bus, other).await, "another message is there");
    }
    let none = bus
        .publish_placed(TOPIC, Vec::new())
        .await
        .expect("durable");
    assert!(none.is_empty());
}

struct Cluster {
    admin: AdminClient<DefaultClientContext>,
    config: KafkaConfig,
}

impl Cluster {
    fn of(place: &Place) -> Self {
        let BusConfig::Kafka(config) = place.config() else {
            unreachable!("it is Kafka")
        };
        let admin = ClientConfig::new()
            .set("bootstrap.servers", &config.brokers)
            .create()
            .expect("an admin client");
        Self { admin, config }
    }

    fn name(&self) -> String {
        format!("{}{}", self.config.prefix, Topic::Alerts.name())
    }

    /// Deletes the topic of alerts and makes it anew after a while, empty.
    async fn replace_topic(&self, place: &Place, away: Duration) -> Bus {
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        let deleted = self.admin.delete_topics(&[&self.name()], &options).await;
        deleted.expect("asked")[0].as_ref().expect("deleted");
        tokio::time::sleep(away).await;
        let started = Instant::now();
        loop {
            // It is there again once the brokers have forgotten the one before.
            let opened = Bus::open(&place.config()).await;
            let ends = match &opened {
                Ok(bus) => bus.ends(Topic::Alerts).await.ok(),
                Err(_) => None,
            };
            if let (Ok(bus), Some([end])) = (opened, ends.as_deref())
                && end.next_offset == 0
            {
                return bus;
            }
            assert!(started.elapsed() < PATIENCE, "the topic is not made anew");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

/// Reads as a stage does until every number of `expected` has come; true if it was told of another log meanwhile.
async fn read_as_a_stage(reader: &mut Consumer, expected: BTreeSet<u32>) -> bool {
    let started = Instant::now();
    let (mut came, mut is_told) = (BTreeSet::new(), false);
    while !expected.is_subset(&came) {
        assert!(started.elapsed() < PATIENCE, "only {} came", came.len());
        let Ok(polled) = reader.next(100, Duration::from_millis(200)).await else {
            // Told while the topic is away.
            continue;
        };
        let mut fresh = polled.assigned;
        fresh.extend(polled.replaced.iter().map(|at| (at.topic, at.partition)));
        is_told |= !polled.replaced.is_empty();
        if !fresh.is_empty() {
            is_told |= !reader.resume(&fresh).await.expect("resumed").is_empty();
        }
        came.extend(polled.records.iter().map(number));
    }
    is_told
}

/// A stage was away while the topic was deleted and made anew: it gets all of the new one, though that has more.
#[test]
fn a_topic_made_anew_is_read_from_its_beginning() {
    let place = Place::kafka();
    run(async {
        let before = do_fifty(&place.open().await).await;
        let bus = Cluster::of(&place)
            .replace_topic(&place, Duration::ZERO)
            .await;
        assert!(!is_same_log(&bus, before).await, "shorter");
        bus.publish(Topic::Alerts, numbered(100..180, 5))
            .await
            .expect("durable");
        assert!(!is_same_log(&bus, before).await, "longer, and another");
        let mut reader = bus
            .subscribe("stage", &[Topic::Alerts])
            .await
            .expect("joined");
        read_as_a_stage(&mut reader, (100..180).collect()).await;
    });
}

/// The same under a stage that reads on.
#[test]
fn a_topic_made_anew_under_a_reader_is_told_and_read() {
    let place = Place::kafka();
    run(async {
        let bus = place.open().await;
        let (mut reader, _) = fifty_done(&bus, &[Topic::Alerts]).await;
        let bus = Cluster::of(&place)
            .replace_topic(&place, Duration::ZERO)
            .await;
        bus.publish(Topic::Alerts, numbered(100..130, 5))
            .await
            .expect("durable");
        read_as_a_stage(&mut reader, (100..130).collect()).await;
    });
}

/// The same, where the reader asks for it all the time and the topic is away for longer than it takes to be missed.
#[test]
fn a_topic_that_was_away_for_a_while_is_read_soon_after() {
    let place = Place::kafka();
    run(async {
        let bus = place.open().await;
        let (mut reader, _) = fifty_done(&bus, &[Topic::Alerts, Topic::Signals]).await;
        let replacing = async {
            let away = Duration::from_secs(12);
            let bus = Cluster::of(&place).replace_topic(&place, away).await;
            bus.publish(Topic::Alerts, numbered(100..130, 5))
                .await
                .expect("durable");
        };
        let reading = read_as_a_stage(&mut reader, (100..130).collect());
        tokio::join!(replacing, reading);
    });
}

/// A group's position is of a log that was replaced, and the group was not told: as after an unclean election.
#[test]
fn a_groups_position_on_another_log_is_told_and_left() {
    let place = Place::kafka();
    run(async {
        let bus = place.open().await;
        let end = do_fifty(&bus).await;
        let mut reader = bus
            .subscribe("stage", &[Topic::Alerts])
            .await
            .expect("joined");
        assigned(&mut reader, 1).await;
        let other = Position {
            last: Some(Fingerprint::of_i64(1)),
            ..end
        };
        reader.commit(&[other]).await.expect("committed");
        drop(reader);
        let mut reader = bus
            .subscribe("stage", &[Topic::Alerts])
            .await
            .expect("joined");
        assert!(read_as_a_stage(&mut reader, (0..50).collect()).await);
    });
}

/// Retention has removed what stood before a position: the log is taken to be the same, and nothing is passed over.
#[test]
fn a_position_whose_last_message_was_removed_is_kept() {
    let place = Place::kafka();
    run(async {
        let bus = place.open().await;
        let end = do_fifty(&bus).await;
        bus.publish(Topic::Alerts, numbered(50..60, 5))
            .await
            .expect("durable");
        let cluster = Cluster::of(&place);
        let mut removed = TopicPartitionList::new();
        removed
            .add_partition_offset(&cluster.name(), 0, Offset::Offset(55))
            .expect("a partition");
        let options = AdminOptions::new();
        let asked = cluster.admin.delete_records(&removed, &options).await;
        asked.expect("removed");
        let found = bus.recognise("stage", &[end]).await.expect("answered");
        assert!(found[0].is_same_log);
        assert_eq!((found[0].first_offset, found[0].end_offset), (55, 60));
    });
}
