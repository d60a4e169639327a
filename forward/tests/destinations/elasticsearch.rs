//! A `_bulk` API, as Elasticsearch and OpenSearch document it.
#![expect(
    clippy::expect_used,
    reason = "a test ends where its footing is missing"
)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use forward::destination::{Answer, Outcome};
use forward::destinations::Target;
use forward::destinations::elasticsearch::ElasticsearchConfig;
use forward::formats::Format;
use forward::http::HttpConfig;
use serde_json::{Value, json};

use crate::kit::{CANARY, check_http, deliver, open};
use crate::server::{Answered, Asked, Server, alerts, delivered, patient, plain};

/// An index: documents by their id, and what is wrong with some.
#[derive(Default)]
struct Index {
    documents: BTreeMap<String, Value>,
    /// Ids that are answered with a status of their own, so many times.
    faults: BTreeMap<String, (u16, usize)>,
}

impl Index {
    fn answer(&mut self, asked: &Asked) -> Answered {
        if asked.header("authorization") != format!("ApiKey {CANARY}") {
            return plain(
                401,
                r#"{"error":{"type":"security_exception"},"status":401}"#,
            );
        }
        match (asked.method.as_str(), asked.path.as_str()) {
            ("GET", "/") => plain(200, r#"{"tagline":"You Know, for Search"}"#),
            ("HEAD", "/logs-vedette-default") => plain(404, ""),
            ("POST", "/logs-vedette-default/_bulk") => self.bulk(asked),
            other => panic!("{other:?} is not asked"),
        }
    }

    fn bulk(&mut self, asked: &Asked) -> Answered {
        assert_eq!(asked.header("content-type"), "application/x-ndjson");
        assert!(
            asked.body.ends_with(b"\n"),
            "the body ends with a line break"
        );
        let text = std::str::from_utf8(&asked.body).expect("UTF-8");
        let lines: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).expect("NDJSON"))
            .collect();
        assert_eq!(lines.len() % 2, 0);
        let items: Vec<Value> = lines
            .chunks(2)
            .map(|pair| self.create(&pair[0], &pair[1]))
            .collect();
        let errors = items.iter().any(|item| item["create"]["status"] != 201);
        plain(200, json!({"errors": errors, "items": items}).to_string())
    }

    fn create(&mut self, action: &Value, document: &Value) -> Value {
        let id = action["create"]["_id"]
            .as_str()
            .expect("created under an id")
            .to_owned();
        assert!(id.len() <= 512, "an id has 512 bytes at most");
        assert!(
            document["@timestamp"].is_string(),
            "a data stream needs a time"
        );
        let failed = |status: u16, kind: &str| json!({"create": {"status": status, "error": {"type": kind, "reason": "…"}}});
        if let Some((status, times)) = self.faults.get_mut(&id)
            && *times > 0
        {
            *times -= 1;
            return failed(*status, "a fault");
        }
        if self.documents.contains_key(&id) {
            return failed(409, "version_conflict_engine_exception");
        }
        self.documents.insert(id, document.clone());
        json!({"create": {"status": 201}})
    }
}

async fn index() -> (Server, Arc<Mutex<Index>>) {
    let kept = Arc::new(Mutex::new(Index::default()));
    let shared = Arc::clone(&kept);
    (
        Server::new(move |asked| shared.lock().expect("whole").answer(asked)).await,
        kept,
    )
}

fn target(url: &str, http: HttpConfig) -> Target {
    Target::Elasticsearch(ElasticsearchConfig {
        url: url.to_owned(),
        index: "logs-vedette-default".to_owned(),
        api_key: "env:CANARY".to_owned(),
        user: String::new(),
        password: String::new(),
        format: Format::Ecs,
        http,
    })
}

#[tokio::test]
async fn it_survives_what_every_destination_must() {
    let created =
        |count| json!({"errors": false, "items": vec![json!({"create": {"status": 201}}); count]});
    check_http(target, |count| created(count).to_string()).await;
}

#[tokio::test]
async fn twice_is_once() {
    let (server, kept) = index().await;
    let mut destination = open(&target(&server.url, patient()));
    let batch = alerts(300);
    for _ in 0..2 {
        assert_eq!(delivered(&deliver(destination.as_mut(), &batch).await), 300);
    }
    assert_eq!(kept.lock().expect("whole").documents.len(), 300);
    for found in destination.validate().await {
        assert_eq!(found.fault, None, "{found:?}");
    }
}

#[tokio::test]
async fn each_item_has_its_own_fate() {
    let (server, kept) = index().await;
    let mut destination = open(&target(&server.url, patient()));
    let batch = alerts(5);
    for (place, status) in [(1, 400), (2, 429), (3, 503)] {
        let key = batch[place].idempotency_key();
        kept.lock().expect("whole").faults.insert(key, (status, 1));
    }
    let reply = deliver(destination.as_mut(), &batch).await;
    let Answer::Each(outcomes) = &reply.answer else {
        panic!("{reply:?}")
    };
    assert!(
        matches!(
            outcomes[..],
            [
                Outcome::Delivered,
                Outcome::Refused { .. },
                Outcome::Retry(_),
                Outcome::Retry(_),
                Outcome::Delivered
            ]
        ),
        "{outcomes:?}"
    );
    assert_eq!(
        delivered(&deliver(destination.as_mut(), &batch[2..4]).await),
        2
    );
}

#[tokio::test]
async fn an_answer_that_does_not_say_each_item_is_not_believed() {
    for body in [
        r#"{"errors":false}"#,
        r#"{"errors":false,"items":[{"create":{"status":201}}]}"#,
        "<html>ok</html>",
        "",
    ] {
        let server = Server::new(move |_| plain(200, body)).await;
        let mut destination = open(&target(&server.url, patient()));
        let reply = deliver(destination.as_mut(), &alerts(2)).await;
        assert!(
            matches!(reply.answer, Answer::Later(_)),
            "{body}: {reply:?}"
        );
    }
}
