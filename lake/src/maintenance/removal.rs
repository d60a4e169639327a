//! Removes files that no version in use holds: replaced by compaction, or left behind by a crash before their commit.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::task::spawn_blocking;

use crate::config::LakeConfig;
use crate::error::LakeError;
use crate::writer::SharedTable;

/// Folders between a table and its files: tenant, day.
const DEPTH_MAX: usize = 2;

/// Removes data files that the table does not hold and that are older than the configured hours.
///
/// The age protects what another writer is about to commit, and readers of the versions before.
pub(super) async fn remove_unused(
    live: &SharedTable,
    config: &LakeConfig,
    now_us: i64,
) -> Result<(), LakeError> {
    // Listed first: a file that is listed and committed in between is young, and is in the snapshot anyway.
    let root = live.lock().await.root().to_owned();
    let age = Duration::from_secs(config.replaced_files_hours.saturating_mul(3600));
    let before =
        UNIX_EPOCH + Duration::from_micros(u64::try_from(now_us).unwrap_or(0)).saturating_sub(age);
    let folder = root.clone();
    let listed = spawn_blocking(move || {
        let mut found = Vec::new();
        list(&folder, DEPTH_MAX, before, &mut found).map(|()| found)
    })
    .await?
    .map_err(|cause| LakeError::File {
        verb: "list",
        path: root.clone(),
        cause,
    })?;
    let mut live = live.lock().await;
    live.refresh().await?;
    for path in listed {
        let name = path
            .strip_prefix(&root)
            .ok()
            .and_then(Path::to_str)
            .unwrap_or_default();
        if live.snapshot().files.contains_key(name) {
            continue;
        }
        live.disk().remove(&path).map_err(|cause| LakeError::File {
            verb: "remove",
            path: path.clone(),
            cause,
        })?;
        metrics::counter!("lake_files_removed_total").increment(1);
    }
    Ok(())
}

fn list(
    folder: &Path,
    depth: usize,
    before: SystemTime,
    found: &mut Vec<PathBuf>,
) -> io::Result<()> {
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
            list(&path, depth - 1, before, found)?;
        } else if kind.is_file()
            && path
                .extension()
                .is_some_and(|extension| extension == "parquet")
            && item.metadata()?.modified()? < before
        {
            found.push(path);
        }
    }
    Ok(())
}
