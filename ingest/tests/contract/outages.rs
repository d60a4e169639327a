//! What goes wrong around the sources: clocks that jump, a log that is gone, a cursor store that is damaged, answers
//! that never end.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use axum::body::Body;
use ingest::{GraphAlertsConfig, IngestError, ManagementActivityConfig, TenantConfig};
use rusqlite::Connection;
use schemas::environment::{Clock, SystemClock};
use schemas::time::parse_us;

use crate::fake::{Asked, Fake, Reply, TENANT};
use crate::lab::Lab;

const HOUR_US: i64 = 3_600 * 1_000_000;
const ENABLED: &str = r#"[{"contentType":"Audit.Exchange","status":"enabled"}]"#;

/// A clock that is wrong by so much.
#[derive(Default)]
struct WrongClock(AtomicI64);

impl Clock for WrongClock {
    fn now_us(&self) -> i64 {
        SystemClock.now_us() + self.0.load(Ordering::Relaxed)
    }
}

/// A blob that each listing names.
fn blob(base: &str, id: &str) -> String {
    format!(
        r#"{{"contentType":"Audit.Exchange","contentId":"{id}","contentUri":"{base}/api/v1.0/{TENANT}/activity/feed/audit/{id}","contentCreated":"2026-09-14T08:10:02.001Z"}}"#
    )
}

fn record(id: &str) -> String {
    format!(
        r#"[{{"CreationTime":"2026-09-14T08:02:41","Id":"{id}","Operation":"New-InboxRule","RecordType":1,"Workload":"Exchange"}}]"#
    )
}

fn activity(fake: &Fake) -> TenantConfig {
    TenantConfig {
        management_activity: Some(ManagementActivityConfig {
            content_types: vec!["Audit.Exchange".to_owned()],
            poll_ms: 20,
            quiet_window_ms: 1,
            ..ManagementActivityConfig::default()
        }),
        ..fake.tenant()
    }
}

/// A server that lists one blob in every window.
async fn one_blob() -> Fake {
    Fake::start(|asked| {
        if asked.target.contains("/subscriptions/list") {
            Reply::ok(ENABLED)
        } else if asked.target.contains("/subscriptions/content") {
            Reply::ok(format!("[{}]", blob(&asked.base, "b")))
        } else {
            Reply::ok(record("b"))
        }
    })
    .await
}

/// A time in the query of a request.
fn time_in(asked: &Asked, name: &str) -> Option<i64> {
    let (_, after) = asked.target.split_once(&format!("{name}="))?;
    let text = after.split('&').next().unwrap_or_default();
    parse_us(&format!("{text}Z"))
}

fn cursor(lab: &Lab, subject: &str) -> i64 {
    let store = Connection::open(lab.cursors()).unwrap();
    let asked = "SELECT value FROM cursors WHERE subject = ?1";
    let text: String = store.query_row(asked, [subject], |row| row.get(0)).unwrap();
    text.parse().unwrap()
}

#[tokio::test]
async fn a_clock_that_jumps_moves_no_cursor_past_microsofts_time() {
    let fake = one_blob().await;
    let mut lab = Lab::new().await;
    let clock = Arc::new(WrongClock::default());
    let subject = format!("management_activity/{TENANT}/Audit.Exchange");
    let run = lab.start_at(activity(&fake), clock.clone());
    // Two days ahead, then ten days behind, then right again.
    for wrong_us in [48 * HOUR_US, -240 * HOUR_US, 0] {
        clock.0.store(wrong_us, Ordering::Relaxed);
        let polls = fake.asked().len();
        let lines = lab.arrived.lines("window", "read").len();
        lab.wait_for("polls", |arrived| {
            fake.asked().len() > polls + 10 && arrived.lines("window", "read").len() > lines
        })
        .await;
    }
    run.stop().await;
    lab.look().await;
    let now_us = SystemClock.now_us();
    let asked = fake.asked();
    let mut ends = asked.iter().filter_map(|asked| time_in(asked, "endTime"));
    assert!(ends.clone().all(|end_us| end_us <= now_us));
    assert!(ends.next_back().unwrap() > now_us - HOUR_US);
    let mut read: Vec<(i64, i64)> = Vec::new();
    for line in lab.arrived.lines("window", "read") {
        assert!(line.to <= now_us, "{line:?}");
        read.push((line.from, line.to));
    }
    for pair in read.windows(2) {
        assert_eq!(
            pair[0].1, pair[1].0,
            "a hole, or a window that was read twice"
        );
    }
    assert!(lab.arrived.lines("window", "lost").is_empty());
    assert!(cursor(&lab, &subject) <= now_us);
    assert_eq!(lab.arrived.times("b"), 1);
}

