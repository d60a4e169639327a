//! What librdkafka is told, and why.
//!
//! Source: <https://github.com/confluentinc/librdkafka/blob/v2.12.1/CONFIGURATION.md>; idle connections:
//! <https://learn.microsoft.com/azure/event-hubs/apache-kafka-configurations>.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use schemas::ip::is_loopback;
use schemas::limits::MESSAGE_BYTES_MAX;

use crate::config::KafkaConfig;
use crate::error::BusError;
use crate::message::Concern;

/// Largest record batch with one message of the largest size in it, in bytes: room for its headers.
pub(super) const BATCH_BYTES_MAX: usize = MESSAGE_BYTES_MAX + 64 * 1024;

/// Most messages that wait in the producer; when it is full, publishing waits.
const QUEUE_MESSAGES_MAX: usize = 100_000;

/// Most bytes that wait in the producer.
const QUEUE_BYTES_MAX: usize = 128 * 1024 * 1024;

/// Most bytes that a consumer has fetched ahead.
const FETCHED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// After this silence a member's partitions go to the others: a killed one is replaced as quickly.
const SESSION_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest that a lease may take to be confirmed: brokers that are away for longer have given its place to another.
const TRANSACTION_WAIT: Duration = SESSION_TIMEOUT;

// A message of the largest size fits in either queue.
const _: () = assert!(BATCH_BYTES_MAX < QUEUE_BYTES_MAX && BATCH_BYTES_MAX < FETCHED_BYTES_MAX);

/// Settings that the bus's promises rest on.
const OURS: &[&str] = &[
    "acks",
    "request.required.acks",
    "auto.offset.reset",
    "bootstrap.servers",
    "metadata.broker.list",
    "delivery.timeout.ms",
    "message.timeout.ms",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.idempotence",
    "enable.partition.eof",
    "group.id",
    "group.instance.id",
    "isolation.level",
    "message.send.max.retries",
    "retries",
    "partition.assignment.strategy",
    "partitioner",
    "transaction.timeout.ms",
    "transactional.id",
];

/// What makes a client known to the brokers where TLS alone does not.
const CLIENT_CERTIFICATES: &[&str] = &[
    "ssl.certificate.location",
    "ssl.certificate.pem",
    "ssl.keystore.location",
];

/// Checks what our clients will be told, without making one.
pub(crate) fn check(config: &KafkaConfig) -> Result<(), BusError> {
    check_security(config)?;
    with_users(ClientConfig::new(), config).map(drop)
}

/// Checks that nobody who is on the way, or merely reaches a broker, can write to our topics; what is allowed in spite
/// of that is a concern.
pub(super) fn check_security(config: &KafkaConfig) -> Result<Option<Concern>, BusError> {
    let protocol = config.settings.get("security.protocol");
    let protocol = protocol
        .map_or("plaintext", String::as_str)
        .to_ascii_lowercase();
    let has_certificate = CLIENT_CERTIFICATES
        .iter()
        .any(|key| config.settings.contains_key(*key));
    let is_safe = protocol == "sasl_ssl" || (protocol == "ssl" && has_certificate);
    if is_safe || config.brokers.split(',').all(is_this_machine) {
        return Ok(None);
    }
    if !config.insecure {
        return Err(BusError::Setting {
            key: "security.protocol".to_owned(),
            reason: "brokers on other machines need TLS and authentication, else whoever reaches them can forge \
                     events and alerts, and make vedette act; fix: sasl_ssl, or ssl with a client certificate, or \
                     insecure = true in [bus.kafka]"
                .to_owned(),
        });
    }
    Ok(Some(Concern {
        part: "bus/security".to_owned(),
        is_loss: false,
        why: format!(
            "brokers on other machines are used over {protocol}, as insecure = true allows: whoever reaches them can \
             forge events and alerts, and make vedette act"
        ),
    }))
}

/// Whether a broker, `host:port`, is on this machine.
fn is_this_machine(broker: &str) -> bool {
    let broker = broker.trim();
    let broker = broker.rsplit("://").next().unwrap_or(broker);
    let host = match broker.strip_prefix('[') {
        Some(rest) => rest.split(']').next(),
        None => broker.split(':').next(),
    };
    host.is_some_and(is_loopback)
}

