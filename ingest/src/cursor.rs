//! Where each source stands, and what it has read already: one SQLite file, durable before a call returns.
//!
//! It is written only after the bus has taken the records, so it is never ahead of them; of which log that is, is in the
//! same file.

mod log;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bus::stored;
use rusqlite::{Connection, ErrorCode, OptionalExtension, Transaction, params};
use schemas::invariants::{CursorMove, check};
use tokio::sync::Notify;

use crate::acknowledged::Acknowledged;
use crate::error::IngestError;

/// How long what was read is remembered, in microseconds: blobs can be listed for 7 days, with slack.
pub(crate) const MEMORY_US: i64 = 30 * 24 * 3_600 * 1_000_000;

/// Longest wait for another process that holds the file, for example a dying predecessor.
const BUSY_WAIT: Duration = Duration::from_secs(10);

/// Most broken files that are kept; the last one is overwritten then.
const BROKEN_FILES_MAX: u32 = 1_000;

/// Name of the cursor store in the data folder.
pub const FILE_NAME: &str = "ingest-cursors.sqlite";

/// The newest state of an object that was published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct State {
    /// Hash of the object and all that it is.
    pub(crate) hash: String,
    /// How many states were published before it.
    pub(crate) number: u32,
}

/// The store. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Cursors {
    store: Arc<Mutex<Store>>,
    /// What the bus has acknowledged, which is stored with every cursor.
    acknowledged: Acknowledged,
    /// Told where a broken file was set aside.
    anew: Arc<Notify>,
}

struct Store {
    path: PathBuf,
    connection: Connection,
    /// Where broken files were put, until somebody has asked.
    set_aside: Vec<PathBuf>,
}

impl Cursors {
    /// Opens the store in `folder`, and makes both if they are missing.
    ///
    /// A file that is no database is set aside, now or when its damage is met: without cursors everything still
    /// within reach is read again, which loses nothing.
    pub(crate) fn open(folder: &Path) -> Result<Self, IngestError> {
        std::fs::create_dir_all(folder).map_err(|cause| IngestError::Folder {
            path: folder.to_owned(),
            cause,
        })?;
        let path = folder.join(FILE_NAME);
        let opening = |cause| IngestError::Cursor {
            doing: "opening",
            cause,
        };
        let mut broken = Vec::new();
        let connection = match connect(&path) {
            Err(cause) if is_broken(&cause) => {
                broken.push(put_aside(&path)?);
                connect(&path)
            }
            other => other,
        }
        .map_err(opening)?;
        let anew = Arc::new(Notify::new());
        if !broken.is_empty() {
            anew.notify_one();
        }
        Ok(Self {
            store: Arc::new(Mutex::new(Store {
                path,
                connection,
                set_aside: broken,
            })),
            acknowledged: Acknowledged::default(),
            anew,
        })
    }

    /// Where what the bus acknowledges is noted.
    pub(crate) fn acknowledged(&self) -> &Acknowledged {
        &self.acknowledged
    }

    /// Waits until a broken file was set aside, and says where it is.
    pub(crate) async fn set_aside(&self) -> Vec<PathBuf> {
        loop {
            self.anew.notified().await;
            let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
            let paths = std::mem::take(&mut store.set_aside);
            if !paths.is_empty() {
                return paths;
            }
        }
    }

    /// The position of `subject`, or none.
    pub(crate) async fn get(&self, subject: String) -> Result<Option<String>, IngestError> {
        self.with("reading a cursor", move |connection| {
            connection
                .query_row(
                    "SELECT value FROM cursors WHERE subject = ?1",
                    params![subject],
                    |row| row.get(0),
                )
                .optional()
        })
        .await
    }

    /// Moves the position of `subject`; call it after the bus has taken what it covers.
    pub(crate) async fn set(
        &self,
        subject: String,
        value: String,
        covers: CursorMove,
    ) -> Result<(), IngestError> {
        check(&covers);
        self.write("moving a cursor", move |transaction| {
            transaction
                .execute(
                    "INSERT INTO cursors (subject, value) VALUES (?1, ?2)
                     ON CONFLICT (subject) DO UPDATE SET value = excluded.value",
                    params![subject, value],
                )
                .map(|_| ())
        })
        .await
    }

