//! Upkeep: fewer files, the same rows, for readers that look before, during and after.

use schemas::tables::Table;
use schemas::topics::Topic;

use crate::house::{DAY_US, House, NOON_US, data_files, eventually, sign_ins};

const SIGNINS: Topic = Topic::Events(Table::Signins);

#[tokio::test(flavor = "multi_thread")]
async fn compaction_and_checkpoints_keep_rows_readers_and_positions() {
    let mut house = House::new().await;
    house.config.compaction_commits = 8;
    house.config.checkpoint_commits = 5;
    house.config.batch_wait_ms = 1;
    let running = house.start();
    let early_reader = house.lake().await;
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
        house.announced_ids(Table::Signins).await,
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

#[tokio::test(flavor = "multi_thread")]
async fn files_that_nobody_needs_are_removed_when_they_are_old() {
    let mut house = House::new().await;
    house.config.compaction_commits = 4;
    house.config.batch_wait_ms = 1;
    // By this clock every file is decades old.
    house.now_us = NOON_US + 80 * 365 * DAY_US;
    let folder = house.table_folder(Table::Signins);
    let running = house.start();
    for id in 0..4 {
        house.publish(&sign_ins(id, id + 1)).await;
        house.caught_up(SIGNINS).await;
    }
    eventually("one file is left", || async { data_files(&folder) == 1 }).await;
    assert_eq!(house.ids(Table::Signins).await.len(), 4);

    // What a crash left behind goes too; the log and its checkpoints stay.
    std::fs::write(folder.join("tenant_id=t.parquet"), b"left behind").unwrap();
    for id in 4..8 {
        house.publish(&sign_ins(id, id + 1)).await;
        house.wait_for_rows(Table::Signins, id as u64 + 1).await;
    }
    eventually("one file is left again", || async {
        data_files(&folder) == 1
    })
    .await;
    assert_eq!(house.ids(Table::Signins).await.len(), 8);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_stay_while_readers_may_need_them() {
    let mut house = House::new().await;
    house.config.compaction_commits = 4;
    house.config.batch_wait_ms = 1;
    // By this clock every file is younger than its own time.
    house.config.replaced_files_hours = 0;
    let running = house.start();
    for id in 0..12 {
        house.publish(&sign_ins(id, id + 1)).await;
        house.caught_up(SIGNINS).await;
    }
    assert_eq!(house.announced_ids(Table::Signins).await.len(), 12);
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