/// What all our clients are told; the user's own settings come on top.
fn common(config: &KafkaConfig) -> ClientConfig {
    let mut settings = ClientConfig::new();
    settings
        .set("bootstrap.servers", &config.brokers)
        .set("client.id", "vedette")
        .set("socket.keepalive.enable", "true")
        // Azure cuts a connection that was idle for four minutes, and tells nobody.
        .set("connections.max.idle.ms", "180000")
        .set("metadata.max.age.ms", "180000")
        // A topic that was deleted and made anew is seen by the next look: by default after 5 minutes.
        .set("topic.metadata.refresh.interval.ms", "10000")
        .set("reconnect.backoff.ms", "100")
        .set("reconnect.backoff.max.ms", "2000")
        .set("log.connection.close", "false")
        .set_log_level(RDKafkaLogLevel::Info);
    settings
}

fn with_users(mut settings: ClientConfig, config: &KafkaConfig) -> Result<ClientConfig, BusError> {
    for (key, value) in &config.settings {
        if OURS.contains(&key.as_str()) {
            return Err(BusError::Setting {
                key: key.clone(),
                reason: "the bus sets it itself".to_owned(),
            });
        }
        settings.set(key, value);
    }
    Ok(settings)
}

/// For the client that looks at topics and creates those that are missing.
pub(super) fn admin(config: &KafkaConfig) -> Result<ClientConfig, BusError> {
    let mut settings = with_users(common(config), config)?;
    // librdkafka makes it a producer, whose question would create a topic on brokers that allow it.
    settings.set("allow.auto.create.topics", "false");
    Ok(settings)
}

/// For the producer: nothing is dropped, order is kept, memory is bounded.
pub(super) fn producer(config: &KafkaConfig) -> Result<ClientConfig, BusError> {
    let mut settings = common(config);
    settings
        .set("enable.idempotence", "true")
        .set("acks", "all")
        // Never: a message is delivered or its producer lives on to try again.
        .set("message.timeout.ms", "0")
        .set(
            "queue.buffering.max.messages",
            QUEUE_MESSAGES_MAX.to_string(),
        )
        .set(
            "queue.buffering.max.kbytes",
            (QUEUE_BYTES_MAX / 1024).to_string(),
        )
        .set("message.max.bytes", BATCH_BYTES_MAX.to_string())
        .set("compression.codec", "zstd")
        .set("linger.ms", "5")
        .set("retry.backoff.ms", "100")
        .set("retry.backoff.max.ms", "1000")
        // The hash of Kafka's Java clients, so that other producers agree on a key's partition.
        .set("partitioner", "murmur2_random");
    with_users(settings, config)
}

/// For a member of `group`, prefix included.
pub(super) fn consumer(config: &KafkaConfig, group: &str) -> Result<ClientConfig, BusError> {
    let mut settings = common(config);
    settings
        .set("group.id", group)
        .set("partition.assignment.strategy", "cooperative-sticky")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "earliest")
        .set(
            "session.timeout.ms",
            SESSION_TIMEOUT.as_millis().to_string(),
        )
        .set(
            "heartbeat.interval.ms",
            (SESSION_TIMEOUT / 5).as_millis().to_string(),
        )
        // A broker answers as soon as it has something; this bounds how long a newly assigned
        // partition waits for the fetch that is under way without it.
        .set("fetch.wait.max.ms", "100")
        .set("fetch.queue.backoff.ms", "50")
        .set("fetch.error.backoff.ms", "100")
        .set("fetch.message.max.bytes", BATCH_BYTES_MAX.to_string())
        .set("queued.min.messages", "20000")
        .set(
            "queued.max.messages.kbytes",
            (FETCHED_BYTES_MAX / 1024).to_string(),
        );
    with_users(settings, config)
}

/// For a candidate for a lease, `group` with its prefix, known to the group as `holder`.
///
/// The group says who is to hold it and notices who is gone; it does not keep two from acting, the transactions of
/// [`lease`] do. A candidate that starts anew within the session keeps its place.
pub(super) fn candidate(
    config: &KafkaConfig,
    group: &str,
    holder: &str,
) -> Result<ClientConfig, BusError> {
    let mut settings = consumer(config, group)?;
    settings
        .set("group.instance.id", holder)
        .set("enable.partition.eof", "false")
        .set("isolation.level", "read_committed")
        // It reads nothing but the last few entries, by another client.
        .set("auto.offset.reset", "latest");
    Ok(settings)
}

