//! The journal's file: made whole or not at all, and put aside where it is damaged.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};
use schemas::time::iso_ms;

use super::{JournalError, tables};

/// How long a writer waits for another process, for example a person's approval.
const BUSY_WAIT: Duration = Duration::from_secs(10);

/// Largest file that is checked page by page when a stage opens it, in bytes: a quarter of a second.
///
/// Damage in a larger one is found when it is read.
const CHECK_BYTES_MAX: u64 = 128 * 1024 * 1024;

/// What stands beside the file while it is open, and belongs to it.
const COMPANIONS: [&str; 3] = ["", "-wal", "-shm"];

/// Opens the journal for a stage, with the tables of this version; makes it where there is none.
///
/// # Errors
/// [`JournalError::Damaged`] if it is no database or its pages contradict each other.
pub(super) fn open(path: &Path) -> Result<Connection, JournalError> {
    if !path.exists() {
        create(path)?;
    }
    let opened = connect(path).and_then(|mut connection| {
        check(path, &connection)?;
        set_up(&connection)?;
        tables::bring_up_to_date(&mut connection)?;
        Ok(connection)
    });
    match opened {
        Err(JournalError::Storage { cause }) if is_damage(&cause) => Err(JournalError::Damaged {
            path: path.to_owned(),
            cause,
        }),
        opened => opened,
    }
}

/// Opens the journal of a stage beside it, and changes nothing of how it is built.
///
/// # Errors
/// [`JournalError::Storage`] if there is none, [`JournalError::Version`] if its tables are another version's.
pub(super) fn open_beside(path: &Path) -> Result<Connection, JournalError> {
    let connection = connect(path)?;
    tables::expect_current(&connection)?;
    Ok(connection)
}

/// Opens a journal that is gone with the process.
pub(super) fn in_memory() -> Result<Connection, JournalError> {
    let mut connection = Connection::open_in_memory()?;
    tables::bring_up_to_date(&mut connection)?;
    Ok(connection)
}

/// Moves a damaged journal beside itself, where a person can look at it; gives its new place.
///
/// # Errors
/// What the system said; a stage must not go on with it.
pub(crate) fn set_aside(path: &Path, now_us: i64) -> io::Result<PathBuf> {
    let time: String = iso_ms(now_us)
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect();
    let aside = beside(path, &format!(".damaged-{time}"));
    for companion in COMPANIONS {
        match fs::rename(beside(path, companion), beside(&aside, companion)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(aside)
}

/// Makes it under another name, so that whoever looks finds a whole journal or none.
fn create(path: &Path) -> Result<(), JournalError> {
    let made = beside(path, ".new");
    for companion in COMPANIONS {
        // Of a process that was killed while it made one.
        drop(fs::remove_file(beside(&made, companion)));
    }
    let mut connection = Connection::open(&made)?;
    set_up(&connection)?;
    tables::bring_up_to_date(&mut connection)?;
    connection.close().map_err(|(_, cause)| cause)?;
    let put = || {
        fs::rename(&made, path)?;
        let folder = path.parent().filter(|it| !it.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    };
    put().map_err(|cause| JournalError::Create {
        path: path.to_owned(),
        cause,
    })
}

fn connect(path: &Path) -> Result<Connection, JournalError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_WAIT)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    Ok(connection)
}

/// Persistent, so that it changes nothing on a file that has it already.
fn set_up(connection: &Connection) -> Result<(), JournalError> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    Ok(())
}

fn check(path: &Path, connection: &Connection) -> Result<(), JournalError> {
    if path.metadata().map_or(0, |found| found.len()) > CHECK_BYTES_MAX {
        return Ok(());
    }
    let found: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if found == "ok" {
        return Ok(());
    }
    let damage = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
    Err(rusqlite::Error::SqliteFailure(damage, Some(found)).into())
}

fn is_damage(cause: &rusqlite::Error) -> bool {
    matches!(
        cause.sqlite_error_code(),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
    )
}

/// What stands beside a file under its name and an ending.
pub(crate) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut named = OsString::from(path);
    named.push(ending);
    named.into()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{open, open_beside, set_aside};
    use crate::journal::JournalError;

    #[test]
    fn whoever_looks_finds_a_whole_journal_or_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        assert!(matches!(
            open_beside(&path),
            Err(JournalError::Storage { .. })
        ));
        fs::write(
            folder.path().join("journal.new"),
            "left by a process that was killed",
        )
        .unwrap();
        let looker = std::thread::spawn({
            let path = path.clone();
            move || {
                while !path.exists() {
                    std::hint::spin_loop();
                }
                for _ in 0..50 {
                    open_beside(&path).unwrap();
                }
            }
        });
        let journal = open(&path).unwrap();
        looker.join().unwrap();
        drop(journal);
        open(&path).unwrap();
        assert!(!folder.path().join("journal.new").exists());
    }

    #[test]
    fn a_damaged_journal_is_named_and_can_be_put_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let whole = {
            drop(open(&path).unwrap());
            fs::read(&path).unwrap()
        };
        let mut damaged_page = whole.clone();
        damaged_page[4_096 * 3..4_096 * 6].fill(0x5a);
        for content in [b"no journal at all, and long enough".to_vec(), damaged_page] {
            fs::write(&path, content).unwrap();
            let error = open(&path).err().unwrap();
            assert!(matches!(error, JournalError::Damaged { .. }), "{error:?}");
            assert!(error.to_string().contains(path.to_str().unwrap()));
            let aside = set_aside(&path, 1_800_000_000_000_000).unwrap();
            assert!(aside.exists() && !path.exists());
            drop(open(&path).unwrap());
        }
    }

    #[test]
    fn a_journal_of_before_is_brought_up_to_date_by_a_stage_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        drop(open(&path).unwrap());
        let journal = rusqlite::Connection::open(&path).unwrap();
        journal.pragma_update(None, "user_version", 999).unwrap();
        let refused = open_beside(&path).err().unwrap();
        assert!(matches!(refused, JournalError::Version { found: 999, .. }));
    }
}
