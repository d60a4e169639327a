//! Runs all sources, each by itself: one source's failure never slows another.

mod log;

use std::sync::Arc;
use std::time::Duration;

use bus::Bus;
use bus::retry::wait_or_stop;
use microsoft::{Client, Tenant};
use schemas::coverage::{CoverageRange, CoverageState, Published};
use schemas::environment::Clock;
use schemas::fate::Backoff;
use schemas::health::Health;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::config::{IngestConfig, TenantConfig};
use crate::cursor::Cursors;
use crate::error::IngestError;
use crate::failures::Failures;
use crate::guarded::guarded;
use crate::outlet::Outlet;
use crate::sources;
use crate::sources::desk::Desk;
use crate::sources::live_source::MadeSource;
use crate::workbench::Workbench;
use log::Witness;

/// Waits before a source that fails is tried again. Waiting is the only thing to do whatever the error's fate: nobody
/// else reads this source.
const BACKOFF: Backoff = Backoff {
    min: Duration::from_millis(250),
    max: Duration::from_mins(5),
};

/// How long a turn that is under way may go on after a stop; then it is cut, as by a crash, which loses nothing.
const CUT_AFTER: Duration = Duration::from_secs(5);

/// The part whose loop comes round, and how often it does at least.
const STAGE: &str = "ingest";
const ROUND: Duration = Duration::from_secs(5);

/// Runs all configured sources until `stop` is cancelled, then drains.
///
/// # Errors
/// [`IngestError::Configuration`] and [`IngestError::Cursor`] before anything is read; [`IngestError::Publish`] where
/// the bus is gone for good. After everything else sources are tried again for ever, each by itself.
pub async fn run(
    config: IngestConfig,
    bus: Bus,
    clock: Arc<dyn Clock>,
    health: Health,
    stop: CancellationToken,
) -> Result<(), IngestError> {
    let cursors = Cursors::open(&config.data_dir)?;
    // The first may meet damage, which is set aside; the second finds a new store.
    if cursors.begin(clock.now_us()).await.is_err() {
        cursors.begin(clock.now_us()).await?;
    }
    let client = Client::new(&config.http, clock.clone())?;
    let outlet = Outlet::new(bus.clone(), config.downstream.clone()).noting(cursors.acknowledged());
    let house = House {
        client,
        outlet: outlet.clone(),
        cursors: cursors.clone(),
        clock: clock.clone(),
        health: health.clone(),
        workbench: Workbench::new(),
    };
    // What is wrong with the configuration is told before anything is done.
    all_sources(&config, &house)?;
    let witness = Witness {
        bus,
        cursors,
        outlet,
        watched: Watched { health, clock },
    };
    while !stop.is_cancelled() {
        let gone = witness.compare().await;
        if !gone.is_empty() && !witness.go_back(&gone, &stop).await? {
            break;
        }
        read_all(all_sources(&config, &house)?, &witness, &stop).await?;
    }
    Ok(())
}

fn all_sources(config: &IngestConfig, house: &House) -> Result<Vec<MadeSource>, IngestError> {
    let mut sources = Vec::new();
    for tenant in &config.tenants {
        sources.extend(sources::of_tenant(tenant, &desk(tenant, house)?));
    }
    if has_twins(&sources) {
        return Err(IngestError::Configuration {
            tenant: String::new(),
            problem: "a source is named twice",
        });
    }
    Ok(sources)
}

/// Reads sources until stopped, or until the bus has another log than the one that acknowledged what was read.
async fn read_all(
    sources: Vec<MadeSource>,
    witness: &Witness,
    stop: &CancellationToken,
) -> Result<(), IngestError> {
    let round = stop.child_token();
    let mut tasks = JoinSet::new();
    let watched = &witness.watched;
    for source in sources {
        tasks.spawn(supervise(source, watched.clone(), round.clone()));
    }
    let (cursors, outlet) = (witness.cursors.clone(), witness.outlet.clone());
    tasks.spawn(tell_set_aside(
        cursors,
        outlet,
        watched.clone(),
        round.clone(),
    ));
    let outcome = attend(&mut tasks, witness, stop).await;
    round.cancel();
    outcome?;
    while let Some(ended) = tasks.join_next().await {
        outcome_of(ended)?;
    }
    Ok(())
}

type Ended = Result<Result<(), IngestError>, tokio::task::JoinError>;

fn outcome_of(ended: Ended) -> Result<(), IngestError> {
    ended.unwrap_or_else(|_| {
        Err(IngestError::Task {
            source_name: "ingest".to_owned(),
        })
    })
}

/// Waits until stopped, until the log is another, or until a task ends that no other can go on after.
async fn attend(
    tasks: &mut JoinSet<Result<(), IngestError>>,
    witness: &Witness,
    stop: &CancellationToken,
) -> Result<(), IngestError> {
    let mut compared = tokio::time::Instant::now();
    loop {
        let now_us = witness.watched.clock.now_us();
        witness.watched.health.comes_round(STAGE, now_us);
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            // The others end with the set.
            Some(ended) = tasks.join_next() => {
                outcome_of(ended)?;
                continue;
            }
            () = witness.cursors.acknowledged().went_back() => {}
            () = tokio::time::sleep(ROUND) => {
                if compared.elapsed() < log::COMPARE_EVERY {
                    continue;
                }
            }
        }
        compared = tokio::time::Instant::now();
        if !witness.compare().await.is_empty() {
            return Ok(());
        }
    }
}

