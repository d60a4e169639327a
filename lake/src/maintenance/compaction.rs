//! Joins the small files of a tenant and day, with the same writer and the same types.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::task::spawn_blocking;

use crate::config::LakeConfig;
use crate::deduplication::Day;
use crate::delta::{DataFile, Outcome, Proposal, Snapshot, file, log};
use crate::error::LakeError;
use crate::writer::SharedTable;

/// Bytes of a megabyte.
const MEGABYTE: u64 = 1024 * 1024;

/// Joins what is worth joining, in one commit for each tenant and day.
pub(super) async fn compact(
    live: &SharedTable,
    config: &LakeConfig,
    now_us: i64,
) -> Result<(), LakeError> {
    let snapshot = Arc::clone(live.lock().await.snapshot());
    let mut outcome = Ok(());
    for files in plan(&snapshot, config.compaction_megabytes * MEGABYTE) {
        match join(live, &files, now_us).await {
            // Somebody else was quicker: the next turn sees what is left to do.
            Err(LakeError::Replaced { .. }) => {}
            // A file that cannot be read is a matter of its tenant and day.
            Err(error) if error.unreadable_file().is_some() => outcome = Err(error),
            other => other?,
        }
    }
    outcome
}

/// Groups of small files to be joined into one each: oldest first, each group at most about `target` bytes.
fn plan(snapshot: &Snapshot, target: u64) -> Vec<Vec<Arc<DataFile>>> {
    // Those of rows without times stay by themselves, so that the bounds of the others hold.
    let mut small: BTreeMap<(Day, bool), Vec<Arc<DataFile>>> = BTreeMap::new();
    for file in snapshot.files.values().filter(|file| file.bytes < target) {
        let day = Day {
            tenant_id: file.tenant_id.clone(),
            day: file.day,
        };
        let has_times = file.event_times.is_some();
        let of_day = small.entry((day, has_times)).or_default();
        of_day.push(Arc::clone(file));
    }
    let mut groups = Vec::new();
    for mut files in small.into_values() {
        files.sort_by(|one, other| {
            (one.modified_ms, &one.path).cmp(&(other.modified_ms, &other.path))
        });
        let mut group: Vec<Arc<DataFile>> = Vec::new();
        let mut bytes = 0;
        for file in files {
            if bytes + file.bytes > target {
                groups.push(std::mem::take(&mut group));
                bytes = 0;
            }
            bytes += file.bytes;
            group.push(file);
        }
        groups.push(group);
    }
    groups.retain(|group| group.len() > 1);
    groups
}

async fn join(live: &SharedTable, files: &[Arc<DataFile>], now_us: i64) -> Result<(), LakeError> {
    let Some(first) = files.first() else {
        return Ok(());
    };
    let (table, root, disk) = {
        let live = live.lock().await;
        (live.table, live.root().to_owned(), Arc::clone(live.disk()))
    };
    let described = DataFile {
        path: file::new_path(&first.tenant_id, first.day),
        tenant_id: first.tenant_id.clone(),
        day: first.day,
        rows: None,
        bytes: 0,
        event_times: files
            .iter()
            .map(|file| file.event_times)
            .reduce(|one, other| one.zip(other).map(|((a, b), (c, d))| (a.min(c), b.max(d))))
            .flatten(),
        modified_ms: log::millisecond(now_us),
    };
    let paths: Vec<_> = files
        .iter()
        .map(|file| file::absolute(&root, table, &file.path))
        .collect::<Result<_, _>>()?;
    let joined = spawn_blocking(move || {
        let batches = paths
            .into_iter()
            .flat_map(|path| -> Box<dyn Iterator<Item = _>> {
                match file::read(table, &path) {
                    Ok(batches) => Box::new(batches),
                    Err(error) => Box::new(std::iter::once(Err(error))),
                }
            });
        file::write(disk.as_ref(), &root, described, table, batches)
    })
    .await??;
    let path = joined.path.clone();
    let proposal = Proposal {
        added: vec![joined],
        removed: files.iter().map(|file| file.path.clone()).collect(),
        is_rearrangement: true,
        ..Proposal::default()
    };
    let mut live = live.lock().await;
    match live.commit(&proposal, now_us).await {
        Ok(Outcome::Committed(version)) => {
            metrics::counter!("lake_compactions_total", "table" => table.name()).increment(1);
            tracing::debug!(%table, version, files = files.len(), "joined files");
            Ok(())
        }
        Ok(Outcome::Overtaken) => Ok(()),
        Err(error) => {
            live.refresh().await?;
            if !live.snapshot().files.contains_key(&path)
                && let Err(error) = live.disk().remove(&live.root().join(&path))
            {
                tracing::warn!(%table, path, %error, "could not remove an unused file");
            }
            Err(error)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::plan;
    use crate::delta::{DataFile, Snapshot};
    use std::sync::Arc;

    fn snapshot(files: &[(&str, i32, u64)]) -> Snapshot {
        let mut snapshot = Snapshot::default();
        for (at, (tenant, day, bytes)) in files.iter().enumerate() {
            let file = DataFile {
                path: format!("{at}.parquet"),
                tenant_id: (*tenant).to_owned(),
                day: *day,
                rows: Some(1),
                bytes: *bytes,
                event_times: None,
                modified_ms: i64::try_from(at).unwrap(),
            };
            snapshot.files.insert(file.path.clone(), Arc::new(file));
        }
        snapshot
    }

    #[test]
    fn only_small_files_of_the_same_tenant_and_day_are_joined() {
        let snapshot = snapshot(&[
            ("a", 1, 10),
            ("a", 1, 10),
            ("a", 2, 10),
            ("b", 1, 10),
            ("a", 1, 100),
        ]);
        let groups = plan(&snapshot, 100);
        let paths: Vec<Vec<&str>> = groups
            .iter()
            .map(|group| group.iter().map(|file| file.path.as_str()).collect())
            .collect();
        assert_eq!(paths, [["0.parquet", "1.parquet"]]);
    }

    #[test]
    fn a_group_stays_within_its_target() {
        let snapshot = snapshot(&[("a", 1, 60), ("a", 1, 30), ("a", 1, 30), ("a", 1, 60)]);
        let groups = plan(&snapshot, 100);
        assert_eq!(groups.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2]);
    }
}
