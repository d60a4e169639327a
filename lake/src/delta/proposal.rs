//! What is to become one commit, and the files that it adds.

use serde_json::Value;

use super::advance::Advance;

/// A data file that is part of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DataFile {
    /// Path inside the table's folder.
    pub(crate) path: String,
    /// The tenant of all its rows.
    pub(crate) tenant_id: String,
    /// The day of all its rows, in days since the Unix epoch.
    pub(crate) day: i32,
    /// Number of rows; none if a foreign writer did not say.
    pub(crate) rows: Option<u64>,
    /// Size in bytes.
    pub(crate) bytes: u64,
    /// Bounds of its event times in microseconds, if every row has one.
    pub(crate) event_times: Option<(i64, i64)>,
    /// When it was written, in milliseconds since the Unix epoch.
    pub(crate) modified_ms: i64,
}

/// What is to become one commit.
#[derive(Debug, Clone, Default)]
pub(crate) struct Proposal {
    /// Files to add.
    pub(crate) added: Vec<DataFile>,
    /// Paths of files to remove.
    pub(crate) removed: Vec<String>,
    /// Partitions whose rows these are, for the table that is their home.
    pub(crate) advances: Vec<Advance>,
    /// Other application transactions.
    pub(crate) transactions: Vec<(String, i64)>,
    /// The table's description, if it changes.
    pub(crate) metadata: Option<Value>,
    /// True if the added files hold only rows of the removed ones.
    pub(crate) is_rearrangement: bool,
    /// Set if rows of other writers may be the same as these: how many of their commits were looked at.
    pub(crate) after_foreign_commits: Option<u64>,
}
