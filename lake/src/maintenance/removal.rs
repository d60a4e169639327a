//! Removes files that no version in use holds: replaced by compaction, or left behind by a crash before their commit.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use bus::{Bus, Position};
use schemas::topics::Topic;
use tokio::task::spawn_blocking;

use crate::announce::is_announced;
use crate::config::{LakeConfig, UNREAD_FILES_WAIT_MAX};
use crate::error::LakeError;
use crate::writer::SharedTable;

/// Folders between a table and its files: tenant, day.
const DEPTH_MAX: usize = 2;

/// How long a file that nobody holds must have been seen before it is taken for one that a crash left behind: another
/// writer may be about to commit it, and what its folder says of its age is no proof.
const NOTICED_AGE: Duration = Duration::from_hours(1);

/// What is known of a file that the table does not hold; times in microseconds since the Unix epoch, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::struct_field_names,
    reason = "all are times, and a unit is in the name"
)]
struct Unused {
    /// When a commit removed it; none if no commit is known that did.
    removed_us: Option<i64>,
    /// When it was seen first by this process.
    noticed_us: i64,
    /// When it was written, as its folder says.
    modified_us: i64,
}

impl Unused {
    /// Whether it can go: replaced long ago and read by then by whoever reads announcements, or nobody's for long.
    fn may_go(self, age: Duration, read_before_us: i64, now_us: i64) -> bool {
        let is_past = |time_us: i64, age: Duration| {
            let age_us = i64::try_from(age.as_micros()).unwrap_or(i64::MAX);
            time_us.saturating_add(age_us) <= now_us
        };
        match self.removed_us {
            Some(removed_us) => {
                is_past(removed_us, age)
                    && (removed_us < read_before_us || is_past(removed_us, UNREAD_FILES_WAIT_MAX))
            }
            None => is_past(self.modified_us, age) && is_past(self.noticed_us, NOTICED_AGE),
        }
    }
}

/// How far the announcements of files have been read by the group that must have read them.
pub(super) struct Reading {
    bus: Bus,
    group: String,
    /// Where the announcements ended at a moment that the group has not been seen to pass.
    mark: Option<(i64, Vec<Position>)>,
    /// Everything that was announced before this time has been read.
    read_before_us: i64,
}

impl Reading {
    pub(super) fn new(bus: Bus, group: String) -> Self {
        Self {
            bus,
            group,
            mark: None,
            read_before_us: i64::MIN,
        }
    }

    /// The time before which everything that was announced has been read.
    async fn look(&mut self, now_us: i64) -> Result<i64, LakeError> {
        let committed = self.bus.committed(&self.group, Topic::Batches).await?;
        let ends = self.bus.ends(Topic::Batches).await?;
        if bus::has_passed(&committed, &ends) {
            (self.read_before_us, self.mark) = (now_us, None);
        } else if let Some((at_us, _)) = self
            .mark
            .take_if(|(_, ends)| bus::has_passed(&committed, ends))
        {
            self.read_before_us = at_us;
        }
        if self.mark.is_none() {
            self.mark = Some((now_us, ends));
        }
        Ok(self.read_before_us)
    }
}

