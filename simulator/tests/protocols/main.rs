//! The simulated tenant through real clients: reqwest for HTTP, `azure_messaging_eventhubs` for AMQP.
#![expect(
    clippy::unwrap_used,
    reason = "a test fails where an assumption does not hold"
)]

mod activity_feed;
mod directory;
mod event_hubs;
mod faults;
mod graph;
mod lab;
mod tokens;
