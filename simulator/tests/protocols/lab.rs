//! A simulator whose clock a test turns by hand, and clients for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use reqwest::{Method, StatusCode};
use schemas::environment::Clock;
use serde_json::{Value, json};
use simulator::{Connection, Registration, Running, SimulatorConfig};
use tokio_util::sync::CancellationToken;

/// When every test begins: 2026-09-14T08:00:00Z.
pub(crate) const BEGIN_US: i64 = 1_789_372_800_000_000;
/// Microseconds in a minute.
pub(crate) const MINUTE_US: i64 = 60_000_000;
/// Minutes after which the whole day is published.
pub(crate) const WHOLE_DAY: i64 = 10 * 60;

pub(crate) const GRAPH: &str = "https://graph.microsoft.com/.default";
pub(crate) const MANAGEMENT: &str = "https://manage.office.com/.default";
pub(crate) const EVENT_HUBS: &str = "https://eventhubs.azure.net/.default";

struct HandClock(AtomicI64);

impl Clock for HandClock {
    fn now_us(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// A running simulator.
pub(crate) struct Lab {
    pub(crate) connection: Connection,
    pub(crate) client: reqwest::Client,
    clock: Arc<HandClock>,
    running: Running,
    stop: CancellationToken,
}

/// A small tenant whose simulated time is the clock's.
pub(crate) fn small() -> SimulatorConfig {
    SimulatorConfig {
        users: 10,
        ordinary_events_per_hour: 6,
        speed: 1.0,
        start_us: Some(BEGIN_US),
        ..SimulatorConfig::default()
    }
}

impl Lab {
    pub(crate) async fn start(config: SimulatorConfig) -> Self {
        let clock = Arc::new(HandClock(AtomicI64::new(BEGIN_US)));
        let stop = CancellationToken::new();
        let shared: Arc<dyn Clock> = clock.clone();
        let running = simulator::start(config, shared, stop.clone())
            .await
            .unwrap();
        Self {
            connection: running.connection.clone(),
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            clock,
            running,
            stop,
        }
    }

    /// Turns the clock to so many minutes after the begin.
    pub(crate) fn at_minute(&self, minutes: i64) {
        self.clock
            .0
            .store(BEGIN_US + minutes * MINUTE_US, Ordering::SeqCst);
    }

    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.running.join().await.unwrap();
    }

    pub(crate) async fn ask_token(&self, form: &[(&str, &str)]) -> (StatusCode, Value) {
        let url = format!(
            "{}/{}/oauth2/v2.0/token",
            self.connection.http_url, self.connection.tenant_id
        );
        let answer = self.client.post(url).form(form).send().await.unwrap();
        (answer.status(), answer.json().await.unwrap())
    }

    pub(crate) async fn token(&self, application: &Registration, scope: &str) -> String {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", application.client_id.as_str()),
            ("client_secret", application.client_secret.as_str()),
            ("scope", scope),
        ];
        let (status, body) = self.ask_token(&form).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        body["access_token"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn call(
        &self,
        method: Method,
        url: &str,
        token: &str,
        body: Option<Value>,
    ) -> reqwest::Response {
        let url = if url.starts_with("http") {
            url.to_owned()
        } else {
            format!("{}{url}", self.connection.http_url)
        };
        let mut request = self.client.request(method, url).bearer_auth(token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        request.send().await.unwrap()
    }

    /// Status and body of a call.
    pub(crate) async fn json(
        &self,
        method: Method,
        url: &str,
        token: &str,
        body: Option<Value>,
    ) -> (u16, Value) {
        let answer = self.call(method, url, token, body).await;
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap_or(Value::Null))
    }

    /// The body of a successful read.
    pub(crate) async fn read(&self, url: &str, token: &str) -> Value {
        let (status, body) = self.json(Method::GET, url, token, None).await;
        assert_eq!(status, 200, "{url}: {body}");
        body
    }

    pub(crate) async fn control(&self, path: &str) -> Value {
        let url = format!("{}/simulator/{path}", self.connection.http_url);
        self.client
            .get(url)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap()
    }

    pub(crate) async fn fault(&self, script: &Value) {
        let url = format!("{}/simulator/faults", self.connection.http_url);
        let answer = self.client.post(url).json(script).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    }

    /// Sorted ids that the ledger holds for feeds.
    pub(crate) async fn ledger(&self, feeds: &[&str]) -> Vec<String> {
        let ledger = self.control("ledger?ids=1").await;
        let mut ids: Vec<String> = Vec::new();
        for feed in feeds {
            let list = ledger["feeds"][feed]["ids"].as_array().unwrap();
            assert_eq!(json!(list.len()), ledger["feeds"][feed]["count"]);
            ids.extend(list.iter().map(|id| id.as_str().unwrap().to_owned()));
        }
        ids.sort();
        ids
    }
}