#[tokio::test]
async fn a_cursor_ahead_of_the_time_is_a_gap_and_all_is_listed_again() {
    let fake = one_blob().await;
    let mut lab = Lab::new().await;
    let subject = format!("management_activity/{TENANT}/Audit.Exchange");
    let run = lab.start(activity(&fake));
    lab.wait_for("a window", |arrived| {
        !arrived.lines("window", "read").is_empty()
    })
    .await;
    run.stop().await;
    let now_us = SystemClock.now_us();
    let ahead = (now_us + 48 * HOUR_US).to_string();
    Connection::open(lab.cursors())
        .unwrap()
        .execute(
            "UPDATE cursors SET value = ?1 WHERE subject = ?2",
            [&ahead, &subject],
        )
        .unwrap();
    let before = fake.asked().len();
    let run = lab.start(activity(&fake));
    lab.wait_for("the gap, and a cursor that is right", |arrived| {
        !arrived.lines("window", "gap").is_empty() && cursor_is_past(&fake, before)
    })
    .await;
    run.stop().await;
    lab.look().await;
    let first = fake.asked()[before..]
        .iter()
        .find_map(|asked| time_in(asked, "startTime"));
    assert!(
        first.unwrap() < now_us - 166 * HOUR_US,
        "7 days, as far as can be"
    );
    assert!(cursor(&lab, &subject) <= SystemClock.now_us());
    assert_eq!(lab.arrived.times("b"), 1, "what is known is not read again");
}

/// True once the listings of a poll that lists a week are over.
fn cursor_is_past(fake: &Fake, before: usize) -> bool {
    fake.asked().len() > before + 12
}

#[tokio::test]
async fn an_alert_of_the_future_moves_no_cursor() {
    let alert = |id: &str, time: &str| {
        format!(
            r#"{{"id":"{id}","lastUpdateDateTime":"{time}","serviceSource":"x","alertWebUrl":"y"}}"#
        )
    };
    let page = format!(
        r#"{{"value":[{},{}]}}"#,
        alert("now", "2026-09-14T08:20:00Z"),
        alert("later", "2099-01-01T00:00:00Z")
    );
    let fake = Fake::start(move |_| Reply::ok(page.clone())).await;
    let mut lab = Lab::new().await;
    let mut tenant = fake.tenant();
    tenant.graph_alerts = Some(GraphAlertsConfig {
        poll_ms: 20,
        ..GraphAlertsConfig::default()
    });
    let subject = format!("graph_alerts/{TENANT}");
    let run = lab.start(tenant.clone());
    lab.wait_for("both, more than once", |arrived| {
        arrived.ids("graph_alerts").len() == 2 && fake.asked().len() > 3
    })
    .await;
    run.stop().await;
    assert_eq!(
        cursor(&lab, &subject),
        parse_us("2026-09-14T08:20:00Z").unwrap()
    );
    // One that was stored by a clock that was ahead is no place to go on from.
    let ahead = (SystemClock.now_us() + 48 * HOUR_US).to_string();
    Connection::open(lab.cursors())
        .unwrap()
        .execute("UPDATE cursors SET value = ?1", [&ahead])
        .unwrap();
    // Its answers' time is known from the second poll on, its own clock is right before.
    let run = lab.start(tenant);
    lab.wait_for("the gap", |arrived| {
        !arrived.lines("page", "gap").is_empty()
    })
    .await;
    run.stop().await;
    lab.look().await;
    assert_eq!(
        cursor(&lab, &subject),
        parse_us("2026-09-14T08:20:00Z").unwrap()
    );
    assert_eq!(lab.arrived.events.len(), 2);
}

