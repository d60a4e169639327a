//! A receiver of webhooks: what the reference verifier makes of it, and over TLS.
#![expect(
    clippy::expect_used,
    reason = "a test ends where its footing is missing"
)]

use std::collections::BTreeMap;
use std::sync::PoisonError;

use forward::destinations::Target;
use forward::destinations::webhook::WebhookConfig;
use forward::formats::Format;
use forward::http::HttpConfig;
use forward::tls::TlsConfig;
use standardwebhooks::Webhook;

use crate::authority::{Authority, https};
use crate::kit::{CANARY, check_http, deliver, fates, http, notices, open};
use crate::receiver::{Behaviour, Receiver};

/// The secret of before, as a receiver still has it.
const OLD: &str = "whsec_b2xkLW9sZC1vbGQtb2xkLW9sZC1vbGQtb2xkLW9sZA==";

fn webhook(url: &str, http: HttpConfig) -> Target {
    Target::Webhook(WebhookConfig {
        url: url.to_owned(),
        secrets: vec!["env:CANARY".to_owned()],
        headers: BTreeMap::from([("authorization".to_owned(), "env:CANARY".to_owned())]),
        format: Format::default(),
        http,
    })
}

fn taken() -> Behaviour {
    Behaviour::Answer(200, Vec::new(), String::new())
}

#[tokio::test]
async fn it_survives_what_every_destination_must() {
    check_http(webhook, |_| String::new()).await;
}

#[tokio::test]
async fn the_reference_verifier_accepts_it_with_either_secret_while_one_replaces_the_other() {
    let receiver = Receiver::start(taken()).await;
    let folder = tempfile::tempdir().expect("a folder");
    let old = folder.path().join("old");
    std::fs::write(&old, OLD).expect("it is written");
    let target = Target::Webhook(WebhookConfig {
        url: receiver.url(),
        secrets: vec!["env:CANARY".to_owned(), format!("file:{}", old.display())],
        headers: BTreeMap::new(),
        format: Format::default(),
        http: http(),
    });
    let batch = notices(3);
    let reply = deliver(open(&target).as_mut(), &batch).await;
    assert_eq!(fates(&reply, 3), ["delivered"; 3]);
    let requests = receiver.received();
    assert_eq!(requests.len(), 3);
    for (request, notice) in requests.iter().zip(&batch) {
        let mut headers = standardwebhooks_headers(request);
        for secret in [CANARY, OLD] {
            let verifier = Webhook::new(secret).expect("a secret");
            verifier
                .verify(&request.body, &headers)
                .expect("it is ours");
        }
        let stranger =
            Webhook::new("whsec_c3RyYW5nZXItc3RyYW5nZXItc3RyYW5nZXI=").expect("a secret");
        assert!(stranger.verify(&request.body, &headers).is_err());
        assert_eq!(request.header("webhook-id"), Some(notice.idempotency_key()));
        headers.insert("webhook-id", "another".parse().expect("a value"));
        let verifier = Webhook::new(CANARY).expect("a secret");
        assert!(verifier.verify(&request.body, &headers).is_err());
        let body: serde_json::Value = serde_json::from_slice(&request.body).expect("JSON");
        assert_eq!(body["id"], notice.id.as_str());
    }
}

fn standardwebhooks_headers(
    request: &crate::receiver::Received,
) -> forward::http::header::HeaderMap {
    let mut headers = forward::http::header::HeaderMap::new();
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        let value = request.header(name).expect("it is sent");
        headers.insert(name, value.parse().expect("a value"));
    }
    headers
}

#[tokio::test]
async fn a_second_try_has_the_same_id() {
    let receiver = Receiver::start(Behaviour::Answer(503, Vec::new(), String::new())).await;
    let mut destination = open(&webhook(&receiver.url(), http()));
    let batch = notices(1);
    assert_eq!(
        fates(&deliver(destination.as_mut(), &batch).await, 1),
        ["later"]
    );
    receiver.behave(taken());
    assert_eq!(
        fates(&deliver(destination.as_mut(), &batch).await, 1),
        ["delivered"]
    );
    let ids: Vec<_> = receiver
        .received()
        .iter()
        .map(|request| request.header("webhook-id"))
        .collect();
    assert_eq!(
        ids,
        [
            Some(batch[0].idempotency_key()),
            Some(batch[0].idempotency_key())
        ]
    );
}

#[tokio::test]
async fn what_is_refused_does_not_keep_the_next_from_being_sent() {
    let receiver = Receiver::start(Behaviour::Answer(422, Vec::new(), "no".to_owned())).await;
    let mut destination = open(&webhook(&receiver.url(), http()));
    let reply = deliver(destination.as_mut(), &notices(20)).await;
    assert_eq!(fates(&reply, 20), ["refused"; 20]);
    assert_eq!(receiver.received().len(), 20);
}

#[tokio::test]
async fn only_who_is_trusted_is_told_and_only_who_is_known_may_tell() {
    let ours = Authority::new();
    let (certificate, key) = ours.issue("client.test");
    let trusting = |config: &HttpConfig| HttpConfig {
        tls: TlsConfig {
            ca_file: ours.ca_file(),
            ..TlsConfig::default()
        },
        ..config.clone()
    };
    let known = |config: &HttpConfig| {
        let mut config = trusting(config);
        config.tls.client_certificate = certificate.clone();
        config.tls.client_key = format!("file:{}", key.display());
        config
    };
    let mut base = http();
    base.request_timeout_ms = 5_000;
    base.allow_networks
        .push("::1/128".parse().expect("a network"));
    for (name, asks, config, expected) in [
        // Nobody whom the system trusts has signed it.
        ("localhost", false, base.clone(), "later"),
        ("localhost", false, trusting(&base), "delivered"),
        // It is of our authority, and another's.
        ("other.test", false, trusting(&base), "later"),
        ("localhost", true, trusting(&base), "later"),
        ("localhost", true, known(&base), "delivered"),
    ] {
        let (port, received) = https(ours.server(name, asks), taken()).await;
        let url = format!("https://localhost:{port}/in");
        let mut destination = open(&webhook(&url, config));
        let reply = deliver(destination.as_mut(), &notices(1)).await;
        assert_eq!(
            fates(&reply, 1),
            [expected],
            "{name} {asks}: {}",
            reply.said
        );
        let count = received
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len();
        assert_eq!(count, usize::from(expected == "delivered"), "{name} {asks}");
        let fault = destination.validate().await.remove(0).fault;
        assert_eq!(fault.is_none(), expected == "delivered", "{fault:?}");
    }
}
