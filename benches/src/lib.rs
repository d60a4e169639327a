//! Measurements against the rivals, on the events and rules of a performance kit.

pub mod correlated;
pub mod cpu;
pub mod detection;
mod events;
mod flat;
pub mod ingestion;
pub mod kit;
pub mod store;
pub mod stored;
