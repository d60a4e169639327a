//! The lake for readers, in the writer's process or in another: SQL, single files, counts.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use bus::Position;
use columns::day_text;
use datafusion::catalog::TableProvider;
use datafusion::execution::{SessionState, TaskContext};
use schemas::tables::Table;
use schemas::topics::Topic;
use tokio::sync::Mutex;

use crate::config::LakeConfig;
use crate::delta::{DataFile, LiveTable, Partition, Reached, Snapshot, file};
use crate::disk::LocalDisk;
use crate::error::LakeError;
use crate::location::{home, location};
use crate::sql::session;
use crate::sql::snapshot::TableSnapshot;

/// Conditions that SQL can name.
#[async_trait]
pub trait Conditions: Debug + Send + Sync {
    /// Gets them ready; asked before each query that calls the function, and by no other.
    ///
    /// # Errors
    /// What the query is to say where they cannot be read.
    async fn prepare(&self, lake: &Lake) -> datafusion::common::Result<()>;

    /// The table that the condition is about; none if nobody has the name.
    fn table(&self, name: &str) -> Option<Table>;

    /// The rows of that table, as it stands in the query, for which the condition holds.
    ///
    /// # Errors
    /// What the query is to say where there are none to be had.
    fn rows(
        &self,
        name: &str,
        table: TableSnapshot,
    ) -> datafusion::common::Result<Arc<dyn TableProvider>>;

    /// Names that exist, for the message about one that does not.
    fn names(&self) -> Vec<String>;
}

/// A data file of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableFile {
    /// Path inside the table's folder.
    pub path: String,
    /// The tenant of all its rows.
    pub tenant_id: String,
    /// The day of all its rows, `YYYY-MM-DD`.
    pub day: String,
    /// Number of rows; none if a foreign writer did not say.
    pub rows: Option<u64>,
    /// Size in bytes.
    pub bytes: u64,
    /// When it was written, in milliseconds since the Unix epoch.
    pub written_ms: i64,
    /// A version of the table that has the file.
    pub version: i64,
}

impl TableFile {
    pub(crate) fn of(file: &DataFile, version: i64) -> Self {
        Self {
            path: file.path.clone(),
            tenant_id: file.tenant_id.clone(),
            day: day_text(file.day),
            rows: file.rows,
            bytes: file.bytes,
            written_ms: file.modified_ms,
            version,
        }
    }
}

/// How far the lake has taken a partition of the bus in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// Arrival after the last message: over all logs that the partition has had, and only upwards.
    pub arrival: i64,
    /// The position after it, in the log that the lake reads.
    pub position: Position,
}

impl Taken {
    /// What an arrival is more than its offset in the log that the lake reads.
    pub fn base(&self) -> i64 {
        self.arrival - self.position.next_offset
    }
}

/// The tables, read-only. Cheap to clone; a table that does not exist yet is empty.
#[derive(Clone)]
pub struct Lake {
    location: PathBuf,
    tables: Arc<BTreeMap<Table, Mutex<LiveTable>>>,
    pub(crate) state: Arc<SessionState>,
    conditions: Option<Arc<dyn Conditions>>,
}

impl Debug for Lake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lake")
            .field("location", &self.location)
            .finish_non_exhaustive()
    }
}

impl Lake {
    /// Opens the lake for reading.
    ///
    /// # Errors
    /// [`LakeError::Location`] if the location is not a folder of this machine.
    pub fn open(config: &LakeConfig) -> Result<Self, LakeError> {
        let location = location(&config.location)?;
        // Each is read when somebody asks for it: one that cannot be read says so to whoever asks, and to nobody else.
        let live = |table| LiveTable::new(&location, table, Arc::new(LocalDisk));
        let tables = Table::ALL
            .iter()
            .map(|table| (*table, Mutex::new(live(*table))))
            .collect();
        Ok(Self {
            location,
            tables: Arc::new(tables),
            state: Arc::new(session::session()?),
            conditions: None,
        })
    }

    /// Makes conditions known to SQL as `matches('NAME')`.
    #[must_use]
    pub fn with_conditions(self, conditions: Arc<dyn Conditions>) -> Self {
        Self {
            conditions: Some(conditions),
            ..self
        }
    }

    /// A file that a batch announced, or that [`Self::files`] named.
    ///
    /// Shape: Parquet with the columns of [`schemas::arrow::file_schema`], low-cardinality ones as dictionaries;
    /// the partition columns are in the announcement.
    ///
    /// # Errors
    /// [`LakeError::ForeignPath`] if the path is not inside the table; [`LakeError::File`] if it cannot be opened.
    pub fn open_file(&self, table: Table, path: &str) -> Result<File, LakeError> {
        let path = file::absolute(&self.root(table), table, path)?;
        File::open(&path).map_err(|cause| LakeError::File {
            verb: "read",
            path,
            cause,
        })
    }

    /// The files of a table as it is now, in the order of their paths.
    ///
    /// # Errors
    /// [`LakeError::Log`] or [`LakeError::File`] if the table cannot be read.
    pub async fn files(&self, table: Table) -> Result<Vec<TableFile>, LakeError> {
        let snapshot = self.snapshot(table).await?;
        let version = snapshot.version.unwrap_or(0);
        let files = snapshot.files.values();
        let files = files.map(|file| TableFile::of(file, version));
        Ok(files.collect())
    }

    /// Number of rows of a table.
    ///
    /// # Errors
    /// [`LakeError::Log`] or [`LakeError::File`] if the table cannot be read.
    pub async fn count(&self, table: Table) -> Result<u64, LakeError> {
        let snapshot = self.snapshot(table).await?;
        Ok(snapshot.files.values().filter_map(|file| file.rows).sum())
    }

    /// Version of a table; none if it does not exist yet.
    ///
    /// # Errors
    /// As [`Self::count`].
    pub async fn version(&self, table: Table) -> Result<Option<i64>, LakeError> {
        Ok(self.snapshot(table).await?.version)
    }

    /// How far a table has taken a partition in.
    ///
    /// # Errors
    /// As [`Self::count`].
    pub async fn taken(&self, topic: Topic, partition: i32) -> Result<Taken, LakeError> {
        let partition = Partition { topic, partition };
        let home = home(topic).and_then(|table| self.tables.get(&table));
        let reached = match home {
            None => Reached::default(),
            Some(live) => {
                let mut live = live.lock().await;
                live.refresh().await?;
                live.reached(partition).await?
            }
        };
        Ok(Taken {
            arrival: reached.arrival,
            position: reached.position(partition),
        })
    }

    /// What an operator of `DataFusion` runs with that somebody builds without SQL: the settings and the memory of the
    /// queries of this reader.
    pub fn task_context(&self) -> Arc<TaskContext> {
        let context = TaskContext::default()
            .with_session_config(self.state.config().clone())
            .with_runtime(Arc::clone(self.state.runtime_env()));
        Arc::new(context)
    }

    pub(crate) fn conditions(&self) -> Option<Arc<dyn Conditions>> {
        self.conditions.clone()
    }

    pub(crate) fn root(&self, table: Table) -> PathBuf {
        self.location.join(table.name())
    }

    pub(crate) async fn snapshot(&self, table: Table) -> Result<Arc<Snapshot>, LakeError> {
        let Some(live) = self.tables.get(&table) else {
            return Ok(Arc::default());
        };
        let mut live = live.lock().await;
        live.refresh().await?;
        Ok(Arc::clone(live.snapshot()))
    }
}