/// What all tenants share.
struct House {
    client: Client,
    outlet: Outlet,
    cursors: Cursors,
    clock: Arc<dyn Clock>,
    health: Health,
    workbench: Workbench,
}

fn desk(tenant: &TenantConfig, house: &House) -> Result<Desk, IngestError> {
    let reader = &tenant.tenant;
    let refused = |problem| IngestError::Configuration {
        tenant: reader.tenant_id.clone(),
        problem,
    };
    if reader.tenant_id.is_empty() || reader.client_id.is_empty() {
        return Err(refused("tenant_id or client_id is missing"));
    }
    for hub in &tenant.event_hubs {
        hub.check_endpoint().map_err(refused)?;
    }
    if reader.credential.is_empty() {
        return Err(refused("the client secret is missing"));
    }
    let tenant_id = reader.tenant_id.to_ascii_lowercase();
    Ok(Desk {
        microsoft: house.client.tenant(Tenant {
            tenant_id: tenant_id.clone(),
            ..reader.clone()
        }),
        tenant_id,
        outlet: house.outlet.clone(),
        cursors: house.cursors.clone(),
        clock: house.clock.clone(),
        health: house.health.clone(),
        workbench: house.workbench.of_another(),
    })
}

/// Two sources with one cursor would move it past each other's records.
fn has_twins(sources: &[MadeSource]) -> bool {
    let mut labels: Vec<&str> = sources.iter().map(|made| made.label.as_str()).collect();
    labels.sort_unstable();
    labels.windows(2).any(|pair| pair[0] == pair[1])
}

/// Where a source tells how it fares.
#[derive(Clone)]
struct Watched {
    health: Health,
    clock: Arc<dyn Clock>,
}

/// Runs one source until stopped; after a failure or panic it goes on.
///
/// # Errors
/// What no source can go on after.
async fn supervise(
    made: MadeSource,
    watched: Watched,
    stop: CancellationToken,
) -> Result<(), IngestError> {
    let MadeSource { label, make } = made;
    let mut source = make();
    let part = format!("ingest/{label}");
    let mut failures = Failures::default();
    while !stop.is_cancelled() {
        let turn_stop = stop.clone();
        let turn = guarded(async move {
            let turned = source.turn(&turn_stop).await;
            (source, turned)
        });
        let ended = tokio::select! {
            ended = turn => ended,
            () = is_overdue(&stop) => {
                tracing::info!(source = label, "a turn that went on after the stop is cut");
                return Ok(());
            }
        };
        let (returned, turned) = ended.unwrap_or_else(|| {
            let source_name = label.clone();
            (make(), Err(IngestError::Task { source_name }))
        });
        source = returned;
        let wait = match turned {
            Ok(wait) => {
                let failed = failures.end();
                if failed > 0 {
                    tracing::info!(source = label, failed, "source works again");
                }
                watched.health.well(&part);
                wait
            }
            Err(error) if error.ends_all() => return Err(error),
            Err(_) if stop.is_cancelled() => return Ok(()),
            Err(error) => watched.note(&label, &part, &error, &mut failures),
        };
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(wait) => {}
        }
    }
    Ok(())
}

/// Waits until a turn has had its time after a stop.
async fn is_overdue(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(CUT_AFTER).await;
}

impl Watched {
    /// Tells of a failure of a source, and says how long it waits.
    fn note(
        &self,
        label: &str,
        part: &str,
        error: &IngestError,
        failures: &mut Failures,
    ) -> Duration {
        metrics::counter!("ingest_source_failures_total", "source" => label.to_owned())
            .increment(1);
        let times = failures.note(&error.kind());
        let wait = BACKOFF.wait(error.fate(), failures.in_a_row());
        self.health.trouble(part, error.told(), self.clock.now_us());
        if let Some(times) = times {
            tracing::warn!(
                source = label,
                times,
                wait_ms = wait.as_millis(),
                error = error as &dyn std::error::Error,
                "source is tried again"
            );
        }
        wait
    }
}

/// Writes a line of the ledger for each cursor store that was damaged and set aside.
async fn tell_set_aside(
    cursors: Cursors,
    outlet: Outlet,
    watched: Watched,
    stop: CancellationToken,
) -> Result<(), IngestError> {
    const PART: &str = "ingest/cursors";
    loop {
        let aside = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            aside = cursors.set_aside() => aside,
        };
        for file in aside {
            let now_us = watched.clock.now_us();
            let why = format!(
                "the cursor store was damaged and is set aside as {}: every source begins as at its first start, and \
                 what lies further back than it looks then is not read if it was not before",
                file.display()
            );
            watched.health.trouble(PART, why.clone(), now_us);
            let range = CoverageRange {
                tenant_id: "",
                source: "ingest",
                kind: "file",
                subject: &file.display().to_string(),
                from: now_us,
                to: now_us.saturating_add(1),
            };
            let line = range.line(CoverageState::Gap, Published::default(), &why, now_us);
            while let Err(error) = outlet.cover(vec![line.clone()]).await {
                if error.ends_all() {
                    return Err(error);
                }
                if wait_or_stop(error, PART, BACKOFF.min, &stop).await.is_err() {
                    return Ok(());
                }
            }
        }
        watched.health.well(PART);
    }
}
