//! `files` source: `vedette import PATH…` reads what people have on disk.
//!
//! Delivery: at least once; an import that is repeated, or was killed, publishes the same records under the same
//! ids, and the lake drops what it knows.
//! Formats: JSON lines, JSON lists, pages of records, answers of queries with columns and rows, and tables as text with
//! commas, semicolons, tabs or bars; plain, gzip, zstd or in a zip archive; UTF-8, UTF-16 or Windows-1252. The format is told
//! from the content; only the kind of a sign-in that the Entra portal exports is told from the name.
//!
//! ```text
//! folder ─▶ file ─▶ decompress ─▶ cut ─▶ normalise ──2 batches──▶ publish
//!                       one thread, 1 MiB at a time     full: the file is not read meanwhile
//! ```

mod answers;
mod csv_rows;
mod folder;
mod foreign;
mod open;
mod read;
mod regular;
mod sink;
mod tally;
mod utf16;
mod windows_1252;
mod zip;

use std::collections::BTreeMap;
use std::io::BufRead as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bus::Bus;
use schemas::environment::Clock;
use schemas::provenance::Provenance;
use schemas::tables::Table;
use schemas::time::DateOrder;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use self::open::Allowance;
use self::tally::FileTally;
use crate::backlog::Downstream;
use crate::config::ImportConfig;
use crate::error::IngestError;
use crate::normalise::{Dates, Normalised, Origin, Shown, UNKNOWN_TENANT, may_hold_date};
use crate::outlet::Outlet;
use schemas::coverage::{CoverageRange, CoverageState, Published};

/// Name of the source in events.
pub(crate) const SOURCE: &str = "files";

/// Batches between reading and publishing: one is filled while another is published.
const BATCHES_MAX: usize = 2;

/// How files are imported.
#[derive(Clone)]
pub struct ImportOptions {
    /// Tenant of records that do not say theirs; without it they go to [`UNKNOWN_TENANT`].
    pub tenant_id: Option<String>,
    /// True if it is the tenant of all records, whatever they say.
    pub is_tenant_of_all: bool,
    /// In which order day and month stand in dates that do not tell it, and whose column does not.
    pub dates: DateOrder,
    /// What compressed files may expand to.
    pub bounds: ImportConfig,
    /// Tells the time of acceptance.
    pub clock: Arc<dyn Clock>,
    /// The stages behind, so that the import does not fill the queue of all tenants; none to never wait for them.
    pub downstream: Option<Downstream>,
    /// Ends the import early.
    pub stop: CancellationToken,
}

/// How far an import has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The file that is being read.
    pub file: PathBuf,
    /// Files that are done.
    pub files_done: u64,
    /// All files.
    pub files_total: u64,
    /// Bytes on disk that were read.
    pub bytes_done: u64,
    /// Bytes on disk of all files.
    pub bytes_total: u64,
    /// Records published so far.
    pub records: u64,
    /// Dead letters published so far.
    pub dead_letters: u64,
}

/// What an import did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Files that were read to their end.
    pub files: u64,
    /// Bytes on disk.
    pub bytes: u64,
    /// Records published; the lake drops those that it knows.
    pub records: u64,
    /// Dead letters published.
    pub dead_letters: u64,
    /// Records by table.
    pub by_table: BTreeMap<Table, u64>,
    /// Records by tenant.
    pub by_tenant: BTreeMap<String, u64>,
    /// Files that could not be read to their end, and what is no file or leads out of its folder, and why.
    pub failures: Vec<(PathBuf, String)>,
    /// Every file, in the order of reading.
    pub by_file: Vec<FileRead>,
}

/// What was read of one file.
///
/// How many of its records the lake did not have yet is not known here: the lake drops duplicates by batches of
/// records, whichever files they came from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileRead {
    /// The file.
    pub path: PathBuf,
    /// Records published.
    pub records: u64,
    /// Dead letters published, by [`schemas::dead_letter::Reason`].
    pub dead_letters: BTreeMap<String, u64>,
    /// As what its records were recognised, by what a person calls them.
    pub recognised: BTreeMap<String, u64>,
    /// Records by table.
    pub by_table: BTreeMap<Table, u64>,
    /// Records whose time is not known: no window of time counts them.
    pub without_time: u64,
    /// How many of those have a date whose day and month could be either way round.
    pub ambiguous: u64,
    /// Records of which part is missing.
    pub cut: u64,
    /// Records that name another tenant than the operator.
    pub other_tenant: u64,
    /// What a person should know of it: that it says of itself to be incomplete, how it was read.
    pub notes: Vec<String>,
    /// Why it could not be read to its end.
    pub failure: Option<String>,
}

