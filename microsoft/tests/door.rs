//! The door against a server that throttles, fails, redirects and refuses.
#![expect(
    clippy::unwrap_used,
    reason = "a test fails where an assumption does not hold"
)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Request as Asked, State};
use axum::http::Response;
use microsoft::{
    ATTEMPTS_MAX, Audience, Client, Cloud, Credential, Endpoints, HttpConfig, Method,
    MicrosoftError, RETRY_AFTER_MAX, Request, Secret, Tenant, TenantClient, Url,
};
use schemas::environment::SystemClock;
use serde_json::json;

const SECRET: &str = "canary-secret-7f3c";

type Answering = dyn Fn(&str, usize) -> (u16, Vec<(&'static str, String)>, String) + Send + Sync;

#[derive(Clone)]
struct Server {
    base: String,
    /// Method, path, authorization and client-request-id of every request.
    log: Arc<Mutex<Vec<[String; 4]>>>,
    answering: Arc<Answering>,
}

impl Server {
    /// Starts a server; it answers by method and path and by how often that was asked for before.
    async fn start(
        answering: impl Fn(&str, usize) -> (u16, Vec<(&'static str, String)>, String)
        + Send
        + Sync
        + 'static,
    ) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            base: format!("http://{}", listener.local_addr().unwrap()),
            log: Arc::default(),
            answering: Arc::new(answering),
        };
        let app = axum::Router::new()
            .fallback(answer)
            .with_state(server.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        server
    }

    fn count(&self, what: &str) -> usize {
        let log = self.log.lock().unwrap();
        log.iter()
            .filter(|[method, path, ..]| format!("{method} {path}").contains(what))
            .count()
    }

    fn url(&self, path: &str) -> Url {
        Url::parse(&format!("{}{path}", self.base)).unwrap()
    }

    fn door(&self) -> TenantClient {
        let config = HttpConfig {
            retry_wait_ms: 5,
            ..HttpConfig::default()
        };
        Client::new(&config, Arc::new(SystemClock))
            .unwrap()
            .tenant(self.tenant("t1"))
    }

    fn tenant(&self, tenant_id: &str) -> Tenant {
        Tenant {
            tenant_id: tenant_id.to_owned(),
            client_id: "c".to_owned(),
            credential: Secret::new(SECRET).into(),
            endpoints: Endpoints::new(Cloud::Worldwide, &self.base, &self.base, &self.base)
                .unwrap(),
        }
    }
}

async fn answer(State(server): State<Server>, asked: Asked) -> Response<Body> {
    let (asked, body) = asked.into_parts();
    let header = |name: &str| {
        let value = asked.headers.get(name).map(|value| value.to_str().unwrap());
        value.unwrap_or_default().to_owned()
    };
    let entry = [
        asked.method.to_string(),
        asked.uri.path().to_owned(),
        header("authorization"),
        header("client-request-id"),
    ];
    let what = format!("{} {}", entry[0], entry[1]);
    let before = server.count(&what);
    server.log.lock().unwrap().push(entry);
    let body = to_bytes(body, 1_000_000).await.unwrap();
    let (status, headers, text) = if what.ends_with("/token") && !what.contains("refusing") {
        assert!(String::from_utf8_lossy(&body).contains(SECRET));
        let token = format!("e30.eyJyb2xlcyI6WyJVc2VyLlJlYWQuQWxsIl19.{before}");
        (
            200,
            vec![],
            json!({"expires_in": 3599, "access_token": token}).to_string(),
        )
    } else {
        (server.answering)(&what, before)
    };
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    response.body(Body::from(text)).unwrap()
}

fn ok() -> (u16, Vec<(&'static str, String)>, String) {
    (200, vec![], "{}".to_owned())
}

#[tokio::test]
async fn many_callers_share_one_token_and_every_call_has_an_id() {
    let server = Server::start(|_, _| ok()).await;
    let door = server.door();
    let calls = (0..50).map(|number| {
        door.get(
            Audience::Graph,
            server.url(&format!("/v1.0/users/{number}")),
        )
    });
    let answers = futures::future::try_join_all(calls).await.unwrap();
    assert_eq!(server.count("/token"), 1);
    assert_eq!(
        door.token(Audience::Graph).await.unwrap().roles(),
        ["User.Read.All"]
    );
    let log = server.log.lock().unwrap().clone();
    for answer in answers {
        assert!(log.iter().any(|[.., id]| *id == answer.request_id));
    }
    assert!(log.iter().all(|[.., id]| !id.is_empty()));
}

#[tokio::test]
async fn retries_are_bounded_and_what_may_have_happened_is_not_repeated() {
    let server = Server::start(|_, _| (503, vec![], String::new())).await;
    let door = server.door();
    let error = door
        .get(Audience::Graph, server.url("/down"))
        .await
        .unwrap_err();
    assert_eq!(
        (error.status(), server.count("/down")),
        (Some(503), ATTEMPTS_MAX as usize)
    );
    let server = Server::start(|_, _| (500, vec![], String::new())).await;
    let door = server.door();
    let error = door
        .post(Audience::Graph, server.url("/act"), None)
        .await
        .unwrap_err();
    assert!(error.is_outcome_unknown());
    assert_eq!(server.count("/act"), 1);
    let patched = door
        .patch(
            Audience::Graph,
            server.url("/patch"),
            json!({"accountEnabled": false}),
        )
        .await;
    assert_eq!(
        (patched.unwrap_err().status(), server.count("/patch")),
        (Some(500), ATTEMPTS_MAX as usize)
    );
    let repeatable = Request::new(Method::POST, server.url("/revoke"))
        .repeatable()
        .with_request_id("mine");
    assert!(door.send(Audience::Graph, repeatable).await.is_err());
    assert_eq!(server.count("/revoke"), ATTEMPTS_MAX as usize);
    let log = server.log.lock().unwrap();
    assert!(
        log.iter()
            .filter(|[_, path, ..]| path == "/revoke")
            .all(|[.., id]| id == "mine")
    );
}

#[tokio::test]
async fn throttling_is_obeyed_also_for_posts_and_a_long_pause_is_handed_back_without_asking_again()
{
    let server = Server::start(|what, before| match (what, before) {
        ("POST /busy", 0) => (429, vec![("retry-after", "1".to_owned())], String::new()),
        ("GET /pause", _) => (
            429,
            vec![("retry-after", "86400".to_owned())],
            String::new(),
        ),
        _ => ok(),
    })
    .await;
    let door = server.door();
    let started = tokio::time::Instant::now();
    door.post(Audience::Graph, server.url("/busy"), None)
        .await
        .unwrap();
    assert!(started.elapsed() >= Duration::from_secs(1));
    assert_eq!(server.count("/busy"), 2);
    let error = door
        .get(Audience::Graph, server.url("/pause"))
        .await
        .unwrap_err();
    assert!(
        matches!(error, MicrosoftError::Refused { retry_after: Some(wait), .. } if wait == RETRY_AFTER_MAX),
        "{error:?}"
    );
    let error = door
        .get(Audience::Graph, server.url("/pause"))
        .await
        .unwrap_err();
    assert!(
        matches!(error, MicrosoftError::Throttled { .. }),
        "{error:?}"
    );
    assert_eq!(server.count("/pause"), 1);
    // Neither another audience nor another tenant waits.
    door.get(Audience::Management, server.url("/other"))
        .await
        .unwrap();
    let client = Client::new(&HttpConfig::default(), Arc::new(SystemClock)).unwrap();
    client
        .tenant(server.tenant("t2"))
        .get(Audience::Graph, server.url("/other"))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_refused_token_is_replaced_once() {
    let server = Server::start(|what, before| match (what, before) {
        ("GET /stale", 0) | ("GET /never", _) => (401, vec![], String::new()),
        _ => ok(),
    })
    .await;
    let door = server.door();
    door.get(Audience::Graph, server.url("/stale"))
        .await
        .unwrap();
    assert_eq!(server.count("/token"), 2);
    let error = door
        .get(Audience::Graph, server.url("/never"))
        .await
        .unwrap_err();
    assert_eq!(
        (
            error.status(),
            server.count("/never"),
            server.count("/token")
        ),
        (Some(401), 2, 3)
    );
    let log = server.log.lock().unwrap();
    let tokens: Vec<_> = log
        .iter()
        .filter(|[_, path, ..]| path == "/stale")
        .map(|entry| entry[2].clone())
        .collect();
    assert_ne!(tokens[0], tokens[1]);
}

#[tokio::test]
async fn no_redirect_and_no_foreign_link_gets_the_token() {
    let evil = Server::start(|_, _| ok()).await;
    let elsewhere = evil.url("/steal").to_string();
    let server =
        Server::start(move |_, _| (302, vec![("location", elsewhere.clone())], String::new()))
            .await;
    let door = server.door();
    let error = door
        .get(Audience::Graph, server.url("/go"))
        .await
        .unwrap_err();
    assert_eq!(error.status(), Some(302));
    let error = door
        .get(Audience::Graph, evil.url("/steal"))
        .await
        .unwrap_err();
    assert!(
        matches!(error, MicrosoftError::ForeignHost { .. }),
        "{error:?}"
    );
    assert_eq!(evil.log.lock().unwrap().len(), 0);
}

#[tokio::test]
async fn a_refusal_says_what_to_mend_and_shows_no_secret() {
    // The body of a refusal can hold the secret that was sent.
    let server = Server::start(|_, _| {
        let body = json!({"error": "invalid_client", "error_codes": [7_000_222],
            "error_description": format!("AADSTS7000222: {SECRET} is expired")});
        (401, vec![], body.to_string())
    })
    .await;
    let client = Client::new(&HttpConfig::default(), Arc::new(SystemClock)).unwrap();
    let tenant = server.tenant("refusing");
    assert!(!format!("{tenant:?}").contains(SECRET));
    let door = client.tenant(tenant);
    let error = door
        .get(Audience::Graph, server.url("/x"))
        .await
        .unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(
        shown.contains("expired") && !shown.contains(SECRET),
        "{shown}"
    );
    assert_eq!(server.count("/x"), 0);
    assert_eq!(server.count("/token"), 1);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named_without_its_path() {
    let door = {
        let server = Server::start(|_, _| ok()).await;
        let mut tenant = server.tenant("t");
        tenant.endpoints = Endpoints::new(
            Cloud::Worldwide,
            &server.base,
            "http://127.0.0.1:9",
            &server.base,
        )
        .unwrap();
        let config = HttpConfig {
            retry_wait_ms: 1,
            ..HttpConfig::default()
        };
        Client::new(&config, Arc::new(SystemClock))
            .unwrap()
            .tenant(tenant)
    };
    let url = door
        .url(Audience::Graph, &["v1.0", "users", "somebody"])
        .unwrap();
    let error = door.get(Audience::Graph, url).await.unwrap_err();
    assert!(
        matches!(
            error,
            MicrosoftError::Transport {
                kind: "connect",
                ..
            }
        ),
        "{error:?}"
    );
    assert!(!error.to_string().contains("somebody"));
    assert!(!error.is_outcome_unknown());
}

#[tokio::test]
async fn a_federated_token_is_read_again_for_each_token() {
    let server = Server::start(|_, _| ok()).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    // The server takes no request without this text.
    std::fs::write(&path, format!("{SECRET}-1\n")).unwrap();
    let client = Client::new(&HttpConfig::default(), Arc::new(SystemClock)).unwrap();
    let door = client.tenant(Tenant {
        credential: Credential::FederatedTokenFile(path.clone()),
        ..server.tenant("t1")
    });
    let token = door.token(Audience::Graph).await.unwrap();
    std::fs::remove_file(&path).unwrap();
    let error = door.renew(Audience::Graph, &token).await.unwrap_err();
    assert!(
        matches!(error, MicrosoftError::Credential { .. }),
        "{error}"
    );
    std::fs::write(&path, format!("{SECRET}-2")).unwrap();
    door.renew(Audience::Graph, &token).await.unwrap();
    assert_eq!(server.count("/token"), 2);
}

#[tokio::test]
async fn the_servers_time_is_told_by_its_answers() {
    let date = || vec![("date", "Mon, 14 Sep 2026 08:00:00 GMT".to_owned())];
    let server = Server::start(move |_, _| (200, date(), "{}".to_owned())).await;
    let door = server.door();
    assert_eq!(door.server_time_us(Audience::Graph), None);
    door.get(Audience::Graph, server.url("/v1.0/users"))
        .await
        .unwrap();
    let told_us = door.server_time_us(Audience::Graph).unwrap();
    let date_us = 1_789_372_800_000_000;
    assert!(
        (date_us..date_us + 60_000_000).contains(&told_us),
        "{told_us}"
    );
    assert_eq!(door.server_time_us(Audience::Management), None);
}
