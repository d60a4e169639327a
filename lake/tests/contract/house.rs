//! A bus, a lake and a disk to test with.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use arrow::record_batch::RecordBatch;
use bus::config::LogConfig;
use bus::{Bus, BusConfig, Message};
use lake::disk::{Disk, LocalDisk};
use lake::{Lake, LakeConfig, LakeError, stage};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use prost::Message as _;
use schemas::environment::Clock;
use schemas::tables::Table;
use schemas::topics::Topic;
use schemas::wire::{Batch, Event};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Noon of 2024-10-04 UTC, in microseconds.
pub(crate) const NOON_US: i64 = 1_728_043_200_000_000;

/// Microseconds of a day.
pub(crate) const DAY_US: i64 = 86_400_000_000;

/// The log that a house begins with.
const LOG: &str = "log.sqlite";

/// Longest that anything here may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// A folder with a bus and a lake.
pub(crate) struct House {
    pub(crate) bus: Bus,
    pub(crate) config: LakeConfig,
    /// What the stage's clock says when it starts.
    pub(crate) now_us: i64,
    hands: Arc<AtomicI64>,
    folder: tempfile::TempDir,
}

/// A clock that a test moves.
struct Hands(Arc<AtomicI64>);

impl Clock for Hands {
    fn now_us(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// A stage that runs.
pub(crate) struct Running {
    stop: CancellationToken,
    task: JoinHandle<Result<(), LakeError>>,
}

impl House {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = LakeConfig {
            location: folder.path().join("lake").to_str().unwrap().to_owned(),
            batch_wait_ms: 20,
            ..LakeConfig::default()
        };
        let bus = open_bus(folder.path(), LOG, LogConfig::default().retention_hours).await;
        Self {
            bus,
            config,
            now_us: NOON_US,
            hands: Arc::default(),
            folder,
        }
    }

    /// Opens the bus anew; messages that every group has passed are gone.
    pub(crate) async fn forget_what_was_passed(&mut self) {
        self.bus = open_bus(self.folder.path(), LOG, 0).await;
    }

    /// Reads another log from now on, which is made if it does not exist.
    pub(crate) async fn replace_log(&mut self, name: &str) {
        self.bus = open_bus(
            self.folder.path(),
            name,
            LogConfig::default().retention_hours,
        )
        .await;
    }

    /// Copies the log as a backup does that waits until nothing is open.
    pub(crate) async fn copy_log(&mut self, name: &str) {
        self.replace_log("while-copied.sqlite").await;
        let wal = self.folder.path().join(format!("{LOG}-wal"));
        eventually("the log is closed", || async { !wal.exists() }).await;
        let (from, to) = (self.folder.path().join(LOG), self.folder.path().join(name));
        std::fs::copy(from, to).unwrap();
        self.replace_log(LOG).await;
    }

    /// Removes the lake.
    pub(crate) fn remove_lake(&self) {
        std::fs::remove_dir_all(self.folder.path().join("lake")).unwrap();
    }

    pub(crate) fn lake_folder(&self) -> PathBuf {
        self.folder.path().join("lake")
    }

    pub(crate) fn table_folder(&self, table: Table) -> PathBuf {
        self.folder.path().join("lake").join(table.name())
    }

    pub(crate) fn start(&self) -> Running {
        self.start_on(Arc::new(LocalDisk))
    }

    pub(crate) fn start_on(&self, disk: Arc<dyn Disk>) -> Running {
        self.start_as(&self.config.group, disk)
    }

    /// Starts the stage under another group's name, whose offsets nobody has committed.
    pub(crate) fn start_as(&self, group: &str, disk: Arc<dyn Disk>) -> Running {
        let config = LakeConfig {
            group: group.to_owned(),
            ..self.config.clone()
        };
        let stop = CancellationToken::new();
        self.move_clock(self.now_us);
        let clock = Arc::new(Hands(Arc::clone(&self.hands)));
        let task = tokio::spawn(stage::run_on(
            config,
            self.bus.clone(),
            clock,
            disk,
            schemas::health::Health::default(),
            stop.clone(),
        ));
        Running { stop, task }
    }

    /// Moves the clock of the stage that runs.
    pub(crate) fn move_clock(&self, now_us: i64) {
        self.hands.store(now_us, Ordering::SeqCst);
    }

    /// Reads announcements as detect does, up to their end.
    pub(crate) async fn read_announcements(&self) {
        let group = &self.config.announced_to;
        let mut consumer = self.bus.subscribe(group, &[Topic::Batches]).await.unwrap();
        let ends = self.bus.ends(Topic::Batches).await.unwrap();
        consumer.next(1, Duration::from_secs(1)).await.unwrap();
        consumer.commit(&ends).await.unwrap();
    }

    pub(crate) async fn publish(&self, events: &[Event]) {
        let mut by_table: BTreeMap<&str, Vec<Message>> = BTreeMap::new();
        for event in events {
            by_table.entry(&event.table).or_default().push(Message {
                key: event.event_id.clone(),
                payload: event.encode_to_vec(),
            });
        }
        for (table, messages) in by_table {
            let topic = Topic::Events(Table::of_name(table).unwrap());
            self.bus.publish(topic, messages).await.unwrap();
        }
    }

    pub(crate) async fn publish_bytes(&self, topic: Topic, payload: Vec<u8>) {
        self.bus
            .publish(
                topic,
                vec![Message {
                    key: "k".into(),
                    payload,
                }],
            )
            .await
            .unwrap();
    }

    pub(crate) fn lake(&self) -> Lake {
        Lake::open(&self.config).unwrap()
    }

    /// Waits until the lake's group has passed every message of the topic.
    pub(crate) async fn caught_up(&self, topic: Topic) {
        self.caught_up_as(&self.config.group, topic).await;
    }

    pub(crate) async fn caught_up_as(&self, group: &str, topic: Topic) {
        let ends = self.bus.ends(topic).await.unwrap();
        eventually("the group passes every message", || async {
            let committed = self.bus.committed(group, topic).await.unwrap();
            ends.iter()
                .all(|end| end.next_offset == 0 || committed.contains(end))
        })
        .await;
    }

    pub(crate) async fn wait_for_rows(&self, table: Table, rows: u64) {
        let lake = self.lake();
        eventually("the rows are there", || async {
            // A table that is being mended cannot be read for a moment.
            let found = lake.count(table).await;
            found.is_ok_and(|found| found == rows)
        })
        .await;
    }

    /// The strings of a query's first column.
    pub(crate) async fn column(&self, sql: &str) -> Vec<String> {
        let (_, batches) = self
            .lake()
            .query_all(sql)
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        let mut found = Vec::new();
        for batch in batches {
            let column =
                arrow::compute::cast(batch.column(0), &arrow::datatypes::DataType::Utf8).unwrap();
            let strings = arrow::array::AsArray::as_string::<i32>(&column);
            found.extend(
                strings
                    .iter()
                    .map(|value| value.unwrap_or("null").to_owned()),
            );
        }
        found
    }

    pub(crate) async fn ids(&self, table: Table) -> Vec<String> {
        let mut ids = self
            .column(&format!("SELECT {} FROM {table}", table.identity()))
            .await;
        ids.sort();
        ids
    }

    /// Everything announced so far.
    pub(crate) async fn batches(&self) -> Vec<Batch> {
        let end: i64 = self
            .bus
            .ends(Topic::Batches)
            .await
            .unwrap()
            .iter()
            .map(|end| end.next_offset)
            .sum();
        let group = format!("reader-{}", COUNTER.fetch_add(1, Ordering::Relaxed));
        let mut consumer = self.bus.subscribe(&group, &[Topic::Batches]).await.unwrap();
        let mut found = Vec::new();
        while i64::try_from(found.len()).unwrap() < end {
            let polled = consumer.next(1_000, Duration::from_secs(1)).await.unwrap();
            found.extend(
                polled
                    .records
                    .iter()
                    .map(|record| Batch::decode(record.payload.as_slice()).unwrap()),
            );
        }
        found
    }

    /// Ids of the rows in announced files, each file once, when there are as many: a commit is seen before it is announced.
    pub(crate) async fn announced_ids(&self, table: Table, count: usize) -> Vec<String> {
        eventually("the rows are announced", || async {
            self.announced_by_now(table).await.len() >= count
        })
        .await;
        self.announced_by_now(table).await
    }

    async fn announced_by_now(&self, table: Table) -> Vec<String> {
        let lake = self.lake();
        let mut paths = BTreeSet::new();
        for batch in self
            .batches()
            .await
            .into_iter()
            .filter(|batch| batch.table == table.name())
        {
            paths.extend(batch.files.into_iter().map(|file| file.path));
        }
        let mut ids = Vec::new();
        for path in paths {
            for batch in rows_of_file(&lake, table, &path) {
                let column = batch.column_by_name(table.identity()).unwrap();
                let strings = arrow::array::AsArray::as_string::<i32>(column);
                ids.extend(strings.iter().flatten().map(str::to_owned));
            }
        }
        ids.sort();
        ids
    }
}

/// All rows of a file that was announced.
pub(crate) fn rows_of_file(lake: &Lake, table: Table, path: &str) -> Vec<RecordBatch> {
    let file = lake.open_file(table, path).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    reader.build().unwrap().map(Result::unwrap).collect()
}

static COUNTER: AtomicU64 = AtomicU64::new(0);

impl Running {
    /// Ends it in good order.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        tokio::time::timeout(PATIENCE, self.task)
            .await
            .unwrap()
            .unwrap()
            .unwrap();
    }

