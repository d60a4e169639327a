//! A disk that is full, stands still or fails, for one table.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use lake::disk::{Disk, LocalDisk};
use schemas::tables::Table;

use crate::house::eventually;

/// What a broken disk does to a commit of the table whose folder's name it knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The process stands still before the commit's log entry is written.
    BeforeCommit,
    /// The process stands still once the commit is visible.
    AfterCommit,
    /// No room for data files.
    FullForFiles,
    /// No room for log entries.
    FullForLog,
    /// The commit is visible, and its folder could not be synchronised.
    VisibleYetFailed,
}

/// A disk with one fault for one table, until it is mended.
pub(crate) struct BrokenDisk {
    table: Table,
    fault: Fault,
    mended: AtomicBool,
    /// True once the fault has struck.
    pub(crate) struck: AtomicBool,
    /// How often the folder was synchronised by itself, and how often that fails before it succeeds.
    pub(crate) synchronised: AtomicU64,
    pub(crate) synchronise_fails: AtomicU64,
}

impl BrokenDisk {
    pub(crate) fn new(table: Table, fault: Fault) -> Arc<Self> {
        Arc::new(Self {
            table,
            fault,
            mended: AtomicBool::new(false),
            struck: AtomicBool::new(false),
            synchronised: AtomicU64::new(0),
            synchronise_fails: AtomicU64::new(0),
        })
    }

    pub(crate) fn mend(&self) {
        self.mended.store(true, Ordering::SeqCst);
    }

    pub(crate) async fn has_struck(&self) {
        eventually("the fault strikes", || async {
            self.struck.load(Ordering::SeqCst)
        })
        .await;
    }

    fn concerns(&self, path: &Path) -> bool {
        path.components()
            .any(|part| part.as_os_str() == self.table.name())
            && !path.ends_with("00000000000000000000.json")
            && !self.mended.load(Ordering::SeqCst)
    }

    fn strikes(&self, path: &Path) -> bool {
        let is_hit = self.concerns(path);
        if is_hit {
            self.struck.store(true, Ordering::SeqCst);
        }
        is_hit
    }
}

impl BrokenDisk {
    /// Stands still as a killed process does; the one who waited for it is gone by the time it goes on.
    fn stand_still(&self) {
        while !self.mended.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Disk for BrokenDisk {
    fn synchronise(&self, folder: &Path) -> io::Result<()> {
        let fails = self.synchronise_fails.load(Ordering::SeqCst);
        if fails > 0 {
            self.synchronise_fails.store(fails - 1, Ordering::SeqCst);
            return Err(io::Error::other("the folder cannot be synchronised"));
        }
        self.synchronised.fetch_add(1, Ordering::SeqCst);
        LocalDisk.synchronise(folder)
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        if self.fault == Fault::FullForFiles && self.strikes(path) {
            // Half of it arrives, as on a real disk.
            LocalDisk.write(path, &bytes[..bytes.len() / 2])?;
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        LocalDisk.write(path, bytes)
    }

    fn publish(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        if !self.concerns(path) {
            return LocalDisk.publish(path, bytes);
        }
        match self.fault {
            Fault::BeforeCommit => {
                self.strikes(path);
                self.stand_still();
                Err(io::Error::from(io::ErrorKind::Interrupted))
            }
            Fault::AfterCommit => {
                LocalDisk.publish(path, bytes)?;
                self.strikes(path);
                self.stand_still();
                Ok(())
            }
            Fault::VisibleYetFailed => {
                LocalDisk.publish(path, bytes)?;
                self.strikes(path);
                Err(io::Error::from(io::ErrorKind::Interrupted))
            }
            Fault::FullForLog => {
                self.strikes(path);
                Err(io::Error::from(io::ErrorKind::StorageFull))
            }
            Fault::FullForFiles => LocalDisk.publish(path, bytes),
        }
    }
}
