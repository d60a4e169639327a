//! `file` destination: NDJSON, one notice a line, in a file that is rotated.
//!
//! Delivery: at least once. A notice counts as delivered when its line is on disk (`fdatasync`). A line that a crash cut
//! is removed when the file is opened again, and its notice is written anew. Idempotency: each document has `id` and
//! `version`.
//!
//! A full file gets the time into its name, `alerts-20261130T081500Z.ndjson`, and the oldest beyond `keep` are removed.
//! Another program may rotate it too: a file that was moved away is left, and one is begun in its place. Two of ours, such as
//! `vedette forward replay` beside the service, write one after the other: the file is locked while one does.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use schemas::environment::{Clock, SystemClock};
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;

use crate::contract::Notice;
use crate::destination::{BatchLimits, Destination, Reply, Validated};
use crate::error::ForwardError;
use crate::formats::Format;

/// Most notices that are written before the disk is waited for.
const NOTICES_MAX: usize = 1_000;

/// Most bytes of them.
const BYTES_MAX: usize = 16 * 1024 * 1024;

/// How much of the end of a file is looked at for the last whole line: the largest notice.
const TAIL_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// A file of notices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FileConfig {
    /// The file that is written; rotated ones stand beside it.
    pub path: PathBuf,
    /// How a notice is written.
    pub format: Format,
    /// Size beyond which a file is rotated, in megabytes; 0 for never.
    pub rotate_megabytes: u64,
    /// Rotated files that are kept; 0 for all.
    pub keep: usize,
}

impl Default for FileConfig {
    fn default() -> Self {
        Self {
            path: PathBuf::from("alerts.ndjson"),
            format: Format::default(),
            rotate_megabytes: 100,
            keep: 10,
        }
    }
}

/// Writes notices into files.
pub struct FileDestination {
    config: FileConfig,
    clock: Arc<dyn Clock>,
    /// The writer, or the write that has it: one whose caller gave up is waited for, so that no two write at once.
    state: State,
}

enum State {
    Idle(Option<Appender>),
    Writing(JoinHandle<(Option<Appender>, io::Result<u64>)>),
}

impl FileDestination {
    /// A destination; the file is opened when there is something to write.
    ///
    /// # Errors
    /// [`ForwardError::Setting`] if the path has no file name.
    pub fn new(name: &str, config: &FileConfig) -> Result<Self, ForwardError> {
        if config.path.file_name().is_none() {
            return Err(ForwardError::Setting {
                name: name.to_owned(),
                key: "to.file.path",
                why: "it names no file".to_owned(),
            });
        }
        Ok(Self {
            config: config.clone(),
            clock: Arc::new(SystemClock),
            state: State::Idle(None),
        })
    }

    /// Writes all of `lines`, and gives the size of the file.
    async fn append(&mut self, lines: Vec<u8>) -> io::Result<u64> {
        let appender = self.idle().await;
        let (config, now_us) = (self.config.clone(), self.clock.now_us());
        self.state = State::Writing(tokio::task::spawn_blocking(move || {
            let mut appender = appender;
            let outcome = append(&mut appender, &config, &lines, now_us);
            if outcome.is_err() {
                // What is there is looked at anew.
                appender = None;
            }
            (appender, outcome)
        }));
        match &mut self.state {
            State::Writing(writing) => match writing.await {
                Ok((appender, outcome)) => {
                    self.state = State::Idle(appender);
                    outcome
                }
                Err(error) => {
                    self.state = State::Idle(None);
                    Err(io::Error::other(error))
                }
            },
            State::Idle(_) => Err(io::Error::other("nothing was written")),
        }
    }

    /// Waits until nothing is being written.
    async fn idle(&mut self) -> Option<Appender> {
        if let State::Writing(writing) = &mut self.state {
            let appender = writing.await.ok().and_then(|(appender, _)| appender);
            self.state = State::Idle(appender);
        }
        match &mut self.state {
            State::Idle(appender) => appender.take(),
            State::Writing(_) => None,
        }
    }
}

#[async_trait]
impl Destination for FileDestination {
    fn limits(&self) -> BatchLimits {
        BatchLimits {
            notices_max: NOTICES_MAX,
            bytes_max: BYTES_MAX,
        }
    }

    async fn deliver(&mut self, batch: &[Arc<Notice>]) -> Reply {
        let mut lines = Vec::new();
        for notice in batch {
            lines.extend_from_slice(self.config.format.render(notice).as_bytes());
            lines.push(b'\n');
        }
        match self.append(lines).await {
            Ok(size) => Reply::delivered(
                batch.len(),
                format!("on disk: {} has {size} bytes", self.config.path.display()),
            ),
            Err(error) => Reply::later(told(&self.config.path, &error)),
        }
    }

    async fn validate(&mut self) -> Vec<Validated> {
        let what = format!("file {} can be written", self.config.path.display());
        match self.append(Vec::new()).await {
            Ok(_) => vec![Validated::well(what)],
            Err(error) => vec![Validated::fault(what, told(&self.config.path, &error))],
        }
    }
}

