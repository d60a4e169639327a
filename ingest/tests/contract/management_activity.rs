//! The Management Activity API as it is documented and as it misbehaves.

use std::time::Duration;

use axum::body::{Body, Bytes};
use ingest::ManagementActivityConfig;
use schemas::limits::BODY_BYTES_MAX;

use crate::fake::{Asked, Fake, Reply, TENANT};
use crate::lab::Lab;

const LIST: &str = "/subscriptions/list";
const CONTENT: &str = "/subscriptions/content";
const ENABLED: &str = r#"[{"contentType":"Audit.Exchange","status":"enabled","webhook":null}]"#;

fn config() -> ManagementActivityConfig {
    ManagementActivityConfig {
        content_types: vec!["Audit.Exchange".to_owned()],
        poll_ms: 20,
        first_hours: 24,
        concurrent_blobs: 4,
        quiet_window_ms: 1,
        ..ManagementActivityConfig::default()
    }
}

fn listed(base: &str, ids: &[&str]) -> String {
    let items = ids.iter().map(|id| {
        format!(
            r#"{{"contentType":"Audit.Exchange","contentId":"{id}","contentUri":"{base}/api/v1.0/{TENANT}/activity/feed/audit/{id}","contentCreated":"2026-09-14T08:10:02.001Z"}}"#
        )
    });
    format!("[{}]", items.collect::<Vec<_>>().join(","))
}

fn record(id: &str) -> String {
    format!(
        r#"{{"CreationTime":"2026-09-14T08:02:41","Id":"{id}","Operation":"New-InboxRule","RecordType":1,"Workload":"Exchange"}}"#
    )
}

fn refused(code: &str) -> String {
    format!(r#"{{"error":{{"code":"{code}","message":"refused"}}}}"#)
}

/// A server whose listing names `ids`, and whose blobs are answered by `blob`.
async fn server(
    ids: &'static [&'static str],
    blob: impl Fn(&str, &Asked) -> Reply + Send + Sync + 'static,
) -> Fake {
    Fake::start(move |asked| {
        if asked.target.contains(LIST) {
            Reply::ok(ENABLED)
        } else if asked.target.contains(CONTENT) {
            Reply::ok(listed(&asked.base, ids))
        } else {
            let id = asked.target.split("/audit/").nth(1).unwrap_or_default();
            blob(id.split('?').next().unwrap_or_default(), asked)
        }
    })
    .await
}

/// Runs ingest against a server until `is_enough`.
async fn run(
    fake: &Fake,
    lab: &mut Lab,
    what: &str,
    is_enough: impl FnMut(&crate::lab::Arrived) -> bool,
) {
    let mut tenant = fake.tenant();
    tenant.management_activity = Some(config());
    let run = lab.start(tenant);
    lab.wait_for(what, is_enough).await;
    run.stop().await;
    lab.look().await;
}

#[tokio::test]
async fn f1_a_blob_over_the_bound_is_lost_by_name_and_takes_no_other_with_it() {
    let fake = server(&["big", "small"], |id, _| {
        if id == "big" {
            let chunk = Bytes::from(vec![b' '; 1024 * 1024]);
            let chunks = std::iter::repeat_n(chunk, BODY_BYTES_MAX / (1024 * 1024) + 1)
                .map(Ok::<_, std::io::Error>);
            return Reply::ok(Body::from_stream(futures::stream::iter(chunks)));
        }
        Reply::ok(format!("[{}]", record(id)))
    })
    .await;
    let mut lab = Lab::new().await;
    run(&fake, &mut lab, "both blobs", |arrived| {
        arrived.times("small") > 0 && !arrived.lines("blob", "lost").is_empty()
    })
    .await;
    let lost = lab.arrived.lines("blob", "lost")[0];
    assert!(lost.subject.ends_with("/big"));
    // How much of it is missing is said, as far as anybody knows.
    assert!(
        lost.detail.contains(" bytes or more, limit is 268435456"),
        "{}",
        lost.detail
    );
}

