//! One process at a time runs stages on a data folder with the embedded log.

use std::fs::{File, TryLockError};
use std::path::Path;

use anyhow::Context as _;

use super::LOCK_FILE;

/// Held while this process runs stages on the folder; given back when it ends, however it ends.
#[derive(Debug)]
pub(crate) struct DataLock(
    #[expect(dead_code, reason = "the lock lives as long as the file is open")] File,
);

impl DataLock {
    /// Takes the lock of a folder, which is there.
    pub(crate) fn take(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join(LOCK_FILE);
        let file =
            File::create(&path).with_context(|| format!("could not open {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => anyhow::bail!(
                "another vedette runs on {}; stop it, or give this one another folder with `data` in its configuration",
                folder.display()
            ),
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("could not lock {}", path.display()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::DataLock;

    #[test]
    fn a_folder_is_taken_once_at_a_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = DataLock::take(folder.path()).expect("it is free");
        let refused = DataLock::take(folder.path()).expect_err("it is taken");
        assert!(refused.to_string().contains("another vedette"));
        drop(first);
        DataLock::take(folder.path()).expect("it is free again");
    }
}
