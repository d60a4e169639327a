//! A lease beside the embedded log: a locked file, for the processes of one machine.
//!
//! The system frees the lock when its process ends. The file says who was given the lock last, so that a holder notices
//! when somebody has put another file in its place.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::BusError;
use crate::lease::{Confirmed, Told, Waiting, since_start, this_process};

/// How often a taken lease is tried again, and a held one is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Most bytes that are read of what the file says.
const WORD_BYTES_MAX: u64 = 1024;

/// A lease that this process was given.
pub struct LogLease {
    path: PathBuf,
    file: File,
    word: Word,
}

/// What the file says.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Word {
    epoch: u64,
    holder: String,
}

impl Word {
    /// As it was written; none for an empty or strange file.
    fn read(text: &str) -> Option<Self> {
        let (epoch, holder) = text.trim_end().split_once(' ')?;
        Some(Self {
            epoch: epoch.parse().ok()?,
            holder: holder.to_owned(),
        })
    }
}

impl LogLease {
    pub(super) async fn take(log: &Path, name: &str, told: Told<'_>) -> Result<Self, BusError> {
        let mut path = log.as_os_str().to_owned();
        path.push(format!(".{name}.lease"));
        let path = PathBuf::from(path);
        let failed = |cause| BusError::LeaseFile {
            path: path.clone(),
            cause,
        };
        loop {
            let file = open(&path).map_err(failed)?;
            match file.try_lock() {
                Ok(()) => {
                    let word = claim(&file, this_process()).map_err(failed)?;
                    return Ok(Self { path, file, word });
                }
                Err(TryLockError::WouldBlock) => {
                    let word = read(&file).ok().and_then(|text| Word::read(&text));
                    let holder = word.map_or_else(|| "another".to_owned(), |word| word.holder);
                    told(Waiting::Behind(format!("{holder} acts")));
                }
                Err(TryLockError::Error(cause)) => return Err(failed(cause)),
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.word.epoch
    }

    /// The file of that name is still the one that this process has locked, and says so.
    pub(crate) fn confirm(&self) -> Result<Confirmed, BusError> {
        let lost = |why: String| BusError::LeaseLost { why };
        let asked =
            since_start().ok_or_else(|| lost("no clock tells how fresh it is".to_owned()))?;
        let look = || {
            let (ours, there) = (self.file.metadata()?, self.path.metadata()?);
            let is_ours = (ours.dev(), ours.ino()) == (there.dev(), there.ino());
            Ok(is_ours && Word::read(&read(&self.file)?).as_ref() == Some(&self.word))
        };
        match look() {
            Ok(true) => Ok(Confirmed::at(self.word.epoch, asked)),
            Ok(false) => Err(lost(format!(
                "{} is another file, or another's",
                self.path.display()
            ))),
            Err(error) => {
                let error: io::Error = error;
                Err(lost(format!("{}: {error}", self.path.display())))
            }
        }
    }

    pub(crate) async fn lost(&self) -> String {
        loop {
            if let Err(error) = self.confirm() {
                return error.to_string();
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
}

fn read(mut file: &File) -> io::Result<String> {
    let mut text = String::new();
    file.rewind()?;
    file.take(WORD_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}

/// Writes into a locked file whose it is, with the next epoch.
fn claim(mut file: &File, holder: String) -> io::Result<Word> {
    let before = read(file).ok().and_then(|text| Word::read(&text));
    let word = Word {
        epoch: before.map_or(1, |word| word.epoch.saturating_add(1)),
        holder,
    };
    file.rewind()?;
    file.set_len(0)?;
    file.write_all(format!("{} {}\n", word.epoch, word.holder).as_bytes())?;
    Ok(word)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::{LOOK_EVERY, LogLease};
    use crate::error::BusError;

    #[tokio::test]
    async fn the_second_waits_until_the_first_is_gone_and_hears_who_holds_it() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let first = LogLease::take(&log, "respond", &|_| {}).await.unwrap();
        first.confirm().unwrap();
        let heard = Mutex::new(String::new());
        let told = |waiting| *heard.lock().unwrap() = format!("{waiting:?}");
        let second = LogLease::take(&log, "respond", &told);
        tokio::pin!(second);
        let waits = tokio::time::timeout(LOOK_EVERY * 3, &mut second).await;
        assert!(waits.is_err(), "two hold it");
        assert!(heard.lock().unwrap().contains(") acts"));
        let epoch = first.epoch();
        drop(first);
        let second = second.await.unwrap();
        assert_eq!(second.epoch(), epoch + 1);
        second.confirm().unwrap();
    }

    #[tokio::test]
    async fn a_file_put_in_its_place_ends_it() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let first = LogLease::take(&log, "respond", &|_| {}).await.unwrap();
        std::fs::remove_file(folder.path().join("log.respond.lease")).unwrap();
        let second = LogLease::take(&log, "respond", &|_| {}).await.unwrap();
        let refused = first.confirm().unwrap_err();
        assert!(matches!(refused, BusError::LeaseLost { .. }), "{refused}");
        assert!(first.lost().await.contains("another file"));
        second.confirm().unwrap();
    }
}
