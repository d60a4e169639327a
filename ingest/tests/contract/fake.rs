//! A server that answers as a test says, and remembers what it was asked.

use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Response, StatusCode};
use ingest::TenantConfig;
use microsoft::{Cloud, Endpoints, Secret, Tenant};

/// The simulated tenant's id.
pub(crate) const TENANT: &str = "7f3c0000-0000-0000-0000-000000000001";

/// An answer: status, headers, body.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Body,
}

impl Reply {
    pub(crate) fn ok(body: impl Into<Body>) -> Self {
        Self::of(200, body)
    }

    pub(crate) fn of(status: u16, body: impl Into<Body>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.into(),
        }
    }

    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }
}

type Answering = dyn Fn(&Asked) -> Reply + Send + Sync;

/// A request.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: String,
    /// Path and query, decoded.
    pub(crate) target: String,
    /// Scheme, host and port of the server.
    pub(crate) base: String,
    /// How often this target was asked for before, by method and path.
    pub(crate) before: usize,
}

/// The server.
pub(crate) struct Fake {
    pub(crate) base: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

#[derive(Clone)]
struct Shared {
    base: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    answering: Arc<Answering>,
}

impl Fake {
    /// Starts a server; tokens are always given.
    pub(crate) async fn start(answering: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let shared = Shared {
            base: base.clone(),
            asked: asked.clone(),
            answering: Arc::new(answering),
        };
        let app = axum::Router::new().fallback(answer).with_state(shared);
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { base, asked }
    }

    /// The requests so far, without those for tokens.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// The tenant that the server plays, without sources.
    pub(crate) fn tenant(&self) -> TenantConfig {
        TenantConfig {
            tenant: Tenant {
                tenant_id: TENANT.to_owned(),
                client_id: "c".to_owned(),
                credential: Secret::new("s").into(),
                endpoints: Endpoints::new(Cloud::Worldwide, &self.base, &self.base, &self.base)
                    .unwrap(),
            },
            event_hubs: Vec::new(),
            management_activity: None,
            graph_alerts: None,
            directory: None,
        }
    }
}

async fn answer(State(shared): State<Shared>, request: Request) -> Response<Body> {
    let url = microsoft::Url::parse(&format!("{}{}", shared.base, request.uri())).unwrap();
    let query: Vec<String> = url
        .query_pairs()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let mut asked = Asked {
        method: request.method().to_string(),
        target: format!("{}?{}", url.path(), query.join("&")),
        base: shared.base.clone(),
        before: 0,
    };
    let reply = if url.path().ends_with("/oauth2/v2.0/token") {
        Reply::ok(r#"{"token_type":"Bearer","expires_in":3599,"access_token":"e30.e30.x"}"#)
    } else {
        let path = |target: &str| target.split('?').next().unwrap_or_default().to_owned();
        {
            let mut all = shared.asked.lock().unwrap();
            let same = |one: &&Asked| one.method == asked.method && path(&one.target) == url.path();
            asked.before = all.iter().filter(same).count();
            all.push(asked.clone());
        }
        (shared.answering)(&asked)
    };
    let mut response = Response::builder().status(StatusCode::from_u16(reply.status).unwrap());
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    response.body(reply.body).unwrap()
}