impl FileRead {
    /// True if it says of itself that there is more than it holds.
    pub fn is_incomplete(&self) -> bool {
        self.notes.iter().any(|note| note.starts_with("incomplete"))
    }
}

/// Imports files and folders; `progress` is called after every published batch.
///
/// A file that cannot be read to its end is listed in the summary with the reason; what was read of it is kept,
/// and the others are imported.
///
/// # Errors
/// [`IngestError::File`] if a path does not exist, before anything is published; [`IngestError::Publish`] if the
/// bus does not take records; [`IngestError::Stopped`] if `options.stop` was cancelled.
pub async fn import(
    paths: &[PathBuf],
    options: &ImportOptions,
    bus: &Bus,
    mut progress: impl FnMut(&Progress) + Send,
) -> Result<Summary, IngestError> {
    let folder::Listed { files, passed_over } = folder::list(paths)?;
    let outlet = Outlet::new(bus.clone(), options.downstream.clone());
    let allowance = Allowance::new(&options.bounds);
    let mut now = Progress {
        file: PathBuf::new(),
        files_done: 0,
        files_total: files.len() as u64,
        bytes_done: 0,
        bytes_total: files.iter().map(|file| file.bytes).sum(),
        records: 0,
        dead_letters: 0,
    };
    let mut summary = Summary::default();
    tell_passed_over(passed_over, options, &outlet, &mut summary).await?;
    for file in &files {
        now.file.clone_from(&file.path);
        progress(&now);
        let before = now.bytes_done;
        let tell = |bytes, so_far: &Summary| {
            now.bytes_done = before + bytes;
            now.records = so_far.records;
            now.dead_letters = so_far.dead_letters;
            progress(&now);
        };
        import_file(file, &allowance, options, &outlet, &mut summary, tell).await?;
        now.files_done += 1;
        now.bytes_done = before + file.bytes;
    }
    summary.bytes = now.bytes_total;
    progress(&now);
    Ok(summary)
}

/// Says what is not read, and why: it is missing from the lake as much as a file that broke off.
async fn tell_passed_over(
    passed_over: Vec<folder::PassedOver>,
    options: &ImportOptions,
    outlet: &Outlet,
    summary: &mut Summary,
) -> Result<(), IngestError> {
    let now_us = options.clock.now_us();
    let mut lines = Vec::new();
    for folder::PassedOver { path, name, why } in passed_over {
        let range = CoverageRange {
            tenant_id: options.tenant_id.as_deref().unwrap_or(UNKNOWN_TENANT),
            source: SOURCE,
            kind: "file",
            subject: &name,
            from: 0,
            to: 0,
        };
        lines.push(range.line(CoverageState::Gap, Published::default(), &why, now_us));
        summary.by_file.push(FileRead {
            path: path.clone(),
            failure: Some(why.clone()),
            ..FileRead::default()
        });
        summary.failures.push((path, why));
    }
    outlet.cover(lines).await
}

/// What the reading thread hands over.
enum Handed {
    Batch(Normalised),
    End { rest: Option<String> },
}

