//! What no stage can tell of itself: how full the disk is, whether the stages move, and whether a promise was broken.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bus::Bus;
use nix::sys::statvfs::statvfs;
use schemas::environment::{Clock as _, SystemClock};
use schemas::health::Health;
use schemas::invariants;
use tokio_util::sync::CancellationToken;

use super::Readiness;
use crate::config::Config;
use crate::stages::{Stage, progress};

/// How often it looks.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// How often it asks how far the stages are.
const LAG_EVERY: Duration = Duration::from_secs(30);

/// How long a stage with messages to read may stand still before that is a trouble.
const STILL_MAX: Duration = Duration::from_mins(5);

/// Looks until it is told to stop.
pub(crate) async fn run(
    config: &Config,
    stages: &[Stage],
    readiness: Readiness,
    stop: CancellationToken,
) {
    let health = readiness.health.clone();
    let mut told_still = BTreeSet::new();
    let mut progress = Progress::default();
    let mut bus = None;
    let mut asked_us = 0;
    loop {
        let now_us = SystemClock.now_us();
        disk(config, &health, now_us);
        tell_breaches(&health, now_us);
        tell_still(&readiness, &mut told_still, now_us);
        if elapsed(asked_us, now_us) >= LAG_EVERY {
            asked_us = now_us;
            // Opened here as well, for the stages keep theirs; a bus that is away is theirs to tell.
            if bus.is_none() {
                bus = Bus::open(&config.bus()).await.ok();
            }
            if let Some(bus) = &bus {
                progress.look(bus, config, stages, &health, now_us).await;
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

fn elapsed(since_us: i64, now_us: i64) -> Duration {
    // A clock that was set back shows as no time, and the next look is a little later.
    Duration::from_micros(u64::try_from(now_us.saturating_sub(since_us)).unwrap_or(0))
}

/// Where records are kept: the data folder, and the lake if it is elsewhere.
pub(crate) fn folders(config: &Config) -> Vec<(&'static str, PathBuf)> {
    let lake = config.lake().location;
    let lake = PathBuf::from(lake.strip_prefix("file://").unwrap_or(&lake));
    let mut folders = vec![("data", config.data.clone())];
    if !lake.starts_with(&config.data) {
        folders.push(("lake", lake));
    }
    folders
}

/// Tells while less than the reserve is free where records are kept.
fn disk(config: &Config, health: &Health, now_us: i64) {
    let reserve = config
        .health
        .disk_reserve_megabytes
        .saturating_mul(1024 * 1024);
    for (name, folder) in folders(config) {
        let part = format!("disk/{name}");
        match free_bytes(&folder) {
            Ok(free) => {
                #[expect(
                    clippy::cast_precision_loss,
                    reason = "a gauge is a float; 52 bits of bytes suffice"
                )]
                metrics::gauge!("vedette_disk_free_bytes", "folder" => name).set(free as f64);
                if free < reserve {
                    let why = format!(
                        "{} MB are free at {}, which should be {} MB at least: give it room, or set \
                         health.disk_reserve_megabytes",
                        free / 1024 / 1024,
                        folder.display(),
                        config.health.disk_reserve_megabytes
                    );
                    health.trouble(&part, why, now_us);
                } else {
                    health.well(&part);
                }
            }
            Err(error) => {
                let why = format!("cannot see how full {} is: {error}", folder.display());
                health.trouble(&part, why, now_us);
            }
        }
    }
}

/// Bytes that this process may still write to the file system of a folder.
pub(crate) fn free_bytes(folder: &Path) -> nix::Result<u64> {
    let facts = statvfs(folder)?;
    Ok(facts
        .blocks_available()
        .saturating_mul(facts.fragment_size()))
}

/// Tells the promises that were found broken; until the process has ended they are not whole again.
fn tell_breaches(health: &Health, now_us: i64) {
    for breach in invariants::take_breaches() {
        let id = breach.invariant.id();
        tracing::error!(
            invariant = id,
            promised = breach.invariant.sentence(),
            found = breach.detail,
            "a promise of vedette's own is broken: please report it"
        );
        let why = format!("{} But: {}", breach.invariant.sentence(), breach.detail);
        health.trouble(&format!("invariants/{id}"), why, now_us);
    }
}

/// Tells once of each loop that stands still, and once that it has moved again.
fn tell_still(readiness: &Readiness, told: &mut BTreeSet<&'static str>, now_us: i64) {
    let still = readiness.standing_still();
    for (part, since_us) in &still {
        if told.insert(part) {
            tracing::error!("{}", super::still(part, *since_us, now_us));
            metrics::counter!("vedette_standstills_total", "part" => *part).increment(1);
        }
    }
    told.retain(|part| {
        let is_still = still.contains_key(part);
        if !is_still {
            tracing::info!(part, "comes round again");
        }
        is_still
    });
}

/// How far stages were when they were last seen to move.
#[derive(Debug, Default)]
struct Progress(BTreeMap<&'static str, Seen>);

#[derive(Debug, Clone, Copy)]
struct Seen {
    /// The sum of the positions.
    done: i64,
    /// When it changed last, or nothing was to do.
    moved_us: i64,
}

impl Progress {
    async fn look(
        &mut self,
        bus: &Bus,
        config: &Config,
        stages: &[Stage],
        health: &Health,
        now_us: i64,
    ) {
        for stage in stages {
            match progress::progress(bus, config, *stage).await {
                Ok((done, behind)) => self.note(stage.name(), done, behind, health, now_us),
                // The stages meet the same, and tell it.
                Err(error) => tracing::debug!(error = format!("{error:#}"), "cannot see the lag"),
            }
        }
    }

    fn note(&mut self, stage: &'static str, done: i64, behind: i64, health: &Health, now_us: i64) {
        #[expect(
            clippy::cast_precision_loss,
            reason = "a gauge is a float; 52 bits of messages suffice"
        )]
        metrics::gauge!("vedette_lag_messages", "stage" => stage).set(behind as f64);
        let seen = self.0.entry(stage).or_insert(Seen {
            done,
            moved_us: now_us,
        });
        if seen.done != done || behind == 0 || seen.moved_us > now_us {
            *seen = Seen {
                done,
                moved_us: now_us,
            };
        }
        let part = format!("{stage}/lag");
        let still = elapsed(seen.moved_us, now_us);
        if still >= STILL_MAX {
            let why = format!(
                "has {behind} messages to read, and has finished none for {} s",
                still.as_secs()
            );
            health.trouble(&part, why, seen.moved_us);
        } else {
            health.well(&part);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Progress, free_bytes};
    use schemas::health::Health;
    use std::path::Path;

    #[test]
    fn a_disk_says_how_much_is_free() {
        assert!(free_bytes(Path::new("/")).is_ok());
        free_bytes(Path::new("/no/such/folder")).expect_err("there is none");
    }

    #[test]
    fn a_stage_that_stands_still_with_work_to_do_is_in_trouble() {
        let (mut progress, health) = (Progress::default(), Health::default());
        let minute_us = 60 * 1_000_000;
        for (minute, done, behind, is_well) in [
            (0, 10, 5, true),
            (4, 10, 9, true),
            (5, 10, 9, false),
            // It moves, however slowly.
            (6, 11, 90, true),
            (10, 11, 90, true),
            (11, 11, 90, false),
            // Nothing to do for an hour is no standstill, nor is a clock that was set back.
            (12, 101, 0, true),
            (80, 101, 0, true),
            (20, 101, 3, true),
            (24, 101, 3, true),
            (25, 101, 3, false),
        ] {
            progress.note("detect", done, behind, &health, minute * minute_us);
            assert_eq!(health.troubles().is_empty(), is_well, "minute {minute}");
        }
    }
}
