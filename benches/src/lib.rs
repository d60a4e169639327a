//! Measurements against the rivals, on the events and rules of a performance kit.

pub mod cpu;
pub mod detection;
pub mod ingestion;
pub mod kit;
pub mod stored;
