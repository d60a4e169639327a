//! The Management Activity API.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use simulator::SimulatorConfig;

use crate::lab::{GRAPH, Lab, MANAGEMENT, WHOLE_DAY, small};

const TYPES: [&str; 4] = [
    "Audit.AzureActiveDirectory",
    "Audit.Exchange",
    "Audit.SharePoint",
    "Audit.General",
];

fn feed(lab: &Lab, operation: &str, query: &str) -> String {
    let tenant = &lab.connection.tenant_id;
    format!("/api/v1.0/{tenant}/activity/feed/{operation}?PublisherIdentifier={tenant}&{query}")
}

async fn subscribe(lab: &Lab, token: &str) {
    for kind in TYPES {
        let url = feed(lab, "subscriptions/start", &format!("contentType={kind}"));
        let (status, body) = lab.json(Method::POST, &url, token, None).await;
        assert_eq!((status, &body["status"]), (200, &json!("enabled")));
    }
}

/// Every blob of a listing, and the number of its pages.
async fn listing(lab: &Lab, token: &str, kind: &str, window: &str) -> (Vec<Value>, usize) {
    let mut url = feed(
        lab,
        "subscriptions/content",
        &format!("contentType={kind}{window}"),
    );
    let mut blobs = Vec::new();
    let mut pages = 0;
    loop {
        let answer = lab.call(Method::GET, &url, token, None).await;
        assert_eq!(answer.status().as_u16(), 200);
        let next = answer
            .headers()
            .get("NextPageUri")
            .map(|uri| uri.to_str().unwrap().to_owned());
        blobs.extend(answer.json::<Vec<Value>>().await.unwrap());
        pages += 1;
        match next {
            Some(next) => url = next,
            None => return (blobs, pages),
        }
    }
}