    /// Those of `ids` that have been read.
    pub(crate) async fn known(
        &self,
        subject: String,
        ids: Vec<String>,
    ) -> Result<HashSet<String>, IngestError> {
        self.with("looking up what was read", move |connection| {
            let mut query =
                connection.prepare_cached("SELECT 1 FROM known WHERE subject = ?1 AND id = ?2")?;
            let mut known = HashSet::new();
            for id in ids {
                if query.exists(params![subject, id])? {
                    known.insert(id);
                }
            }
            Ok(known)
        })
        .await
    }

    /// Remembers that `ids` have been read, all or none, and forgets what is older than [`MEMORY_US`].
    pub(crate) async fn remember(
        &self,
        subject: String,
        ids: Vec<String>,
        covers: CursorMove,
        now_us: i64,
    ) -> Result<(), IngestError> {
        check(&covers);
        self.write("remembering what was read", move |transaction| {
            let mut insert = transaction.prepare_cached(
                "INSERT OR REPLACE INTO known (subject, id, read_us) VALUES (?1, ?2, ?3)",
            )?;
            for id in ids {
                insert.execute(params![subject, id, now_us])?;
            }
            transaction.execute(
                "DELETE FROM known WHERE subject = ?1 AND read_us < ?2",
                params![subject, now_us.saturating_sub(MEMORY_US)],
            )?;
            Ok(())
        })
        .await
    }

    /// The newest state of those of `objects` that have one.
    pub(crate) async fn states(
        &self,
        subject: String,
        objects: Vec<String>,
    ) -> Result<HashMap<String, State>, IngestError> {
        self.with("looking up what is known of objects", move |connection| {
            let mut query = connection.prepare_cached(
                "SELECT hash, number FROM states WHERE subject = ?1 AND object = ?2",
            )?;
            let mut states = HashMap::new();
            for object in objects {
                let found = query.query_row(params![subject, object], |row| {
                    Ok(State {
                        hash: row.get(0)?,
                        number: row.get(1)?,
                    })
                });
                if let Some(state) = found.optional()? {
                    states.insert(object, state);
                }
            }
            Ok(states)
        })
        .await
    }

    /// Remembers the newest states of objects, all or none, in place of older ones.
    ///
    /// One row for each object is kept for ever: an unchanged object may come again after any time.
    pub(crate) async fn remember_states(
        &self,
        subject: String,
        states: HashMap<String, State>,
        covers: CursorMove,
    ) -> Result<(), IngestError> {
        check(&covers);
        self.write("remembering the states of objects", move |transaction| {
            let mut insert = transaction.prepare_cached(
                "INSERT OR REPLACE INTO states (subject, object, hash, number) VALUES (?1, ?2, ?3, ?4)",
            )?;
            for (object, state) in states {
                insert.execute(params![subject, object, state.hash, state.number])?;
            }
            Ok(())
        })
        .await
    }

    /// Runs `work` in a transaction, which also stores what the bus has acknowledged by now.
    async fn write(
        &self,
        doing: &'static str,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<()> + Send + 'static,
    ) -> Result<(), IngestError> {
        let acknowledged = self.acknowledged.clone();
        self.with(doing, move |connection| {
            let transaction = connection.transaction()?;
            work(&transaction)?;
            let unwritten = acknowledged.unwritten();
            stored::write(&transaction, &unwritten)?;
            transaction.commit()?;
            acknowledged.written(&unwritten);
            Ok(())
        })
        .await
    }

