//! Where the lake is, and how batches are gathered.

use std::time::Duration;

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
    /// How long files that compaction replaced stay readable, in hours, counted from their replacement: 1 to 168.
    ///
    /// The tables promise seven days to every reader (`delta.deletedFileRetentionDuration`). A file that detect has not
    /// read stays longer, at most [`UNREAD_FILES_WAIT_MAX`].
    pub replaced_files_hours: u64,
    /// Most identities held in memory for each table; beyond it the least recently used days are read again when needed.
    pub identities: usize,
    /// The consumer group that reads announced files; filled from what is configured of detect.
    #[serde(skip, default = "announced_to")]
    pub announced_to: String,
}

fn announced_to() -> String {
    "detect".to_owned()
}

/// Longest that a replaced file waits for detect to read it: beyond it detect finds its rows in the file that has them
/// now, and a detect that never comes must not fill the disk.
pub const UNREAD_FILES_WAIT_MAX: Duration = Duration::from_hours(30 * 24);

/// Shortest and longest time that replaced files stay readable: a commit in flight names files that nobody holds yet,
/// and the log remembers removals for seven days.
const REPLACED_FILES_HOURS: (u64, u64) = (1, 168);

impl LakeConfig {
    /// How long a replaced file stays readable.
    pub(crate) fn replaced_files_age(&self) -> Duration {
        let (least, most) = REPLACED_FILES_HOURS;
        Duration::from_hours(self.replaced_files_hours.clamp(least, most))
    }
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
            replaced_files_hours: 168,
            identities: IDENTITIES_DEFAULT,
            announced_to: announced_to(),
        }
    }
}
