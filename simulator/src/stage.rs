//! Starts the servers, lets time pass, and stops when asked.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use schemas::environment::Clock;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::config::SimulatorConfig;
use crate::connection::{Connection, HUB_NAME, HUB_NAMESPACE, Registration};
use crate::error::SimulatorError;
use crate::shared::SharedTenant;
use crate::tenant::Tenant;
use crate::{event_hubs, http};

/// How often time passes when nobody asks.
const TICK: Duration = Duration::from_millis(20);
/// Time that requests in flight get when the simulator stops.
const DRAIN_WAIT: Duration = Duration::from_secs(2);

/// A simulator that runs.
pub struct Running {
    /// How to reach it.
    pub connection: Connection,
    tasks: JoinSet<Result<(), SimulatorError>>,
    stop: CancellationToken,
}

impl Running {
    /// Waits until the simulator was stopped through its token.
    ///
    /// # Errors
    /// [`SimulatorError`] of the first part that ended early; the others are stopped then.
    pub async fn join(mut self) -> Result<(), SimulatorError> {
        let mut first = Ok(());
        while let Some(ended) = self.tasks.join_next().await {
            let ended = ended.unwrap_or_else(|cause| Err(SimulatorError::Task { cause }));
            if first.is_ok() {
                first = ended;
            }
            self.stop.cancel();
        }
        first
    }
}

/// Starts a simulated tenant; it serves before this returns, and until `stop` is cancelled.
///
/// # Errors
/// [`SimulatorError::Setting`] for a value out of bounds, [`SimulatorError::Listen`] for an address that is taken.
pub async fn start(
    config: SimulatorConfig,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
) -> Result<Running, SimulatorError> {
    config.check()?;
    let (http, http_at) = listen(&config.http_address, "HTTP").await?;
    let (amqp, amqp_at) = listen(&config.amqp_address, "AMQP").await?;
    let tenant = Tenant::new(config, clock.now_us());
    let connection = Connection {
        http_url: format!("http://{http_at}"),
        amqp_url: format!("amqp://{amqp_at}"),
        tenant_id: tenant.id().to_owned(),
        reading: Registration::from(&tenant.reading),
        acting: Registration::from(&tenant.acting),
        hub_namespace: HUB_NAMESPACE.to_owned(),
        hub_name: HUB_NAME.to_owned(),
        break_glass_ids: vec![tenant.world.scene.users[0].id.clone()],
    };
    let shared = Arc::new(SharedTenant::new(
        tenant,
        clock,
        connection.http_url.clone(),
    ));
    tracing::info!(http = %http_at, amqp = %amqp_at, tenant = %connection.tenant_id, "the simulated tenant is up");

    let mut tasks = JoinSet::new();
    let router = http::router(Arc::clone(&shared), connection.clone());
    tasks.spawn(serve_http(http, router, stop.clone()));
    tasks.spawn(event_hubs::serve(amqp, Arc::clone(&shared), stop.clone()));
    tasks.spawn(pass_time(shared, stop.clone()));
    Ok(Running {
        connection,
        tasks,
        stop,
    })
}

async fn listen(
    address: &str,
    protocol: &'static str,
) -> Result<(TcpListener, SocketAddr), SimulatorError> {
    let refused = |cause| SimulatorError::Listen {
        address: address.to_owned(),
        protocol,
        cause,
    };
    let listener = TcpListener::bind(address).await.map_err(refused)?;
    let at = listener.local_addr().map_err(refused)?;
    Ok((listener, at))
}

async fn serve_http(
    listener: TcpListener,
    router: axum::Router,
    stop: CancellationToken,
) -> Result<(), SimulatorError> {
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let drained = stop.clone();
    let serving = axum::serve(listener, service)
        .with_graceful_shutdown(async move { drained.cancelled().await });
    tokio::select! {
        served = serving => served.map_err(|cause| SimulatorError::Served { protocol: "HTTP", cause }),
        // A client that keeps its connection open does not keep the simulator.
        () = async { stop.cancelled().await; tokio::time::sleep(DRAIN_WAIT).await } => Ok(()),
    }
}

async fn pass_time(
    shared: Arc<SharedTenant>,
    stop: CancellationToken,
) -> Result<(), SimulatorError> {
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            _ = tick.tick() => shared.with(|_| ()),
        }
    }
}
