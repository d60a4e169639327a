//! A data collection rule and a token endpoint, as Microsoft documents them.
#![expect(
    clippy::expect_used,
    reason = "a test ends where its footing is missing"
)]

use std::io::Read as _;
use std::sync::{Arc, Mutex};

use forward::contract::Notice;
use forward::destination::{Answer, Outcome};
use forward::destinations::Target;
use forward::destinations::sentinel::SentinelConfig;
use forward::http::HttpConfig;
use serde_json::{Value, json};

use crate::kit::{CANARY, check_http, deliver, open};
use crate::samples;
use crate::server::{Answered, Asked, Server, alerts, delivered, patient, plain};

const RULE: &str = "dcr-0123456789abcdef";
const BYTES_MAX: usize = 1024 * 1024;

/// Columns of the stream, as the rule declares them.
const COLUMNS: [&str; 20] = [
    "NoticeKey",
    "TimeGenerated",
    "NoticeKind",
    "NoticeId",
    "NoticeVersion",
    "NoticeSequence",
    "EntraTenantId",
    "Severity",
    "State",
    "Title",
    "Label",
    "RuleId",
    "Category",
    "Techniques",
    "UserPrincipalName",
    "UserId",
    "IpAddress",
    "SessionId",
    "EventCount",
    "Document",
];

#[derive(Default)]
struct Rule {
    rows: Vec<Value>,
    tokens: usize,
    /// Whether the token that was given last is not taken any more.
    revoked: bool,
}

impl Rule {
    fn answer(&mut self, asked: &Asked) -> Answered {
        if asked.path == format!("/{}/oauth2/v2.0/token", samples::TENANT) {
            let form: std::collections::BTreeMap<_, _> = url::form_urlencoded::parse(&asked.body)
                .into_owned()
                .collect();
            assert_eq!(form["grant_type"], "client_credentials");
            assert_eq!(form["scope"], "https://monitor.azure.com/.default");
            if form["client_secret"] != CANARY {
                return plain(
                    401,
                    r#"{"error":"invalid_client","error_description":"AADSTS7000215"}"#,
                );
            }
            self.tokens += 1;
            self.revoked = false;
            let token = format!("token-{}", self.tokens);
            return plain(
                200,
                json!({"access_token": token, "expires_in": 3599, "token_type": "Bearer"})
                    .to_string(),
            );
        }
        assert_eq!(
            asked.path,
            format!("/dataCollectionRules/{RULE}/streams/Custom-VedetteNotices_CL")
        );
        assert_eq!(asked.query["api-version"], "2023-01-01");
        if asked.header("authorization") != format!("Bearer token-{}", self.tokens) || self.revoked
        {
            return plain(401, r#"{"error":{"code":"InvalidToken"}}"#);
        }
        assert_eq!(asked.header("content-type"), "application/json");
        assert_eq!(asked.header("content-encoding"), "gzip");
        let mut body = String::new();
        flate2::read::GzDecoder::new(&asked.body[..])
            .read_to_string(&mut body)
            .expect("gzip");
        if body.len() > BYTES_MAX || asked.body.len() > BYTES_MAX {
            return plain(413, r#"{"error":{"code":"ContentLengthLimitExceeded"}}"#);
        }
        let rows: Vec<Value> = serde_json::from_str(&body).expect("an array");
        for row in &rows {
            for (column, value) in row.as_object().expect("a row") {
                assert!(
                    COLUMNS.contains(&column.as_str()),
                    "{column} is not declared"
                );
                let is_text = value.as_str().is_none_or(|text| text.len() <= 64 * 1024);
                assert!(is_text, "{column} would be cut");
            }
            assert!(row["TimeGenerated"].is_string());
        }
        self.rows.extend(rows);
        plain(204, "")
    }
}

async fn rule() -> (Server, Arc<Mutex<Rule>>) {
    let kept = Arc::new(Mutex::new(Rule::default()));
    let shared = Arc::clone(&kept);
    (
        Server::new(move |asked| shared.lock().expect("whole").answer(asked)).await,
        kept,
    )
}

fn target(url: &str, login: &str, http: HttpConfig) -> Target {
    Target::Sentinel(SentinelConfig {
        endpoint: url.to_owned(),
        rule: RULE.to_owned(),
        stream: "Custom-VedetteNotices_CL".to_owned(),
        tenant_id: samples::TENANT.to_owned(),
        client_id: "an-application".to_owned(),
        client_secret: "env:CANARY".to_owned(),
        login: login.to_owned(),
        scope: "https://monitor.azure.com/.default".to_owned(),
        http,
    })
}

#[tokio::test]
async fn it_survives_what_every_destination_must() {
    // A token that a receiver sends back is shown as little as the secret that it was given for.
    let token = json!({"access_token": CANARY, "expires_in": 3599}).to_string();
    let login = Server::new(move |_| plain(200, token.clone())).await;
    let make = |url: &str, http: HttpConfig| {
        let login = if url.contains("192.0.2.1") {
            url
        } else {
            &login.url
        };
        target(url, login, http)
    };
    check_http(make, |_| String::new()).await;
}

#[tokio::test]
async fn rows_arrive_by_one_token() {
    let (server, kept) = rule().await;
    let mut destination = open(&target(&server.url, &server.url, patient()));
    let all: Vec<Arc<Notice>> = samples::all().into_iter().map(Arc::new).collect();
    let mut sent = 0;
    for batch in all.chunks(20) {
        let reply = deliver(destination.as_mut(), batch).await;
        assert_eq!(delivered(&reply), batch.len(), "{reply:?}");
        sent += batch.len();
    }
    let kept = kept.lock().expect("whole");
    assert_eq!((kept.rows.len(), kept.tokens), (sent, 1));
    assert_eq!(kept.rows[0]["NoticeId"], kept.rows[0]["Document"]["id"]);
}

#[tokio::test]
async fn a_token_that_is_taken_back_is_asked_for_again() {
    let (server, kept) = rule().await;
    let mut destination = open(&target(&server.url, &server.url, patient()));
    assert_eq!(
        delivered(&deliver(destination.as_mut(), &alerts(1)).await),
        1
    );
    kept.lock().expect("whole").revoked = true;
    let reply = deliver(destination.as_mut(), &alerts(1)).await;
    assert!(matches!(reply.answer, Answer::Later(_)), "{reply:?}");
    assert_eq!(
        delivered(&deliver(destination.as_mut(), &alerts(1)).await),
        1
    );
    assert_eq!(kept.lock().expect("whole").tokens, 2);
    for found in destination.validate().await {
        assert_eq!(found.fault, None, "{found:?}");
    }
}

#[tokio::test]
async fn what_is_beyond_a_megabyte_is_halved_before_it_is_sent() {
    let (server, kept) = rule().await;
    let mut destination = open(&target(&server.url, &server.url, patient()));
    let long = samples::alert(&"x".repeat(100_000));
    let large: Vec<_> = (0..12).map(|_| Arc::new(Notice::of_alert(&long))).collect();
    let reply = deliver(destination.as_mut(), &large).await;
    assert!(matches!(reply.answer, Answer::TooLarge { .. }), "{reply:?}");
    assert!(kept.lock().expect("whole").rows.is_empty());
    let reply = deliver(destination.as_mut(), &large[..1]).await;
    assert_eq!(
        reply.answer,
        Answer::Each(vec![Outcome::Delivered]),
        "one alone always fits"
    );
}
