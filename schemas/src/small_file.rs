//! The one way to read a small file that a person or another program puts in place: a rule, a playbook, a configuration,
//! a secret, a certificate.
//!
//! Whoever reads it may be a stage that others wait for, and in such a place may stand anything: a pipe that nobody writes
//! to, a device without end, a file of a server that does not answer. So only regular files are read, links followed; no
//! more of them than is asked for; and for so long only.

use std::collections::BTreeSet;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use crate::limits::{SMALL_FILE_BYTES_PER_SECOND, SMALL_FILE_WAIT};

/// Files and folders whose file system has not answered yet, after the wait for them was over.
static UNANSWERED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// Its bytes, at most one more than was asked for, by which a larger file is known.
    pub bytes: Vec<u8>,
    /// Its permission bits.
    pub mode: u32,
}

/// Reads a regular file, at most one byte more than `bytes_max`; blocks for a bounded time.
///
/// # Errors
/// If it cannot be read, is no regular file, or the file system does not answer in time; the error says which.
pub fn read(path: &Path, bytes_max: u64) -> io::Result<Content> {
    let wait = SMALL_FILE_WAIT + Duration::from_secs(bytes_max / SMALL_FILE_BYTES_PER_SECOND);
    let of = path.to_owned();
    within(path, wait, move || {
        // Before it is opened, because opening a device may do something.
        check(&std::fs::metadata(&of)?)?;
        let file = open(&of)?;
        let facts = file.metadata()?;
        check(&facts)?;
        let mut bytes = Vec::new();
        file.take(bytes_max.saturating_add(1))
            .read_to_end(&mut bytes)?;
        Ok(Content {
            bytes,
            mode: facts.permissions().mode() & 0o7777,
        })
    })
}

/// Reads a regular file of text, whole.
///
/// # Errors
/// As [`read`], and if it has more than `bytes_max` bytes or is not UTF-8.
pub fn read_text(path: &Path, bytes_max: u64) -> io::Result<String> {
    let content = read(path, bytes_max)?;
    if content.bytes.len() as u64 > bytes_max {
        let why = format!("it has more than {bytes_max} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
    }
    String::from_utf8(content.bytes)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"))
}

/// Opens without waiting for somebody at the other end.
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)
}

fn check(facts: &Metadata) -> io::Result<()> {
    let kind = facts.file_type();
    let found = if kind.is_file() {
        return Ok(());
    } else if kind.is_dir() {
        "a folder"
    } else if kind.is_fifo() {
        "a named pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    };
    let why = format!("it is {found}, and only regular files are read");
    Err(io::Error::new(io::ErrorKind::InvalidInput, why))
}

/// Does what asks the file system about `path`, for a bounded time; blocks.
///
/// What does not end in time is left to itself, and until it has ended nothing more is asked about what is in the same
/// folder, or in that one: each question would take as long, and hold a thread.
///
/// # Errors
/// Those of `work`, and [`io::ErrorKind::TimedOut`].
pub fn within<T: Send + 'static>(
    path: &Path,
    wait: Duration,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    if let Some(other) = unanswered_beside(path) {
        let why = format!(
            "the file system has not answered yet about {}",
            other.display()
        );
        return Err(io::Error::new(io::ErrorKind::TimedOut, why));
    }
    let (done, answer) = mpsc::sync_channel(1);
    let asked = path.to_owned();
    thread::Builder::new()
        .name("small-file".to_owned())
        .spawn(move || {
            let outcome = work();
            let mut unanswered = UNANSWERED.lock().unwrap_or_else(PoisonError::into_inner);
            // Whoever waits no longer has no use for it.
            drop(done.try_send(outcome));
            unanswered.remove(&asked);
        })?;
    if let Ok(outcome) = answer.recv_timeout(wait) {
        return outcome;
    }
    let mut unanswered = UNANSWERED.lock().unwrap_or_else(PoisonError::into_inner);
    match answer.try_recv() {
        Ok(outcome) => outcome,
        Err(mpsc::TryRecvError::Empty) => {
            unanswered.insert(path.to_owned());
            let why = format!("the file system did not answer within {} s", wait.as_secs());
            Err(io::Error::new(io::ErrorKind::TimedOut, why))
        }
        Err(mpsc::TryRecvError::Disconnected) => Err(io::Error::other("reading ended by a fault")),
    }
}

fn unanswered_beside(path: &Path) -> Option<PathBuf> {
    let unanswered = UNANSWERED.lock().unwrap_or_else(PoisonError::into_inner);
    let is_beside = |other: &&PathBuf| {
        other.as_path() == path || other.parent() == path.parent() || path.parent() == Some(other)
    };
    unanswered.iter().find(is_beside).cloned()
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::os::unix::fs::symlink;
    use std::path::Path;
    use std::process::Command;
    use std::sync::mpsc;
    use std::time::{Duration, Instant};

    use super::{read, read_text, within};

    #[test]
    fn regular_files_are_read_and_nothing_that_blocks_or_has_no_end() {
        let folder = std::env::temp_dir().join(format!("small-file-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let at = |name: &str| folder.join(name);
        std::fs::write(at("file"), "12345").unwrap();
        symlink(at("file"), at("link")).unwrap();
        symlink("/dev/zero", at("endless")).unwrap();
        assert!(
            Command::new("mkfifo")
                .arg(at("pipe"))
                .status()
                .unwrap()
                .success()
        );
        symlink(at("pipe"), at("link to a pipe")).unwrap();
        assert_eq!(read(&at("link"), 3).unwrap().bytes, b"1234");
        assert_eq!(read_text(&at("link"), 5).unwrap(), "12345");
        let kind = |path: &Path| read_text(path, 4).unwrap_err().kind();
        assert_eq!(kind(&at("file")), ErrorKind::FileTooLarge);
        assert_eq!(kind(&at("none")), ErrorKind::NotFound);
        for (path, found) in [
            (at("pipe"), "a named pipe"),
            (at("link to a pipe"), "a named pipe"),
            (at("endless"), "a device"),
            (folder.clone(), "a folder"),
        ] {
            let told = read(&path, 9).unwrap_err().to_string();
            assert!(told.contains(found), "{}: {told}", path.display());
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }

    /// As a server that is away: the first waits its time, others of its folder do not, and once it answers all is well.
    #[test]
    fn a_file_system_that_does_not_answer_is_waited_for_once() {
        let (answer, answered) = mpsc::channel::<()>();
        let wait = Duration::from_millis(50);
        let path = Path::new("/away/rules/a.yml");
        let first = within(path, wait, move || {
            answered.recv().map_err(std::io::Error::other)
        });
        assert_eq!(first.unwrap_err().kind(), ErrorKind::TimedOut);
        let began = Instant::now();
        let beside = Path::new("/away/rules/b.yml");
        let second = within(beside, Duration::from_mins(1), || Ok(()));
        assert!(second.unwrap_err().to_string().contains("a.yml"));
        assert!(began.elapsed() < Duration::from_secs(30), "it did not wait");
        let other = within(Path::new("/here/b.yml"), wait * 100, || Ok(7));
        assert_eq!(other.unwrap(), 7);
        drop(answer);
        while within(beside, Duration::from_secs(5), || Ok(())).is_err() {
            assert!(began.elapsed() < Duration::from_mins(1));
        }
    }
}