async fn import_file(
    file: &folder::Found,
    allowance: &Allowance,
    options: &ImportOptions,
    outlet: &Outlet,
    summary: &mut Summary,
    mut progress: impl FnMut(u64, &Summary),
) -> Result<(), IngestError> {
    let bytes_done = Arc::new(AtomicU64::new(0));
    let (sender, mut handed) = mpsc::channel(BATCHES_MAX);
    let reader = {
        let (file, options) = (file.clone(), options.clone());
        let (bytes_done, allowance) = (bytes_done.clone(), allowance.clone());
        tokio::task::spawn_blocking(move || {
            read_file(&file, (&bytes_done, &allowance), &options, &sender);
        })
    };
    let mut taken = FileTally::new("the reader ended by a fault");
    while let Some(next) = handed.recv().await {
        if options.stop.is_cancelled() {
            return Err(IngestError::Stopped);
        }
        match next {
            Handed::End { rest } => taken.read.failure = rest,
            Handed::Batch(batch) => {
                taken.publish(batch, outlet, summary).await?;
                progress(bytes_done.load(Ordering::Relaxed), summary);
            }
        }
    }
    // The task has nothing to say beyond what it handed over; a panic leaves `failure` as it was.
    if reader.await.is_err() {
        tracing::error!(file = %file.path.display(), "the reader of a file ended by a fault");
    }
    let line = taken.line(file, options.tenant_id.as_deref(), options.clock.now_us());
    outlet.cover(vec![line]).await?;
    for (tenant, count) in taken.tenants {
        *summary.by_tenant.entry(tenant).or_default() += count;
    }
    let read = FileRead {
        path: file.path.clone(),
        ..taken.read
    };
    match &read.failure {
        None => summary.files += 1,
        Some(reason) => summary.failures.push((file.path.clone(), reason.clone())),
    }
    summary.by_file.push(read);
    Ok(())
}

/// Reads one file on a thread of its own and hands its records over.
fn read_file(
    file: &folder::Found,
    (bytes_done, allowance): (&Arc<AtomicU64>, &Allowance),
    options: &ImportOptions,
    sender: &mpsc::Sender<Handed>,
) {
    let mut hand_over = |mut batch: Normalised| {
        if let Some(tenant_id) = &options.tenant_id {
            give_tenant(&mut batch, tenant_id, options.is_tenant_of_all);
        }
        sender.blocking_send(Handed::Batch(batch)).is_ok()
    };
    let open = |bytes_done: &Arc<AtomicU64>, allowance: &Allowance| {
        open::open(file, bytes_done.clone(), allowance)
    };
    let mut read = || -> std::io::Result<()> {
        let mut reader = open(bytes_done, allowance)?;
        // A column tells its order of day and month in any of its rows, so all are looked at before the first is read.
        let shown = if may_hold_date(reader.fill_buf()?) {
            let looked = open(&Arc::default(), &allowance.for_a_look())?;
            read::look_at_dates(looked, options.dates)
        } else {
            Shown::told(options.dates)
        };
        let origin = Origin {
            tenant_id: None,
            provenance: Provenance::Imported,
            source: SOURCE,
            category: kind_by_name(&file.name),
            ingest_time_us: options.clock.now_us(),
            dates: Dates::Shown(&shown),
        };
        read::read(reader, &file.name, &origin, &mut hand_over)
    };
    let rest = read().err().map(|error| error.to_string());
    // The receiver is gone only if the import has ended already.
    if sender.blocking_send(Handed::End { rest }).is_err() {
        tracing::debug!(file = %file.path.display(), "the import ended before the file did");
    }
}

/// The kind of sign-ins that the Entra portal names its export after; it says it nowhere else.
fn kind_by_name(name: &str) -> Option<&'static str> {
    let file = name.rsplit('/').next().unwrap_or(name).to_ascii_lowercase();
    match file.as_str() {
        name if name.starts_with("noninteractivesignins") => Some("NonInteractiveUserSignInLogs"),
        name if name.starts_with("interactivesignins") => Some("SignInLogs"),
        name if name.starts_with("applicationsignins") => Some("ServicePrincipalSignInLogs"),
        name if name.starts_with("msisignins") => Some("ManagedIdentitySignInLogs"),
        _ => None,
    }
}

/// What is said of a record that names another tenant than the operator.
const OTHER_TENANT: &str = "it names another tenant than its import: ";

/// Gives a tenant to what does not say its own, or to all.
fn give_tenant(batch: &mut Normalised, tenant_id: &str, is_tenant_of_all: bool) {
    let tenant_id = tenant_id.to_ascii_lowercase();
    for event in &mut batch.events {
        if event.tenant_id == UNKNOWN_TENANT {
            event.tenant_id.clone_from(&tenant_id);
        } else if event.tenant_id != tenant_id {
            event
                .problems
                .push(format!("{OTHER_TENANT}{}", event.tenant_id));
            if is_tenant_of_all {
                event.tenant_id.clone_from(&tenant_id);
            }
        }
    }
    for letter in &mut batch.dead_letters {
        if letter.tenant_id == UNKNOWN_TENANT {
            letter.tenant_id.clone_from(&tenant_id);
        }
    }
}