/// Removes data files that the table does not hold and that nobody can want any more.
///
/// `noticed` remembers between turns when files that nobody holds were seen first.
pub(super) async fn remove_unused(
    live: &SharedTable,
    config: &LakeConfig,
    reading: &mut Reading,
    noticed: &mut HashMap<PathBuf, i64>,
    now_us: i64,
) -> Result<(), LakeError> {
    // Listed first: a file that is listed and committed in between is in the snapshot.
    let root = live.lock().await.root().to_owned();
    let folder = root.clone();
    let listed = spawn_blocking(move || {
        let mut found = Vec::new();
        list(&folder, DEPTH_MAX, &mut found).map(|()| found)
    })
    .await?
    .map_err(|cause| LakeError::File {
        verb: "list",
        path: root.clone(),
        cause,
    })?;
    let read_before_us = if is_announced(live.lock().await.table) {
        reading.look(now_us).await?
    } else {
        i64::MAX
    };
    let mut live = live.lock().await;
    live.refresh().await?;
    let name_of = |path: &Path| {
        let name = path.strip_prefix(&root).ok().and_then(Path::to_str);
        name.unwrap_or_default().to_owned()
    };
    let snapshot = std::sync::Arc::clone(live.snapshot());
    let unused: Vec<(PathBuf, i64)> = listed
        .into_iter()
        .filter(|(path, _)| !snapshot.files.contains_key(&name_of(path)))
        .collect();
    let there: HashSet<&Path> = unused.iter().map(|(path, _)| path.as_path()).collect();
    noticed.retain(|path, _| there.contains(path.as_path()));
    for (path, modified_us) in unused {
        let name = name_of(&path);
        let file = Unused {
            removed_us: live.removals().get(&name).map(|ms| ms.saturating_mul(1000)),
            noticed_us: *noticed.entry(path.clone()).or_insert(now_us),
            modified_us,
        };
        if !file.may_go(config.replaced_files_age(), read_before_us, now_us) {
            continue;
        }
        live.disk().remove(&path).map_err(|cause| LakeError::File {
            verb: "remove",
            path: path.clone(),
            cause,
        })?;
        live.removals().remove(&name);
        metrics::counter!("lake_files_removed_total").increment(1);
    }
    Ok(())
}

/// Data files with the times at which they were written, in microseconds since the Unix epoch, UTC.
fn list(folder: &Path, depth: usize, found: &mut Vec<(PathBuf, i64)>) -> io::Result<()> {
    for item in fs::read_dir(folder)? {
        let item = item?;
        let kind = item.file_type()?;
        let path = item.path();
        // Never the log: its checkpoints are Parquet too.
        let is_of_rows = item
            .file_name()
            .to_str()
            .is_some_and(|name| name.contains('='));
        if kind.is_dir() && is_of_rows && depth > 0 {
            list(&path, depth - 1, found)?;
        } else if kind.is_file()
            && path
                .extension()
                .is_some_and(|extension| extension == "parquet")
        {
            let modified = item.metadata()?.modified()?;
            let since = modified.duration_since(UNIX_EPOCH).unwrap_or_default();
            found.push((path, i64::try_from(since.as_micros()).unwrap_or(i64::MAX)));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Unused;
    use std::time::Duration;

    const HOUR_US: i64 = 3_600_000_000;
    const AGE: Duration = Duration::from_hours(168);

    #[track_caller]
    fn check(removed: Option<i64>, noticed: i64, modified: i64, read: i64, expected: bool) {
        let file = Unused {
            removed_us: removed.map(|hours| hours * HOUR_US),
            noticed_us: noticed * HOUR_US,
            modified_us: modified * HOUR_US,
        };
        assert_eq!(
            file.may_go(AGE, read * HOUR_US, 10_000 * HOUR_US),
            expected,
            "{file:?} read before {read}"
        );
    }

    #[test]
    fn a_replaced_file_goes_by_the_time_of_its_replacement() {
        // Written long ago, replaced a moment ago.
        check(Some(9_999), 0, 0, 10_000, false);
        check(Some(9_833), 0, 10_000, 10_000, false);
        check(Some(9_832), 0, 10_000, 10_000, true);
    }

    #[test]
    fn a_file_that_nobody_has_read_stays_for_a_month() {
        check(Some(9_800), 0, 0, 9_800, false);
        check(Some(9_280), 0, 0, 9_000, true);
    }

    #[test]
    fn nobodys_file_must_be_old_and_known_for_a_while() {
        check(None, 9_999, 0, 0, true);
        check(None, 10_000, 0, 0, false);
        check(None, 0, 9_999, 0, false);
    }
}