    /// Runs `work` where it may block.
    async fn with<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, IngestError> {
        let (store, anew) = (self.store.clone(), self.anew.clone());
        let acknowledged = self.acknowledged.clone();
        let done = tokio::task::spawn_blocking(move || {
            // A transaction that a panic has left open was rolled back when it was dropped.
            let mut store = store.lock().unwrap_or_else(PoisonError::into_inner);
            let done = work(&mut store.connection);
            if let Err(cause) = &done
                && is_broken(cause)
            {
                // Whoever asked tries again, on the new store.
                store.begin_anew()?;
                acknowledged.store_again();
                anew.notify_one();
            }
            done.map_err(|cause| IngestError::Cursor { doing, cause })
        });
        done.await.unwrap_or_else(|_| {
            Err(IngestError::Task {
                source_name: "cursors".to_owned(),
            })
        })
    }
}

impl Store {
    /// Puts the broken file aside and opens a new one in its place.
    fn begin_anew(&mut self) -> Result<(), IngestError> {
        let opening = |cause| IngestError::Cursor {
            doing: "opening anew",
            cause,
        };
        // The broken one is closed first: its journal must not be written beside the new file.
        self.connection = Connection::open_in_memory().map_err(opening)?;
        if self.path.exists() {
            self.set_aside.push(put_aside(&self.path)?);
        }
        self.connection = connect(&self.path).map_err(opening)?;
        Ok(())
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_WAIT)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS cursors (subject TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
         CREATE TABLE IF NOT EXISTS known (
             subject TEXT NOT NULL, id TEXT NOT NULL, read_us INTEGER NOT NULL,
             PRIMARY KEY (subject, id)) WITHOUT ROWID;
         CREATE INDEX IF NOT EXISTS known_by_age ON known (subject, read_us);
         CREATE TABLE IF NOT EXISTS states (
             subject TEXT NOT NULL, object TEXT NOT NULL, hash TEXT NOT NULL, number INTEGER NOT NULL,
             PRIMARY KEY (subject, object)) WITHOUT ROWID;",
    )?;
    connection.execute_batch(stored::TABLE)?;
    connection.execute_batch(log::FACTS)?;
    Ok(connection)
}

fn is_broken(cause: &rusqlite::Error) -> bool {
    matches!(
        cause.sqlite_error_code(),
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt)
    )
}

fn put_aside(path: &Path) -> Result<PathBuf, IngestError> {
    rename_broken(path).map_err(|cause| IngestError::Folder {
        path: path.to_owned(),
        cause,
    })
}

/// Renames a broken file out of the way, and says where it is; its journals are removed.
fn rename_broken(path: &Path) -> std::io::Result<PathBuf> {
    let with = |ending: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    };
    let is_free = |number: &u32| !with(&format!(".broken-{number}")).exists();
    let number = (1..BROKEN_FILES_MAX).find(is_free);
    let ending = format!(".broken-{}", number.unwrap_or(BROKEN_FILES_MAX));
    tracing::error!(file = %path.display(), "cursor store is damaged: set aside, everything within reach is read again");
    let aside = with(&ending);
    std::fs::rename(path, &aside)?;
    for journal in ["-wal", "-shm"] {
        let journal = with(journal);
        if journal.exists() {
            std::fs::remove_file(journal)?;
        }
    }
    Ok(aside)
}

#[cfg(test)]
mod tests {
    use super::{CursorMove, Cursors, FILE_NAME, MEMORY_US, State};

    const NONE: CursorMove = CursorMove {
        covered: 0,
        acknowledged: 0,
    };

