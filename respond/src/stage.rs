//! The loop: alerts in, cases and plans durable, actions run, messages out.
//!
//! ```text
//! [alerts] ─▶ intake ──journal──▶ one worker per tenant ──journal──▶ publisher ─▶ [cases], [audit]
//!               │ durable, then commit                                  │ published, then forgotten
//!               └─▶ lookup: whose is it; asked before it is placed, and never waited for
//! ```
//!
//! Delivery: at least once in and out, each action once in effect. A tenant whose Graph does not answer stalls
//! its own worker only. Nothing is dropped: what does not fit in memory waits in the journal.
//!
//! All of this is done by the one responder that holds the lease; the others stand by and read nothing.

mod beginning;
mod damage;
mod held;
mod intake;
mod lock;
mod log;
mod lookup;
mod playbooks;
mod protection;
mod publisher;
mod signer;
mod strangers;
mod switch;
mod tenure;
mod worker;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bus::retry::ended;
use bus::{Bus, Lease};
use microsoft::Client;
use schemas::environment::Clock;
use schemas::health::Health;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::cases::{self, Intake};
use crate::config::RespondConfig;
use crate::directory::Directory;
use crate::effects::{Gates, Tenure};
use crate::error::RespondError;
use crate::executor::{Executor, Pace};
use crate::graph::GraphDirectory;
use crate::journal::Ledger;
use crate::never_act::entries_of;
use crate::playbook::Playbook;
use crate::preflight;

use self::lookup::Lookup;
use self::protection::Protection;
use self::strangers::Strangers;
use self::tenure::Candidate;

pub use self::lock::is_running;
pub use self::playbooks::load_playbooks;
pub use self::tenure::stands_by;

/// The consumer group.
pub const GROUP: &str = "respond";

/// How often the journal is looked at for what another process wrote, for example an approval.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Wakes every task of the stage: something in the journal has changed.
type Wake = watch::Sender<()>;

/// The tasks of the stage.
type Tasks = JoinSet<Result<(), RespondError>>;

/// The part whose beginning is waited for.
const STAGE: &str = "respond";

/// The directories in which respond may act, by tenant id in lower case.
pub type Directories = BTreeMap<String, Arc<dyn Directory>>;

/// Runs until `stop`: the real directories of the configured tenants.
///
/// # Errors
/// [`RespondError`] if the configuration cannot be used, or something failed that waiting does not mend.
pub async fn run(
    config: RespondConfig,
    bus: Bus,
    clock: Arc<dyn Clock>,
    health: Health,
    stop: CancellationToken,
) -> Result<(), RespondError> {
    let client = Client::new(&config.http, Arc::clone(&clock))?;
    let mut directories = Directories::new();
    for tenant in &config.tenants {
        let door = client.tenant(tenant.clone());
        let directory = GraphDirectory::new(door, &tenant.client_id);
        directories.insert(tenant.tenant_id.to_ascii_lowercase(), Arc::new(directory));
    }
    run_in(config, directories, bus, clock, health, stop).await
}

/// Runs until `stop`, in these directories.
///
/// # Errors
/// [`RespondError`] if the configuration cannot be used, or something failed that waiting does not mend.
pub async fn run_in(
    config: RespondConfig,
    directories: Directories,
    bus: Bus,
    clock: Arc<dyn Clock>,
    health: Health,
    stop: CancellationToken,
) -> Result<(), RespondError> {
    config.check()?;
    // It may take any time, and so may the lease.
    health.rests(STAGE);
    // One process acts on a journal; a second one waits until the first has ended.
    let Some(_lock) = lock::take(&config.journal, &stop).await? else {
        return Ok(());
    };
    let candidate = Candidate::new(&config, &bus, &clock, &health, &stop)?;
    let acting = async {
        loop {
            let folder = config.playbooks.clone();
            let playbooks = tokio::task::spawn_blocking(move || load_playbooks(&folder))
                .await
                .map_err(|_| RespondError::Task { task: "playbooks" })??;
            let Some(lease) = candidate.take().await? else {
                return Ok(());
            };
            let term = Term {
                config: &config,
                directories: &directories,
                bus: &bus,
                clock: Arc::clone(&clock),
                health: &health,
                lease: Arc::new(lease),
                stop: stop.child_token(),
            };
            match term.act(playbooks).await? {
                Ended::Stopped => return Ok(()),
                Ended::LeaseLost => {}
            }
        }
    };
    ended(acting.await, &stop)
}

/// How a term ended.
enum Ended {
    Stopped,
    LeaseLost,
}

/// What a responder has while it holds the lease.
struct Term<'a> {
    config: &'a RespondConfig,
    directories: &'a Directories,
    bus: &'a Bus,
    clock: Arc<dyn Clock>,
    health: &'a Health,
    lease: Arc<Lease>,
    /// Ends the term; stopping the stage does.
    stop: CancellationToken,
}

