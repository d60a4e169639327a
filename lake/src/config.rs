//! Where the lake is, and how batches are gathered.

use serde::{Deserialize, Serialize};

use schemas::limits::{BATCH_ROWS_MAX, BATCH_WAIT_DEFAULT};

/// Where the lake is, and how batches are gathered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LakeConfig {
    /// Folder of the tables: a path, relative to the data folder, or a `file://` URL.
    pub location: String,
    /// Name of the consumer group.
    pub group: String,
    /// Most rows of a batch; at most 50,000.
    pub batch_rows: usize,
    /// Longest that a record waits for its batch, in milliseconds.
    pub batch_wait_ms: u64,
    /// Commits of a table between two checkpoints of its log.
    pub checkpoint_commits: u64,
    /// Commits of a table between two compactions.
    pub compaction_commits: u64,
    /// Files below this size are joined by compaction, and it writes files of about this size, in megabytes.
    pub compaction_megabytes: u64,
    /// How long files that compaction replaced stay readable, in hours.
    pub replaced_files_hours: u64,
    /// Most identities held in memory for each table; beyond it the least recently used days are read again when needed.
    pub identities: usize,
}

/// Most identities held in memory for each table, where the configuration does not say: about 50 bytes each.
pub const IDENTITIES_DEFAULT: usize = 4_000_000;

impl Default for LakeConfig {
    fn default() -> Self {
        Self {
            location: "lake".to_owned(),
            group: "lake".to_owned(),
            batch_rows: BATCH_ROWS_MAX,
            batch_wait_ms: u64::try_from(BATCH_WAIT_DEFAULT.as_millis()).unwrap_or(u64::MAX),
            checkpoint_commits: 100,
            compaction_commits: 200,
            compaction_megabytes: 64,
            replaced_files_hours: 24,
            identities: IDENTITIES_DEFAULT,
        }
    }
}
