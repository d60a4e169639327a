//! `/livez`, `/readyz` and `/metrics` for whoever runs the process.
//!
//! `/livez`: the process answers. `/readyz`: every stage runs, none is draining and no part is in trouble.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;
use schemas::health::Health;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// How a stage stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Opening what it needs.
    Starting,
    /// At work.
    Running,
    /// Finishing what it holds.
    Draining,
    /// Ended.
    Stopped,
}

/// How every stage stands and what is wrong; shared by those who tell and those who ask.
#[derive(Debug, Clone, Default)]
pub(crate) struct Readiness {
    standings: Arc<Mutex<BTreeMap<&'static str, Standing>>>,
    /// Where the stages tell what is wrong.
    pub(crate) health: Health,
}

impl Readiness {
    /// Notes how `stage` stands.
    pub(crate) fn set(&self, stage: &'static str, standing: Standing) {
        self.standings
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(stage, standing);
    }

    fn answer(&self) -> (StatusCode, String) {
        let stages = self
            .standings
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let troubles = self.health.troubles();
        let ready = !stages.is_empty()
            && troubles.is_empty()
            && stages
                .values()
                .all(|standing| *standing == Standing::Running);
        let mut lines: Vec<String> = stages
            .iter()
            .map(|(stage, standing)| format!("{stage}: {}", format!("{standing:?}").to_lowercase()))
            .collect();
        lines.extend(
            troubles
                .iter()
                .map(|(part, trouble)| format!("{part}: {}", trouble.why)),
        );
        let code = if ready {
            StatusCode::OK
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        };
        (code, lines.join("\n") + "\n")
    }
}

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
    axum::serve(listener, router)
        .with_graceful_shutdown(stop.cancelled_owned())
        .await
        .context("could not serve health")
}

#[cfg(test)]
mod tests {
    use super::{Readiness, Standing};
    use axum::http::StatusCode;

    #[test]
    fn ready_only_while_every_stage_runs() {
        let readiness = Readiness::default();
        assert_eq!(readiness.answer().0, StatusCode::SERVICE_UNAVAILABLE);
        readiness.set("lake", Standing::Running);
        assert_eq!(readiness.answer().0, StatusCode::OK);
        readiness.health.trouble("lake/disk", "full", 0);
        let (code, text) = readiness.answer();
        assert_eq!(code, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(text, "lake: running\nlake/disk: full\n");
        readiness.health.well("lake/disk");
        readiness.set("detect", Standing::Draining);
        let (code, text) = readiness.answer();
        assert_eq!(code, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(text, "detect: draining\nlake: running\n");
    }
}
