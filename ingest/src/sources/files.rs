//! `files` source: `vedette import PATH…` reads what people have on disk.
//!
//! Delivery: at least once; an import that is repeated, or was killed, publishes the same records under the same
//! ids, and the lake drops what it knows.
//! Formats: JSON lines, JSON lists, `{"records":[…]}`, Graph's `{"value":[…]}`, the audit search's CSV
//! (column `AuditData`); plain, gzip or zstd; UTF-8 or UTF-16. The format is told from the content, never from the name.
//!
//! ```text
//! folder ─▶ file ─▶ decompress ─▶ cut ─▶ normalise ──2 batches──▶ publish
//!                       one thread, 1 MiB at a time     full: the file is not read meanwhile
//! ```

mod csv_rows;
mod folder;
mod open;
mod read;
mod utf16;

use std::collections::BTreeMap;
use std::io::BufRead;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bus::Bus;
use schemas::environment::Clock;
use schemas::provenance::Provenance;
use schemas::tables::Table;
use schemas::wire;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use self::open::Allowance;
use crate::backlog::Downstream;
use crate::config::ImportConfig;
use crate::error::IngestError;
use crate::normalise::{Normalised, Origin, UNKNOWN_TENANT, table_of};
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
    /// Why it could not be read to its end.
    pub failure: Option<String>,
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

/// What was published of one file.
#[derive(Default)]
struct Taken {
    published: Published,
    tenants: BTreeMap<String, u64>,
    reasons: BTreeMap<String, u64>,
    failure: Option<String>,
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
        let (file, tenant_id, clock) = (
            file.clone(),
            options.tenant_id.clone(),
            options.clock.clone(),
        );
        let (bytes_done, allowance) = (bytes_done.clone(), allowance.clone());
        tokio::task::spawn_blocking(move || {
            let open = || open::open(&file.place, bytes_done, &allowance);
            read_file(&file, open, tenant_id.as_deref(), clock.as_ref(), &sender);
        })
    };
    let mut taken = Taken {
        failure: Some("the reader ended by a fault".to_owned()),
        ..Taken::default()
    };
    while let Some(next) = handed.recv().await {
        if options.stop.is_cancelled() {
            return Err(IngestError::Stopped);
        }
        match next {
            Handed::End { rest } => taken.failure = rest,
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
    let line = taken.line(file, options);
    outlet.cover(vec![line]).await?;
    for (tenant, count) in taken.tenants {
        *summary.by_tenant.entry(tenant).or_default() += count;
    }
    summary.by_file.push(FileRead {
        path: file.path.clone(),
        records: taken.published.records,
        dead_letters: taken.reasons,
        failure: taken.failure.clone(),
    });
    match taken.failure {
        None => summary.files += 1,
        Some(reason) => summary.failures.push((file.path.clone(), reason)),
    }
    Ok(())
}

impl Taken {
    async fn publish(
        &mut self,
        batch: Normalised,
        outlet: &Outlet,
        summary: &mut Summary,
    ) -> Result<(), IngestError> {
        let mut tables: BTreeMap<Table, u64> = BTreeMap::new();
        for event in &batch.events {
            *tables.entry(table_of(event)).or_default() += 1;
            *self.tenants.entry(event.tenant_id.clone()).or_default() += 1;
        }
        // A letter in parts is counted once.
        let letters = batch.dead_letters.iter().filter(|letter| letter.part == 0);
        for letter in letters {
            *self.reasons.entry(letter.reason.clone()).or_default() += 1;
        }
        // A file may name a million tenants: an import is one sender.
        outlet.room(SOURCE).await;
        let done = outlet.publish(SOURCE, SOURCE, batch).await?.published;
        self.published += done;
        summary.records += done.records;
        summary.dead_letters += done.dead_letters;
        for (table, count) in tables {
            *summary.by_table.entry(table).or_default() += count;
        }
        Ok(())
    }

    fn line(&self, file: &folder::Found, options: &ImportOptions) -> wire::Coverage {
        let tenant_id = match self.tenants.len() {
            1 => self.tenants.keys().next(),
            _ => options.tenant_id.as_ref(),
        };
        let range = CoverageRange {
            tenant_id: tenant_id.map_or(UNKNOWN_TENANT, String::as_str),
            source: SOURCE,
            kind: "file",
            subject: &file.name,
            from: 0,
            to: i64::try_from(file.bytes).unwrap_or(i64::MAX),
        };
        let state = if self.failure.is_none() {
            CoverageState::Read
        } else {
            CoverageState::Gap
        };
        let detail = self.failure.as_deref().unwrap_or_default();
        range.line(state, self.published, detail, options.clock.now_us())
    }
}

/// Reads one file on a thread of its own and hands its records over.
fn read_file(
    file: &folder::Found,
    open: impl FnOnce() -> std::io::Result<Box<dyn BufRead>>,
    tenant_id: Option<&str>,
    clock: &dyn Clock,
    sender: &mpsc::Sender<Handed>,
) {
    let origin = Origin {
        tenant_id: None,
        provenance: Provenance::Imported,
        source: SOURCE,
        category: None,
        ingest_time_us: clock.now_us(),
    };
    let mut hand_over = |mut batch: Normalised| {
        if let Some(tenant_id) = tenant_id {
            give_tenant(&mut batch, tenant_id);
        }
        sender.blocking_send(Handed::Batch(batch)).is_ok()
    };
    let rest = open()
        .and_then(|reader| read::read(reader, &file.name, &origin, &mut hand_over))
        .err()
        .map(|error| error.to_string());
    // The receiver is gone only if the import has ended already.
    if sender.blocking_send(Handed::End { rest }).is_err() {
        tracing::debug!(file = %file.path.display(), "the import ended before the file did");
    }
}

/// Gives a tenant to what does not say its own.
fn give_tenant(batch: &mut Normalised, tenant_id: &str) {
    let tenant_id = tenant_id.to_ascii_lowercase();
    for event in &mut batch.events {
        if event.tenant_id == UNKNOWN_TENANT {
            event.tenant_id.clone_from(&tenant_id);
        }
    }
    for letter in &mut batch.dead_letters {
        if letter.tenant_id == UNKNOWN_TENANT {
            letter.tenant_id.clone_from(&tenant_id);
        }
    }
}