    #[tokio::test]
    async fn remembers_across_a_restart() {
        // The memory of contents spans restarts and at least 7 days.
        let folder = tempfile::tempdir().unwrap();
        {
            let cursors = Cursors::open(folder.path()).unwrap();
            cursors.set("a".into(), "1".into(), NONE).await.unwrap();
            cursors.set("a".into(), "2".into(), NONE).await.unwrap();
            cursors
                .remember("s".into(), vec!["x".into()], NONE, 5)
                .await
                .unwrap();
        }
        let cursors = Cursors::open(folder.path()).unwrap();
        assert_eq!(cursors.get("a".into()).await.unwrap().as_deref(), Some("2"));
        assert_eq!(cursors.get("b".into()).await.unwrap(), None);
        let known =
            |ids: &[&str]| cursors.known("s".into(), ids.iter().map(ToString::to_string).collect());
        assert_eq!(known(&["x", "y"]).await.unwrap().len(), 1);
        cursors
            .remember(
                "s".into(),
                vec!["y".into()],
                NONE,
                7 * 24 * 3_600 * 1_000_000,
            )
            .await
            .unwrap();
        assert_eq!(known(&["x", "y"]).await.unwrap().len(), 2);
        cursors
            .remember("s".into(), vec![], NONE, MEMORY_US + 6)
            .await
            .unwrap();
        assert_eq!(known(&["x", "y"]).await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn an_object_has_one_state_of_each_subject() {
        let folder = tempfile::tempdir().unwrap();
        let state = |number| State {
            hash: format!("h{number}"),
            number,
        };
        for number in [0, 1] {
            let cursors = Cursors::open(folder.path()).unwrap();
            let states = [("x".to_owned(), state(number))];
            cursors
                .remember_states("s".into(), states.into(), NONE)
                .await
                .unwrap();
        }
        let cursors = Cursors::open(folder.path()).unwrap();
        let known = |subject: &str| cursors.states(subject.into(), vec!["x".into(), "y".into()]);
        assert_eq!(
            known("s").await.unwrap(),
            [("x".to_owned(), state(1))].into()
        );
        assert!(known("t").await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn an_object_that_is_read_again_has_its_number_and_no_state() {
        let folder = tempfile::tempdir().unwrap();
        let cursors = Cursors::open(folder.path()).unwrap();
        let state = State {
            hash: "h".to_owned(),
            number: 7,
        };
        let states = [("x".to_owned(), state)].into();
        cursors
            .remember_states("s".into(), states, NONE)
            .await
            .unwrap();
        cursors.set("a".into(), "1".into(), NONE).await.unwrap();
        cursors.read_again().await.unwrap();
        assert_eq!(cursors.get("a".into()).await.unwrap(), None);
        let known = cursors.states("s".into(), vec!["x".into()]).await.unwrap();
        assert_eq!((known["x"].hash.as_str(), known["x"].number), ("", 7));
    }

    #[tokio::test]
    async fn a_file_that_is_no_database_is_set_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        std::fs::write(&path, vec![7_u8; 8_192]).unwrap();
        let cursors = Cursors::open(folder.path()).unwrap();
        cursors.set("a".into(), "1".into(), NONE).await.unwrap();
        let kept = std::fs::read(folder.path().join(format!("{FILE_NAME}.broken-1"))).unwrap();
        assert_eq!(kept, vec![7_u8; 8_192]);
    }

    #[tokio::test]
    async fn damage_inside_the_file_is_set_aside_when_it_is_met() {
        use std::io::{Seek, SeekFrom, Write};

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        {
            let cursors = Cursors::open(folder.path()).unwrap();
            let ids = (0..2_000).map(|number| format!("blob-{number}")).collect();
            cursors.remember("s".into(), ids, NONE, 5).await.unwrap();
            cursors.set("a".into(), "1".into(), NONE).await.unwrap();
        }
        // The first page, with the schema, stays whole: the file opens as a database.
        let bytes = std::fs::metadata(&path).unwrap().len();
        let mut file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.seek(SeekFrom::Start(4_096)).unwrap();
        file.write_all(&vec![7; usize::try_from(bytes - 4_096).unwrap()])
            .unwrap();
        drop(file);
        let cursors = Cursors::open(folder.path()).unwrap();
        let mut failures = 0;
        while cursors.set("a".into(), "2".into(), NONE).await.is_err() {
            failures += 1;
            assert!(failures < 3, "it stays stuck");
        }
        assert_eq!(cursors.get("a".into()).await.unwrap().as_deref(), Some("2"));
        let aside = folder.path().join(format!("{FILE_NAME}.broken-1"));
        assert_eq!(cursors.set_aside().await, [aside]);
        drop(cursors);
        // It stays mended.
        let cursors = Cursors::open(folder.path()).unwrap();
        assert_eq!(cursors.get("a".into()).await.unwrap().as_deref(), Some("2"));
    }
}
