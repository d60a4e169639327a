//! Takes out of a table's log what nobody can read, and keeps it aside.
//!
//! A log entry of zeros is what a loss of power leaves on a disk that lies about what is durable. An empty entry takes its
//! place: the positions that it held are gone with it, so the bus is read again from those before, as far as it reaches.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::error::ArrowError;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use schemas::tables::Table;
use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use super::LiveTable;
use super::log::{self, LOG_FOLDER};
use crate::disk::Disk;
use crate::error::LakeError;

/// Folder beside the tables with what was taken out of them.
const QUARANTINE: &str = "quarantine";

/// Something that was taken out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mended {
    /// What it was: an entry, a checkpoint, or the whole table.
    pub(crate) what: String,
    /// Its version, or 0.
    pub(crate) version: i64,
    /// Where it is kept.
    pub(crate) kept: PathBuf,
}

impl fmt::Display for Mended {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, kept, .. } = self;
        write!(
            formatter,
            "{what} could not be read and was taken out; it is kept as {}",
            kept.display()
        )
    }
}

impl LiveTable {
    /// Takes out of the log what nobody can read; where that does not help, the table is set aside and begins anew.
    pub(super) async fn mend(&mut self, error: LakeError) -> Result<(), LakeError> {
        let (root, table, disk) = (self.root.clone(), self.table, Arc::clone(&self.disk));
        let mended = spawn_blocking(move || mend(&root, table, disk.as_ref())).await??;
        if mended.is_empty() {
            return Err(error);
        }
        for part in &mended {
            tracing::error!(table = %self.table, "{part}");
        }
        self.mended.extend(mended);
        if self.snapshot.version.is_none() && self.load().await.is_err() {
            let (root, table) = (self.root.clone(), self.table);
            let whole = spawn_blocking(move || set_aside_table(&root, table)).await??;
            tracing::error!(table = %self.table, "{whole}");
            self.mended.push(whole);
        }
        Ok(())
    }
}

/// Takes out entries and checkpoints that cannot be read.
///
/// # Errors
/// [`LakeError::File`] if the folder cannot be read or changed.
fn mend(root: &Path, table: Table, disk: &dyn Disk) -> Result<Vec<Mended>, LakeError> {
    let folder = root.join(LOG_FOLDER);
    let mut mended = Vec::new();
    for path in listed(&folder)? {
        let name = path.file_name().and_then(|name| name.to_str());
        let Some((version, rest)) = name.and_then(|name| name.split_once('.')) else {
            continue;
        };
        let Ok(version) = version.parse::<i64>() else {
            continue;
        };
        if rest == "json" {
            if is_entry(&fs::read(&path).map_err(failed("read", &path))?) {
                continue;
            }
            let kept = set_aside(root, &path)?;
            let empty = if version == 0 {
                log::creation(table, 0)
            } else {
                empty_entry()
            };
            disk.publish(&path, &empty)
                .map_err(failed("write", &path))?;
            mended.push(Mended {
                what: format!("entry {version} of the log"),
                version,
                kept,
            });
        } else if rest.contains("checkpoint") && rest.ends_with("parquet") && !is_checkpoint(&path)?
        {
            let kept = set_aside(root, &path)?;
            // It may name this one; without it the folder is looked through.
            let last = folder.join("_last_checkpoint");
            disk.remove(&last).map_err(failed("remove", &last))?;
            mended.push(Mended {
                what: format!("checkpoint {version} of the log"),
                version,
                kept,
            });
        }
    }
    Ok(mended)
}

/// Takes a whole table out of the lake.
///
/// # Errors
/// [`LakeError::File`] if it cannot be moved.
fn set_aside_table(root: &Path, table: Table) -> Result<Mended, LakeError> {
    let kept = set_aside(root, root)?;
    Ok(Mended {
        what: format!("table {table}, whose log could not be mended,"),
        version: 0,
        kept,
    })
}

/// Moves a file or folder of a table out of it; where it is then.
///
/// # Errors
/// [`LakeError::File`] if it cannot be moved.
pub(crate) fn set_aside(root: &Path, path: &Path) -> Result<PathBuf, LakeError> {
    let lake = root.parent().unwrap_or(root);
    let inside = path.strip_prefix(lake).unwrap_or(path);
    let mut kept = lake.join(QUARANTINE).join(inside);
    if kept.exists() {
        let name = kept.file_name().unwrap_or_default().to_os_string();
        let mut other = uuid::Uuid::new_v4().to_string();
        other.push('-');
        other.push_str(&name.to_string_lossy());
        kept.set_file_name(other);
    }
    fs::symlink_metadata(path).map_err(failed("set aside", path))?;
    if let Some(folder) = kept.parent() {
        fs::create_dir_all(folder).map_err(failed("create", folder))?;
    }
    fs::rename(path, &kept).map_err(failed("set aside", path))?;
    Ok(kept)
}

fn failed(verb: &'static str, path: &Path) -> impl Fn(io::Error) -> LakeError {
    let path = path.to_owned();
    move |cause| LakeError::File {
        verb,
        path: path.clone(),
        cause,
    }
}

fn listed(folder: &Path) -> Result<Vec<PathBuf>, LakeError> {
    let items = fs::read_dir(folder).map_err(failed("list", folder))?;
    let paths = items.map(|item| item.map(|item| item.path()));
    let mut paths: Vec<PathBuf> = paths
        .collect::<Result<_, _>>()
        .map_err(failed("list", folder))?;
    paths.sort();
    Ok(paths)
}

/// True for objects of JSON, at least one.
fn is_entry(bytes: &[u8]) -> bool {
    let mut actions = serde_json::Deserializer::from_slice(bytes)
        .into_iter::<Value>()
        .peekable();
    actions.peek().is_some() && actions.all(|action| action.is_ok_and(|action| action.is_object()))
}

/// Whether a checkpoint can be read whole; an error where it is the machine that cannot read just now.
fn is_checkpoint(path: &Path) -> Result<bool, LakeError> {
    let file = File::open(path).map_err(failed("read", path))?;
    let whole = ParquetRecordBatchReaderBuilder::try_new(file)
        .and_then(ParquetRecordBatchReaderBuilder::build)
        .map_err(ArrowError::from)
        .and_then(|mut rows| rows.try_for_each(|batch| batch.map(drop)));
    match whole {
        Ok(()) => Ok(true),
        Err(error) if error.to_string().contains("(os error ") => {
            Err(failed("read", path)(io::Error::other(error)))
        }
        Err(_) => Ok(false),
    }
}

fn empty_entry() -> Vec<u8> {
    json!({"commitInfo": {"timestamp": 0, "operation": "MEND", "operationParameters": {}}})
        .to_string()
        .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::is_entry;

    #[test]
    fn an_entry_is_objects_of_json() {
        assert!(is_entry(b"{\"txn\":{}}\n{}"));
        for bad in [&b""[..], b"\0\0\0", b"{\"add\":", b"[]", b"{}\0"] {
            assert!(!is_entry(bad), "{bad:?}");
        }
    }
}
