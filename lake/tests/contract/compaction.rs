//! Upkeep: fewer files, the same rows, for readers that look before, during and after.

use std::ops::Range;
use std::path::Path;
use std::time::{Duration, SystemTime};

use schemas::tables::Table;
use schemas::topics::Topic;

use crate::house::{DAY_US, House, NOON_US, data_files, eventually, paths, sign_ins};

const SIGNINS: Topic = Topic::Events(Table::Signins);

#[tokio::test(flavor = "multi_thread")]
async fn compaction_and_checkpoints_keep_rows_readers_and_positions() {
    let mut house = House::new().await;
    house.config.compaction_commits = 8;
    house.config.checkpoint_commits = 5;
    house.config.batch_wait_ms = 1;
    let running = house.start();
    let early_reader = house.lake();
    for id in 0..40 {
        house.publish(&sign_ins(id, id + 1)).await;
        house.caught_up(SIGNINS).await;
        // Every reader sees whole commits at any time.
        assert_eq!(
            early_reader.count(Table::Signins).await.unwrap(),
            id as u64 + 1
        );
    }
    let log = house.table_folder(Table::Signins).join("_delta_log");
    eventually("a checkpoint is written", || async {
        log.join("_last_checkpoint").exists()
    })
    .await;
    let expected: Vec<String> = (0..40).map(|id| format!("id-{id:05}")).collect();
    assert_eq!(house.ids(Table::Signins).await, expected);
    assert_eq!(
        house.announced_ids(Table::Signins, 40).await,
        expected,
        "replaced files stay readable for a while"
    );
    running.stop().await;

    // The Delta library's own reader sees the same: fewer files than commits, all rows.
    let url = url::Url::from_directory_path(house.table_folder(Table::Signins)).unwrap();
    let table = deltalake::open_table(url).await.unwrap();
    let files: Vec<_> = table.get_file_uris().unwrap().collect();
    assert!(files.len() < 20, "{} files", files.len());
    let rows: usize = table
        .snapshot()
        .unwrap()
        .log_data()
        .iter()
        .map(|file| file.num_records().unwrap())
        .sum();
    assert_eq!(rows, 40);

    // Restarted, it reads its positions and identities from the checkpoint and the compacted files.
    let running = house.start_as("after", std::sync::Arc::new(lake::disk::LocalDisk));
    house.publish(&sign_ins(30, 45)).await;
    house.caught_up_as("after", SIGNINS).await;
    assert_eq!(house.ids(Table::Signins).await.len(), 45);
    running.stop().await;
}

/// Makes all data files look as if they had been written long ago, as those of a quiet table are.
fn age(folder: &Path) {
    for path in paths(folder) {
        let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
        let file = std::fs::File::options().write(true).open(path).unwrap();
        file.set_modified(long_ago).unwrap();
    }
}

/// Publishes sign-ins one by one, each a commit.
async fn commits(house: &House, ids: Range<usize>) {
    for id in ids {
        house.publish(&sign_ins(id, id + 1)).await;
        house.wait_for_rows(Table::Signins, id as u64 + 1).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn replaced_files_stay_for_the_days_that_the_table_promises_from_their_replacement() {
    let mut house = House::new().await;
    house.config.compaction_commits = 4;
    house.config.batch_wait_ms = 1;
    let folder = house.table_folder(Table::Signins);
    let running = house.start();
    commits(&house, 0..3).await;
    age(&folder);
    commits(&house, 3..4).await;
    eventually("four files are joined", || async {
        data_files(&folder) == 5
    })
    .await;
    house.read_announcements().await;

    // Almost seven days later, whatever the folder says of their age.
    age(&folder);
    house.move_clock(NOON_US + 7 * DAY_US - 1_000_000);
    commits(&house, 4..8).await;
    eventually("the next turn is over", || async {
        house.lake().files(Table::Signins).await.unwrap().len() == 1
    })
    .await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    // Four replaced, one joined and replaced since, four more replaced, and the one that has all.
    assert_eq!(data_files(&folder), 10);
    assert_eq!(house.announced_ids(Table::Signins, 8).await.len(), 8);

    house.read_announcements().await;
    house.move_clock(NOON_US + 7 * DAY_US + 1_000_000);
    commits(&house, 8..12).await;
    // The four of the first day are gone; those of the second and third turn stay.
    eventually("the oldest are removed", || async {
        data_files(&folder) == 11
    })
    .await;
    assert_eq!(house.ids(Table::Signins).await.len(), 12);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_detect_has_not_read_stays() {
    let mut house = House::new().await;
    house.config.compaction_commits = 4;
    house.config.batch_wait_ms = 1;
    let folder = house.table_folder(Table::Signins);
    let running = house.start();
    commits(&house, 0..4).await;
    eventually("four files are joined", || async {
        data_files(&folder) == 5
    })
    .await;
    age(&folder);
    house.move_clock(NOON_US + 8 * DAY_US);
    commits(&house, 4..8).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(house.announced_ids(Table::Signins, 8).await.len(), 8);
    // A detect that never comes must not fill the disk.
    house.move_clock(NOON_US + 31 * DAY_US);
    commits(&house, 8..12).await;
    eventually("those of the first turn are removed", || async {
        data_files(&folder) == 11
    })
    .await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_crash_left_behind_goes_when_it_has_been_seen_for_a_while() {
    let mut house = House::new().await;
    house.config.compaction_commits = 4;
    house.config.batch_wait_ms = 1;
    // Too short: a commit in flight would lose its files.
    house.config.replaced_files_hours = 0;
    let folder = house.table_folder(Table::Signins);
    let running = house.start();
    let left = folder.join("tenant_id=t.parquet");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(&left, b"left behind").unwrap();
    age(&folder);
    commits(&house, 0..4).await;
    eventually("four files are joined", || async {
        data_files(&folder) == 6
    })
    .await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(left.exists(), "it may be of a commit in flight");
    house.move_clock(NOON_US + DAY_US / 12);
    commits(&house, 4..8).await;
    eventually("it is removed", || async { !left.exists() }).await;
    assert_eq!(house.ids(Table::Signins).await.len(), 8);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_of_an_older_version_gets_the_columns_that_it_lacks() {
    let house = House::new().await;
    let log = house.table_folder(Table::Signins).join("_delta_log");
    let first = log.join("00000000000000000000.json");
    house.start().stop().await;
    // As an older version would have made it: without one of the columns.
    let entry = std::fs::read_to_string(&first).unwrap();
    let field = r#"{\"metadata\":{},\"name\":\"browser\",\"nullable\":true,\"type\":\"string\"},"#;
    assert!(entry.contains(field), "{entry}");
    std::fs::remove_dir_all(&log).unwrap();
    std::fs::create_dir_all(&log).unwrap();
    std::fs::write(&first, entry.replace(field, "")).unwrap();

    let running = house.start();
    house.publish(&sign_ins(0, 3)).await;
    house.caught_up(SIGNINS).await;
    running.stop().await;
    let url = url::Url::from_directory_path(house.table_folder(Table::Signins)).unwrap();
    let table = deltalake::open_table(url).await.unwrap();
    let schema = table.snapshot().unwrap().schema();
    assert!(schema.field("browser").is_some());
    assert_eq!(house.ids(Table::Signins).await.len(), 3);
}
