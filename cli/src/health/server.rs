//! `/livez`, `/readyz` and `/metrics` for whoever runs the process.
//!
//! `/livez`: the process answers. `/readyz`: it is ready, or why not and since when.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::get;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use metrics_exporter_prometheus::PrometheusHandle;
use schemas::invariants;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::Readiness;

/// Longest that a connection lives, its one question and answer included: whoever only holds it holds nothing long.
const CONNECTION_MAX: Duration = Duration::from_secs(10);

/// Most connections at once; more wait to be accepted, so that the lake keeps its file descriptors.
const CONNECTIONS_MAX: usize = 32;

/// Wait after a connection could not be accepted, mostly for want of file descriptors.
const ACCEPT_WAIT: Duration = Duration::from_millis(200);

#[derive(Clone)]
struct Shared {
    readiness: Readiness,
    metrics: PrometheusHandle,
}

async fn live() -> &'static str {
    "alive\n"
}

async fn ready(State(shared): State<Shared>) -> impl IntoResponse {
    shared.readiness.answer()
}

async fn render(State(shared): State<Shared>) -> String {
    if let Some(bytes) = crate::memory::peak_bytes() {
        #[expect(
            clippy::cast_precision_loss,
            reason = "a gauge is a float; 52 bits of bytes suffice"
        )]
        metrics::gauge!("vedette_memory_peak_bytes").set(bytes as f64);
    }
    for (invariant, passed, failed) in invariants::counts() {
        for (outcome, count) in [("true", passed), ("false", failed)] {
            metrics::counter!(
                "vedette_invariant_checks_total", "id" => invariant.id(), "passed" => outcome
            )
            .absolute(count);
        }
    }
    shared.metrics.render()
}

/// Binds the address, so that a wrong one is told at start.
pub(crate) async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!("could not listen on {address} for /livez, /readyz and /metrics; set health.address to a free one")
    })
}

/// Answers until it is told to stop.
pub(crate) async fn serve(
    listener: TcpListener,
    readiness: Readiness,
    metrics: PrometheusHandle,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let router = Router::new()
        .route("/livez", get(live))
        .route("/readyz", get(ready))
        .route("/metrics", get(render))
        .with_state(Shared { readiness, metrics });
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        let accepted = async {
            let place = Arc::clone(&room).acquire_owned().await;
            (place, listener.accept().await)
        };
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            (place, accepted) = accepted => match accepted {
                Ok((stream, _)) => {
                    let router = router.clone();
                    connections.spawn(async move {
                        answer(stream, router).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "could not accept a question about health");
                    tokio::time::sleep(ACCEPT_WAIT).await;
                }
            },
        }
    }
}

/// Answers one question, within the time that a connection has.
async fn answer(stream: TcpStream, router: Router) {
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(CONNECTION_MAX)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    match tokio::time::timeout(CONNECTION_MAX, served).await {
        Ok(Ok(())) => {}
        // Only who asked could do something about it.
        Ok(Err(error)) => tracing::debug!(%error, "a question about health ended early"),
        Err(_) => tracing::debug!("a question about health took too long"),
    }
}

#[cfg(test)]
mod tests {
    use super::{CONNECTIONS_MAX, bind, serve};
    use crate::health::Readiness;
    use metrics_exporter_prometheus::PrometheusBuilder;
    use schemas::environment::SystemClock;
    use std::sync::Arc;
    use std::time::Duration;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;
    use tokio_util::sync::CancellationToken;

    /// Whoever connects and says nothing is cut off, and others are answered all the same.
    #[tokio::test]
    async fn silent_connections_do_not_keep_the_port() {
        let listener = bind(([127, 0, 0, 1], 0).into()).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let stop = CancellationToken::new();
        let metrics = PrometheusBuilder::new().build_recorder().handle();
        let readiness = Readiness::new(Arc::new(SystemClock), Duration::MAX);
        let serving = tokio::spawn(serve(listener, readiness, metrics, stop.clone()));
        let mut silent = Vec::new();
        for _ in 0..2 * CONNECTIONS_MAX {
            silent.push(TcpStream::connect(address).await.expect("connected"));
        }
        let asked = async {
            let mut stream = TcpStream::connect(address).await.expect("connected");
            let question = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n";
            stream.write_all(question).await.expect("sent");
            let mut text = String::new();
            stream.read_to_string(&mut text).await.expect("an answer");
            text
        };
        let text = tokio::time::timeout(Duration::from_mins(1), asked).await;
        let text = text.expect("answered");
        assert!(text.ends_with("alive\n"), "{text}");
        let mut byte = [0];
        let ended = silent[0].read(&mut byte).await;
        assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
        stop.cancel();
        serving.await.expect("no panic").expect("it ended");
    }
}
