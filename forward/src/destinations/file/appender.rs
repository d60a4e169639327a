//! A file that is open at its end: opened, locked, written whole line by whole line.

use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use nix::unistd::{AccessFlags, access};

use super::ending::{Ending, ending};
use super::rotation::rotate;
use super::{FileConfig, holder, reserved};

/// How much of the end of a file is looked at for the last whole line: the largest notice.
const TAIL_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Longest wait for whoever has the file locked; one of ours has it for as long as the disk takes for a batch.
const LOCK_WAIT: Duration = Duration::from_secs(5);

/// Pause between two tries of it.
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// How often a file is opened that is moved away while it is.
const OPENINGS_MAX: usize = 10;

/// A file that is open at its end, which is the end of a line.
#[derive(Debug)]
pub(super) struct Appender {
    file: File,
    /// The file itself, where the configuration names a link.
    path: PathBuf,
    size: u64,
    identity: Identity,
}

/// The device and number that a file has under whatever name.
type Identity = (u64, u64);

fn identity(facts: &Metadata) -> Identity {
    (facts.dev(), facts.ino())
}

/// Appends whole lines and waits for the disk, and gives the size of the file; after an error none of them is there.
pub(super) fn append(
    appender: &mut Option<Appender>,
    config: &FileConfig,
    lines: &[u8],
    now_us: i64,
) -> io::Result<u64> {
    if let Some(open) = appender {
        lock(&open.file, &open.path)?;
    }
    // Whether it is the file of that name, and has what we left there: another may have moved it or written.
    let is_moved = |open: &Appender| match fs::metadata(&config.path) {
        Ok(there) => identity(&there) != open.identity || there.len() != open.size,
        Err(_) => true,
    };
    if appender.as_ref().is_none_or(is_moved) {
        // Let go first: it may be the same file, and its lock ours.
        *appender = None;
        *appender = Some(open(config)?);
    }
    let limit = config.rotate_megabytes.saturating_mul(1024 * 1024);
    let is_full = |open: &&mut Appender| open.size > 0 && open.size + lines.len() as u64 > limit;
    if limit > 0
        && !lines.is_empty()
        && let Some(full) = appender.as_mut().filter(is_full)
    {
        rotate(&full.path, config.keep, now_us)?;
        *appender = Some(open(config)?);
    }
    let Some(open) = appender else {
        return Err(io::Error::other("the file is not open"));
    };
    let written = open
        .file
        .write_all(lines)
        .and_then(|()| open.file.sync_data());
    if let Err(error) = written {
        // Half a line would be read as one; what cannot be cut now is when the file is opened again.
        drop(open.file.set_len(open.size));
        return Err(error);
    }
    open.size += lines.len() as u64;
    open.file.unlock()?;
    Ok(open.size)
}

/// Whether lines could be appended; writes nothing and makes no file.
pub(super) fn look(config: &FileConfig) -> io::Result<()> {
    match open_locked(config, false) {
        Ok((mut file, path)) => {
            let size = file.metadata()?.len();
            end_of(&mut file, size, config, &path).map(drop)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let path = resolve(&config.path)?;
            let folder = folder_of(&path);
            if !fs::metadata(folder)?.is_dir() {
                return Err(io::Error::from(io::ErrorKind::NotADirectory));
            }
            Ok(access(folder, AccessFlags::W_OK | AccessFlags::X_OK)?)
        }
        Err(error) => Err(error),
    }
}

/// Opens and locks the file, at the end of its last whole line.
fn open(config: &FileConfig) -> io::Result<Appender> {
    let (mut file, path) = open_locked(config, true)?;
    let facts = file.metadata()?;
    let mut size = facts.len();
    match end_of(&mut file, size, config, &path)? {
        (_, Ending::Line) => {}
        (begin, Ending::CutNotice) => {
            tracing::warn!(path = %path.display(), bytes = size - begin,
                "removed a line that was cut; its notice is written again");
            file.set_len(begin)?;
            size = begin;
        }
        (_, Ending::WholeNotice) => {
            file.write_all(b"\n")?;
            size += 1;
        }
    }
    if facts.len() == 0 {
        // Its name is to outlive a crash as well.
        File::open(folder_of(&path))?.sync_all()?;
    }
    Ok(Appender {
        file,
        path,
        size,
        identity: identity(&facts),
    })
}

