//! Publishes numbers one by one and prints each when it is durable, until it is killed.
//!
//! `publish_numbers log FILE - FIRST` or `publish_numbers kafka BROKERS PREFIX FIRST`. The contract test
//! kills it at random moments and looks for every number that it printed.

use std::io::Write as _;
use std::process::ExitCode;

use bus::config::{KafkaConfig, LogConfig};
use bus::{Bus, BusConfig, Message};
use schemas::tables::Table;
use schemas::topics::Topic;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [kind, target, prefix, first] = arguments.as_slice() else {
        return ExitCode::from(2);
    };
    let config = match kind.as_str() {
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
    let Ok(bus) = Bus::open(&config).await else {
        return ExitCode::from(2);
    };
    let Ok(first) = first.parse::<u32>() else {
        return ExitCode::from(2);
    };
    for number in first.. {
        let message = Message {
            key: (number % 8).to_string(),
            payload: number.to_string().into(),
        };
        if bus
            .publish(Topic::Events(Table::Signins), vec![message])
            .await
            .is_err()
        {
            return ExitCode::FAILURE;
        }
        if writeln!(std::io::stdout(), "{number}").is_err() {
            break;
        }
    }
    ExitCode::SUCCESS
}
