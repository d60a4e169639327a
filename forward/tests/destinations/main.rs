//! Each destination against real receivers: those that take what they should, and those that do everything wrong.
//!
//! Kafka is `VEDETTE_TEST_KAFKA` (brokers) if that is set, else `deploy/kafka/kafka` starts one here.

mod authority;
#[path = "../../../bus/tests/contract/broker.rs"]
#[expect(dead_code, reason = "other tests kill their broker")]
mod broker;
mod elasticsearch;
mod email;
#[path = "../forms/hostile.rs"]
mod hostile;
mod kafka;
mod kit;
mod otlp;
mod receiver;
#[path = "../forms/samples.rs"]
mod samples;
mod sentinel;
mod server;
mod slack;
mod splunk;
mod syslog;
mod teams;
mod webhook;
