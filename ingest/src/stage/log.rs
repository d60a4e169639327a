//! Whether the bus still has what it acknowledged, and what is done where it has not.
//!
//! A log that is restored from a backup, recreated or cut is shorter than the cursors believe, or another: what they
//! cover is nowhere then, unless the lake had read it. So every source goes back to its beginning, once for each log that
//! is found, and what the lake has already it knows by its identity.

use std::time::Duration;

use bus::retry::wait_or_stop;
use bus::{Bus, Recognised};
use schemas::coverage::forgetful_log;
use schemas::fate::chain;
use schemas::wire;
use tokio_util::sync::CancellationToken;

use super::{BACKOFF, Watched};
use crate::cursor::Cursors;
use crate::error::IngestError;
use crate::outlet::Outlet;

/// How often the log is compared while sources are read, beside when it is seen to go back.
pub(super) const COMPARE_EVERY: Duration = Duration::from_mins(1);

/// As whom the bus is asked.
const GROUP: &str = "ingest";

/// The part that is in trouble while nobody can say whether the log is the same.
const PART: &str = "ingest/log";

/// The part that has the note of a log that was not, as long as this process lives.
const NOTE: &str = "ingest/replaced_log";

/// Compares the log with what it acknowledged.
pub(super) struct Witness {
    pub(super) bus: Bus,
    pub(super) cursors: Cursors,
    pub(super) outlet: Outlet,
    pub(super) watched: Watched,
}

impl Witness {
    /// What is no longer as it was acknowledged; nothing where that cannot be found out, which is told.
    pub(super) async fn compare(&self) -> Vec<Recognised> {
        match self.find().await {
            Ok(gone) => {
                self.watched.health.well(PART);
                gone
            }
            Err(error) => {
                let why = chain(&error);
                tracing::warn!(
                    error = why,
                    "could not compare the log with what it acknowledged"
                );
                let now_us = self.watched.clock.now_us();
                self.watched.health.trouble(PART, why, now_us);
                Vec::new()
            }
        }
    }

    async fn find(&self) -> Result<Vec<Recognised>, IngestError> {
        let stored = self.cursors.stored_acknowledged().await?;
        let found = self.bus.recognise(GROUP, &stored).await;
        let mut gone = found.map_err(|cause| IngestError::Compare { cause })?;
        gone.retain(|found| !found.is_same_log);
        if gone.is_empty() {
            self.cursors.acknowledged().compared(&stored);
        }
        Ok(gone)
    }

    /// Takes every source back to its beginning; none may run. False if it was stopped before that was durable.
    ///
    /// # Errors
    /// Where the bus is gone for good.
    pub(super) async fn go_back(
        &self,
        gone: &[Recognised],
        stop: &CancellationToken,
    ) -> Result<bool, IngestError> {
        let now_us = self.watched.clock.now_us();
        let lines: Vec<wire::Coverage> = gone.iter().map(|found| line(found, now_us)).collect();
        for line in &lines {
            tracing::error!(place = line.subject, "{}", line.detail);
        }
        metrics::counter!("ingest_replaced_logs_total").increment(1);
        // The lines first: a crash between the two finds the same again.
        while let Err(error) = self.try_go_back(&lines).await {
            if error.ends_all() {
                return Err(error);
            }
            let now_us = self.watched.clock.now_us();
            self.watched.health.trouble(PART, chain(&error), now_us);
            if wait_or_stop(error, PART, BACKOFF.min, stop).await.is_err() {
                return Ok(false);
            }
        }
        let since = schemas::time::iso_ms(now_us);
        let places = lines.len();
        let note = format!(
            "the bus had lost what it acknowledged, or has another log, in {places} partitions: since {since} every source \
             is read again as far back as it keeps (table coverage, source ingest)"
        );
        self.watched.health.note(NOTE, note);
        Ok(true)
    }

    async fn try_go_back(&self, lines: &[wire::Coverage]) -> Result<(), IngestError> {
        self.outlet.cover(lines.to_vec()).await?;
        self.cursors.read_again().await
    }
}

fn line(found: &Recognised, now_us: i64) -> wire::Coverage {
    forgetful_log(
        GROUP,
        (found.position.topic, found.position.partition),
        found.missing(),
        found.end_offset,
        "every source is read again as far back as it keeps, and what the lake has already is not added again",
        now_us,
    )
}
