//! A process that ends at any step leaves the same rows, each announced at least once (invariants 3 and 4 of the design).

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use lake::disk::LocalDisk;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use schemas::tables::Table;
use schemas::topics::Topic;

use crate::broken_disk::{BrokenDisk, Fault};
use crate::house::{House, data_files, sign_ins};

const SIGNINS: Topic = Topic::Events(Table::Signins);

fn expected(count: usize) -> Vec<String> {
    (0..count).map(|id| format!("id-{id:05}")).collect()
}

async fn every_row_is_there_and_announced(house: &House, count: usize) {
    house.wait_for_rows(Table::Signins, count as u64).await;
    assert_eq!(house.ids(Table::Signins).await, expected(count));
    assert_eq!(
        house.announced_ids(Table::Signins, count).await,
        expected(count)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_before_or_after_the_commit_nothing_is_lost_twice_or_unannounced() {
    for fault in [Fault::BeforeCommit, Fault::AfterCommit] {
        let house = House::new().await;
        house.publish(&sign_ins(0, 30)).await;
        let disk = BrokenDisk::new(Table::Signins, fault);
        let running = house.start_on(disk.clone());
        disk.has_struck().await;
        running.kill().await;
        assert!(
            house.batches().await.is_empty(),
            "{fault:?}: nothing may be announced yet"
        );

        let running = house.start_as("after", Arc::new(LocalDisk));
        disk.mend();
        house.publish(&sign_ins(30, 40)).await;
        house.caught_up_as("after", SIGNINS).await;
        every_row_is_there_and_announced(&house, 40).await;
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_after_the_announcement_the_group_reads_again_and_adds_nothing() {
    let house = House::new().await;
    house.publish(&sign_ins(0, 30)).await;
    let running = house.start();
    house.caught_up(SIGNINS).await;
    running.kill().await;
    // The other group's offsets were never committed, as if the kill had come before.
    let running = house.start_as("after", Arc::new(LocalDisk));
    house.publish(&sign_ins(25, 40)).await;
    house.caught_up_as("after", SIGNINS).await;
    every_row_is_there_and_announced(&house, 40).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_is_visible_although_it_failed_is_found_out() {
    let house = House::new().await;
    let disk = BrokenDisk::new(Table::Signins, Fault::VisibleYetFailed);
    let running = house.start_on(disk.clone());
    house.publish(&sign_ins(0, 30)).await;
    disk.has_struck().await;
    disk.mend();
    house.publish(&sign_ins(20, 40)).await;
    every_row_is_there_and_announced(&house, 40).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_built_on_a_commit_whose_folder_could_not_be_synchronised() {
    let house = House::new().await;
    let disk = BrokenDisk::new(Table::Signins, Fault::VisibleYetFailed);
    disk.synchronise_fails.store(2, Ordering::SeqCst);
    let running = house.start_on(disk.clone());
    house.publish(&sign_ins(0, 30)).await;
    disk.has_struck().await;
    disk.mend();
    house.publish(&sign_ins(20, 40)).await;
    every_row_is_there_and_announced(&house, 40).await;
    assert_eq!(disk.synchronise_fails.load(Ordering::SeqCst), 0);
    assert!(disk.synchronised.load(Ordering::SeqCst) > 0);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_delays_and_loses_nothing() {
    for fault in [Fault::FullForFiles, Fault::FullForLog] {
        let house = House::new().await;
        let disk = BrokenDisk::new(Table::Signins, fault);
        let running = house.start_on(disk.clone());
        house.publish(&sign_ins(0, 30)).await;
        disk.has_struck().await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(house.lake().count(Table::Signins).await.unwrap(), 0);
        disk.mend();
        every_row_is_there_and_announced(&house, 30).await;
        running.stop().await;
        let left = data_files(&house.table_folder(Table::Signins));
        let live = house.lake().count(Table::Signins).await.unwrap();
        assert_eq!(
            (left, live),
            (1, 30),
            "{fault:?}: files of failed tries must be gone"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_random_moments_it_ends_with_the_same_rows() {
    for seed in 0..3 {
        println!("seed {seed}");
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let house = House::new().await;
        let mut sent = 0;
        for round in 0..6 {
            // Every group name is new, so only the lake itself knows where to read on.
            let running = house.start_as(&format!("round-{round}"), Arc::new(LocalDisk));
            for _ in 0..4 {
                let more = random.random_range(1..40);
                // The last ones come again.
                house.publish(&sign_ins(sent.max(5) - 5, sent + more)).await;
                sent += more;
                tokio::time::sleep(Duration::from_millis(random.random_range(0..40))).await;
            }
            running.kill().await;
        }
        let running = house.start_as("last", Arc::new(LocalDisk));
        house.caught_up_as("last", SIGNINS).await;
        every_row_is_there_and_announced(&house, sent).await;
        running.stop().await;
    }
}
