//! The log under the lake is not the one that it has read: moved aside, restored from a backup, or made anew.

use prost::Message as _;
use schemas::tables::Table;
use schemas::topics::Topic;
use schemas::wire::Signal;

use crate::house::{House, sign_ins};

const SIGNINS: Topic = Topic::Events(Table::Signins);

async fn lost_lines(house: &House) -> Vec<String> {
    house
        .column("SELECT concat(subject, ' from ', range_from) FROM coverage WHERE coverage_state = 'lost'")
        .await
}

/// Takes in what is there, and stops.
async fn keep(house: &House, rows: u64) {
    let running = house.start();
    house.wait_for_rows(Table::Signins, rows).await;
    house.caught_up(SIGNINS).await;
    running.stop().await;
}

/// The log was moved aside, as the error of a damaged one advises: shorter than what was read, or longer.
#[tokio::test(flavor = "multi_thread")]
async fn everything_of_a_log_that_replaced_another_arrives_and_the_ledger_says_so() {
    for (before, after) in [(50, 20), (10, 40), (20, 20)] {
        let mut house = House::new().await;
        house.publish(&sign_ins(0, before)).await;
        keep(&house, before as u64).await;
        house.replace_log("another.sqlite").await;
        house.publish(&sign_ins(100, 100 + after)).await;
        keep(&house, (before + after) as u64).await;
        assert_eq!(
            lost_lines(&house).await,
            [format!("events.signins/0 from {before}")]
        );
        // From now on it is an ordinary log: a restart finds its place and says nothing more.
        house.publish(&sign_ins(200, 205)).await;
        keep(&house, (before + after + 5) as u64).await;
        keep(&house, (before + after + 5) as u64).await;
        assert_eq!(lost_lines(&house).await.len(), 1);
        let announced = house.announced_ids(Table::Signins, after + 5).await;
        assert_eq!(announced.len(), after + 5, "on the log that is there now");
    }
}

/// The ledger says it, and the group's position is of the new log, even where nothing arrives on it.
#[tokio::test(flavor = "multi_thread")]
async fn an_empty_log_that_replaced_another_is_told_and_taken_over() {
    let mut house = House::new().await;
    house.publish(&sign_ins(0, 30)).await;
    keep(&house, 30).await;
    house.replace_log("another.sqlite").await;
    let running = house.start();
    house.wait_for_rows(Table::Coverage, 1).await;
    running.stop().await;
    let committed = house
        .bus
        .committed(&house.config.group, SIGNINS)
        .await
        .unwrap();
    assert!(
        committed.iter().all(|at| at.next_offset == 0),
        "a position beyond the end would let unread messages be removed: {committed:?}"
    );
    let taken = house.lake().taken(SIGNINS, 0).await.unwrap();
    assert_eq!((taken.arrival, taken.position.next_offset), (30, 0));
}

/// A backup has the id of its log and its first messages; what was written after it stands where others were read.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_restored_from_a_backup_is_not_the_one_that_was_read() {
    let mut house = House::new().await;
    house.publish(&sign_ins(0, 20)).await;
    keep(&house, 20).await;
    house.copy_log("backup.sqlite").await;
    house.publish(&sign_ins(20, 50)).await;
    keep(&house, 50).await;
    house.replace_log("backup.sqlite").await;
    house.publish(&sign_ins(50, 80)).await;
    keep(&house, 80).await;
    let expected: Vec<String> = (0..80).map(|id| format!("id-{id:05}")).collect();
    assert_eq!(house.ids(Table::Signins).await, expected, "each once");
    assert_eq!(lost_lines(&house).await, ["events.signins/0 from 50"]);
}

/// What counts signals in their order finds those of the new log after those of the one before.
#[tokio::test(flavor = "multi_thread")]
async fn signals_of_another_log_arrive_after_those_of_the_one_before() {
    let mut house = House::new().await;
    let publish = async |house: &House, numbers: std::ops::Range<i64>| {
        for number in numbers {
            let signal = Signal {
                signal_id: format!("{number:032x}"),
                tenant_id: "t".to_owned(),
                event_time_us: house.now_us + number,
                accepted_time_us: house.now_us,
                ..Signal::default()
            };
            house
                .publish_bytes(Topic::Signals, signal.encode_to_vec())
                .await;
        }
    };
    for (log, numbers, rows) in [("first.sqlite", 0..5, 5), ("second.sqlite", 5..8, 8)] {
        house.replace_log(log).await;
        publish(&house, numbers).await;
        let running = house.start();
        house.wait_for_rows(Table::Signals, rows).await;
        house.caught_up(Topic::Signals).await;
        running.stop().await;
    }
    let arrivals = house
        .column("SELECT arrival FROM signals ORDER BY event_time")
        .await;
    let expected: Vec<String> = (0..8).map(|arrival| arrival.to_string()).collect();
    assert_eq!(arrivals, expected);
}