/// For the entries of a lease, read without a group.
pub(super) fn entries(config: &KafkaConfig, group: &str) -> Result<ClientConfig, BusError> {
    let mut settings = consumer(config, group)?;
    settings
        .set("enable.partition.eof", "true")
        .set("isolation.level", "read_committed");
    Ok(settings)
}

/// For the holder of a lease: whoever initialises the same transactional id later shuts this producer out for good.
pub(super) fn lease(
    config: &KafkaConfig,
    transactional_id: &str,
) -> Result<ClientConfig, BusError> {
    let mut settings = producer(config)?;
    let wait = TRANSACTION_WAIT.as_millis().to_string();
    settings
        .set("transactional.id", transactional_id)
        .set("transaction.timeout.ms", &wait)
        // Not longer than the transaction, as librdkafka asks.
        .set("message.timeout.ms", &wait)
        .set("linger.ms", "0");
    Ok(settings)
}

/// Says which setting was refused without its value, which may be a secret.
pub(super) fn refused(doing: &'static str, cause: KafkaError) -> BusError {
    match cause {
        KafkaError::ClientConfig(_, reason, key, value) => {
            let reason = if value.is_empty() {
                reason
            } else {
                reason.replace(&value, "…")
            };
            BusError::Setting { key, reason }
        }
        cause => BusError::Kafka { doing, cause },
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::error::KafkaError;
    use rdkafka::producer::FutureProducer;

    use super::{OURS, admin, check_security, producer, refused};
    use crate::config::KafkaConfig;
    use crate::error::BusError;

    fn with(key: &str, value: &str) -> KafkaConfig {
        let settings = [(key.to_owned(), value.to_owned())].into();
        KafkaConfig {
            settings,
            ..KafkaConfig::default()
        }
    }

    #[test]
    fn a_setting_that_would_drop_messages_is_refused() {
        for key in OURS {
            let refused = producer(&with(key, "1")).unwrap_err();
            assert!(matches!(refused, BusError::Setting { key: told, .. } if told == **key));
        }
    }

    #[test]
    fn looking_at_a_topic_does_not_create_it() {
        let key = "allow.auto.create.topics";
        for config in [KafkaConfig::default(), with(key, "true")] {
            assert_eq!(admin(&config).unwrap().get(key), Some("false"));
        }
    }

    #[test]
    fn a_refused_value_is_not_told() {
        let settings = producer(&with("security.protocol", "hunter2")).unwrap();
        let cause: KafkaError = settings.create::<FutureProducer>().err().unwrap();
        let told = format!("{:?}", refused("connect", cause));
        assert!(told.contains("security.protocol"), "{told}");
        assert!(!told.contains("hunter2"), "{told}");
    }

    #[test]
    fn brokers_elsewhere_need_tls_and_authentication_or_a_word() {
        let config = |brokers: &str, settings: &[(&str, &str)]| KafkaConfig {
            brokers: brokers.to_owned(),
            settings: settings
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
            ..KafkaConfig::default()
        };
        for here in [
            "localhost:9092",
            "127.0.0.1:1, [::1]:2",
            "PLAINTEXT://127.0.0.1:1",
        ] {
            assert_eq!(check_security(&config(here, &[])).unwrap(), None, "{here}");
        }
        let elsewhere = "127.0.0.1:9092,kafka-1:9092";
        let protocol = |name| ("security.protocol", name);
        for settings in [
            &[][..],
            &[protocol("plaintext")],
            &[protocol("SSL")],
            &[protocol("sasl_plaintext")],
        ] {
            let open = config(elsewhere, settings);
            assert!(check_security(&open).is_err(), "{settings:?}");
            let allowed = KafkaConfig {
                insecure: true,
                ..open
            };
            let concern = check_security(&allowed).unwrap().unwrap();
            assert!(concern.why.contains("forge"), "{concern:?}");
        }
        for settings in [
            &[protocol("SASL_SSL")][..],
            &[protocol("ssl"), ("ssl.certificate.location", "/a.pem")],
        ] {
            assert_eq!(check_security(&config(elsewhere, settings)).unwrap(), None);
        }
    }
}
