//! A log that no longer has what it acknowledged: restored from a backup, or made anew, while the cursors are kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ingest::{GraphAlertsConfig, ManagementActivityConfig, TenantConfig};
use rusqlite::Connection;
use schemas::environment::{Clock, SystemClock};
use schemas::time::{iso_ms, parse_us};
use schemas::wire::Coverage;

use crate::fake::{Fake, Reply, TENANT};
use crate::lab::{Arrived, Lab};

const HOUR_US: i64 = 3_600 * 1_000_000;

/// A tenant that has one blob and one alert, and another of each once it is told so.
async fn growing(has_grown: &Arc<AtomicBool>) -> Fake {
    let has_grown = Arc::clone(has_grown);
    let at = iso_ms(SystemClock.now_us() - 24 * HOUR_US);
    Fake::start(move |asked| {
        let names = if has_grown.load(Ordering::Relaxed) {
            &["a", "b"][..]
        } else {
            &["a"]
        };
        let list = |item: &dyn Fn(&str) -> String| {
            names.iter().map(|name| item(name)).collect::<Vec<_>>().join(",")
        };
        let target = asked.target.as_str();
        if target.contains("/subscriptions/list") {
            Reply::ok(r#"[{"contentType":"Audit.Exchange","status":"enabled"}]"#)
        } else if target.contains("/subscriptions/content") {
            let blob = |id: &str| {
                format!(
                    r#"{{"contentType":"Audit.Exchange","contentId":"{id}","contentUri":"{}/api/v1.0/{TENANT}/activity/feed/audit/{id}","contentCreated":"2026-09-14T08:10:02.001Z"}}"#,
                    asked.base
                )
            };
            Reply::ok(format!("[{}]", list(&blob)))
        } else if let Some((_, id)) = target.split_once("/feed/audit/") {
            let id = id.split('?').next().unwrap_or_default();
            Reply::ok(format!(
                r#"[{{"CreationTime":"2026-09-14T08:02:41","Id":"{id}","Operation":"New-InboxRule","RecordType":1,"Workload":"Exchange"}}]"#
            ))
        } else {
            let alert = |id: &str| {
                format!(
                    r#"{{"id":"{id}","lastUpdateDateTime":"{at}","serviceSource":"x","alertWebUrl":"y"}}"#
                )
            };
            Reply::ok(format!(r#"{{"value":[{}]}}"#, list(&alert)))
        }
    })
    .await
}

fn tenant(fake: &Fake) -> TenantConfig {
    TenantConfig {
        management_activity: Some(ManagementActivityConfig {
            content_types: vec!["Audit.Exchange".to_owned()],
            poll_ms: 20,
            first_hours: 1,
            quiet_window_ms: 1,
            ..ManagementActivityConfig::default()
        }),
        graph_alerts: Some(GraphAlertsConfig {
            poll_ms: 20,
            first_days: 2,
            ..GraphAlertsConfig::default()
        }),
        ..fake.tenant()
    }
}

fn has(arrived: &Arrived, count: usize) -> bool {
    arrived.ids("m365_activity").len() >= count && arrived.ids("graph_alerts").len() >= count
}

/// The lines that say that the log is not the one that was written.
fn told(arrived: &Arrived) -> Vec<&Coverage> {
    let lines = arrived.lines("range", "gap").into_iter();
    lines.filter(|line| line.source == "ingest").collect()
}

/// Reads until both kinds have `count` records and the cursors have moved past them.
async fn read(lab: &mut Lab, fake: &Fake, count: usize) {
    let run = lab.start(tenant(fake));
    let before = fake.asked().len();
    lab.wait_for("records, and polls after them", |arrived| {
        has(arrived, count)
            && fake.asked().len() > before + 20
            && !arrived.lines("window", "read").is_empty()
    })
    .await;
    run.stop().await;
    lab.look().await;
}

#[tokio::test]
async fn what_a_restored_log_lacks_is_read_again_once() {
    let has_grown = Arc::new(AtomicBool::new(false));
    let fake = growing(&has_grown).await;
    let mut lab = Lab::new().await;
    read(&mut lab, &fake, 1).await;
    lab.copy_log("backup.sqlite");
    has_grown.store(true, Ordering::Relaxed);
    read(&mut lab, &fake, 2).await;
    assert!(told(&lab.arrived).is_empty(), "it is the same log");
    lab.on_log("backup.sqlite").await;
    read(&mut lab, &fake, 2).await;
    let lines = told(&lab.arrived);
    let of_events = |line: &&&Coverage| line.subject == "events.m365_activity/0";
    let line = lines.iter().find(of_events).unwrap();
    let is_told = line.detail.starts_with("lost or replaced from 1 to 2");
    assert!(is_told && (line.from, line.to) == (1, 2), "{line:?}");
    assert!(lab.health.notes().contains_key("ingest/replaced_log"));
    assert!(lab.health.troubles().is_empty());
    let (lines, events) = (lines.len(), lab.arrived.events.len());
    // It has all of it now: nothing is read again at the next start.
    let before = fake.asked().len();
    let run = lab.start(tenant(&fake));
    lab.wait_for("polls", |_| fake.asked().len() > before + 20)
        .await;
    run.stop().await;
    lab.look().await;
    assert_eq!(lab.arrived.events.len(), events);
    assert_eq!(told(&lab.arrived).len(), lines);
}

#[tokio::test]
async fn a_new_log_gets_all_that_was_read_for_the_one_before() {
    let has_grown = Arc::new(AtomicBool::new(true));
    let fake = growing(&has_grown).await;
    let mut lab = Lab::new().await;
    read(&mut lab, &fake, 2).await;
    // As where it has run for four days: what a first poll looks back at is less than what had been read.
    let begun_us = SystemClock.now_us() - 100 * HOUR_US;
    let store = Connection::open(lab.cursors()).unwrap();
    let begun = "UPDATE facts SET value = ?1 WHERE name = 'begun_us'";
    assert_eq!(store.execute(begun, [begun_us]).unwrap(), 1);
    drop(store);
    let before = fake.asked().len();
    lab.on_log("new.sqlite").await;
    read(&mut lab, &fake, 2).await;
    assert!(!told(&lab.arrived).is_empty());
    let times = |name: &str| {
        let asked = fake.asked().split_off(before);
        let times = asked.iter().filter_map(|asked| {
            let target = asked.target.replace('+', " ");
            let (_, after) = target.split_once(name)?;
            let text = after.split(['&', 'Z']).next().unwrap_or_default();
            parse_us(&format!("{text}Z"))
        });
        times.min().unwrap()
    };
    assert!(
        times("startTime=") < begun_us,
        "the windows that had been read"
    );
    assert!(times("lastUpdateDateTime ge ") < begun_us, "and the alerts");
}

/// A crash may fall between any two things that are done about it; each leaves what begins anew at the next start.
#[tokio::test]
async fn a_crash_while_sources_are_taken_back_loses_nothing() {
    let has_grown = Arc::new(AtomicBool::new(true));
    let fake = growing(&has_grown).await;
    let mut lab = Lab::new().await;
    read(&mut lab, &fake, 2).await;
    lab.on_log("new.sqlite").await;
    for _ in 0..5 {
        lab.start(tenant(&fake)).kill().await;
    }
    for wait_ms in [1, 3, 9, 20] {
        let run = lab.start(tenant(&fake));
        tokio::time::sleep(std::time::Duration::from_millis(wait_ms)).await;
        run.kill().await;
    }
    read(&mut lab, &fake, 2).await;
    assert!(!told(&lab.arrived).is_empty());
}
