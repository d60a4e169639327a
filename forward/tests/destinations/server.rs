//! A server on this machine that answers as a closure says, and what every test needs beside it.
#![expect(
    clippy::expect_used,
    reason = "a test ends where its footing is missing"
)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::Response;
use forward::contract::Notice;
use forward::destination::{Answer, Outcome, Reply};
use forward::http::HttpConfig;
use schemas::wire::Alert;

use crate::kit::http;
use crate::samples;

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Asked {
    /// A header's text, or nothing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }
}

/// An answer: status, headers, body.
pub(crate) struct Answered(
    pub(crate) u16,
    pub(crate) Vec<(&'static str, String)>,
    pub(crate) Vec<u8>,
);

/// A configuration that reaches this machine, and waits for what much else to do may need.
pub(crate) fn patient() -> HttpConfig {
    HttpConfig {
        request_timeout_ms: 30_000,
        ..http()
    }
}

/// An answer without headers.
pub(crate) fn plain(status: u16, body: impl Into<String>) -> Answered {
    Answered(status, Vec::new(), body.into().into_bytes())
}

/// What answers, and what was asked.
type Shared = (Arc<Handler>, Arc<Mutex<Vec<Asked>>>);

type Handler = dyn Fn(&Asked) -> Answered + Send + Sync;

/// A server that is there until it is dropped.
pub(crate) struct Server {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    pub(crate) async fn new(handler: impl Fn(&Asked) -> Answered + Send + Sync + 'static) -> Self {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let state: (Arc<Handler>, _) = (Arc::new(handler), Arc::clone(&asked));
        let app = Router::new()
            .fallback(answer)
            .layer(axum::extract::DefaultBodyLimit::disable())
            .with_state(state);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let task = tokio::spawn(async move {
            axum::serve(listener, app).await.expect("serves");
        });
        Self { url, asked, task }
    }

    /// Everything that was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("not poisoned").clone()
    }
}

async fn answer(
    State((handler, asked)): State<Shared>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let query = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes())
        .into_owned()
        .collect();
    let one = Asked {
        method,
        path: uri.path().to_owned(),
        query,
        headers,
        body,
    };
    asked.lock().expect("not poisoned").push(one.clone());
    let Answered(status, headers, body) = handler(&one);
    let mut response = Response::new(body.into());
    *response.status_mut() = StatusCode::from_u16(status).expect("a status");
    for (name, value) in headers {
        response
            .headers_mut()
            .insert(name, value.parse().expect("a header"));
    }
    response
}

/// So many alerts, each another one.
pub(crate) fn alerts(count: usize) -> Vec<Arc<Notice>> {
    let alert = |place: usize| Alert {
        alert_id: format!("{place:032x}"),
        ..samples::alert("ada@contoso.test")
    };
    (0..count)
        .map(|place| Arc::new(Notice::of_alert(&alert(place))))
        .collect()
}

/// How many were delivered.
pub(crate) fn delivered(reply: &Reply) -> usize {
    match &reply.answer {
        Answer::Each(outcomes) => outcomes
            .iter()
            .filter(|outcome| **outcome == Outcome::Delivered)
            .count(),
        _ => 0,
    }
}
