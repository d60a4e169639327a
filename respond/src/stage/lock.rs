//! One process acts on a journal: the one that has its lock.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::error::RespondError;
use crate::journal::file::beside;

/// How often a taken journal is tried again.
const LOCK_EVERY: Duration = Duration::from_secs(1);

fn lock_path(journal: &Path) -> PathBuf {
    beside(journal, ".lock")
}

/// Whether a process of this machine acts on a journal now, as far as its lock tells.
pub fn is_running(journal: &Path) -> bool {
    // Without a lock file, or a right to open it, nobody is known to act.
    File::open(lock_path(journal))
        .is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
}

/// Waits for the journal's lock; none if the stage is stopped before. The system frees it when the process dies.
pub(super) async fn take(
    journal: &Path,
    stop: &CancellationToken,
) -> Result<Option<File>, RespondError> {
    let path = lock_path(journal);
    let cannot = |cause: io::Error| RespondError::File {
        what: "lock",
        path: path.clone(),
        cause,
    };
    if let Some(folder) = journal.parent() {
        fs::create_dir_all(folder).map_err(cannot)?;
    }
    let file = File::create(&path).map_err(cannot)?;
    let mut was_told = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::Error(cause)) => return Err(cannot(cause)),
            Err(TryLockError::WouldBlock) => {}
        }
        if !was_told {
            tracing::warn!(journal = %journal.display(), "another process acts on this journal; waiting for it to end");
            was_told = true;
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(None),
            () = tokio::time::sleep(LOCK_EVERY) => {}
        }
    }
}
