//! A sender of many records leaves room before the lake for the others, and never waits for stages that are away.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bus::{Bus, Position};
use ingest::ImportConfig;
use ingest::backlog::Downstream;
use ingest::sources::files::{ImportOptions, import};
use schemas::environment::SystemClock;
use schemas::limits::{PUBLISH_RECORDS_MAX, TENANT_BACKLOG_RECORDS_MAX};
use schemas::tables::Table;
use schemas::time::DateOrder;
use schemas::topics::Topic;
use tokio_util::sync::CancellationToken;

use crate::lab::Lab;

const RECORDS: usize = 120_000;
const EVENTS: Topic = Topic::Events(Table::M365Activity);

fn options() -> ImportOptions {
    ImportOptions {
        tenant_id: None,
        is_tenant_of_all: false,
        dates: DateOrder::default(),
        bounds: ImportConfig::default(),
        clock: Arc::new(SystemClock),
        downstream: Some(Downstream {
            lake_group: "lake".to_owned(),
            detect_group: "detect".to_owned(),
        }),
        stop: CancellationToken::new(),
    }
}

fn records(lab: &Lab) -> PathBuf {
    let mut text = String::new();
    for number in 0..RECORDS {
        writeln!(
            text,
            "{{\"Id\":\"{number}\",\"Operation\":\"FileAccessed\",\"RecordType\":6,\"Workload\":\"SharePoint\",\
             \"CreationTime\":\"2026-11-28T08:00:00\",\"UserId\":\"u@x.test\",\"OrganizationId\":\"7f3c\"}}"
        )
        .unwrap();
    }
    let path = lab.folder().join("many.ndjson");
    std::fs::write(&path, text).unwrap();
    path
}

fn total(positions: &[Position]) -> i64 {
    positions.iter().map(|position| position.next_offset).sum()
}

/// Reads like a lake that takes its time; the most records that it ever saw before it.
async fn slow_lake(bus: Bus, stop: CancellationToken) -> i64 {
    let mut lake = bus.subscribe("lake", &[EVENTS]).await.unwrap();
    let mut deepest = 0;
    while !stop.is_cancelled() {
        let polled = lake.next(5_000, Duration::from_millis(50)).await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        if let Some(last) = polled.records.last() {
            lake.commit(&[last.after()]).await.unwrap();
        }
        let ends = total(&bus.ends(EVENTS).await.unwrap());
        let done = total(&bus.committed("lake", EVENTS).await.unwrap());
        deepest = deepest.max(ends - done);
    }
    deepest
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_of_many_leaves_room_before_a_lake_that_moves() {
    let lab = Lab::new().await;
    let stop = CancellationToken::new();
    let lake = tokio::spawn(slow_lake(lab.bus.clone(), stop.clone()));
    let summary = import(&[records(&lab)], &options(), &lab.bus, |_| {})
        .await
        .unwrap();
    stop.cancel();
    assert_eq!(summary.records, RECORDS as u64);
    let deepest = u64::try_from(lake.await.unwrap()).unwrap();
    // What is being published when the share is full still goes through, and what no look has counted yet.
    let most = TENANT_BACKLOG_RECORDS_MAX + 2 * PUBLISH_RECORDS_MAX as u64;
    assert!(deepest <= most, "{deepest} records stood before the lake");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_a_lake_that_is_away() {
    let lab = Lab::new().await;
    let started = Instant::now();
    let summary = import(&[records(&lab)], &options(), &lab.bus, |_| {})
        .await
        .unwrap();
    assert_eq!(summary.records, RECORDS as u64);
    assert_eq!(
        total(&lab.bus.ends(EVENTS).await.unwrap()),
        i64::try_from(RECORDS).unwrap(),
        "the bus holds everything meanwhile"
    );
    let took = started.elapsed();
    assert!(
        took < Duration::from_secs(45),
        "waited for it more than once: {took:?}"
    );
}
