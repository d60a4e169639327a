//! A topic on a real Apache Kafka: what a consumer reads there, and topics and brokers that are not there.
#![expect(
    clippy::expect_used,
    reason = "a test ends where its footing is missing"
)]

use std::time::{Duration, Instant};

use forward::destinations::Target;
use forward::destinations::kafka::KafkaConfig;
use rdkafka::ClientConfig;
use rdkafka::Message as _;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::Headers as _;

use crate::broker::Broker;
use crate::kit::{deliver, fates, notices, open, surroundings};

fn config(brokers: &str, topic: &str) -> KafkaConfig {
    serde_json::from_value(serde_json::json!({"brokers": brokers, "topic": topic}))
        .expect("a configuration")
}

async fn create(broker: &Broker, topic: &str, bytes_max: &str) {
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", broker.address())
        .create()
        .expect("a client");
    let topic =
        NewTopic::new(topic, 3, TopicReplication::Fixed(1)).set("max.message.bytes", bytes_max);
    let created = admin
        .create_topics(&[topic], &AdminOptions::new())
        .await
        .expect("an answer");
    created[0].as_ref().expect("a topic");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_sent_is_there_with_its_key_and_headers() {
    let broker = Broker::shared();
    let topic = format!("received-{}", std::process::id());
    create(&broker, &topic, "1000000").await;
    let mut destination = open(&Target::Kafka(config(broker.address(), &topic)));
    assert!(destination.validate().await[0].fault.is_none());
    let batch = notices(200);
    let reply = deliver(destination.as_mut(), &batch).await;
    assert_eq!(fates(&reply, 200), ["delivered"; 200], "{}", reply.said);
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", broker.address())
        .set("group.id", "receiver")
        .set("auto.offset.reset", "earliest")
        .create()
        .expect("a consumer");
    consumer.subscribe(&[&topic]).expect("subscribed");
    let mut keys = std::collections::BTreeSet::new();
    let started = Instant::now();
    while keys.len() < 200 {
        assert!(
            started.elapsed() < Duration::from_mins(1),
            "{} came",
            keys.len()
        );
        let Some(message) = consumer.poll(Duration::from_millis(500)) else {
            continue;
        };
        let message = message.expect("a message");
        let document: serde_json::Value =
            serde_json::from_slice(message.payload().expect("a payload")).expect("JSON");
        assert_eq!(document["id"].as_str().map(str::as_bytes), message.key());
        let headers = message.headers().expect("headers");
        let key = headers
            .iter()
            .find(|header| header.key == "idempotency-key")
            .and_then(|header| header.value)
            .expect("a key");
        keys.insert(String::from_utf8_lossy(key).into_owned());
    }
    assert!(
        batch
            .iter()
            .all(|notice| keys.contains(&notice.idempotency_key()))
    );
    // One is too large for the topic; the others are taken all the same.
    let mut batch = notices(3);
    let large = std::sync::Arc::make_mut(&mut batch[1]);
    let noise: String = (0..2_500_000_u64)
        .map(|number| char::from(b'a' + u8::try_from(number * number % 8_191 % 26).unwrap_or(0)))
        .collect();
    large.document["title"] = noise.into();
    let mut config = config(broker.address(), &topic);
    config
        .settings
        .insert("compression.codec".to_owned(), "none".to_owned());
    let mut destination = open(&Target::Kafka(config));
    let reply = deliver(destination.as_mut(), &batch).await;
    assert_eq!(
        fates(&reply, 3),
        ["delivered", "refused", "delivered"],
        "{}",
        reply.said
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_is_not_there_is_not_made_and_is_waited_for() {
    let broker = Broker::shared();
    let topic = format!("absent-{}", std::process::id());
    let mut destination = open(&Target::Kafka(config(broker.address(), &topic)));
    let found = destination.validate().await;
    let fault = found[0].fault.clone().expect("it is not there");
    assert!(fault.contains("create the topic"), "{fault}");
    let reply = deliver(destination.as_mut(), &notices(2)).await;
    assert_eq!(fates(&reply, 2), ["later"; 2], "{}", reply.said);
    assert!(
        destination.validate().await[0].fault.is_some(),
        "still not there"
    );
    create(&broker, &topic, "1000000").await;
    let reply = deliver(destination.as_mut(), &notices(2)).await;
    assert_eq!(fates(&reply, 2), ["delivered"; 2], "{}", reply.said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn brokers_that_are_away_are_waited_for() {
    // Port 9 (discard) of this machine: nobody listens.
    let mut destination = open(&Target::Kafka(config("127.0.0.1:9", "any")));
    let reply = deliver(destination.as_mut(), &notices(2)).await;
    assert_eq!(fates(&reply, 2), ["later"; 2], "{}", reply.said);
}

#[test]
fn nothing_is_sent_open_or_carelessly_unless_that_is_said() {
    let open = |change: &dyn Fn(&mut KafkaConfig)| {
        let mut config = config("kafka-1.example:9092", "alerts");
        change(&mut config);
        let opened = Target::Kafka(config).open("siem", &surroundings());
        opened.map(drop).map_err(|error| error.to_string())
    };
    let set = |key: &'static str, value: &'static str| {
        move |config: &mut KafkaConfig| {
            config.insecure = true;
            config.settings.insert(key.to_owned(), value.to_owned());
        }
    };
    assert!(
        open(&|_| {})
            .expect_err("it is open")
            .contains("without TLS")
    );
    assert!(open(&|config| config.insecure = true).is_ok());
    assert!(open(&set("security.protocol", "ssl")).is_ok());
    assert!(
        open(&set("acks", "0"))
            .expect_err("it loses")
            .contains("acks")
    );
    let error = open(&set("security.protocol", "env:CANARY")).expect_err("no protocol");
    assert!(!error.contains(&crate::kit::CANARY[6..]), "{error}");
    let error = open(&set("sasl.password", "env:NONE")).expect_err("no secret");
    assert!(error.contains("env:NONE"), "{error}");
}
