//! `file` destination: NDJSON, one notice a line, in a file that is rotated.
//!
//! Delivery: at least once. A notice counts as delivered when its line is on disk (`fdatasync`). A line that a crash cut
//! is removed when the file is opened again, and its notice is written anew. Idempotency: each document has `id` and
//! `version`.
//!
//! Only what is ours is cut: a file whose last line has no end and begins no notice of this format is refused, and so is
//! every file of vedette's own. `vedette forward validate` writes nothing and makes no file. A link is followed when the
//! file is opened: what it leads to is written and rotated, and the link stays.
//!
//! A full file gets the time into its name, `alerts-20261130T081500Z.ndjson`, and the oldest beyond `keep` are removed.
//! Another program may rotate it too: a file that was moved away is left, and one is begun in its place. Two of ours, such as
//! `vedette forward replay` beside the service, write one after the other: the file is locked while one does.

mod appender;
mod ending;
mod holder;
mod reserved;
mod rotation;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use schemas::environment::{Clock, SystemClock};
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;

use self::appender::{Appender, append, look};
use crate::contract::Notice;
use crate::destination::{BatchLimits, Destination, Reply, Validated};
use crate::error::ForwardError;
use crate::formats::Format;

/// Most notices that are written before the disk is waited for.
const NOTICES_MAX: usize = 1_000;

/// Most bytes of them.
const BYTES_MAX: usize = 16 * 1024 * 1024;

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
    /// Files and folders of vedette's own, which no destination writes; given by the caller.
    #[serde(skip)]
    pub reserved: Vec<PathBuf>,
}

impl Default for FileConfig {
    fn default() -> Self {
        Self {
            path: PathBuf::from("alerts.ndjson"),
            format: Format::default(),
            rotate_megabytes: 100,
            keep: 10,
            reserved: Vec::new(),
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
    /// [`ForwardError::Setting`] if the path has no file name or is one of vedette's own.
    pub fn new(name: &str, config: &FileConfig) -> Result<Self, ForwardError> {
        let fault = |why: String| ForwardError::Setting {
            name: name.to_owned(),
            key: "to.file.path",
            why,
        };
        if config.path.file_name().is_none() {
            return Err(fault("it names no file".to_owned()));
        }
        if let Some(own) = reserved::of(&config.path, &config.reserved) {
            return Err(fault(reserved::why(own)));
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
        drop(self.idle().await);
        let config = self.config.clone();
        let looked = tokio::task::spawn_blocking(move || look(&config)).await;
        match looked.map_err(io::Error::other).flatten() {
            Ok(()) => vec![Validated::well(what)],
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
        io::ErrorKind::WouldBlock => {
            "let the other program give it back, or name a file of its own"
        }
        io::ErrorKind::InvalidData => "name another file in to.file.path, or move this one away",
        _ => "mend what the system says",
    };
    format!("could not write {}: {error}; fix: {fix}", path.display())
}
