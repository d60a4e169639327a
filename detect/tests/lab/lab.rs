//! An embedded log and a lake in a folder of the test's own.

use std::path::Path;

use bus::config::LogConfig;
use bus::{Bus, BusConfig, Message};
use lake::LakeConfig;
use schemas::tables::Table;
use schemas::wire::Event;
use serde_json::Value;

/// The tenant of every record.
pub(crate) const TENANT: &str = "7f3c";

/// A record at a time, in microseconds since the Unix epoch, UTC; accepted 100 s later.
pub(crate) fn event(table: Table, id: &str, time_us: i64, record: &Value) -> Message {
    let event = Event {
        tenant_id: TENANT.to_owned(),
        table: table.name().to_owned(),
        event_id: id.to_owned(),
        event_time_us: Some(time_us),
        ingest_time_us: time_us + 100_000_000,
        source: match table {
            Table::DirectoryDomains => "directory".to_owned(),
            _ => "test".to_owned(),
        },
        category: "test".to_owned(),
        position: id.to_owned(),
        problems: Vec::new(),
        raw: record.to_string().into(),
        provenance: "live".to_owned(),
    };
    Message::of(id, &event)
}

/// The log, and where the lake is; batches are closed soon.
pub(crate) async fn open(folder: &Path) -> (Bus, LakeConfig) {
    let log = LogConfig {
        path: folder.join("log.sqlite"),
        ..LogConfig::default()
    };
    let bus = Bus::open(&BusConfig::Log(log)).await.unwrap();
    let location = folder.join("lake").display().to_string();
    let lake = LakeConfig {
        location,
        batch_wait_ms: 50,
        ..LakeConfig::default()
    };
    (bus, lake)
}
