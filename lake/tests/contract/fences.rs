//! Two writers that both believe a partition to be theirs.

use std::sync::Arc;

use lake::disk::LocalDisk;
use schemas::tables::Table;
use schemas::topics::Topic;

use crate::house::{House, sign_in, sign_ins};

#[tokio::test(flavor = "multi_thread")]
async fn two_writers_of_the_same_partitions_store_every_row_once() {
    let house = House::new().await;
    let one = house.start_as("one", Arc::new(LocalDisk));
    let other = house.start_as("other", Arc::new(LocalDisk));
    for round in 0..20 {
        house.publish(&sign_ins(round * 10, round * 10 + 15)).await;
        // The same revision of the same record from both sides.
        house.publish(&[sign_in("id-00003", "50126")]).await;
        tokio::time::sleep(std::time::Duration::from_millis(15)).await;
    }
    house.wait_for_rows(Table::Signins, 205).await;
    house
        .caught_up_as("one", Topic::Events(Table::Signins))
        .await;
    house
        .caught_up_as("other", Topic::Events(Table::Signins))
        .await;
    let expected: Vec<String> = (0..205).map(|id| format!("id-{id:05}")).collect();
    assert_eq!(house.ids(Table::Signins).await, expected);
    assert_eq!(house.announced_ids(Table::Signins, 205).await, expected);
    assert_eq!(house.ids(Table::Revisions).await.len(), 1);
    one.stop().await;
    other.stop().await;
}
