//! Errors that a real broker makes too rarely: librdkafka's mock cluster makes them on demand.
#![expect(
    clippy::expect_used,
    reason = "a test ends where its footing is missing"
)]
#![expect(
    clippy::print_stdout,
    reason = "seeds and counts, for whoever looks into a failure"
)]

use std::collections::BTreeSet;
use std::time::Duration;

use bus::config::KafkaConfig;
use bus::{Bus, BusConfig, BusError};
use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::RDKafkaApiKey as Request;
use rdkafka::types::RDKafkaRespErr as Error;
use schemas::fate::Fate;
use schemas::tables::Table;
use schemas::topics::Topic;

use crate::place::{by_key, number, numbered, read_until, run};

const EVENTS: Topic = Topic::Events(Table::Signins);
const BROKERS: i32 = 3;

/// A mock cluster with our topics; it cannot create them itself, so opening finds them.
struct Cluster {
    mock: MockCluster<'static, DefaultProducerContext>,
    config: KafkaConfig,
}

impl Cluster {
    fn new() -> Self {
        let mock = MockCluster::new(BROKERS).expect("a mock cluster");
        let config = KafkaConfig {
            brokers: mock.bootstrap_servers(),
            development: true,
            ..KafkaConfig::default()
        };
        for topic in Topic::all() {
            let name = format!("{}{topic}", config.prefix);
            mock.create_topic(&name, topic.partitions(), BROKERS)
                .expect("a topic");
        }
        Self { mock, config }
    }

    async fn open(&self) -> Bus {
        Bus::open(&BusConfig::Kafka(self.config.clone()))
            .await
            .expect("the bus opens")
    }
}

/// Publishes while `trouble` goes on, and checks that every publish ends well and all is there, in order.
async fn publish_through(cluster: &Cluster, trouble: impl AsyncFnOnce(&Cluster)) {
    let bus = cluster.open().await;
    bus.publish(EVENTS, numbered(0..100, 8))
        .await
        .expect("durable before the trouble");
    let publisher = {
        let bus = bus.clone();
        tokio::spawn(async move {
            for call in 1..30 {
                bus.publish(EVENTS, numbered(call * 100..(call + 1) * 100, 8))
                    .await?;
            }
            Ok::<_, BusError>(())
        })
    };
    trouble(cluster).await;
    publisher
        .await
        .expect("ran")
        .expect("every publish ends well");
    let mut reader = bus.subscribe("reader", &[EVENTS]).await.expect("joined");
    let distinct = |records: &[bus::Delivery]| records.iter().map(number).collect::<BTreeSet<_>>();
    let records = read_until(&mut reader, |all| {
        all.len() >= 3000 && distinct(all).len() == 3000
    })
    .await;
    println!("{} duplicates", records.len() - 3000);
    for (key, numbers) in by_key(&records) {
        let mut first = BTreeSet::new();
        let numbers: Vec<u32> = numbers
            .into_iter()
            .filter(|number| first.insert(*number))
            .collect();
        assert!(numbers.is_sorted(), "{key} lost its order");
    }
}

#[test]
fn errors_of_produce_are_ridden_out() {
    let seed = rand::rng().random();
    println!("seed {seed}");
    let mut chance = ChaCha8Rng::seed_from_u64(seed);
    let cluster = Cluster::new();
    let mut errors = [
        Error::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
        Error::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND,
        Error::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
        Error::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        Error::RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE,
        Error::RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR,
        Error::RD_KAFKA_RESP_ERR__TRANSPORT,
    ]
    .repeat(3);
    errors.shuffle(&mut chance);
    run(publish_through(&cluster, async |cluster| {
        for some in errors.chunks(4) {
            cluster.mock.request_errors(Request::Produce, some);
            tokio::time::sleep(Duration::from_millis(chance.random_range(0..200))).await;
        }
    }));
}

/// The brokers may all be away; publishing waits for them.
#[test]
fn an_outage_of_all_brokers_is_waited_for() {
    let cluster = Cluster::new();
    run(publish_through(&cluster, async |cluster| {
        for broker in 1..=BROKERS {
            cluster.mock.broker_down(broker).expect("down");
        }
        tokio::time::sleep(Duration::from_secs(3)).await;
        for broker in 1..=BROKERS {
            cluster.mock.broker_up(broker).expect("up");
        }
    }));
}

#[test]
fn errors_of_metadata_and_of_producer_ids_are_ridden_out() {
    let cluster = Cluster::new();
    let soon = [Error::RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS; 3];
    cluster.mock.request_errors(Request::InitProducerId, &soon);
    run(publish_through(&cluster, async |cluster| {
        let away = [Error::RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE; 5];
        cluster.mock.request_errors(Request::Metadata, &away);
        cluster.mock.broker_down(1).expect("down");
        tokio::time::sleep(Duration::from_secs(1)).await;
        cluster.mock.broker_up(1).expect("up");
    }));
}

/// Nothing is dropped when the queue is full: publishing waits, many at once too.
#[test]
fn a_full_queue_makes_publishers_wait() {
    let mut cluster = Cluster::new();
    cluster.config.settings = [("queue.buffering.max.messages".to_owned(), "10".to_owned())].into();
    run(publish_through(&cluster, async |cluster| {
        cluster.mock.broker_down(2).expect("down");
        tokio::time::sleep(Duration::from_secs(1)).await;
        cluster.mock.broker_up(2).expect("up");
    }));
}

/// What idempotence cannot mend: the producer is replaced and goes on.
#[test]
fn a_producer_with_a_fatal_error_is_replaced() {
    let cluster = Cluster::new();
    run(async {
        let bus = cluster.open().await;
        bus.publish(EVENTS, numbered(0..100, 8))
            .await
            .expect("durable");
        let lost = [Error::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER];
        cluster.mock.request_errors(Request::Produce, &lost);
        bus.publish(EVENTS, numbered(100..200, 8))
            .await
            .expect("durable by another producer");
        let mut reader = bus.subscribe("reader", &[EVENTS]).await.expect("joined");
        let distinct =
            |records: &[bus::Delivery]| records.iter().map(number).collect::<BTreeSet<_>>();
        read_until(&mut reader, |all| distinct(all).len() == 200).await;
    });
}

/// A missing right is told, and stops nobody who has theirs.
#[test]
fn a_missing_right_is_told() {
    let cluster = Cluster::new();
    run(async {
        let bus = cluster.open().await;
        let refusal = [Error::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED];
        cluster.mock.request_errors(Request::Produce, &refusal);
        let refused = bus
            .publish(Topic::Alerts, numbered(0..10, 1))
            .await
            .expect_err("refused");
        assert_eq!(refused.fate(), Fate::Stop, "{refused:?}");
        bus.publish(Topic::Cases, numbered(0..10, 1))
            .await
            .expect("durable");
        let mut reader = bus
            .subscribe("reader", &[Topic::Cases])
            .await
            .expect("joined");
        let records = read_until(&mut reader, |all| all.len() >= 10).await;
        assert!(records.iter().map(number).eq(0..10));
    });
}
