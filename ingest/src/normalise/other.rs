//! Records of formats that no table takes: kept as they are. Pure.

use schemas::tables::Table;
use serde_json::Value;

use super::describe::{Reading, word};

/// The reading of a record that nothing else reads.
pub(super) fn read(record: &Value) -> Reading {
    Reading {
        table: Table::OtherEvents,
        category: word(record, &["category", "Type", "ActionType"])
            .unwrap_or_default()
            .into_owned(),
        id: &[],
        id_prefix: String::new(),
        time: &[
            "createdDateTime",
            "activityDateTime",
            "CreationTime",
            "TimeGenerated",
            "Timestamp",
            "time",
        ],
    }
}
