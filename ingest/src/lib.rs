//! Sources of Microsoft's records, and their way to the bus without loss.
//!
//! ```text
//! Event Hubs ─────────┐
//! Management Activity ├─▶ split ─▶ normalise ─▶ publish [events.*] [dead-letters] ─▶ cursor ─▶ publish [coverage]
//! Graph alerts ───────┤            pure          waits until durable                 durable
//! Directory ──────────┤
//! files ──────────────┘
//! ```
//!
//! Delivery: at least once. A cursor moves only after [`bus::Bus::publish`] has returned for every record that
//! it covers, so a crash repeats records and loses none; the lake drops what it knows already.

mod acknowledged;
pub mod backlog;
pub mod config;
mod cursor;
pub mod error;
mod failures;
mod guarded;
pub mod normalise;
mod outlet;
pub mod sources;
pub mod stage;
mod workbench;

pub use crate::config::{
    DirectoryConfig, EventHubsConfig, GraphAlertsConfig, ImportConfig, IngestConfig,
    ManagementActivityConfig, TenantConfig,
};
pub use crate::cursor::FILE_NAME as CURSOR_FILE;
pub use crate::error::IngestError;
