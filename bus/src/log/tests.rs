//! What only the embedded log can be asked, with its clock and its disk in our hands.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, Transaction, ffi};
use schemas::environment::{FixedClock, SystemClock};
use schemas::fate::Fate;
use schemas::topics::Topic;
use tempfile::TempDir;

use super::{LogBus, LogConsumer, file, make_durable};
use crate::config::LogConfig;
use crate::error::BusError;
use crate::message::{BusState, Message, Position};

const HOUR_US: i64 = 3600 * 1_000_000;

fn config(folder: &TempDir) -> LogConfig {
    LogConfig {
        path: folder.path().join("log.sqlite"),
        retention_hours: 72,
    }
}

fn messages(count: u8, bytes: usize) -> Vec<Message> {
    (0..count)
        .map(|number| Message {
            key: "key".to_owned(),
            payload: vec![number; bytes],
        })
        .collect()
}

async fn read(consumer: &mut LogConsumer) -> Vec<i64> {
    let polled = loop {
        let polled = consumer
            .next(1000, Duration::from_millis(200))
            .await
            .unwrap();
        if polled.assigned.is_empty() {
            break polled;
        }
    };
    polled.records.iter().map(|record| record.offset).collect()
}

fn at(next_offset: i64) -> Position {
    Position {
        topic: Topic::Alerts,
        partition: 0,
        next_offset,
        last: None,
    }
}

#[tokio::test]
async fn retention_removes_what_is_old_and_passed_by_every_group() {
    let folder = TempDir::new().unwrap();
    let config = config(&folder);
    let open = |hour: i64| LogBus::open_at(&config, Arc::new(FixedClock(hour * HOUR_US)));
    {
        let bus = open(0).await.unwrap();
        bus.publish(Topic::Alerts, messages(10, 1)).await.unwrap();
        let mut quick = bus.subscribe("quick", &[Topic::Alerts]).await.unwrap();
        let mut slow = bus.subscribe("slow", &[Topic::Alerts]).await.unwrap();
        quick.commit(&[at(10)]).await.unwrap();
        slow.commit(&[at(4)]).await.unwrap();
        // Known, and without a commit.
        bus.subscribe("new", &[Topic::Alerts]).await.unwrap();
    }
    {
        let bus = open(100).await.unwrap();
        let mut reader = bus.subscribe("new", &[Topic::Alerts]).await.unwrap();
        assert_eq!(
            read(&mut reader).await.len(),
            10,
            "a group without a commit keeps all"
        );
        reader.commit(&[at(7)]).await.unwrap();
        bus.publish(Topic::Alerts, messages(1, 1)).await.unwrap();
    }
    {
        let bus = open(101).await.unwrap();
        let mut reader = bus.subscribe("reader", &[Topic::Alerts]).await.unwrap();
        // The slowest stands at 4, and the last is an hour old.
        assert_eq!(read(&mut reader).await, (4..11).collect::<Vec<_>>());
        for group in ["slow", "new"] {
            bus.subscribe(group, &[Topic::Alerts])
                .await
                .unwrap()
                .commit(&[at(11)])
                .await
                .unwrap();
        }
        bus.subscribe("quick", &[Topic::Alerts])
            .await
            .unwrap()
            .commit(&[at(11)])
            .await
            .unwrap();
        reader.commit(&[at(11)]).await.unwrap();
    }
    let bus = open(102).await.unwrap();
    let mut later = bus.subscribe("later", &[Topic::Alerts]).await.unwrap();
    assert_eq!(
        read(&mut later).await,
        [10],
        "what is young stays, though all have passed it"
    );
    assert_eq!(
        bus.ends(Topic::Alerts).await.unwrap(),
        [at(11)],
        "offsets are never used again"
    );
}

#[tokio::test]
async fn retention_without_groups_goes_by_age() {
    let folder = TempDir::new().unwrap();
    let config = config(&folder);
    let old = LogBus::open_at(&config, Arc::new(FixedClock(0)))
        .await
        .unwrap();
    old.publish(Topic::Alerts, messages(10, 1)).await.unwrap();
    drop(old);
    let bus = LogBus::open_at(&config, Arc::new(FixedClock(73 * HOUR_US)))
        .await
        .unwrap();
    bus.publish(Topic::Alerts, messages(1, 1)).await.unwrap();
    let mut reader = bus.subscribe("reader", &[Topic::Alerts]).await.unwrap();
    assert_eq!(read(&mut reader).await, [10]);
}

#[tokio::test]
async fn a_group_has_one_member_on_a_topic() {
    let folder = TempDir::new().unwrap();
    let bus = LogBus::open(&config(&folder)).await.unwrap();
    let first = bus
        .subscribe("group", &[Topic::Alerts, Topic::Cases])
        .await
        .unwrap();
    let refused = bus
        .clone()
        .subscribe("group", &[Topic::Audit, Topic::Cases])
        .await
        .err()
        .unwrap();
    assert!(
        matches!(
            refused,
            BusError::GroupTaken {
                topic: Topic::Cases,
                ..
            }
        ),
        "{refused}"
    );
    // Refused as a whole: it holds no seat on the other topic.
    bus.subscribe("group", &[Topic::Audit]).await.unwrap();
    bus.subscribe("other", &[Topic::Cases]).await.unwrap();
    drop(first);
    bus.subscribe("group", &[Topic::Cases]).await.unwrap();
}

