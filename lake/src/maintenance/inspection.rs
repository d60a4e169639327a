//! Looks whether data files are there and as long as the log says: what nobody reads would be damaged unseen.

use std::path::Path;
use std::time::Duration;

use parquet::errors::ParquetError;
use schemas::fate::chain;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use crate::error::LakeError;
use crate::writer::SharedTable;

/// Looks in a row, so that a disk that is away for a moment takes nothing out of a table.
const LOOKS: u32 = 3;

/// Pause between two of them.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Pause before all files are looked at anew.
const INSPECT_EVERY: Duration = Duration::from_hours(1);

/// So many damaged files and more, if they are most of a table's, are taken for another file system in the place of ours.
const STRANGE_FILES_MIN: usize = 16;

/// Looks at the files of every table now and once an hour, and hands on what is amiss, until `stop`.
pub(super) async fn run(
    tables: &[SharedTable],
    found: &mpsc::Sender<LakeError>,
    stop: &CancellationToken,
) {
    let looking = async {
        loop {
            for table in tables {
                look(table, found).await;
            }
            tokio::time::sleep(INSPECT_EVERY).await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = looking => {}
    }
}

async fn look(live: &SharedTable, found: &mpsc::Sender<LakeError>) {
    for look in 0..LOOKS {
        let damaged = match inspect(live).await {
            Ok(damaged) => damaged,
            Err(error) => {
                tracing::warn!(error = chain(&error), "could not look at a table's files");
                return;
            }
        };
        if damaged.is_empty() {
            return;
        }
        for error in damaged {
            // The stage takes a file out once it has heard of it often enough.
            if found.send(error).await.is_err() {
                return;
            }
        }
        if look + 1 < LOOKS {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

/// The files of a table that are not as long as they were written.
async fn inspect(live: &SharedTable) -> Result<Vec<LakeError>, LakeError> {
    let (table, root, files) = {
        let live = live.lock().await;
        let files: Vec<_> = live.snapshot().files.values().cloned().collect();
        (live.table, live.root().to_owned(), files)
    };
    let all = files.len();
    let damaged: Vec<LakeError> = spawn_blocking(move || {
        files
            .iter()
            .filter_map(|file| {
                let path = root.join(&file.path);
                let what = amiss(&path, file.bytes)?;
                Some(LakeError::Damaged {
                    table,
                    path,
                    cause: ParquetError::General(what),
                })
            })
            .collect()
    })
    .await?;
    if damaged.len() >= STRANGE_FILES_MIN && damaged.len() * 2 > all {
        tracing::error!(%table, files = all, amiss = damaged.len(),
            "most files are not as they were written; nothing is taken out: is the right file system mounted?");
        return Ok(Vec::new());
    }
    Ok(damaged)
}

/// What is wrong with a file of which the log says how long it is; none if that cannot be said.
fn amiss(path: &Path, bytes: u64) -> Option<String> {
    match path.metadata() {
        Ok(metadata) if metadata.len() == bytes => None,
        Ok(metadata) => Some(format!(
            "it has {} bytes, and {bytes} were written",
            metadata.len()
        )),
        Err(error)
            if error.kind() == std::io::ErrorKind::NotFound
                && path.parent().is_some_and(Path::is_dir) =>
        {
            Some("it is gone".to_owned())
        }
        // A file system that is away: whoever reads it will tell.
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::amiss;

    #[test]
    fn a_file_is_as_long_as_it_was_written_or_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("part.parquet");
        assert_eq!(amiss(&path, 4).as_deref(), Some("it is gone"));
        let unmounted = folder.path().join("day=2026-11-29/part.parquet");
        assert_eq!(amiss(&unmounted, 4), None);
        std::fs::write(&path, "PAR1").unwrap();
        assert_eq!(amiss(&path, 4), None);
        let short = amiss(&path, 9);
        assert_eq!(short.as_deref(), Some("it has 4 bytes, and 9 were written"));
    }
}