/// What happened, and what to do.
fn told(path: &Path, error: &io::Error) -> String {
    let fix = match error.kind() {
        io::ErrorKind::StorageFull => "make room on the disk",
        io::ErrorKind::PermissionDenied => "let the user that vedette runs as write there",
        io::ErrorKind::NotFound => "make the folder",
        _ => "mend what the system says",
    };
    format!("could not write {}: {error}; fix: {fix}", path.display())
}

/// A file that is open at its end, which is the end of a line.
#[derive(Debug)]
struct Appender {
    file: File,
    size: u64,
    inode: u64,
}

/// Appends whole lines and waits for the disk; after an error none of them is there.
fn append(
    appender: &mut Option<Appender>,
    config: &FileConfig,
    lines: &[u8],
    now_us: i64,
) -> io::Result<u64> {
    if let Some(open) = appender {
        open.file.lock()?;
    }
    // Whether it is the file of that name, and has what we left there: another may have moved it or written.
    let is_moved = |open: &Appender| match fs::metadata(&config.path) {
        Ok(there) => there.ino() != open.inode || there.len() != open.size,
        Err(_) => true,
    };
    if appender.as_ref().is_none_or(is_moved) {
        // Let go first: it may be the same file, and its lock ours.
        *appender = None;
        *appender = Some(open(&config.path)?);
    }
    let limit = config.rotate_megabytes.saturating_mul(1024 * 1024);
    let is_full = |open: &Appender| open.size > 0 && open.size + lines.len() as u64 > limit;
    if limit > 0 && !lines.is_empty() && appender.as_ref().is_some_and(is_full) {
        rotate(config, now_us)?;
        *appender = Some(open(&config.path)?);
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

/// Opens and locks the file, at the end of its last whole line.
fn open(path: &Path) -> io::Result<Appender> {
    let mut file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o640)
        .open(path)?;
    file.lock()?;
    let facts = file.metadata()?;
    let size = end_of_lines(&mut file, facts.len())?;
    if size < facts.len() {
        tracing::warn!(path = %path.display(), bytes = facts.len() - size,
            "removed a line that was cut; its notice is written again");
        file.set_len(size)?;
    }
    if facts.len() == 0
        && let Some(folder) = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
    {
        // Its name is to outlive a crash as well.
        File::open(folder)?.sync_all()?;
    }
    Ok(Appender {
        file,
        size,
        inode: facts.ino(),
    })
}

/// Where the last whole line of a file ends.
fn end_of_lines(file: &mut File, size: u64) -> io::Result<u64> {
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
            return Ok(from + at as u64 + 1);
        }
        end = from;
    }
    if begin > 0 {
        return Err(io::Error::other(
            "its end is no line: this is no file of notices",
        ));
    }
    Ok(0)
}

/// Moves the file aside under a name with the time, and removes the oldest of those beyond `keep`.
fn rotate(config: &FileConfig, now_us: i64) -> io::Result<()> {
    let (begin, end) = around_time(&config.path);
    let folder = config
        .path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let mut rotated = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if let Some(at) = rotated_at(&name, &begin, &end) {
            rotated.push((at, name));
        }
    }
    let stamp = stamp(now_us);
    let same_second = rotated.iter().filter(|((time, _), _)| *time == stamp);
    let number = same_second.map(|((_, number), _)| number + 1).max();
    let name = match number {
        None => format!("{begin}{stamp}{end}"),
        Some(number) => format!("{begin}{stamp}.{number}{end}"),
    };
    fs::rename(&config.path, folder.join(&name))?;
    if config.keep == 0 {
        return Ok(());
    }
    rotated.push(((stamp, number.unwrap_or(0)), name));
    rotated.sort();
    for (_, name) in rotated.iter().rev().skip(config.keep) {
        fs::remove_file(folder.join(name))?;
    }
    Ok(())
}

/// What stands before and after the time in the name of a rotated file.
fn around_time(path: &Path) -> (String, String) {
    let text = |part: Option<&std::ffi::OsStr>| {
        part.map_or_else(String::new, |part| part.to_string_lossy().into_owned())
    };
    let end = match path.extension() {
        Some(_) => format!(".{}", text(path.extension())),
        None => String::new(),
    };
    (format!("{}-", text(path.file_stem())), end)
}

/// `20261130T081500Z`.
fn stamp(now_us: i64) -> String {
    let time = jiff::Timestamp::from_microsecond(now_us).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    time.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// The time and number in a name that a rotation has given; no other file is removed.
fn rotated_at(name: &str, begin: &str, end: &str) -> Option<(String, u64)> {
    let stamp = name.strip_prefix(begin)?.strip_suffix(end)?;
    let (time, number) = stamp.split_once('.').unwrap_or((stamp, "0"));
    let is_time = time.len() == 16
        && time.ends_with('Z')
        && time.as_bytes()[8] == b'T'
        && time.bytes().filter(u8::is_ascii_digit).count() == 14;
    let number = number.parse().ok()?;
    is_time.then(|| (time.to_owned(), number))
}

#[cfg(test)]
mod tests;
