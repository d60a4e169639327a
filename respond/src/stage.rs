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

mod beginning;
mod intake;
mod lookup;
mod protection;
mod publisher;
mod switch;
mod worker;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bus::Bus;
use microsoft::Client;
use schemas::environment::Clock;
use schemas::health::Health;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::cases::{self, Intake};
use crate::config::RespondConfig;
use crate::directory::Directory;
use crate::effects::Gates;
use crate::error::RespondError;
use crate::executor::{Executor, Pace};
use crate::graph::GraphDirectory;
use crate::journal::Ledger;
use crate::never_act::entries_of;
use crate::playbook::{self, Playbook};
use crate::preflight;

use self::lookup::Lookup;
use self::protection::Protection;

/// The consumer group.
pub const GROUP: &str = "respond";

/// How often the journal is looked at for what another process wrote, for example an approval.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How often a taken journal is tried again.
const LOCK_EVERY: Duration = Duration::from_secs(1);

/// Wakes every task of the stage: something in the journal has changed.
type Wake = watch::Sender<()>;

/// The tasks of the stage.
type Tasks = JoinSet<Result<(), RespondError>>;

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
    let told_by = Arc::clone(&clock);
    let playbooks = load_playbooks(&config.playbooks)?;
    // One process acts on a journal; a second one waits until the first has ended.
    let Some(_lock) = lock(&config.journal, &stop).await? else {
        return Ok(());
    };
    let beginning = beginning::Beginning {
        journal: &config.journal,
        bus: &bus,
        clock: told_by.as_ref(),
        health: &health,
        stop: &stop,
    };
    let Some(ledger) = beginning.open().await? else {
        return Ok(());
    };
    let (wake, mut tasks) = (watch::channel(()).0, Tasks::new());
    let gates = Gates::new(config.dry_run, config.kill_switch.clone());
    let acting = Acting {
        ledger: ledger.clone(),
        clock: Arc::clone(&clock),
        gates,
        health: health.clone(),
        wake: wake.clone(),
        stop: stop.clone(),
    };
    acting.watch_switch(&mut tasks);
    for (tenant_id, directory) in &directories {
        acting.spawn(&mut tasks, &config, tenant_id, directory);
    }
    let intake = intake(&config, playbooks, directories.keys().cloned().collect());
    let lookup = Lookup::new(if config.dry_run {
        // Nothing is sent to Microsoft, not even a question.
        Directories::new()
    } else {
        directories
    });
    tasks.spawn(intake::run(
        intake,
        lookup,
        ledger.clone(),
        bus.clone(),
        publisher::Watch {
            clock,
            health: health.clone(),
        },
        wake.clone(),
        stop.clone(),
    ));
    let all_ended = CancellationToken::new();
    tasks.spawn(publisher::run(
        ledger,
        bus,
        wake,
        publisher::Watch {
            clock: told_by,
            health,
        },
        all_ended.clone(),
    ));
    watch(tasks, &stop, &all_ended).await
}

/// Waits for every task; the first that ends by itself or fails ends the stage.
async fn watch(
    mut tasks: Tasks,
    stop: &CancellationToken,
    all_ended: &CancellationToken,
) -> Result<(), RespondError> {
    let mut ended = Ok(());
    while let Some(task) = tasks.join_next().await {
        let task = task.unwrap_or(Err(RespondError::Task { task: "worker" }));
        if !stop.is_cancelled() || task.is_err() {
            // A task that ends by itself ends the stage, the publisher's too: better none than half of one.
            stop.cancel();
            ended = ended.and(task);
        }
        if tasks.len() == 1 {
            // The publisher is last: what the others wrote before they ended is published too.
            all_ended.cancel();
        }
    }
    ended
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
    /// Obeys the kill switch, and acknowledges it.
    fn watch_switch(&self, tasks: &mut Tasks) {
        tasks.spawn(switch::run(
            self.gates.clone(),
            self.ledger.clone(),
            Arc::clone(&self.clock),
            self.health.clone(),
            self.wake.clone(),
            self.stop.clone(),
        ));
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
        policy: preflight::Policy {
            dry_run: config.dry_run,
            automatic: config.automatic.clone(),
            never_act,
            automatic_age_us_max: cases::Policy::age_of_hours(config.automatic_age_hours_max),
            approval_age_us_max: cases::Policy::age_of_hours(config.approval_age_hours_max),
            targets_per_hour_max: config.targets_per_hour_max,
            outbox_age_us_max: i64::try_from(config.outbox_age_minutes_max)
                .unwrap_or(i64::MAX)
                .saturating_mul(60_000_000),
            cool_down_us: i64::try_from(config.cool_down_s)
                .unwrap_or(i64::MAX)
                .saturating_mul(1_000_000),
        },
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

/// The embedded playbooks and those of the folder, by file name; an empty path is no folder.
///
/// # Errors
/// [`RespondError::File`] if the folder cannot be read, [`RespondError::Playbook`] if a file is no playbook.
pub fn load_playbooks(folder: &Path) -> Result<Vec<Playbook>, RespondError> {
    let mut files = Vec::new();
    if !folder.as_os_str().is_empty() {
        let cannot = |cause: io::Error| RespondError::File {
            what: "playbooks",
            path: folder.to_owned(),
            cause,
        };
        for entry in fs::read_dir(folder).map_err(cannot)? {
            let path = entry.map_err(cannot)?.path();
            if path
                .extension()
                .is_some_and(|extension| extension == "toml")
            {
                files.push((
                    path.display().to_string(),
                    fs::read_to_string(&path).map_err(cannot)?,
                ));
            }
        }
        files.sort();
    }
    Ok(playbook::load(&files)?)
}

fn lock_path(journal: &Path) -> PathBuf {
    let mut path = journal.as_os_str().to_owned();
    path.push(".lock");
    path.into()
}

/// Whether a process of this machine acts on a journal now, as far as its lock tells.
pub fn is_running(journal: &Path) -> bool {
    // Without a lock file, or a right to open it, nobody is known to act.
    File::open(lock_path(journal))
        .is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
}

/// Waits for the journal's lock; none if the stage is stopped before. The system frees it when the process dies.
async fn lock(journal: &Path, stop: &CancellationToken) -> Result<Option<File>, RespondError> {
    let path = lock_path(journal);
    let cannot = |cause: io::Error| RespondError::File {
        what: "lock",
        path: path.clone(),
        cause,
    };
    if let Some(folder) = journal.parent() {
        fs::create_dir_all(folder).map_err(cannot)?;
    }
    let file = File::create(&path).map_err(cannot)?;
    let mut was_told = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::Error(cause)) => return Err(cannot(cause)),
            Err(TryLockError::WouldBlock) => {}
        }
        if !was_told {
            tracing::warn!(journal = %journal.display(), "another process acts on this journal; waiting for it to end");
            was_told = true;
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(None),
            () = tokio::time::sleep(LOCK_EVERY) => {}
        }
    }
}

/// Waits as an error's fate says, or gives the error back if waiting cannot help or the stage is stopped.
async fn obey(
    error: RespondError,
    task: &'static str,
    stop: &CancellationToken,
) -> Result<(), RespondError> {
    let schemas::fate::Fate::Retry { after } = error.fate() else {
        return Err(error);
    };
    tracing::warn!(task, error = %error, cause = ?std::error::Error::source(&error), "trying again");
    metrics::counter!("respond_retries_total", "task" => task).increment(1);
    tokio::select! {
        () = stop.cancelled() => Err(error),
        () = tokio::time::sleep(after) => Ok(()),
    }
}
