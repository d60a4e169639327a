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
//!
//! ```
//! use ingest::normalise::{Dates, Origin, normalise};
//! use schemas::provenance::Provenance;
//!
//! let origin = Origin {
//!     tenant_id: None,
//!     provenance: Provenance::Imported,
//!     source: "files",
//!     category: None,
//!     ingest_time_us: 1_795_000_000_000_000,
//!     dates: Dates::OF_MICROSOFT,
//! };
//! let bytes = br#"{"Id": "r1", "Operation": "New-InboxRule", "Workload": "Exchange", "CreationTime": "2026-03-04T08:00:00"}
//! no JSON at all"#;
//!
//! // Each record is an event or a dead letter with its bytes; none is lost.
//! let all = normalise(bytes, "audit.ndjson", &origin);
//! assert_eq!((all.events.len(), all.dead_letters.len()), (1, 1));
//! assert_eq!((&*all.events[0].table, &*all.events[0].event_id), ("m365_activity", "r1"));
//! assert_eq!(all.dead_letters[0].reason, "not_json");
//! ```

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
