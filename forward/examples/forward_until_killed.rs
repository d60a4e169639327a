//! Runs the stage until it is killed, for tests that do so.
//!
//! Arguments: `log PATH ''` or `kafka BROKERS PREFIX`, then the destinations as JSON.
#![expect(clippy::expect_used, reason = "a test's program: it fails loudly")]

use std::sync::Arc;

use bus::config::{KafkaConfig, LogConfig};
use bus::{Bus, BusConfig};
use forward::{ForwardConfig, Surroundings};
use schemas::environment::SystemClock;
use schemas::health::Health;
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [kind, target, prefix, destinations] = &arguments[..] else {
        panic!("KIND TARGET PREFIX DESTINATIONS");
    };
    let bus = match kind.as_str() {
        "log" => BusConfig::Log(LogConfig {
            path: target.into(),
            ..LogConfig::default()
        }),
        _ => BusConfig::Kafka(KafkaConfig {
            brokers: target.clone(),
            prefix: prefix.clone(),
            development: true,
            ..KafkaConfig::default()
        }),
    };
    let config = ForwardConfig {
        destinations: serde_json::from_str(destinations).expect("destinations"),
        retry_wait_ms: 50,
        ..ForwardConfig::default()
    };
    let with = Surroundings {
        read_secret: Arc::new(|reference| Err(format!("no secret at {reference}"))),
    };
    let bus = Bus::open(&bus).await.expect("the bus opens");
    let (health, stop) = (Health::default(), CancellationToken::new());
    forward::stage::run(config, with, bus, Arc::new(SystemClock), health, stop)
        .await
        .expect("the stage runs");
}