#[tokio::test]
async fn two_handles_share_a_file() {
    let folder = TempDir::new().unwrap();
    let ours = LogBus::open(&config(&folder)).await.unwrap();
    let theirs = LogBus::open(&config(&folder)).await.unwrap();
    let mut reader = ours.subscribe("reader", &[Topic::Alerts]).await.unwrap();
    let publish = async |bus: &LogBus| {
        for _ in 0..50 {
            bus.publish(Topic::Alerts, messages(4, 100)).await.unwrap();
        }
    };
    tokio::join!(publish(&ours), publish(&theirs));
    let mut offsets = Vec::new();
    while offsets.len() < 400 {
        offsets.extend(read(&mut reader).await);
    }
    assert_eq!(offsets, (0..400).collect::<Vec<_>>());
}

/// A reader that keeps its own positions, and finds that the file was replaced by a new one.
#[tokio::test]
async fn a_position_of_another_file_starts_anew() {
    let folder = TempDir::new().unwrap();
    let bus = LogBus::open(&config(&folder)).await.unwrap();
    bus.publish(Topic::Alerts, messages(10, 1)).await.unwrap();
    let mut reader = bus.subscribe("reader", &[Topic::Alerts]).await.unwrap();
    reader.seek(&[at(1000)]).await.unwrap();
    assert_eq!(read(&mut reader).await.len(), 10);
}

/// A damaged file is named, with the fix, and never met by a panic.
#[tokio::test]
async fn a_damaged_file_is_named() {
    type Damage = fn(&mut Vec<u8>);
    let damages: [(&str, Damage); 4] = [
        ("text", |bytes| {
            *bytes = b"not a database, but long enough for a header".repeat(100);
        }),
        ("header", |bytes| bytes[0] ^= 0xff),
        ("truncated", |bytes| bytes.truncate(bytes.len() / 2)),
        ("zeroes", |bytes| bytes[4096..].fill(0)),
    ];
    for (name, damage) in damages {
        let folder = TempDir::new().unwrap();
        let config = config(&folder);
        let bus = LogBus::open(&config).await.unwrap();
        bus.publish(Topic::Alerts, messages(200, 500))
            .await
            .unwrap();
        drop(bus);
        settle(&config.path).await;
        let mut bytes = fs::read(&config.path).unwrap();
        damage(&mut bytes);
        fs::write(&config.path, bytes).unwrap();
        let refused = LogBus::open(&config).await.err().unwrap();
        assert!(
            matches!(refused, BusError::LogDamaged { .. }),
            "{name}: {refused:?}"
        );
        let told = refused.to_string();
        assert!(
            told.contains("log.sqlite") && told.contains("fix"),
            "{name}: {told}"
        );
        assert_eq!(refused.fate(), Fate::Stop);
    }
}

/// Waits until the threads of a dropped handle have closed the file, so that all is in the one file.
async fn settle(path: &Path) {
    let wal = PathBuf::from(format!("{}-wal", path.display()));
    for _ in 0..200 {
        if !wal.exists() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("the log was not closed");
}

#[tokio::test]
async fn a_strangers_file_is_left_alone() {
    let folder = TempDir::new().unwrap();
    let config = config(&folder);
    let stranger = Connection::open(&config.path).unwrap();
    stranger
        .execute_batch("CREATE TABLE theirs (x); INSERT INTO theirs VALUES (1)")
        .unwrap();
    let refused = LogBus::open(&config).await.err().unwrap();
    assert!(
        matches!(refused, BusError::LogForeign { .. }),
        "{refused:?}"
    );
    let tables: i64 = stranger
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .unwrap();
    assert_eq!(tables, 1);
}

#[tokio::test]
async fn a_later_format_is_refused() {
    let folder = TempDir::new().unwrap();
    let config = config(&folder);
    file::open(&config.path)
        .unwrap()
        .pragma_update(None, "user_version", 2)
        .unwrap();
    let refused = LogBus::open(&config).await.err().unwrap();
    assert!(
        matches!(
            refused,
            BusError::LogNewer {
                found: 2,
                known: 1,
                ..
            }
        ),
        "{refused:?}"
    );
}

/// Publishes until the disk is full, checks that nothing was half-written, makes room, and goes on.
async fn fill(bus: &LogBus, make_room: impl FnOnce()) {
    let mut reader = bus.subscribe("reader", &[Topic::Alerts]).await.unwrap();
    let mut durable = 0;
    let refused = loop {
        match bus.publish(Topic::Alerts, messages(10, 10_000)).await {
            Ok(_) => durable += 10,
            Err(refused) => break refused,
        }
        assert!(durable < 10_000, "the disk never filled");
    };
    assert!(matches!(refused, BusError::LogFull { .. }), "{refused:?}");
    assert_eq!(refused.fate(), Fate::SOON);
    assert!(matches!(&*bus.state().borrow(), BusState::Delayed { why } if why.contains("full")));
    assert_eq!(bus.ends(Topic::Alerts).await.unwrap(), [at(durable)]);
    let mut offsets = Vec::new();
    while i64::try_from(offsets.len()).unwrap() < durable {
        offsets.extend(read(&mut reader).await);
    }
    make_room();
    bus.publish(Topic::Alerts, messages(10, 10_000))
        .await
        .unwrap();
    assert_eq!(*bus.state().borrow(), BusState::Works);
    offsets.extend(read(&mut reader).await);
    assert_eq!(offsets, (0..durable + 10).collect::<Vec<_>>());
}

/// A full disk is waited for. With the limit in SQLite: room comes from what another connection removes.
#[tokio::test]
async fn a_full_file_refuses_and_goes_on() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("log.sqlite");
    let connection = file::open(&path).unwrap();
    let pages: i64 = connection
        .pragma_update_and_check(None, "max_page_count", 300, |row| row.get(0))
        .unwrap();
    assert_eq!(pages, 300);
    let bus = start_on(connection, &path);
    let make_room = || {
        let other = file::connect(&path).unwrap();
        other.execute("DELETE FROM messages", []).unwrap();
    };
    fill(&bus, make_room).await;
}

