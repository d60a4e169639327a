//! One bad file stays one: it is taken out, kept and told, and other tenants, days and tables go on.

use std::path::Path;

use schemas::tables::Table;
use schemas::topics::Topic;
use schemas::wire::Event;

use crate::house::{House, paths, sign_in, sign_ins};

const SIGNINS: Topic = Topic::Events(Table::Signins);

fn of_other_tenant(event: Event) -> Event {
    Event {
        tenant_id: "7a0c0e5a-0000-4000-8000-000000000002".into(),
        ..event
    }
}

/// What is done to a data file.
type Damage = fn(&Path);

fn truncate(path: &Path) {
    let file = std::fs::File::options().write(true).open(path).unwrap();
    file.set_len(200).unwrap();
}

fn flip(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    for byte in &mut bytes[8..middle] {
        *byte ^= 0x5a;
    }
    std::fs::write(path, bytes).unwrap();
}

fn delete(path: &Path) {
    std::fs::remove_file(path).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_is_taken_out_kept_and_told_while_others_go_on() {
    for (name, damage) in [
        ("truncated", truncate as Damage),
        ("flipped", flip),
        ("deleted", delete),
    ] {
        let house = House::new().await;
        let running = house.start();
        house.publish(&sign_ins(0, 10)).await;
        house.caught_up(SIGNINS).await;
        running.stop().await;
        let file = paths(&house.table_folder(Table::Signins)).remove(0);
        damage(&file);

        let running = house.start();
        // Of the damaged day, so that its identities are read, and of another tenant behind it.
        house.publish(&sign_ins(10, 12)).await;
        house
            .publish(&[of_other_tenant(sign_in("other", "0"))])
            .await;
        house.caught_up(SIGNINS).await;
        let ids = house.ids(Table::Signins).await;
        assert_eq!(ids, ["id-00010", "id-00011", "other"], "{name}");
        let told = "SELECT detail FROM coverage WHERE coverage_state = 'lost' AND tenant_id = \
                    '5f0c0e5a-0000-4000-8000-000000000001' AND range_to = 10";
        let told = house.column(told).await;
        assert_eq!(told.len(), 1, "{name}");
        let file_name = file.file_name().unwrap().to_str().unwrap();
        assert!(
            told[0].contains("lost 10 rows of 2024-10-04") && told[0].contains(file_name),
            "{told:?}"
        );
        // What was lost is stored again when it comes again.
        house.publish(&sign_ins(0, 10)).await;
        house.caught_up(SIGNINS).await;
        assert_eq!(house.ids(Table::Signins).await.len(), 13, "{name}");
        running.stop().await;
        let kept = house.lake_folder().join("quarantine");
        assert_eq!(kept.exists(), name != "deleted", "{name}: it is kept aside");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_that_nobody_reads_is_found_at_the_start() {
    for (name, damage) in [("truncated", truncate as Damage), ("deleted", delete)] {
        let house = House::new().await;
        let running = house.start();
        house
            .publish(&[of_other_tenant(sign_in("other", "0"))])
            .await;
        house.publish(&sign_ins(0, 10)).await;
        house.caught_up(SIGNINS).await;
        running.stop().await;
        let folder = house.table_folder(Table::Signins);
        let file = paths(&folder).into_iter().find(|path| {
            let path = path.to_string_lossy();
            path.contains("5f0c0e5a-0000-4000-8000-000000000001")
        });
        damage(&file.unwrap());
        // Nothing is published any more.
        let running = house.start();
        house.wait_for_rows(Table::Signins, 1).await;
        assert_eq!(house.ids(Table::Signins).await, ["other"], "{name}");
        running.stop().await;
        let told = "SELECT detail FROM coverage WHERE coverage_state = 'lost' AND range_to = 10";
        assert_eq!(house.column(told).await.len(), 1, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_entry_of_zeros_is_mended_and_its_rows_come_again_from_the_bus() {
    let house = House::new().await;
    let running = house.start();
    house.publish(&sign_ins(0, 10)).await;
    house.caught_up(SIGNINS).await;
    house.publish(&sign_ins(10, 20)).await;
    house.caught_up(SIGNINS).await;
    running.stop().await;
    let log = house.table_folder(Table::Signins).join("_delta_log");
    // The last two: what settles after the last commit, and the commit.
    let mut entries: Vec<_> = std::fs::read_dir(&log)
        .unwrap()
        .map(|item| item.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .collect();
    entries.sort();
    let bad = &entries[entries.len() - 2..];
    for path in bad {
        let length = std::fs::metadata(path).unwrap().len();
        std::fs::write(path, vec![0; usize::try_from(length).unwrap()]).unwrap();
    }
    // Who only reads is told of this table, and can read the others.
    let reader = house.lake();
    assert!(reader.count(Table::Signins).await.is_err());
    assert_eq!(reader.count(Table::Alerts).await.unwrap(), 0);
    assert!(reader.tables().await.unwrap().contains_key("alerts"));

    let running = house.start_as("after", std::sync::Arc::new(lake::disk::LocalDisk));
    house.publish(&sign_ins(20, 21)).await;
    house.wait_for_rows(Table::Signins, 21).await;
    assert_eq!(house.ids(Table::Signins).await.len(), 21);
    house.wait_for_rows(Table::Coverage, 2).await;
    let told = "SELECT detail FROM coverage WHERE subject = 'signins/_delta_log'";
    assert!(house.column(told).await[0].contains("could not be read"));
    running.stop().await;
    let url = url::Url::from_directory_path(house.table_folder(Table::Signins)).unwrap();
    deltalake::open_table(url).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_that_cannot_be_read_is_set_aside() {
    let mut house = House::new().await;
    house.config.checkpoint_commits = 2;
    house.config.batch_wait_ms = 1;
    let running = house.start();
    for id in 0..4 {
        house.publish(&sign_ins(id, id + 1)).await;
        house.wait_for_rows(Table::Signins, id as u64 + 1).await;
    }
    let log = house.table_folder(Table::Signins).join("_delta_log");
    crate::house::eventually("a checkpoint is written", || async {
        log.join("_last_checkpoint").exists()
    })
    .await;
    running.stop().await;
    for item in std::fs::read_dir(&log).unwrap() {
        let path = item.unwrap().path();
        if path
            .extension()
            .is_some_and(|extension| extension == "parquet")
        {
            truncate(&path);
        }
    }
    let running = house.start();
    house.publish(&sign_ins(4, 5)).await;
    house.wait_for_rows(Table::Signins, 5).await;
    assert_eq!(house.ids(Table::Signins).await.len(), 5);
    running.stop().await;
}