    /// Ends it where it stands.
    pub(crate) async fn kill(self) {
        self.task.abort();
        assert!(self.task.await.is_err(), "it had ended before");
    }
}

/// Waits until `is_true`, and fails if that never comes.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, is_true: impl Fn() -> F) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !is_true().await {
        assert!(
            tokio::time::Instant::now() < deadline,
            "waited in vain until {what}"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn open_bus(folder: &Path, name: &str, retention_hours: u64) -> Bus {
    let config = LogConfig {
        path: folder.join(name),
        retention_hours,
    };
    Bus::open(&BusConfig::Log(config)).await.unwrap()
}

/// How many data files stand in a table's folder.
pub(crate) fn data_files(folder: &Path) -> usize {
    paths(folder).len()
}

/// The data files in a table's folder.
pub(crate) fn paths(folder: &Path) -> Vec<PathBuf> {
    let items = std::fs::read_dir(folder).unwrap();
    let of_item = |path: PathBuf| match path.extension() {
        _ if path.is_dir() && !path.ends_with("_delta_log") => paths(&path),
        Some(extension) if extension == "parquet" => vec![path],
        _ => Vec::new(),
    };
    items
        .flat_map(|item| of_item(item.unwrap().path()))
        .collect()
}

/// A sign-in.
pub(crate) fn sign_in(id: &str, result: &str) -> Event {
    Event {
        tenant_id: "5f0c0e5a-0000-4000-8000-000000000001".into(),
        table: "signins".into(),
        event_id: id.into(),
        event_time_us: Some(NOON_US),
        ingest_time_us: NOON_US,
        source: "test".into(),
        category: "SignInLogs".into(),
        raw: format!(
            r#"{{"id":"{id}","resultType":"{result}","properties":{{"userPrincipalName":"ada@contoso.example"}}}}"#
        )
        .into_bytes()
        .into(),
        ..Event::default()
    }
}

/// Sign-ins with the ids `from..to`.
pub(crate) fn sign_ins(from: usize, to: usize) -> Vec<Event> {
    (from..to)
        .map(|id| sign_in(&format!("id-{id:05}"), "0"))
        .collect()
}
