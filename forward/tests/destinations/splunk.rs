//! An HTTP Event Collector with indexer acknowledgement, as Splunk documents it.
#![expect(
    clippy::expect_used,
    reason = "a test ends where its footing is missing"
)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use forward::destination::{Answer, Outcome};
use forward::destinations::Target;
use forward::destinations::splunk::SplunkConfig;
use forward::formats::Format;
use forward::http::HttpConfig;
use serde_json::{Value, json};

use crate::kit::{CANARY, check_http, deliver, open};
use crate::server::{Answered, Asked, Server, alerts, delivered, patient, plain};

/// What the collector keeps.
#[derive(Default)]
struct Collector {
    /// Events that were received, by their key.
    received: BTreeMap<String, usize>,
    /// Whether the acknowledgement of each request has come, and the channel that it is for.
    acks: Vec<(String, bool)>,
    /// How often it is asked before an acknowledgement comes; none if it never does.
    polls: Option<usize>,
    asked: usize,
}

impl Collector {
    fn answer(&mut self, asked: &Asked) -> Answered {
        if asked.header("authorization") != format!("Splunk {CANARY}") {
            return plain(403, r#"{"text":"Invalid token","code":4}"#);
        }
        let channel = asked.header("x-splunk-request-channel").to_owned();
        match (asked.method.as_str(), asked.path.as_str()) {
            ("GET", "/services/collector/health") => {
                plain(200, r#"{"text":"HEC is healthy","code":17}"#)
            }
            ("POST", "/services/collector/event") => self.events(asked, channel),
            ("POST", "/services/collector/ack") => {
                assert_eq!(asked.query["channel"], channel, "both name the channel");
                self.asked += 1;
                if self.polls.is_some_and(|polls| self.asked > polls) {
                    for ack in &mut self.acks {
                        ack.1 = true;
                    }
                }
                let body: Value = serde_json::from_slice(&asked.body).expect("JSON");
                let state = |id: &Value| {
                    let ack = id
                        .as_u64()
                        .and_then(|id| self.acks.get(usize::try_from(id).ok()?));
                    (
                        id.to_string(),
                        json!(ack.is_some_and(|(of, come)| *of == channel && *come)),
                    )
                };
                let acks: serde_json::Map<_, _> = body["acks"]
                    .as_array()
                    .expect("ids")
                    .iter()
                    .map(state)
                    .collect();
                plain(200, json!({"acks": acks}).to_string())
            }
            other => panic!("{other:?} is not of HEC"),
        }
    }

    fn events(&mut self, asked: &Asked, channel: String) -> Answered {
        if channel.len() != 36 {
            return plain(400, r#"{"text":"Data channel is missing","code":10}"#);
        }
        if asked.body.is_empty() {
            return plain(400, r#"{"text":"No data","code":5}"#);
        }
        for (place, event) in serde_json::Deserializer::from_slice(&asked.body)
            .into_iter::<Value>()
            .enumerate()
        {
            let bad = |text: &str, code: u32| {
                plain(
                    400,
                    json!({"text": text, "code": code, "invalid-event-number": place}).to_string(),
                )
            };
            let Ok(event) = event else {
                return bad("Invalid data format", 6);
            };
            let names = [
                "time",
                "host",
                "source",
                "sourcetype",
                "index",
                "event",
                "fields",
            ];
            let known = event
                .as_object()
                .expect("an object")
                .keys()
                .all(|name| names.contains(&name.as_str()));
            assert!(known, "{event}");
            assert!(
                event["time"]
                    .as_str()
                    .expect("seconds")
                    .parse::<f64>()
                    .is_ok()
            );
            assert!(
                event["fields"]
                    .as_object()
                    .expect("flat")
                    .values()
                    .all(Value::is_string)
            );
            if event["event"]["title"] == "cannot be indexed" {
                return bad("Error in handling indexed fields", 15);
            }
            let key = event["fields"]["notice_key"]
                .as_str()
                .expect("a key")
                .to_owned();
            *self.received.entry(key).or_default() += 1;
        }
        self.acks.push((channel, false));
        plain(
            200,
            json!({"text": "Success", "code": 0, "ackId": self.acks.len() - 1}).to_string(),
        )
    }
}

async fn collector(polls: Option<usize>) -> (Server, Arc<Mutex<Collector>>) {
    let kept = Arc::new(Mutex::new(Collector {
        polls,
        ..Collector::default()
    }));
    let shared = Arc::clone(&kept);
    (
        Server::new(move |asked| shared.lock().expect("whole").answer(asked)).await,
        kept,
    )
}

fn target(url: &str, http: HttpConfig) -> Target {
    Target::Splunk(SplunkConfig {
        url: url.to_owned(),
        token: "env:CANARY".to_owned(),
        index: String::new(),
        sourcetype: "vedette:notice".to_owned(),
        acknowledge: true,
        format: Format::Json,
        http,
    })
}

#[tokio::test]
async fn it_survives_what_every_destination_must() {
    let indexed = r#"{"text":"Success","code":0,"ackId":7,"acks":{"7":true}}"#;
    check_http(target, |_| indexed.to_owned()).await;
}

#[tokio::test]
async fn delivered_means_indexed() {
    let (server, kept) = collector(Some(3)).await;
    let mut destination = open(&target(&server.url, patient()));
    let reply = deliver(destination.as_mut(), &alerts(120)).await;
    assert_eq!(delivered(&reply), 120, "{reply:?}");
    {
        let kept = kept.lock().expect("whole");
        assert_eq!(kept.received.len(), 120);
        assert!(kept.asked >= 4, "asked until it came");
    }
    for found in destination.validate().await {
        assert_eq!(found.fault, None, "{found:?}");
    }
}

#[tokio::test]
async fn what_is_not_acknowledged_is_waited_for_and_not_sent_again() {
    let (server, kept) = collector(None).await;
    let mut destination = open(&target(&server.url, patient()));
    let batch = alerts(5);
    let reply = deliver(destination.as_mut(), &batch).await;
    assert!(matches!(reply.answer, Answer::Later(_)), "{reply:?}");
    kept.lock().expect("whole").polls = Some(0);
    // More came meanwhile; those that were sent are told from those that were not.
    let reply = deliver(destination.as_mut(), &alerts(7)).await;
    assert_eq!(delivered(&reply), 5, "{reply:?}");
    assert!(
        kept.lock()
            .expect("whole")
            .received
            .values()
            .all(|times| *times == 1)
    );
    let reply = deliver(destination.as_mut(), &alerts(7)[5..]).await;
    assert_eq!(delivered(&reply), 2, "{reply:?}");
}

#[tokio::test]
async fn an_event_that_is_refused_is_set_aside_alone() {
    let (server, _kept) = collector(Some(0)).await;
    let mut destination = open(&target(&server.url, patient()));
    let mut batch = alerts(3);
    let mut bad = (*batch[1]).clone();
    bad.document["title"] = json!("cannot be indexed");
    batch[1] = Arc::new(bad);
    let reply = deliver(destination.as_mut(), &batch).await;
    let Answer::Each(outcomes) = reply.answer else {
        panic!("{reply:?}")
    };
    assert!(
        matches!(
            outcomes[..],
            [
                Outcome::NotTried,
                Outcome::Refused { .. },
                Outcome::NotTried
            ]
        ),
        "{outcomes:?}"
    );
}

#[tokio::test]
async fn a_token_without_acknowledgement_is_said() {
    let server = Server::new(|_| plain(200, r#"{"text":"Success","code":0}"#)).await;
    let mut destination = open(&target(&server.url, patient()));
    let reply = deliver(destination.as_mut(), &alerts(1)).await;
    let Answer::Later(retry) = reply.answer else {
        panic!("{reply:?}")
    };
    assert!(retry.why.contains("acknowledge = false"), "{}", retry.why);
}
