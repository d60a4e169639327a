//! Microsoft Graph's alerts as documented and as they misbehave.

use ingest::GraphAlertsConfig;

use crate::fake::{Fake, Reply};
use crate::lab::Lab;

fn alert(id: &str, second: u32) -> String {
    format!(
        r#"{{"id":"{id}","lastUpdateDateTime":"2026-09-14T08:20:{second:02}.0000000Z","serviceSource":"microsoft365Defender","severity":"high"}}"#
    )
}

fn config(page_alerts: u32) -> GraphAlertsConfig {
    GraphAlertsConfig {
        poll_ms: 20,
        page_alerts,
        ..GraphAlertsConfig::default()
    }
}

/// The time that a request asks for alerts from, as text.
fn from(target: &str) -> &str {
    let filter = target
        .split("lastUpdateDateTime ge ")
        .nth(1)
        .unwrap_or_default();
    filter.split('&').next().unwrap_or_default()
}

#[tokio::test]
async fn p34_p37_an_update_is_a_version_and_what_is_unchanged_is_published_once() {
    let fake = Fake::start(|asked| {
        let mut alerts = vec![alert("a", 1), alert("b", 1)];
        if asked.before > 3 {
            alerts.push(alert("a", 5));
            // Visible late: older than what was seen already.
            alerts.push(alert("late", 0));
        }
        Reply::ok(format!(
            r#"{{"@odata.context":"x","value":[{}]}}"#,
            alerts.join(",")
        ))
    })
    .await;
    let mut lab = Lab::new().await;
    let mut tenant = fake.tenant();
    tenant.graph_alerts = Some(config(10));
    let run = lab.start(tenant);
    lab.wait_for("all versions", |arrived| {
        arrived.ids("graph_alerts").len() == 4
    })
    .await;
    lab.wait_for("more polls", |_| fake.asked().len() > 10)
        .await;
    run.stop().await;
    lab.look().await;
    assert_eq!(lab.arrived.events.len(), 4);
    assert_eq!(lab.arrived.times("a:2026-09-14T08:20:05.0000000Z"), 1);
}

#[tokio::test]
async fn p14_p35_links_are_followed_and_a_full_page_without_one_moves_the_boundary() {
    let fake = Fake::start(|asked| {
        if asked.target.contains("page2") {
            return Reply::ok(format!(
                r#"{{"value":[{}]}}"#,
                [alert("c", 3), alert("d", 4)].join(",")
            ));
        }
        let start = from(&asked.target);
        if start >= "2026-09-14T08:20:04" {
            return Reply::ok(format!(r#"{{"value":[{}]}}"#, alert("e", 9)));
        }
        if start >= "2026-09-14T08:20:00" {
            return Reply::ok(r#"{"value":[]}"#);
        }
        Reply::ok(format!(
            r#"{{"value":[{}],"@odata.nextLink":"{}/v1.0/security/alerts_v2?page2"}}"#,
            [alert("a", 1), alert("b", 2)].join(","),
            asked.base
        ))
    })
    .await;
    let mut lab = Lab::new().await;
    let mut tenant = fake.tenant();
    tenant.graph_alerts = Some(config(2));
    let run = lab.start(tenant);
    lab.wait_for("all pages", |arrived| {
        arrived.ids("graph_alerts").len() == 5
    })
    .await;
    run.stop().await;
}

#[tokio::test]
async fn p38_a_full_page_without_order_or_link_moves_no_cursor_and_is_a_gap() {
    let fake = Fake::start(|_| {
        Reply::ok(format!(
            r#"{{"value":[{}]}}"#,
            [alert("b", 2), alert("a", 1)].join(",")
        ))
    })
    .await;
    let mut lab = Lab::new().await;
    let mut tenant = fake.tenant();
    tenant.graph_alerts = Some(config(2));
    let run = lab.start(tenant);
    lab.wait_for("a gap", |arrived| {
        !arrived.lines("page", "gap").is_empty() && fake.asked().len() > 2
    })
    .await;
    run.stop().await;
    lab.look().await;
    assert_eq!(
        lab.arrived.ids("graph_alerts").len(),
        2,
        "what came is kept"
    );
    let asked = fake.asked();
    assert_eq!(
        from(&asked[0].target)[..10],
        from(&asked[2].target)[..10],
        "the cursor did not move"
    );
}

#[tokio::test]
async fn a_link_that_leads_back_or_away_ends_the_poll_with_a_gap() {
    let evil = Fake::start(|_| Reply::ok("{}")).await;
    for next in ["", evil.base.as_str()] {
        let next = next.to_owned();
        let fake = Fake::start(move |asked| {
            let base = if next.is_empty() { &asked.base } else { &next };
            Reply::ok(format!(
                r#"{{"value":[{}],"@odata.nextLink":"{base}/v1.0/security/alerts_v2?again=1"}}"#,
                alert("a", 1)
            ))
        })
        .await;
        let mut lab = Lab::new().await;
        let mut tenant = fake.tenant();
        tenant.graph_alerts = Some(config(2));
        let run = lab.start(tenant);
        lab.wait_for("a gap", |arrived| !arrived.lines("page", "gap").is_empty())
            .await;
        run.stop().await;
        assert_eq!(lab.arrived.ids("graph_alerts").len(), 1);
    }
    assert!(evil.asked().is_empty());
}