#[tokio::test]
async fn f2_f5_a_failed_blob_holds_the_cursor_and_is_fetched_later_also_after_a_restart() {
    let fake = server(&["good", "late"], |id, asked| {
        if id == "late" && asked.before < 4 {
            return Reply::of(400, "");
        }
        Reply::ok(format!("[{}]", record(id)))
    })
    .await;
    let mut lab = Lab::new().await;
    run(&fake, &mut lab, "the good blob", |arrived| {
        arrived.times("good") == 1
    })
    .await;
    assert_eq!(lab.arrived.times("late"), 0);
    assert!(
        lab.arrived.lines("window", "read").is_empty(),
        "a window with a hole was called read"
    );
    run(&fake, &mut lab, "the late blob", |arrived| {
        arrived.times("late") == 1 && !arrived.lines("window", "read").is_empty()
    })
    .await;
    assert_eq!(
        lab.arrived.times("good"),
        1,
        "what was read is not read again"
    );
}

#[tokio::test]
async fn f3_f7_only_a_missing_subscription_is_started_and_only_once() {
    let fake = Fake::start(|asked| {
        if asked.target.contains(LIST) {
            // One is on without a status, one is off; the second is on once it was started.
            return Reply::ok(r#"[{"contentType":"Audit.Exchange"},{"contentType":"Audit.General","status":"disabled"}]"#);
        }
        if asked.target.contains("/subscriptions/start") {
            return Reply::of(400, refused("AF20024"));
        }
        Reply::ok("[]")
    })
    .await;
    let mut lab = Lab::new().await;
    let mut tenant = fake.tenant();
    let mut config = config();
    config.content_types = vec!["Audit.Exchange".to_owned(), "Audit.General".to_owned()];
    tenant.management_activity = Some(config);
    let run = lab.start(tenant);
    lab.wait_for("several polls", |_| fake.asked().len() > 20)
        .await;
    run.stop().await;
    let asked = fake.asked();
    let starts: Vec<_> = asked
        .iter()
        .filter(|one| one.target.contains("/start"))
        .collect();
    assert_eq!(starts.len(), 1, "{starts:?}");
    assert!(starts[0].target.contains("contentType=Audit.General") && starts[0].method == "POST");
    let lists = asked.iter().filter(|one| one.target.contains(LIST)).count();
    assert_eq!(lists, 1);
}

#[tokio::test]
async fn f4_a_refused_window_is_a_gap_and_not_an_empty_list() {
    let fake = Fake::start(|asked| {
        if asked.target.contains(LIST) {
            return Reply::ok(ENABLED);
        }
        Reply::of(400, refused("AF20055"))
    })
    .await;
    let mut lab = Lab::new().await;
    run(&fake, &mut lab, "a gap", |arrived| {
        !arrived.lines("window", "gap").is_empty()
    })
    .await;
    assert!(
        lab.arrived.lines("window", "gap")[0]
            .detail
            .contains("AF20055")
    );
    assert!(lab.arrived.lines("window", "read").is_empty());
}

#[tokio::test]
async fn f6_the_publisher_is_named_on_every_call() {
    let fake = server(&["one"], |id, _| Reply::ok(format!("[{}]", record(id)))).await;
    let mut lab = Lab::new().await;
    run(&fake, &mut lab, "the blob", |arrived| {
        arrived.times("one") == 1
    })
    .await;
    for asked in fake.asked() {
        assert!(
            asked
                .target
                .contains(&format!("PublisherIdentifier={TENANT}")),
            "{}",
            asked.target
        );
    }
}

#[tokio::test]
async fn p14_pages_are_followed_to_the_end_by_either_name_of_the_header() {
    let fake = Fake::start(|asked| {
        if asked.target.contains(LIST) {
            return Reply::ok(ENABLED);
        }
        if !asked.target.contains(CONTENT) {
            let id = asked.target.split("/audit/").nth(1).unwrap_or_default();
            return Reply::ok(format!(
                "[{}]",
                record(id.split('?').next().unwrap_or_default())
            ));
        }
        let page = asked
            .target
            .split("page=")
            .nth(1)
            .and_then(|rest| rest.split('&').next());
        let page: usize = page.and_then(|page| page.parse().ok()).unwrap_or(0);
        let reply = Reply::ok(listed(&asked.base, &[["p0", "p1", "p2"][page]]));
        let next = format!(
            "{}/api/v1.0/{TENANT}/activity/feed{CONTENT}?page={}",
            asked.base,
            page + 1
        );
        match page {
            0 => reply.with("nextpageuri", &next),
            1 => reply.with("NextPageUrl", &next),
            _ => reply,
        }
    })
    .await;
    let mut lab = Lab::new().await;
    run(&fake, &mut lab, "all pages", |arrived| {
        arrived.ids("m365_activity").len() == 3
    })
    .await;
}

#[tokio::test]
async fn a_next_page_or_blob_elsewhere_gets_no_token_and_leaves_a_gap() {
    let evil = Fake::start(|_| Reply::ok("[]")).await;
    let elsewhere = evil.base.clone();
    let fake = Fake::start(move |asked| {
        if asked.target.contains(LIST) {
            return Reply::ok(ENABLED);
        }
        if asked.target.contains(CONTENT) {
            let stolen = listed(&elsewhere, &["stolen"]);
            let own = listed(&asked.base, &["own"]);
            let both = format!(
                "{},{}",
                own.trim_end_matches(']'),
                stolen.trim_start_matches('[')
            );
            return Reply::ok(both).with("NextPageUri", &format!("{elsewhere}/next"));
        }
        Reply::ok(format!("[{}]", record("own")))
    })
    .await;
    let mut lab = Lab::new().await;
    run(&fake, &mut lab, "the own blob and the gap", |arrived| {
        arrived.times("own") == 1 && !arrived.lines("window", "gap").is_empty()
    })
    .await;
    assert!(evil.asked().is_empty(), "{:?}", evil.asked());
    assert!(lab.arrived.lines("window", "read").is_empty());
    assert_eq!(lab.arrived.lines("blob", "gap").len(), 1);
}

#[tokio::test]
async fn a_page_of_html_is_kept_once_and_the_blob_is_fetched_again() {
    let fake = server(&["one"], |id, asked| {
        if asked.before < 2 {
            return Reply::ok("<html><body>please wait</body></html>");
        }
        Reply::ok(format!("[{},{{\"Id\":\"cut\",]", record(id)))
    })
    .await;
    let mut lab = Lab::new().await;
    run(&fake, &mut lab, "the record", |arrived| {
        arrived.times("one") == 1
    })
    .await;
    let pages: Vec<_> = lab
        .arrived
        .dead_letters
        .iter()
        .filter(|letter| letter.reason == "not_the_format")
        .collect();
    assert_eq!(pages.len(), 1);
    assert_eq!(pages[0].raw, "<html><body>please wait</body></html>");
}

#[tokio::test]
async fn an_expired_blob_is_lost_by_name_and_never_asked_for_again() {
    let fake = server(&["gone", "here"], |id, _| {
        if id == "gone" {
            return Reply::of(400, refused("AF20051"));
        }
        Reply::ok(format!("[{}]", record(id)))
    })
    .await;
    let mut lab = Lab::new().await;
    run(&fake, &mut lab, "a whole window", |arrived| {
        arrived.times("here") == 1 && !arrived.lines("window", "read").is_empty()
    })
    .await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(lab.arrived.lines("blob", "lost").len(), 1);
    let asked = fake
        .asked()
        .into_iter()
        .filter(|one| one.target.contains("/audit/gone"))
        .count();
    assert_eq!(asked, 1);
}
