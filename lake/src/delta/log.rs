//! Entries of the Delta log, as bytes and as values.
//!
//! Protocol: <https://github.com/delta-io/delta/blob/master/PROTOCOL.md>, "Actions". Pure but for [`last_checkpoint`].

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use schemas::arrow::PARTITION_COLUMNS;
use schemas::tables::{Kind, Table};
use serde::Deserialize;
use serde_json::{Value, json};

use super::advance::Advance;
use super::proposal::{DataFile, Proposal};
use columns::{day_from_text, day_text};

/// Name of the log's folder inside the table's.
pub(crate) const LOG_FOLDER: &str = "_delta_log";

/// How long entries and checkpoints are kept once a later checkpoint covers them.
///
/// With a commit a second it bounds the folder to some 170,000 files; a reader that slept longer loads anew.
const LOG_RETENTION: &str = "interval 2 days";

/// How long the log remembers removed files, for readers that look before they delete.
const REMOVED_FILES_RETENTION: &str = "interval 7 days";

/// One entry: what a commit changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) version: i64,
    pub(crate) added: Vec<DataFile>,
    /// Paths of removed files, with when, in milliseconds since the Unix epoch.
    pub(crate) removed: Vec<(String, i64)>,
    pub(crate) transactions: Vec<(String, i64)>,
    /// The table's description, if this commit changed it.
    pub(crate) metadata: Option<Value>,
    /// True if no row came or went.
    pub(crate) is_rearrangement: bool,
    /// When it was made, in microseconds since the Unix epoch.
    pub(crate) time_us: i64,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Line {
    add: Option<Add>,
    remove: Option<Remove>,
    txn: Option<Transaction>,
    meta_data: Option<Value>,
    commit_info: Option<CommitInfo>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Add {
    path: String,
    partition_values: HashMap<String, Option<String>>,
    size: i64,
    modification_time: i64,
    #[serde(default)]
    data_change: bool,
    stats: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Remove {
    path: String,
    #[serde(default)]
    deletion_timestamp: i64,
    #[serde(default)]
    data_change: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Transaction {
    app_id: String,
    version: i64,
}

#[derive(Deserialize)]
struct CommitInfo {
    #[serde(default)]
    timestamp: i64,
}

impl Entry {
    /// The entry that a proposal becomes.
    pub(crate) fn of_proposal(proposal: &Proposal, version: i64, now_us: i64) -> Self {
        let mut transactions = proposal.transactions.clone();
        transactions.extend(proposal.advances.iter().flat_map(Advance::transactions));
        let removed = proposal.removed.iter();
        let removed = removed.map(|path| (path.clone(), millisecond(now_us)));
        Self {
            version,
            added: proposal.added.clone(),
            removed: removed.collect(),
            transactions,
            metadata: proposal.metadata.clone(),
            is_rearrangement: proposal.is_rearrangement,
            time_us: now_us,
        }
    }

    /// Reads an entry; actions that do not concern us are passed over.
    pub(crate) fn decode(bytes: &[u8], version: i64) -> Result<Self, serde_json::Error> {
        let mut entry = Self {
            version,
            added: Vec::new(),
            removed: Vec::new(),
            transactions: Vec::new(),
            metadata: None,
            is_rearrangement: true,
            time_us: 0,
        };
        for line in serde_json::Deserializer::from_slice(bytes).into_iter::<Line>() {
            let line = line?;
            if let Some(add) = line.add {
                entry.is_rearrangement &= !add.data_change;
                let path = decode_path(&add.path);
                entry.added.push(data_file(
                    path,
                    &add.partition_values,
                    add.size,
                    add.modification_time,
                    add.stats.as_deref(),
                ));
            }
            if let Some(remove) = line.remove {
                entry.is_rearrangement &= !remove.data_change;
                let path = decode_path(&remove.path);
                entry.removed.push((path, remove.deletion_timestamp));
            }
            if let Some(transaction) = line.txn {
                entry
                    .transactions
                    .push((transaction.app_id, transaction.version));
            }
            entry.metadata = line.meta_data.or(entry.metadata);
            if let Some(info) = line.commit_info {
                entry.time_us = info.timestamp.saturating_mul(1000);
            }
        }
        Ok(entry)
    }

    /// Writes the entry.
    pub(crate) fn encode(&self, table: Table, now_us: i64) -> Vec<u8> {
        let timestamp = millisecond(now_us);
        let operation = if self.is_rearrangement && !self.removed.is_empty() {
            "OPTIMIZE"
        } else {
            "WRITE"
        };
        let mut lines = vec![json!({"commitInfo": {
            "timestamp": timestamp,
            "operation": operation,
            "operationParameters": {"mode": "Append"},
            "isBlindAppend": self.removed.is_empty(),
            "engineInfo": concat!("vedette/", env!("CARGO_PKG_VERSION")),
        }})];
        if let Some(metadata) = &self.metadata {
            lines.push(json!({"metaData": metadata}));
        }
        for (id, version) in &self.transactions {
            lines.push(json!({"txn": {"appId": id, "version": version, "lastUpdated": timestamp}}));
        }
        for (path, removed_ms) in &self.removed {
            lines.push(json!({"remove": {
                "path": path, "deletionTimestamp": removed_ms, "dataChange": !self.is_rearrangement}}));
        }
        for file in &self.added {
            lines.push(json!({"add": {
                "path": file.path,
                "partitionValues": {"tenant_id": file.tenant_id, "day": day_text(file.day)},
                "size": file.bytes,
                "modificationTime": file.modified_ms,
                "dataChange": !self.is_rearrangement,
                "stats": stats(table, file).to_string(),
            }}));
        }
        let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
        lines.join("\n").into_bytes()
    }
}

/// The statistics that other readers skip files by; times in milliseconds, rounded outwards.
fn stats(table: Table, file: &DataFile) -> Value {
    let mut stats = json!({"numRecords": file.rows.unwrap_or(0)});
    if let Some((from, to)) = file.event_times
        && table
            .columns()
            .iter()
            .any(|column| column.name == "event_time")
    {
        stats["minValues"] = json!({"event_time": schemas::time::iso_ms(from)});
        stats["maxValues"] = json!({"event_time": schemas::time::iso_ms(to.saturating_add(999))});
        stats["nullCount"] = json!({"event_time": 0});
    }
    stats
}

/// A file from what its `add` action says.
pub(crate) fn data_file(
    path: String,
    values: &HashMap<String, Option<String>>,
    size: i64,
    modified_ms: i64,
    stats: Option<&str>,
) -> DataFile {
    let value = |name: &str| {
        values
            .get(name)
            .and_then(Option::as_deref)
            .unwrap_or_default()
    };
    let stats: Value = stats
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    let bound = |side: &str| {
        stats[side]["event_time"]
            .as_str()
            .and_then(schemas::time::parse_us)
    };
    let has_no_null = stats["nullCount"]["event_time"].as_u64() == Some(0);
    DataFile {
        path,
        tenant_id: value("tenant_id").to_owned(),
        day: day_from_text(value("day")).unwrap_or(0),
        rows: stats["numRecords"].as_u64(),
        bytes: u64::try_from(size).unwrap_or(0),
        // A foreign writer may cut the upper bound to milliseconds.
        event_times: bound("minValues")
            .zip(bound("maxValues").map(|to| to.saturating_add(999)))
            .filter(|_| has_no_null),
        modified_ms,
    }
}

/// Paths in the log are percent-encoded; ours hold nothing that would need it, foreign ones may.
fn decode_path(path: &str) -> String {
    if !path.contains('%') {
        return path.to_owned();
    }
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = after
            .get(..2)
            .filter(|_| *first == b'%')
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        if let Some(byte) = code {
            out.push(byte);
            rest = &after[2..];
        } else {
            out.push(*first);
            rest = after;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The millisecond of a time in microseconds.
pub(crate) const fn millisecond(time_us: i64) -> i64 {
    time_us.div_euclid(1000)
}

/// Where an entry stands.
pub(crate) fn entry_path(root: &Path, version: i64) -> PathBuf {
    root.join(LOG_FOLDER).join(format!("{version:020}.json"))
}

/// Version of the last checkpoint; none if there is none or it cannot be read.
pub(crate) fn last_checkpoint(root: &Path) -> Option<i64> {
    let bytes = fs::read(root.join(LOG_FOLDER).join("_last_checkpoint")).ok()?;
    let value: Value = serde_json::from_slice(&bytes).ok()?;
    value["version"].as_i64()
}

/// The first entry of a table.
pub(crate) fn creation(table: Table, now_us: i64) -> Vec<u8> {
    let timestamp = millisecond(now_us);
    let lines = [
        json!({"commitInfo": {"timestamp": timestamp, "operation": "CREATE TABLE", "operationParameters": {}}}),
        json!({"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}),
        json!({"metaData": {
            "id": uuid::Uuid::new_v4().to_string(),
            "name": table.name(),
            "format": {"provider": "parquet", "options": {}},
            "schemaString": schema(table).to_string(),
            "partitionColumns": PARTITION_COLUMNS,
            "configuration": {
                "delta.logRetentionDuration": LOG_RETENTION,
                "delta.deletedFileRetentionDuration": REMOVED_FILES_RETENTION,
            },
            "createdTime": timestamp,
        }}),
    ];
    let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
    lines.join("\n").into_bytes()
}

/// A table's description with the columns that it lacks; none if it lacks none.
pub(crate) fn with_all_columns(table: Table, mut metadata: Value) -> Option<Value> {
    let mut known: Value = serde_json::from_str(metadata["schemaString"].as_str()?).ok()?;
    let fields = known["fields"].as_array_mut()?;
    let before = fields.len();
    for field in schema(table)["fields"].as_array()? {
        if !fields.iter().any(|known| known["name"] == field["name"]) {
            fields.push(field.clone());
        }
    }
    let is_complete = fields.len() == before;
    metadata["schemaString"] = Value::String(known.to_string());
    (!is_complete).then_some(metadata)
}

/// The table's schema in Delta's own words: plain types, so that every reader understands them.
fn schema(table: Table) -> Value {
    let field = |name: &str, kind: &str| json!({"name": name, "type": kind, "nullable": true, "metadata": {}});
    let mut fields: Vec<Value> = table
        .columns()
        .iter()
        .map(|column| field(column.name, type_name(column.kind)))
        .collect();
    fields.push(field("tenant_id", "string"));
    fields.push(field("day", "date"));
    json!({"type": "struct", "fields": fields})
}

const fn type_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Category | Kind::Text | Kind::Ip | Kind::Json => "string",
        Kind::Integer => "long",
        Kind::Number => "double",
        Kind::Boolean => "boolean",
        Kind::Time => "timestamp",
        Kind::Bytes => "binary",
    }
}

#[cfg(test)]
mod tests {
    use super::{DataFile, Entry, decode_path};
    use schemas::tables::Table;

    #[test]
    fn an_entry_comes_back_as_it_was() {
        let entry = Entry {
            version: 7,
            added: vec![DataFile {
                path: "tenant_id=t/day=2024-10-04/part-1.parquet".into(),
                tenant_id: "T \"' %/../\n".into(),
                day: 20_000,
                rows: Some(3),
                bytes: 10,
                event_times: Some((1_000, 1_998)),
                modified_ms: 5,
            }],
            removed: vec![("a.parquet".into(), 9)],
            transactions: vec![("events.signins/0".into(), 12)],
            metadata: None,
            is_rearrangement: false,
            time_us: 9_000,
        };
        let decoded = Entry::decode(&entry.encode(Table::Signins, 9_000), 7).unwrap();
        // Bounds are rounded outwards to milliseconds, twice.
        let mut expected = entry;
        expected.added[0].event_times = Some((1_000, 2_999));
        assert_eq!(decoded, expected);
    }

    #[test]
    fn paths_of_foreign_writers_are_decoded() {
        assert_eq!(decode_path("a%20b%2"), "a b%2");
    }
}
