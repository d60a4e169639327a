//! A receiver of OTLP over HTTP, as its specification has it.
#![expect(
    clippy::expect_used,
    reason = "a test ends where its footing is missing"
)]

use std::sync::{Arc, Mutex};

use forward::destination::{Answer, Outcome};
use forward::destinations::Target;
use forward::destinations::otlp::OtlpConfig;
use forward::formats::Format;
use forward::http::HttpConfig;
use serde_json::Value;

use crate::kit::{check_http, deliver, open};
use crate::server::{Server, alerts, delivered, patient, plain};

fn target(url: &str, http: HttpConfig) -> Target {
    Target::Otlp(OtlpConfig {
        url: url.to_owned(),
        headers: [("authorization".to_owned(), "env:CANARY".to_owned())].into(),
        format: Format::Json,
        http,
    })
}

/// What the specification's JSON form asks of a record.
fn check(record: &Value) {
    for time in ["timeUnixNano", "observedTimeUnixNano"] {
        assert!(
            record[time]
                .as_str()
                .expect("digits")
                .parse::<u64>()
                .is_ok(),
            "{record}"
        );
    }
    assert!((1..=24).contains(&record["severityNumber"].as_u64().expect("a number")));
    assert!(record["body"]["stringValue"].is_string());
    let attributes = record["attributes"].as_array().expect("a list");
    let mut keys: Vec<&str> = attributes
        .iter()
        .map(|pair| pair["key"].as_str().expect("a key"))
        .collect();
    assert!(
        attributes
            .iter()
            .all(|pair| pair["value"]["stringValue"].is_string())
    );
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), attributes.len(), "keys are unique");
}

#[tokio::test]
async fn it_survives_what_every_destination_must() {
    check_http(target, |_| "{}".to_owned()).await;
}

#[tokio::test]
async fn records_are_of_the_specification() {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let shared = Arc::clone(&kept);
    let server = Server::new(move |asked| {
        assert_eq!(
            (asked.method.as_str(), asked.path.as_str()),
            ("POST", "/v1/logs")
        );
        assert_eq!(asked.header("content-type"), "application/json");
        assert!(!asked.header("authorization").is_empty());
        let body: Value = serde_json::from_slice(&asked.body).expect("JSON");
        let records = body["resourceLogs"][0]["scopeLogs"][0]["logRecords"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        shared.lock().expect("whole").extend(records);
        plain(200, r#"{"partialSuccess":{}}"#)
    })
    .await;
    let mut destination = open(&target(&server.url, patient()));
    assert_eq!(
        delivered(&deliver(destination.as_mut(), &alerts(50)).await),
        50
    );
    let kept = kept.lock().expect("whole").clone();
    assert_eq!(kept.len(), 50);
    kept.iter().for_each(check);
}

#[tokio::test]
async fn records_that_were_rejected_are_never_called_delivered() {
    for body in [
        r#"{"partialSuccess":{"rejectedLogRecords":"2","errorMessage":"no"}}"#,
        r#"{"partialSuccess":{"rejectedLogRecords":2}}"#,
    ] {
        let server = Server::new(move |_| plain(200, body)).await;
        let reply = deliver(open(&target(&server.url, patient())).as_mut(), &alerts(3)).await;
        let Answer::Each(outcomes) = &reply.answer else {
            panic!("{reply:?}")
        };
        let told = |outcome: &Outcome| matches!(outcome, Outcome::Refused { why } if why.contains("2 of 3"));
        assert!(outcomes.iter().all(told), "{outcomes:?}");
    }
}