/// The code of an error.
async fn code(lab: &Lab, method: Method, url: &str, token: &str) -> String {
    let (status, body) = lab.json(method, url, token, None).await;
    assert!(status >= 400, "{url}: {body}");
    body["error"]["code"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

#[tokio::test]
async fn every_record_of_the_ledger_is_in_some_blob_and_some_are_in_two() {
    let lab = Lab::start(SimulatorConfig {
        users: 30,
        ..small()
    })
    .await;
    let token = lab.token(&lab.connection.reading, MANAGEMENT).await;
    subscribe(&lab, &token).await;
    lab.at_minute(WHOLE_DAY);
    let token = lab.token(&lab.connection.reading, MANAGEMENT).await;
    let (mut ids, mut total) = (BTreeSet::new(), 0);
    let mut texts: BTreeSet<(String, String)> = BTreeSet::new();
    let mut out_of_order = 0;
    for kind in TYPES {
        let (blobs, pages) = listing(&lab, &token, kind, "").await;
        assert!(pages > 1, "{kind} has one page only");
        let created: Vec<&str> = blobs
            .iter()
            .map(|blob| blob["contentCreated"].as_str().unwrap())
            .collect();
        out_of_order += created.windows(2).filter(|pair| pair[0] > pair[1]).count();
        for blob in &blobs {
            assert_eq!(blob["contentType"], kind);
            let uri = format!(
                "{}?PublisherIdentifier={}",
                blob["contentUri"].as_str().unwrap(),
                lab.connection.tenant_id
            );
            let text = lab
                .call(Method::GET, &uri, &token, None)
                .await
                .text()
                .await
                .unwrap();
            let records: Vec<&RawValue> = serde_json::from_str(&text).unwrap();
            total += records.len();
            for record in records {
                let value: Value = serde_json::from_str(record.get()).unwrap();
                let id = value["Id"].as_str().unwrap().to_owned();
                ids.insert(id.clone());
                texts.insert((id, record.get().to_owned()));
            }
        }
    }
    assert!(total > ids.len(), "no duplicates among {total}");
    // The same record is written in two orders of its fields.
    assert!(texts.len() > ids.len());
    assert!(out_of_order > 0, "all blobs are listed in order");
    assert_eq!(
        ids.into_iter().collect::<Vec<_>>(),
        lab.ledger(&["m365_activity"]).await
    );
    assert_eq!(lab.control("ledger").await["complete"], json!(true));
    lab.stop().await;
}

#[tokio::test]
async fn windows_filter_on_creation_and_do_not_overlap() {
    let lab = Lab::start(small()).await;
    let token = lab.token(&lab.connection.reading, MANAGEMENT).await;
    subscribe(&lab, &token).await;
    lab.at_minute(WHOLE_DAY);
    let token = lab.token(&lab.connection.reading, MANAGEMENT).await;
    let kind = "Audit.Exchange";
    let (all, _) = listing(&lab, &token, kind, "").await;
    let (first, _) = listing(
        &lab,
        &token,
        kind,
        "&startTime=2026-09-14T08:00&endTime=2026-09-14T12:00:00",
    )
    .await;
    let (second, _) = listing(
        &lab,
        &token,
        kind,
        "&startTime=2026-09-14T12:00&endTime=2026-09-15T08:00",
    )
    .await;
    assert!(!first.is_empty() && !second.is_empty());
    assert_eq!(first.len() + second.len(), all.len());
    assert!(
        first
            .iter()
            .all(|blob| blob["contentCreated"].as_str().unwrap() < "2026-09-14T12")
    );
    lab.stop().await;
}

#[tokio::test]
async fn every_mistake_of_a_query_has_its_code() {
    let lab = Lab::start(small()).await;
    let token = lab.token(&lab.connection.reading, MANAGEMENT).await;
    let content = "subscriptions/content";
    let start = "subscriptions/start";
    let listed = "contentType=Audit.Exchange";
    let before = [
        (Method::GET, content, listed.to_owned(), "AF20022"),
        (Method::POST, start, "contentType=x".to_owned(), "AF20020"),
        (Method::POST, start, String::new(), "AF20001"),
    ];
    let window = |text: &str| format!("{listed}{text}");
    let after = [
        (Method::POST, start, listed.to_owned(), "AF20024"),
        (
            Method::GET,
            content,
            window("&startTime=2026-09-14"),
            "AF20030",
        ),
        (
            Method::GET,
            content,
            window("&startTime=2026-09-12&endTime=2026-09-14"),
            "AF20030",
        ),
        (
            Method::GET,
            content,
            window("&startTime=2026-08-01&endTime=2026-08-02"),
            "AF20030",
        ),
        (Method::GET, content, window("&nextPage=x"), "AF20031"),
        (Method::GET, "audit/nothing", String::new(), "AF20050"),
    ];
    for (method, operation, query, expected) in before {
        let url = feed(&lab, operation, &query);
        assert_eq!(code(&lab, method, &url, &token).await, expected, "{url}");
    }
    subscribe(&lab, &token).await;
    for (method, operation, query, expected) in after {
        let url = feed(&lab, operation, &query);
        assert_eq!(code(&lab, method, &url, &token).await, expected, "{url}");
    }
    lab.stop().await;
}

#[tokio::test]
async fn strangers_are_refused_with_their_codes() {
    let lab = Lab::start(small()).await;
    let token = lab.token(&lab.connection.reading, MANAGEMENT).await;
    let tenant = &lab.connection.tenant_id;
    let nobody = "00000000-0000-0000-0000-000000000000";
    let path = |tenant: &str| format!("/api/v1.0/{tenant}/activity/feed/subscriptions/list");
    let list = format!("{}?PublisherIdentifier={tenant}", path(tenant));
    let other = format!("{}?PublisherIdentifier={tenant}", path(nobody));
    let malformed = format!("{}?PublisherIdentifier=x", path(tenant));
    let acting = lab.token(&lab.connection.acting, MANAGEMENT).await;
    let cases = [
        (path(tenant), &token, "AF429"),
        (malformed, &token, "AF20013"),
        (other, &token, "AF20010"),
        (list.clone(), &acting, "AF10001"),
    ];
    for (url, token, expected) in cases {
        assert_eq!(
            code(&lab, Method::GET, &url, token).await,
            expected,
            "{url}"
        );
    }
    let graph = lab.token(&lab.connection.reading, GRAPH).await;
    assert_eq!(lab.json(Method::GET, &list, &graph, None).await.0, 401);
    lab.stop().await;
}

#[tokio::test]
async fn an_expired_blob_is_gone_and_content_of_a_stopped_subscription_is_lost() {
    let lab = Lab::start(SimulatorConfig {
        blob_lifetime_s: 3_600,
        ..small()
    })
    .await;
    let token = lab.token(&lab.connection.reading, MANAGEMENT).await;
    subscribe(&lab, &token).await;
    let stop = feed(&lab, "subscriptions/stop", "contentType=Audit.General");
    assert_eq!(
        lab.call(Method::POST, &stop, &token, None)
            .await
            .status()
            .as_u16(),
        200
    );
    lab.at_minute(120);
    let token = lab.token(&lab.connection.reading, MANAGEMENT).await;
    let (blobs, _) = listing(&lab, &token, "Audit.Exchange", "").await;
    let uri = format!(
        "{}?PublisherIdentifier={}",
        blobs[0]["contentUri"].as_str().unwrap(),
        lab.connection.tenant_id
    );
    assert_eq!(lab.json(Method::GET, &uri, &token, None).await.0, 200);
    lab.at_minute(300);
    let token = lab.token(&lab.connection.reading, MANAGEMENT).await;
    assert_eq!(code(&lab, Method::GET, &uri, &token).await, "AF20051");

    let start = feed(&lab, "subscriptions/start", "contentType=Audit.General");
    assert_eq!(lab.json(Method::POST, &start, &token, None).await.0, 200);
    let (lost, _) = listing(&lab, &token, "Audit.General", "").await;
    assert_eq!(lost.len(), 0);
    lab.stop().await;
}