impl Term<'_> {
    /// Acts until the stage is stopped or the lease is lost.
    async fn act(&self, playbooks: Vec<Playbook>) -> Result<Ended, RespondError> {
        self.health.comes_round(STAGE, self.clock.now_us());
        let (config, stop) = (self.config, &self.stop);
        let tenants: Vec<&String> = self.directories.keys().collect();
        let beginning = beginning::Beginning {
            journal: &config.journal,
            audit_key: &config.audit_key,
            configuration: &beginning::configuration(config, &playbooks, &tenants),
            bus: self.bus,
            clock: &self.clock,
            health: self.health,
            stop,
        };
        let opened = beginning.open().await;
        // From here on its tasks are at work: of these the one that takes alerts comes round.
        self.health.rests(STAGE);
        let Some(ledger) = opened? else {
            self.lease.release().await;
            return Ok(Ended::Stopped);
        };
        // Before any task reads, and so sets aside what it cannot.
        let damaged_before = ledger.with(|journal| journal.damaged()).await?;
        let (wake, mut tasks) = (watch::channel(()).0, Tasks::new());
        let tenure: Arc<dyn Tenure> = self.lease.clone();
        let gates = Gates::new(config.dry_run, config.kill_switch.clone()).held_by(tenure);
        let flips = switch::begin(&gates, &ledger, stop).await?;
        let acting = Acting {
            ledger: ledger.clone(),
            clock: Arc::clone(&self.clock),
            gates,
            health: self.health.clone(),
            wake: wake.clone(),
            stop: stop.clone(),
        };
        acting.look_after(&mut tasks, damaged_before, flips);
        for (tenant_id, directory) in self.directories {
            acting.spawn(&mut tasks, config, tenant_id, directory);
        }
        let strangers = Strangers {
            acting_tenants: self.directories.keys().cloned().collect(),
            policy: policy(config, &acting, BTreeSet::new()),
            ledger: ledger.clone(),
            clock: Arc::clone(&self.clock),
            health: self.health.clone(),
            stop: stop.clone(),
        };
        tasks.spawn(strangers.run());
        self.take_alerts(&mut tasks, playbooks, &ledger, &wake);
        let all_ended = acting.publish(&mut tasks, self.bus.clone(), self.watch());
        let ended = watch(tasks, &ledger, &self.lease, self.health, stop, &all_ended).await?;
        if matches!(ended, Ended::Stopped) {
            self.lease.release().await;
        }
        Ok(ended)
    }

    fn watch(&self) -> publisher::Watch {
        publisher::Watch {
            clock: Arc::clone(&self.clock),
            health: self.health.clone(),
        }
    }

    fn take_alerts(
        &self,
        tasks: &mut Tasks,
        playbooks: Vec<Playbook>,
        ledger: &Ledger,
        wake: &Wake,
    ) {
        let tenants = self.directories.keys().cloned().collect();
        let lookup = Lookup::new(if self.config.dry_run {
            // Nothing is sent to Microsoft, not even a question.
            Directories::new()
        } else {
            self.directories.clone()
        });
        tasks.spawn(intake::run(
            intake(self.config, playbooks, tenants),
            lookup,
            ledger.clone(),
            self.bus.clone(),
            self.watch(),
            wake.clone(),
            self.stop.clone(),
        ));
    }
}

/// Waits for every task; the first that ends by itself or fails ends the stage, and the lease's loss ends the term.
async fn watch(
    mut tasks: Tasks,
    ledger: &Ledger,
    lease: &Lease,
    health: &Health,
    stop: &CancellationToken,
    all_ended: &CancellationToken,
) -> Result<Ended, RespondError> {
    let lost = tenure::lost(lease);
    tokio::pin!(lost);
    let mut was_lost = false;
    let mut failed = Ok(());
    loop {
        let task = tokio::select! {
            why = &mut lost, if !was_lost => {
                was_lost = true;
                stop.cancel();
                // Not later: what is left to publish may wait for a bus that is away.
                tenure::tell_lost(health, &why);
                continue;
            }
            task = tasks.join_next() => task,
        };
        let Some(task) = task else { break };
        let task = task.unwrap_or(Err(RespondError::Task { task: "worker" }));
        // Cut short by the stop, or by the loss of the lease: it is begun again when that is.
        let task = ended(task, stop);
        if !stop.is_cancelled() || task.is_err() {
            // A task that ends by itself ends the stage, the publisher's too: better none than half of one.
            stop.cancel();
            failed = failed.and(task);
        }
        if tasks.len() == 1 {
            // The publisher is last: what the others wrote before they ended is signed, and published too.
            signer::sign(ledger).await;
            all_ended.cancel();
        }
    }
    match (failed, was_lost) {
        (Err(error), _) => Err(error),
        (Ok(()), true) => Ok(Ended::LeaseLost),
        (Ok(()), false) => Ok(Ended::Stopped),
    }
}