/// A full disk is waited for, on one of 2 MB that is really full; where we may not mount one, on the disk that is there, which
/// then is as small as SQLite can be told.
#[tokio::test]
async fn a_full_disk_refuses_and_goes_on() {
    let folder = TempDir::new().unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"])
        .arg(folder.path())
        .status()
        .is_ok_and(|status| status.success());
    let _unmount = mounted.then(|| Mounted(folder.path()));
    let path = folder.path().join("log.sqlite");
    let reserve = folder.path().join("reserve");
    fs::write(&reserve, vec![1; 500_000]).unwrap();
    let connection = file::open(&path).unwrap();
    if !mounted {
        connection
            .pragma_update(None, "max_page_count", 300)
            .unwrap();
    }
    let bus = start_on(connection, &path);
    let make_room = || {
        fs::remove_file(&reserve).unwrap();
        if !mounted {
            file::connect(&path)
                .unwrap()
                .execute("DELETE FROM messages", [])
                .unwrap();
        }
    };
    fill(&bus, make_room).await;
}

/// A disk that goes away with the test.
struct Mounted<'a>(&'a Path);

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        // Lazily: threads may still be closing the file.
        drop(Command::new("umount").arg("-l").arg(self.0).status());
    }
}

fn start_on(connection: Connection, path: &Path) -> LogBus {
    let clock = Arc::new(SystemClock);
    LogBus::start_on(
        connection,
        path.to_owned(),
        Duration::from_hours(72),
        clock,
        make_durable,
    )
    .unwrap()
}

/// A disk that fails one fsync: SQLite cannot tell what of the transaction is on it.
fn fails_to_sync(transaction: Transaction<'_>) -> rusqlite::Result<()> {
    transaction.rollback()?;
    let code = ffi::Error::new(ffi::SQLITE_IOERR_FSYNC);
    Err(rusqlite::Error::SqliteFailure(code, None))
}

/// Readers work on, so nothing else would tell that nothing can be written any more.
#[tokio::test]
async fn a_failed_fsync_is_the_end_and_everybody_can_see_it() {
    let folder = TempDir::new().unwrap();
    let config = config(&folder);
    let healthy = LogBus::open(&config).await.unwrap();
    healthy
        .publish(Topic::Alerts, messages(3, 10))
        .await
        .unwrap();
    assert_eq!(*healthy.state().borrow(), BusState::Works);
    let bus = LogBus::start_on(
        file::open(&config.path).unwrap(),
        config.path.clone(),
        Duration::from_hours(72),
        Arc::new(SystemClock),
        fails_to_sync,
    )
    .unwrap();
    let mut state = bus.state();
    let refused = bus
        .publish(Topic::Alerts, messages(1, 10))
        .await
        .unwrap_err();
    assert_eq!(refused.fate(), Fate::Stop, "{refused:?}");
    let ended = state
        .wait_for(|state| matches!(state, BusState::Ended { .. }))
        .await
        .unwrap();
    let BusState::Ended { why } = &*ended else {
        unreachable!("it was waited for")
    };
    assert!(why.contains("log.sqlite"), "{why}");
    drop(ended);
    // Nothing is promised any more, and what was promised before is there.
    let after = bus
        .publish(Topic::Alerts, messages(1, 10))
        .await
        .unwrap_err();
    assert!(matches!(after, BusError::LogEnded { .. }), "{after:?}");
    assert_eq!(healthy.ends(Topic::Alerts).await.unwrap(), [at(3)]);
}
