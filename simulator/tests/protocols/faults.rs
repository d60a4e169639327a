//! Scripted faults.

use reqwest::Method;
use serde_json::{Value, json};

use crate::lab::{GRAPH, Lab, MANAGEMENT, WHOLE_DAY, small};

async fn victim(lab: &Lab) -> String {
    lab.control("story").await["victim"]["id"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// A throttled client is told how long to wait.
#[tokio::test]
async fn throttling_ends_after_its_times() {
    let lab = Lab::start(small()).await;
    let token = lab.token(&lab.connection.acting, GRAPH).await;
    lab.fault(
        &json!({"path_contains": "/v1.0/users", "status": 429, "retry_after_s": 2, "times": 2}),
    )
    .await;
    for _ in 0..2 {
        let answer = lab.call(Method::GET, "/v1.0/users", &token, None).await;
        assert_eq!(answer.status().as_u16(), 429);
        assert_eq!(answer.headers()["retry-after"], "2");
    }
    assert_eq!(
        lab.json(Method::GET, "/v1.0/users", &token, None).await.0,
        200
    );
    lab.stop().await;
}

/// Success that did not happen, and a change whose answer is lost.
#[tokio::test]
async fn a_change_may_be_ineffective_or_its_answer_lost() {
    let lab = Lab::start(small()).await;
    let token = lab.token(&lab.connection.acting, GRAPH).await;
    let user = format!("/v1.0/users/{}", victim(&lab).await);
    let enabled = format!("{user}?$select=accountEnabled");
    let block = Some(json!({"accountEnabled": false}));
    lab.fault(&json!([
        {"path_contains": "/v1.0/users", "method": "PATCH", "ineffective": true},
        {"path_contains": "/v1.0/users", "method": "PATCH", "status": 502, "after_effect": true},
    ]))
    .await;
    assert_eq!(
        lab.json(Method::PATCH, &user, &token, block.clone())
            .await
            .0,
        204
    );
    assert_eq!(
        lab.json(Method::GET, &enabled, &token, None).await.1["accountEnabled"],
        json!(true)
    );
    assert_eq!(lab.json(Method::PATCH, &user, &token, block).await.0, 502);
    assert_eq!(
        lab.json(Method::GET, &enabled, &token, None).await.1["accountEnabled"],
        json!(false)
    );
    let calls = lab.control("calls").await;
    let effective: Vec<&Value> = calls["calls"]
        .as_array()
        .unwrap()
        .iter()
        .map(|call| &call["effective"])
        .collect();
    assert_eq!(effective, [&json!(false), &json!(true)]);
    lab.stop().await;
}

/// Bad inputs 8 and 9: HTML for JSON, and a next page on another host.
#[tokio::test]
async fn a_blob_may_be_html_and_a_next_page_elsewhere() {
    let lab = Lab::start(small()).await;
    let token = lab.token(&lab.connection.reading, MANAGEMENT).await;
    let tenant = lab.connection.tenant_id.clone();
    let feed = format!("/api/v1.0/{tenant}/activity/feed/subscriptions");
    let query = format!("contentType=Audit.Exchange&PublisherIdentifier={tenant}");
    lab.json(Method::POST, &format!("{feed}/start?{query}"), &token, None)
        .await;
    lab.at_minute(WHOLE_DAY);
    let token = lab.token(&lab.connection.reading, MANAGEMENT).await;
    lab.fault(&json!([
        {"path_contains": "subscriptions/content", "next_page_host": "https://elsewhere.example"},
        {"path_contains": "/audit/", "html": true},
    ]))
    .await;
    let answer = lab
        .call(
            Method::GET,
            &format!("{feed}/content?{query}"),
            &token,
            None,
        )
        .await;
    let next = answer.headers()["nextpageuri"].to_str().unwrap().to_owned();
    assert!(
        next.starts_with("https://elsewhere.example/api/v1.0/"),
        "{next}"
    );
    let blobs: Vec<Value> = answer.json().await.unwrap();
    let uri = format!(
        "{}?PublisherIdentifier={tenant}",
        blobs[0]["contentUri"].as_str().unwrap()
    );
    let html = lab
        .call(Method::GET, &uri, &token, None)
        .await
        .text()
        .await
        .unwrap();
    assert!(html.starts_with("<!DOCTYPE html>"));
    let whole = lab
        .call(Method::GET, &uri, &token, None)
        .await
        .text()
        .await
        .unwrap();
    assert!(serde_json::from_str::<Vec<Value>>(&whole).is_ok());
    lab.stop().await;
}

#[tokio::test]
async fn a_fault_that_names_no_effect_is_refused() {
    let lab = Lab::start(small()).await;
    let url = format!("{}/simulator/faults", lab.connection.http_url);
    for script in [
        json!({"path_contains": "x"}),
        json!({"unknown": 1}),
        json!({"amqp_detach": 99}),
    ] {
        let answer = lab.client.post(&url).json(&script).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 400, "{script}");
    }
    assert_eq!(lab.control("faults").await["waiting"], json!(0));
    lab.stop().await;
}
