//! Records of formats that no table takes: kept as they are. Pure.

use schemas::tables::Table;
use serde_json::Value;

use super::reading::{Reading, word};

/// The reading of a record that nothing else reads.
pub(super) fn read(record: &Value) -> Reading {
    Reading {
        name: "something that no format describes",
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
