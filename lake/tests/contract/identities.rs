//! Identity: rows are the distinct records, whatever comes twice, late, odd or broken.

use std::collections::BTreeSet;

use prost::Message as _;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use schemas::tables::Table;
use schemas::topics::Topic;
use schemas::wire::{Alert, AuditRecord, Coverage, DeadLetter};

use crate::house::{DAY_US, House, NOON_US, sign_in, sign_ins};

const SIGNINS: Topic = Topic::Events(Table::Signins);

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_the_distinct_records_in_any_order_and_batching() {
    for seed in 0..4 {
        println!("seed {seed}");
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut house = House::new().await;
        house.config.batch_rows = random.random_range(1..60);
        // A bound so small that days are let go and read back all the time.
        house.config.identities = random.random_range(1..30);
        let running = house.start();
        let mut sent = Vec::new();
        for id in 0..120 {
            let mut event = sign_in(&format!("id-{id:05}"), "0");
            let day = random.random_range(0..4);
            event.event_time_us = (id % 7 != 0).then_some(NOON_US - day * DAY_US);
            sent.extend(vec![event; random.random_range(1..4)]);
        }
        sent.shuffle(&mut random);
        for part in sent.chunks(random.random_range(5..50)) {
            house.publish(part).await;
            tokio::time::sleep(std::time::Duration::from_millis(random.random_range(0..30))).await;
        }
        house.caught_up(SIGNINS).await;
        let distinct: BTreeSet<String> = sent.iter().map(|event| event.event_id.clone()).collect();
        assert_eq!(
            house.ids(Table::Signins).await,
            distinct.into_iter().collect::<Vec<_>>()
        );
        assert!(
            house.ids(Table::Revisions).await.is_empty(),
            "nothing changed"
        );
        running.stop().await;
    }
}