/// Opens and locks the file that the path leads to, also after the wait for the lock.
fn open_locked(config: &FileConfig, is_made: bool) -> io::Result<(File, PathBuf)> {
    for _ in 0..OPENINGS_MAX {
        let path = resolve(&config.path)?;
        if let Some(own) = reserved::of(&path, &config.reserved) {
            return Err(refused(reserved::why(own)));
        }
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(is_made)
            .mode(0o640)
            .open(&path)?;
        let facts = file.metadata()?;
        if !facts.is_file() {
            return Err(refused("it is no regular file"));
        }
        lock(&file, &path)?;
        // Whoever had it may have moved it: lines behind that would stand where nobody looks for them.
        let there = fs::metadata(&config.path);
        if there.is_ok_and(|there| identity(&there) == identity(&facts)) {
            return Ok((file, path));
        }
    }
    Err(io::Error::new(
        io::ErrorKind::WouldBlock,
        "another program moves it away whenever it is opened",
    ))
}

/// The file that a path leads to; a link to nothing leads to what it names.
fn resolve(path: &Path) -> io::Result<PathBuf> {
    match fs::canonicalize(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => match fs::read_link(path) {
            Ok(target) => Ok(folder_of(path).join(target)),
            Err(_) => Ok(path.to_owned()),
        },
        resolved => resolved,
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// Locks the file, and says who has it if that does not end.
fn lock(file: &File, path: &Path) -> io::Result<()> {
    let began = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if began.elapsed() >= LOCK_WAIT => {
                let who = holder::of(file).unwrap_or_else(|| "another program".to_owned());
                let why = format!(
                    "{who} has had {} locked for {} s",
                    path.display(),
                    LOCK_WAIT.as_secs()
                );
                return Err(io::Error::new(io::ErrorKind::WouldBlock, why));
            }
            Err(TryLockError::WouldBlock) => thread::sleep(LOCK_PAUSE),
        }
    }
}

/// Where the last whole line of a file ends, and what is behind it.
fn end_of(
    file: &mut File,
    size: u64,
    config: &FileConfig,
    path: &Path,
) -> io::Result<(u64, Ending)> {
    let strange = || {
        refused(format!(
            "{} does not end with a line or the beginning of a notice: it is no file of notices, and is left as it is",
            path.display()
        ))
    };
    let begin = end_of_lines(file, size)?.ok_or_else(strange)?;
    let mut rest = Vec::new();
    file.seek(SeekFrom::Start(begin))?;
    file.take(size - begin).read_to_end(&mut rest)?;
    let ending = ending(config.format, &rest).ok_or_else(strange)?;
    Ok((begin, ending))
}

/// Where the last whole line of a file ends; none if that is too far from its end.
fn end_of_lines(file: &mut File, size: u64) -> io::Result<Option<u64>> {
    let begin = size.saturating_sub(TAIL_BYTES_MAX);
    let mut end = size;
    let mut piece = vec![0; 64 * 1024];
    while end > begin {
        let length = usize::try_from(end - begin)
            .unwrap_or(usize::MAX)
            .min(piece.len());
        let from = end - length as u64;
        file.seek(SeekFrom::Start(from))?;
        file.read_exact(&mut piece[..length])?;
        if let Some(at) = piece[..length].iter().rposition(|byte| *byte == b'\n') {
            return Ok(Some(from + at as u64 + 1));
        }
        end = from;
    }
    Ok((begin == 0).then_some(0))
}

fn refused(why: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.into())
}