fn intake(
    config: &RespondConfig,
    playbooks: Vec<Playbook>,
    acting_tenants: BTreeSet<String>,
) -> Intake {
    Intake {
        policy: cases::Policy {
            case_severity_min: config.case_severity_min,
            window_us: cases::Policy::window_of_hours(config.case_window_hours),
            automatic: config.automatic.clone(),
            automatic_age_us_max: cases::Policy::age_of_hours(config.automatic_age_hours_max),
            dry_run: config.dry_run,
        },
        playbooks,
        acting_tenants,
    }
}

/// What acts in every tenant.
struct Acting {
    ledger: Ledger,
    clock: Arc<dyn Clock>,
    gates: Gates,
    health: Health,
    wake: Wake,
    stop: CancellationToken,
}

impl Acting {
    /// Watches the kill switch and the journal: its chain is signed, and what is damaged in it is told.
    fn look_after(&self, tasks: &mut Tasks, damaged_before: u64, flips: switch::Flips) {
        tasks.spawn(switch::run(
            flips,
            self.gates.clone(),
            self.ledger.clone(),
            Arc::clone(&self.clock),
            self.health.clone(),
            self.wake.clone(),
            self.stop.clone(),
        ));
        tasks.spawn(signer::run(self.ledger.clone(), self.stop.clone()));
        tasks.spawn(damage::run(
            damaged_before,
            self.ledger.clone(),
            Arc::clone(&self.clock),
            self.health.clone(),
            self.stop.clone(),
        ));
    }

    /// Publishes what the others write, until told that they have ended.
    fn publish(&self, tasks: &mut Tasks, bus: Bus, watch: publisher::Watch) -> CancellationToken {
        let all_ended = CancellationToken::new();
        let (ledger, wake) = (self.ledger.clone(), self.wake.clone());
        let publisher = publisher::run(ledger, bus, wake, watch, all_ended.clone());
        tasks.spawn(publisher);
        all_ended
    }

    /// Lets a tenant's actions run, and whom its never-act list means be found.
    fn spawn(
        &self,
        tasks: &mut Tasks,
        config: &RespondConfig,
        tenant_id: &str,
        directory: &Arc<dyn Directory>,
    ) {
        let entries = entries_of(&config.never_act, tenant_id);
        let executor = executor(config, self, directory, entries.clone());
        tasks.spawn(worker::run(
            tenant_id.to_owned(),
            executor,
            self.wake.clone(),
            self.health.clone(),
        ));
        if config.dry_run || entries.is_empty() {
            return;
        }
        let protection = Protection {
            tenant_id: tenant_id.to_owned(),
            entries,
            directory: Arc::clone(directory),
            ledger: self.ledger.clone(),
            clock: Arc::clone(&self.clock),
            health: self.health.clone(),
            stop: self.stop.clone(),
        };
        tasks.spawn(protection::run(protection, self.wake.clone()));
    }
}

fn policy(
    config: &RespondConfig,
    acting: &Acting,
    never_act: BTreeSet<String>,
) -> preflight::Policy {
    preflight::Policy {
        dry_run: config.dry_run,
        automatic: config.automatic.clone(),
        never_act,
        automatic_age_us_max: cases::Policy::age_of_hours(config.automatic_age_hours_max),
        approval_age_us_max: cases::Policy::age_of_hours(config.approval_age_hours_max),
        targets_per_hour_max: config.targets_per_hour_max,
        outbox_age_us_max: i64::try_from(config.outbox_age_minutes_max)
            .unwrap_or(i64::MAX)
            .saturating_mul(60_000_000),
        started_us: acting.clock.now_us(),
        cool_down_us: i64::try_from(config.cool_down_s)
            .unwrap_or(i64::MAX)
            .saturating_mul(1_000_000),
    }
}

fn executor(
    config: &RespondConfig,
    acting: &Acting,
    directory: &Arc<dyn Directory>,
    never_act: BTreeSet<String>,
) -> Executor {
    Executor {
        ledger: acting.ledger.clone(),
        directory: Arc::clone(directory),
        gates: acting.gates.clone(),
        policy: policy(config, acting, never_act),
        pace: Pace {
            read_backs_max: config.read_backs_max,
            read_back_wait: Duration::from_millis(config.read_back_wait_ms),
            attempts_max: config.attempts_max,
            retry_wait: Duration::from_millis(config.retry_wait_ms),
        },
        clock: Arc::clone(&acting.clock),
        stop: acting.stop.clone(),
    }
}