/// A clock ten days slow takes today's records for those of the future, and keeps them under its own day.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_came_while_the_clock_was_wrong_is_known_when_it_comes_again() {
    let mut house = House::new().await;
    house.config.compaction_commits = 3;
    house.config.batch_wait_ms = 1;
    let running = house.start();
    let at = |id: usize, ingest_time_us: i64| {
        let mut event = sign_in(&format!("id-{id:05}"), "0");
        event.ingest_time_us = ingest_time_us;
        event
    };
    let (slow, right) = (NOON_US - 10 * DAY_US, NOON_US);
    for (id, first, second) in [(0, slow, right), (1, right, slow)] {
        for time_us in [first, second, first] {
            house.publish(&[at(id, time_us)]).await;
            house.caught_up(SIGNINS).await;
        }
    }
    running.stop().await;
    // And by who knows nothing but what the lake says.
    let running = house.start();
    for id in 0..2 {
        house.publish(&[at(id, right), at(id, slow)]).await;
        house.caught_up(SIGNINS).await;
    }
    assert_eq!(house.ids(Table::Signins).await, ["id-00000", "id-00001"]);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_is_repeated_adds_nothing() {
    let house = House::new().await;
    for _ in 0..2 {
        let running = house.start();
        house.publish(&sign_ins(0, 200)).await;
        house.caught_up(SIGNINS).await;
        running.stop().await;
        assert_eq!(house.lake().count(Table::Signins).await.unwrap(), 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn new_content_under_a_known_id_is_kept_once_as_a_revision() {
    let house = House::new().await;
    let running = house.start();
    house.publish(&[sign_in("a", "0"), sign_in("b", "0")]).await;
    house.caught_up(SIGNINS).await;
    running.stop().await;
    // A restart: what is stored is known only from the lake.
    let running = house.start();
    let mut reordered = sign_in("b", "0");
    reordered.raw =
        br#"{"properties":{"userPrincipalName":"ada@contoso.example","city":null},"resultType":"0","id":"b"}"#
            .to_vec()
            .into();
    let mut sparse = sign_in("b", "0");
    sparse.raw = br#"{"id":"b"}"#.to_vec().into();
    let news = [sign_in("a", "50126"), reordered, sparse];
    for _ in 0..2 {
        house.publish(&news).await;
        house.caught_up(SIGNINS).await;
    }
    assert_eq!(house.ids(Table::Signins).await, ["a", "b"]);
    assert_eq!(house.column("SELECT event_id FROM revisions").await, ["a"]);
    assert_eq!(
        house.column("SELECT changed_columns FROM revisions").await,
        [r#"["result_type"]"#]
    );
    assert_eq!(
        house.column("SELECT event_table FROM revisions").await,
        ["signins"]
    );
    assert_eq!(house.column("SELECT raw FROM revisions").await.len(), 1);
    assert_eq!(
        house.announced_ids(Table::Revisions, 1).await.len(),
        1,
        "a revision is detected on like any batch"
    );
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_times_and_tenants_are_kept_and_can_be_read() {
    let house = House::new().await;
    let running = house.start();
    let times = [
        None,
        Some(i64::MIN),
        Some(-1),
        Some(0),
        Some(i64::MAX),
        Some(NOON_US + 400 * DAY_US),
    ];
    let tenants = [
        "../../etc",
        "UPPER",
        "",
        "a'b\"c\\d",
        "\u{0}\n",
        "tenant%2f..",
        "é/ü",
    ];
    let mut events = Vec::new();
    for (at, time) in times.iter().enumerate() {
        for (tenant_at, tenant) in tenants.iter().enumerate() {
            let mut event = sign_in(&format!("{at}-{tenant_at}"), "0");
            event.event_time_us = *time;
            event.tenant_id = (*tenant).to_owned();
            events.push(event);
        }
    }
    house.publish(&events).await;
    house.caught_up(SIGNINS).await;
    assert_eq!(
        house.column("SELECT event_id FROM signins").await.len(),
        events.len()
    );
    assert_eq!(
        house.column("SELECT event_time FROM signins").await.len(),
        events.len()
    );
    let odd = house
        .column("SELECT event_id FROM signins WHERE tenant_id = '../../etc' AND day = '2024-10-04'")
        .await;
    assert_eq!(
        odd.len(),
        5,
        "all but the one of 1970 are kept under the day they came"
    );
    let mut known = house.column("SELECT DISTINCT tenant_id FROM signins").await;
    known.sort();
    let mut expected: Vec<&str> = tenants
        .iter()
        .map(|tenant| if tenant.is_empty() { "unknown" } else { tenant })
        .collect();
    expected.sort_unstable();
    assert_eq!(known, expected);
    running.stop().await;
    let outside = std::fs::read_dir(house.table_folder(Table::Signins).parent().unwrap())
        .unwrap()
        .count();
    assert_eq!(
        outside,
        Table::ALL.len(),
        "nothing was written beside the tables"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_kept_with_its_bytes() {
    let house = House::new().await;
    let running = house.start();
    house
        .publish_bytes(SIGNINS, b"\xff\xff not an envelope".to_vec())
        .await;
    let mut not_text = sign_in("binary", "0");
    not_text.raw = vec![0xff, 0xfe, 0x00].into();
    let mut unknown = sign_in("elsewhere", "0");
    unknown.table = "no_such_table".into();
    house.publish_bytes(SIGNINS, not_text.encode_to_vec()).await;
    house.publish_bytes(SIGNINS, unknown.encode_to_vec()).await;
    house
        .publish_bytes(SIGNINS, sign_in("good", "0").encode_to_vec())
        .await;
    house.wait_for_rows(Table::Signins, 1).await;
    house.wait_for_rows(Table::DeadLetters, 2).await;
    assert_eq!(house.ids(Table::OtherEvents).await, ["elsewhere"]);
    let mut reasons = house.column("SELECT reason FROM dead_letters").await;
    reasons.sort();
    assert_eq!(reasons, ["not_the_format", "not_utf8"]);
    let bytes = house
        .column("SELECT encode(raw_bytes, 'hex') FROM dead_letters WHERE reason = 'not_utf8'")
        .await;
    assert_eq!(bytes, ["fffe00"]);
    running.stop().await;
}

/// What other stages publish, some of it twice and some of it amended.
fn published() -> Vec<(Topic, Vec<u8>)> {
    let alert = Alert {
        alert_id: "a".into(),
        tenant_id: "t".into(),
        state: "raised".into(),
        severity: "high".into(),
        detected_time_us: NOON_US,
        first_event_time_us: NOON_US,
        ..Alert::default()
    };
    let again = Alert {
        detected_time_us: NOON_US + 5,
        ..alert.clone()
    };
    let amended = Alert {
        state: "amended".into(),
        ..again.clone()
    };
    let letter = DeadLetter {
        id: "d".into(),
        reason: "not_json".into(),
        parts: 1,
        raw: b"x".to_vec().into(),
        ingest_time_us: NOON_US,
        ..DeadLetter::default()
    };
    let gap = Coverage {
        id: "c".into(),
        state: "gap".into(),
        observed_time_us: NOON_US,
        ..Coverage::default()
    };
    let filled = Coverage {
        state: "read".into(),
        observed_time_us: NOON_US + DAY_US,
        ..gap.clone()
    };
    let entry = AuditRecord {
        id: "e".into(),
        time_us: NOON_US,
        ..AuditRecord::default()
    };
    vec![
        (Topic::Alerts, alert.encode_to_vec()),
        (Topic::Alerts, again.encode_to_vec()),
        (Topic::Alerts, amended.encode_to_vec()),
        (Topic::DeadLetters, letter.encode_to_vec()),
        (Topic::Coverage, gap.encode_to_vec()),
        (Topic::Coverage, filled.encode_to_vec()),
        (Topic::Audit, entry.encode_to_vec()),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_other_stages_publish_is_a_table_too_and_comes_once() {
    let house = House::new().await;
    let running = house.start();
    for _ in 0..2 {
        for (topic, payload) in published() {
            house.publish_bytes(topic, payload).await;
        }
        for topic in [
            Topic::Alerts,
            Topic::DeadLetters,
            Topic::Coverage,
            Topic::Audit,
        ] {
            house.caught_up(topic).await;
        }
    }
    for (table, id) in [
        (Table::Alerts, "a"),
        (Table::DeadLetters, "d/0"),
        (Table::Coverage, "c"),
        (Table::Actions, "e"),
    ] {
        assert_eq!(house.ids(table).await, [id], "{table}");
    }
    let mut revised = house.column("SELECT event_table FROM revisions").await;
    revised.sort();
    assert_eq!(revised, ["alerts", "coverage"]);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_the_bus_lost_are_in_the_ledger() {
    let mut house = House::new().await;
    let running = house.start();
    house.publish(&sign_ins(0, 10)).await;
    house.caught_up(SIGNINS).await;
    running.stop().await;
    assert!(
        house.ids(Table::Coverage).await.is_empty(),
        "nothing was lost so far"
    );
    // A new lake over a bus that has let go of the first ten messages.
    house.remove_lake();
    house.forget_what_was_passed().await;
    house.publish(&sign_ins(10, 11)).await;
    let running = house.start();
    house.wait_for_rows(Table::Coverage, 1).await;
    house.wait_for_rows(Table::Signins, 1).await;
    for (column, expected) in [
        ("coverage_state", "lost"),
        ("subject", "events.signins/0"),
        ("range_from", "0"),
        ("range_to", "10"),
    ] {
        let found = house
            .column(&format!("SELECT {column} FROM coverage"))
            .await;
        assert_eq!(found, [expected], "{column}");
    }
    running.stop().await;
}