#[tokio::test]
async fn a_cursor_that_is_not_believed_is_told_once_also_where_there_is_no_alert() {
    let fake = Fake::start(|_| Reply::ok(r#"{"value":[]}"#.to_owned())).await;
    let mut lab = Lab::new().await;
    let mut tenant = fake.tenant();
    tenant.graph_alerts = Some(GraphAlertsConfig {
        poll_ms: 20,
        ..GraphAlertsConfig::default()
    });
    let run = lab.start(tenant.clone());
    lab.wait_for("a poll", |_| !fake.asked().is_empty()).await;
    run.stop().await;
    let ahead = (SystemClock.now_us() + 48 * HOUR_US).to_string();
    Connection::open(lab.cursors())
        .unwrap()
        .execute(
            "INSERT INTO cursors (subject, value) VALUES (?1, ?2)",
            [&format!("graph_alerts/{TENANT}"), &ahead],
        )
        .unwrap();
    let before = fake.asked().len();
    let run = lab.start(tenant);
    lab.wait_for("more polls", |_| fake.asked().len() > before + 5)
        .await;
    run.stop().await;
    lab.look().await;
    assert_eq!(lab.arrived.lines("page", "gap").len(), 1);
}

#[tokio::test]
async fn a_log_that_is_gone_ends_the_stage() {
    let fake = one_blob().await;
    let mut lab = Lab::new().await;
    let run = lab.start(activity(&fake));
    lab.wait_for("a record", |arrived| arrived.times("b") == 1)
        .await;
    // As after a disk that failed: the writer gives up, and nothing can be published any more.
    Connection::open(lab.folder().join("log.sqlite"))
        .unwrap()
        .execute_batch("DROP TABLE messages")
        .unwrap();
    let ended = run.ended().await;
    assert!(
        matches!(ended, Err(IngestError::Publish { .. })),
        "{ended:?}"
    );
}

#[tokio::test]
async fn a_damaged_cursor_store_is_told_and_everything_within_reach_is_read() {
    let fake = one_blob().await;
    let mut lab = Lab::new().await;
    let run = lab.start(activity(&fake));
    lab.wait_for("a record", |arrived| arrived.times("b") == 1)
        .await;
    run.stop().await;
    let mut bytes = std::fs::read(lab.cursors()).unwrap();
    bytes[4_096..].fill(7);
    std::fs::write(lab.cursors(), bytes).unwrap();
    let run = lab.start(activity(&fake));
    lab.wait_for("the record again, and a line", |arrived| {
        let is_told = arrived.lines("file", "gap").iter().any(|line| {
            line.source == "ingest" && line.detail.contains("ingest-cursors.sqlite.broken-1")
        });
        is_told && arrived.times("b") == 2
    })
    .await;
    run.stop().await;
    assert!(
        lab.health.troubles().is_empty(),
        "{:?}",
        lab.health.troubles()
    );
}

#[tokio::test]
async fn a_stop_cuts_an_answer_that_never_ends() {
    let fake = Fake::start(|asked| {
        if asked.target.contains("/subscriptions/list") {
            return Reply::ok(Body::from_stream(futures::stream::pending::<
                std::io::Result<axum::body::Bytes>,
            >()));
        }
        Reply::of(404, "")
    })
    .await;
    let mut lab = Lab::new().await;
    let run = lab.start(activity(&fake));
    lab.wait_for("the request", |_| !fake.asked().is_empty())
        .await;
    let stopped = tokio::time::Instant::now();
    run.stop().await;
    assert!(stopped.elapsed() < Duration::from_secs(8));
}

#[tokio::test]
async fn a_listing_that_never_ends_is_read_as_it_comes() {
    let fake = Fake::start(|asked| {
        if asked.target.contains("/subscriptions/list") {
            return Reply::ok(ENABLED);
        }
        if !asked.target.contains("/subscriptions/content") {
            let id = asked.target.split("/audit/").nth(1).unwrap_or_default();
            return Reply::ok(record(id.split('?').next().unwrap_or_default()));
        }
        let page = asked.before;
        let next = format!(
            "{}/api/v1.0/{TENANT}/activity/feed/subscriptions/content?nextPage={page}",
            asked.base
        );
        // One item of each page names no blob: it is a gap, and keeps no other from being read.
        let items = format!("[{},{{}}]", blob(&asked.base, &format!("p{page}")));
        Reply::ok(items).with("NextPageUri", &next)
    })
    .await;
    let mut lab = Lab::new().await;
    let run = lab.start(activity(&fake));
    lab.wait_for("the blobs of many pages", |arrived| {
        arrived.ids("m365_activity").len() > 20
    })
    .await;
    run.stop().await;
    lab.look().await;
    assert!(lab.arrived.lines("window", "read").is_empty());
}
