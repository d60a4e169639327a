//! Each destination against real receivers: those that take what they should, and those that do everything wrong.
//!
//! Kafka is `VEDETTE_TEST_KAFKA` (brokers) if that is set, else `deploy/kafka/kafka` starts one here.

mod authority;
#[path = "../../../bus/tests/contract/broker.rs"]
#[expect(dead_code, reason = "other tests kill their broker")]
mod broker;
mod kafka;
mod kit;
mod receiver;
mod syslog;
mod webhook;
