//! One responder acts: it waits for the lease, and stands by again once it is lost.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bus::retry::retry_or_stop;
use bus::{Bus, Lease, Terms, Waiting};
use schemas::environment::Clock;
use schemas::health::Health;
use schemas::limits::{LEASE_CONFIRMED_FOR, TAKE_OVER_MARGIN};
use tokio_util::sync::CancellationToken;

use crate::config::RespondConfig;
use crate::error::RespondError;
use crate::journal::file::beside;

/// The lease, for all tenants: who acts in one acts in all.
const LEASE: &str = "respond";

/// The part that says whether this one acts.
const PART: &str = "respond/lease";

/// How often the lease is confirmed while nothing is sent.
const CONFIRM_EVERY: Duration = Duration::from_secs(5);

/// Gives each host another name; Linux makes one for each reader.
const RANDOM_NAME: &str = "/proc/sys/kernel/random/uuid";

/// One that may act, once it holds the lease.
pub(super) struct Candidate<'a> {
    terms: Terms,
    bus: &'a Bus,
    clock: &'a dyn Clock,
    health: &'a Health,
    stop: &'a CancellationToken,
    /// Where it says that it stands by, for commands beside it.
    standby: PathBuf,
    /// What was said last to the process's log.
    said: Mutex<Option<Waiting>>,
}

impl<'a> Candidate<'a> {
    /// One that is known by its journal, whose lock it has.
    pub(super) fn new(
        config: &RespondConfig,
        bus: &'a Bus,
        clock: &'a Arc<dyn Clock>,
        health: &'a Health,
        stop: &'a CancellationToken,
    ) -> Result<Self, RespondError> {
        let path = holder_path(&config.journal);
        let holder = holder(&path).map_err(|cause| RespondError::File {
            what: "the responder's name",
            path,
            cause,
        })?;
        Ok(Self {
            terms: Terms {
                holder,
                // A call begins while the lease is relied on, and ends or is given up within its own time.
                under_way_max: LEASE_CONFIRMED_FOR + config.http.change_wait() + TAKE_OVER_MARGIN,
            },
            bus,
            clock: clock.as_ref(),
            health,
            stop,
            standby: standby_path(&config.journal),
            said: Mutex::new(None),
        })
    }

    /// Waits for the lease; none if the stage is stopped before.
    pub(super) async fn take(&self) -> Result<Option<Lease>, RespondError> {
        metrics::gauge!("respond_lease_held").set(0.0);
        // Of a process before this one.
        self.write_standby(None);
        let told = |waiting| self.tell(waiting);
        loop {
            let taken = tokio::select! {
                () = self.stop.cancelled() => return Ok(None),
                taken = self.bus.lease(LEASE, &self.terms, &told) => taken,
            };
            match taken {
                Ok(lease) => {
                    metrics::gauge!("respond_lease_held").set(1.0);
                    self.write_standby(None);
                    *self.said.lock().unwrap_or_else(PoisonError::into_inner) = None;
                    tracing::info!(epoch = lease.epoch(), "this responder acts");
                    match lease.taken_from() {
                        None => self.health.well(PART),
                        Some(other) => self.tell_taken(other),
                    }
                    return Ok(Some(lease));
                }
                Err(error) => match retry_or_stop(error, "respond/lease", self.stop).await {
                    Ok(()) => {}
                    Err(_) if self.stop.is_cancelled() => return Ok(None),
                    Err(error) => return Err(error.into()),
                },
            }
        }
    }

    /// Says what the other's end leaves undone: journals stay with their hosts.
    fn tell_taken(&self, other: &str) {
        let what = format!(
            "acts in the place of {other}: what that one had planned and not done stays in its journal until it acts \
             again, and its kill switch and approvals are not seen here"
        );
        tracing::warn!("{what}");
        self.health.note(PART, what);
    }

    fn tell(&self, waiting: Waiting) {
        match &waiting {
            Waiting::Behind(what) => self.health.note(PART, format!("stands by: {what}")),
            Waiting::Blind(why) => {
                let why = format!("stands by, and cannot see who acts: {why}");
                self.health.trouble(PART, why, self.clock.now_us());
            }
        }
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.as_ref() != Some(&waiting) {
            tracing::info!(?waiting, "this responder stands by");
            self.write_standby(Some(&waiting));
            *said = Some(waiting);
        }
    }

    fn write_standby(&self, waiting: Option<&Waiting>) {
        let written = match waiting {
            Some(Waiting::Behind(what) | Waiting::Blind(what)) => fs::write(&self.standby, what),
            None => match fs::remove_file(&self.standby) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            },
        };
        if let Err(error) = written {
            tracing::warn!(file = %self.standby.display(), %error, "commands cannot see whether this responder acts");
        }
    }
}

/// Says, before anything else, that this one no longer acts.
pub(super) fn tell_lost(health: &Health, why: &str) {
    metrics::counter!("respond_leases_lost_total").increment(1);
    metrics::gauge!("respond_lease_held").set(0.0);
    tracing::error!(
        why,
        "the lease is lost: this responder sends nothing more and stands by"
    );
    health.note(PART, format!("stands by: {why}"));
}

/// Waits until the lease is lost, and asks for that now and then, also where nothing is to be sent: one that is cut off
/// hears of nothing.
pub(super) async fn lost(lease: &Lease) -> String {
    let asks = async {
        loop {
            tokio::time::sleep(CONFIRM_EVERY).await;
            if let Err(error) = lease.confirm().await {
                return error.to_string();
            }
        }
    };
    tokio::select! {
        why = lease.lost() => why,
        why = asks => why,
    }
}

/// Why the responder on a journal, which runs, does not act; none if it does.
pub fn stands_by(journal: &Path) -> Option<String> {
    fs::read_to_string(standby_path(journal)).ok()
}

fn standby_path(journal: &Path) -> PathBuf {
    beside(journal, ".standby")
}

fn holder_path(journal: &Path) -> PathBuf {
    beside(journal, ".holder")
}

/// The name by which this host's responder is known to the others; made once, and kept beside its journal.
fn holder(path: &Path) -> io::Result<String> {
    let known = match fs::read_to_string(path) {
        Ok(known) => known.trim().to_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error),
    };
    if is_name(&known) {
        return Ok(known);
    }
    let made = fs::read_to_string(RANDOM_NAME)?.trim().to_owned();
    let written = path.with_extension("holder.new");
    let mut file = File::create(&written)?;
    writeln!(file, "{made}")?;
    file.sync_all()?;
    fs::rename(&written, path)?;
    Ok(made)
}

/// Nothing that another file could hold by mistake.
fn is_name(text: &str) -> bool {
    text.len() == 36
        && text
            .bytes()
            .all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::{holder, holder_path};

    #[test]
    fn a_host_keeps_its_name_and_two_differ() {
        let folder = tempfile::tempdir().unwrap();
        let of = |name: &str| holder(&holder_path(&folder.path().join(name))).unwrap();
        assert_eq!(of("north"), of("north"));
        assert_ne!(of("north"), of("south"));
        std::fs::write(holder_path(&folder.path().join("east")), "half a na").unwrap();
        assert_eq!(of("east").len(), 36);
        assert_eq!(of("east"), of("east"));
    }
}
