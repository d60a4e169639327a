//! The file of the embedded log: how it is opened, what is in it, and what its errors mean.
//!
//! One B-tree holds all messages, ordered by place: topic id and offset in one integer. So appending to a
//! topic and reading on from an offset each touch neighbouring pages.
//! Source: <https://www.sqlite.org/wal.html>, <https://www.sqlite.org/rescode.html>.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, TransactionBehavior, ffi};

use crate::error::BusError;

/// Longest wait for another process's transaction; ours take milliseconds, a sweep less than a second.
pub(super) const BUSY_WAIT: Duration = Duration::from_secs(10);

/// How often a new file is tried that others are making too.
const PREPARE_EVERY: Duration = Duration::from_millis(20);

/// Largest file that is checked page by page when it is opened, in bytes: a quarter of a second.
///
/// Damage in a larger one is found when it is read.
const CHECK_BYTES_MAX: u64 = 128 * 1024 * 1024;

/// Marks the file as ours: `VDLG`.
const APPLICATION_ID: i64 = 0x5644_4c47;

/// The format that is written.
const FORMAT: i64 = 1;

/// Bits of a place that hold the offset; the topic id is above them.
pub(super) const OFFSET_BITS: u32 = 40;

/// The part of a place that is the offset.
pub(super) const OFFSET_MASK: i64 = (1 << OFFSET_BITS) - 1;

/// Most of the write-ahead log that stays on disk after a checkpoint, in bytes.
const WAL_BYTES_KEPT: i64 = 64 * 1024 * 1024;

const SCHEMA: &str = "
    CREATE TABLE topics (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        next_offset INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE TABLE messages (
        place INTEGER PRIMARY KEY,
        written_us INTEGER NOT NULL,
        key TEXT NOT NULL,
        payload BLOB NOT NULL
    ) STRICT;
    -- A group is known from its first subscription; until it commits, next_offset is null.
    CREATE TABLE positions (
        name TEXT NOT NULL,
        topic INTEGER NOT NULL REFERENCES topics (id),
        next_offset INTEGER,
        PRIMARY KEY (name, topic)
    ) STRICT, WITHOUT ROWID;
";

/// Opens the file, and creates it where there is none.
pub(super) fn open(path: &Path) -> Result<Connection, BusError> {
    create(path)?;
    let connection = connect(path)?;
    prepare_in_turn(&connection).map_err(|cause| translate(path, cause))?;
    claim(path, connection)
}

/// Opens one more connection to a file that [`open`] has opened.
pub(super) fn connect(path: &Path) -> Result<Connection, BusError> {
    let connect = || {
        let connection = Connection::open(path)?;
        connection.busy_timeout(BUSY_WAIT)?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.pragma_update(None, "trusted_schema", false)?;
        Ok(connection)
    };
    connect().map_err(|cause| translate(path, cause))
}

/// Creates folder and file, readable by their owner alone: messages name people.
fn create(path: &Path) -> Result<(), BusError> {
    let create = || {
        if let Some(folder) = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
        {
            fs::create_dir_all(folder)?;
        }
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)?;
        Ok(())
    };
    create().map_err(|cause| BusError::LogCreate {
        path: path.to_owned(),
        cause,
    })
}

/// Waits for others that make the same new file: SQLite refuses a change of the mode at once where another reads.
///
/// Source: <https://www.sqlite.org/c3ref/busy_handler.html>.
fn prepare_in_turn(connection: &Connection) -> rusqlite::Result<()> {
    let started = Instant::now();
    loop {
        match prepare(connection) {
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && started.elapsed() < BUSY_WAIT =>
            {
                thread::sleep(PREPARE_EVERY);
            }
            prepared => return prepared,
        }
    }
}

fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    // Persistent, so that it changes nothing on a file that has it already.
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode != "wal" {
        return Err(failure(
            ffi::SQLITE_CANTOPEN,
            "the file system does not support shared memory".to_owned(),
        ));
    }
    connection.pragma_update(None, "journal_size_limit", WAL_BYTES_KEPT)
}

/// Checks that the file is ours and whole; makes an empty one ours.
fn claim(path: &Path, mut connection: Connection) -> Result<Connection, BusError> {
    let translate = |cause| translate(path, cause);
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(translate)?;
    let number = |sql: &str| transaction.query_row(sql, [], |row| row.get::<_, i64>(0));
    let id = number("PRAGMA application_id").map_err(translate)?;
    let found = number("PRAGMA user_version").map_err(translate)?;
    let objects = number("SELECT count(*) FROM sqlite_schema").map_err(translate)?;
    if id == 0 && objects == 0 {
        transaction.execute_batch(SCHEMA).map_err(translate)?;
        transaction
            .pragma_update(None, "application_id", APPLICATION_ID)
            .map_err(translate)?;
        transaction
            .pragma_update(None, "user_version", FORMAT)
            .map_err(translate)?;
        // Where a log had been before, this line dates its loss.
        tracing::info!(path = %path.display(), "made a new log: there was none, or an empty file");
    } else if id != APPLICATION_ID {
        return Err(BusError::LogForeign {
            path: path.to_owned(),
        });
    } else if found > FORMAT {
        return Err(BusError::LogNewer {
            path: path.to_owned(),
            found,
            known: FORMAT,
        });
    }
    transaction.commit().map_err(translate)?;
    if fs::metadata(path).is_ok_and(|file| file.len() <= CHECK_BYTES_MAX) {
        check(&connection).map_err(translate)?;
    }
    Ok(connection)
}

fn check(connection: &Connection) -> rusqlite::Result<()> {
    let verdict: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if verdict == "ok" {
        return Ok(());
    }
    Err(failure(ffi::SQLITE_CORRUPT, verdict))
}

fn failure(code: i32, reason: String) -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(ffi::Error::new(code), Some(reason))
}

/// Says in our words what SQLite met.
pub(super) fn translate(path: &Path, cause: rusqlite::Error) -> BusError {
    translate_shared(path, &Arc::new(cause))
}

/// The same for an error that several callers are told.
pub(super) fn translate_shared(path: &Path, cause: &Arc<rusqlite::Error>) -> BusError {
    let path = PathBuf::from(path);
    let extended = cause.sqlite_extended_error_code();
    match cause.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => BusError::LogFull { path },
        // The shared memory beside the file could not grow: it is on the same disk.
        _ if extended == Some(ffi::SQLITE_IOERR_SHMSIZE) => BusError::LogFull { path },
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => BusError::LogBusy {
            path,
            waited: BUSY_WAIT,
        },
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => BusError::LogDamaged {
            path,
            cause: Arc::clone(cause),
        },
        _ => BusError::Log {
            path,
            cause: Arc::clone(cause),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::open;

    #[test]
    fn many_that_make_one_new_file_at_once_all_open_it() {
        for _ in 0..20 {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("log.sqlite");
            thread::scope(|scope| {
                let openers: Vec<_> = (0..8).map(|_| scope.spawn(|| open(&path))).collect();
                for opener in openers {
                    opener.join().unwrap().unwrap();
                }
            });
        }
    }
}
