//! One destination's loop: take, deliver, set aside, commit.

use std::sync::Arc;
use std::time::Duration;

use bus::retry::{ended, retry_or_stop};
use tokio::time::{Instant, timeout};

use super::deliver::{Again, Moment, Settled, settle};
use super::letters::{self, SetAside};
use super::reader::{Reader, Reads};
use super::refusals::Refusals;
use super::standing::{STAGE, Shared, Standing};
use crate::config::{DestinationConfig, ForwardConfig};
use crate::destination::{BatchLimits, Destination, Reply};
use crate::error::ForwardError;
use crate::pace::Pace;
use crate::routes::Routes;
use crate::surroundings::Surroundings;

/// Longest wait for a message, so that a stop is seen.
const WAIT_MAX: Duration = Duration::from_millis(500);

/// How long more messages are looked for while some are in hand.
const LOOK: Duration = Duration::from_millis(5);

/// Longest that a destination has for a batch, whatever its own limits.
const DELIVER_MAX: Duration = Duration::from_mins(1);

/// How often a destination that cannot be made is tried again.
const OPEN_EVERY: Duration = Duration::from_mins(1);

/// A destination's loop.
pub(super) struct Lane {
    pub(super) config: DestinationConfig,
    pub(super) forward: ForwardConfig,
    pub(super) routes: Arc<Routes>,
    pub(super) with: Surroundings,
    pub(super) shared: Shared,
    pub(super) standing: Arc<Standing>,
}

impl Lane {
    /// Runs until the stage is stopped.
    pub(super) async fn run(self) -> Result<(), ForwardError> {
        let name = self.config.name.clone();
        if self.routes.kinds_of(&name).is_empty() {
            self.shared
                .health
                .note(&self.part(), "no route leads to it: nothing is sent");
            return self.rest().await;
        }
        // Before it is opened: what comes while it cannot be waits for it, from its first day on.
        let Some(mut reader) = self.join().await? else {
            return Ok(());
        };
        let mut destination: Option<Box<dyn Destination>> = None;
        let mut open_at = Instant::now();
        let mut refusals = Refusals::default();
        let task = self.part();
        let mut pace = Pace::new(Duration::from_millis(self.forward.retry_wait_ms));
        while !self.shared.stop.is_cancelled() {
            self.tell(&reader);
            if destination.is_none() && Instant::now() >= open_at {
                destination = self.open();
                open_at = Instant::now() + OPEN_EVERY;
            }
            let wait = pace.wait(self.shared.clock.now_us());
            let may_deliver = destination.is_some() && wait.is_zero();
            let look = match (reader.window.is_empty(), may_deliver) {
                (true, _) => WAIT_MAX,
                (false, true) => LOOK,
                (false, false) if wait.is_zero() => WAIT_MAX,
                (false, false) => wait.min(WAIT_MAX),
            };
            let round = async {
                self.take(&mut reader, look).await?;
                if let Some(destination) = &mut destination
                    && pace.wait(self.shared.clock.now_us()).is_zero()
                {
                    self.deliver(destination.as_mut(), &mut reader, &mut pace, &mut refusals)
                        .await?;
                }
                reader.commit().await
            };
            if let Err(error) = round.await {
                let waited = retry_or_stop(error, &task, &self.shared.stop).await;
                if waited.is_err() {
                    return ended(waited, &self.shared.stop);
                }
            }
        }
        Ok(())
    }

    /// Its part of the process's health.
    fn part(&self) -> String {
        format!("{STAGE}/{}", self.config.name)
    }

    /// Waits for the end where there is nothing to do.
    async fn rest(&self) -> Result<(), ForwardError> {
        while !self.shared.stop.is_cancelled() {
            self.standing.comes_round(self.shared.clock.now_us());
            tokio::select! {
                () = self.shared.stop.cancelled() => {}
                () = tokio::time::sleep(WAIT_MAX) => {}
            }
        }
        Ok(())
    }

    /// Makes the destination; none while its settings or secrets cannot be used, which it says.
    fn open(&self) -> Option<Box<dyn Destination>> {
        match self.config.to.open(&self.config.name, &self.with) {
            Ok(destination) => {
                self.shared.health.well(&self.part());
                Some(destination)
            }
            Err(error) => {
                tracing::error!(destination = self.config.name, error = %error, "cannot be used");
                let why = format!("nothing is sent: {error}");
                let now_us = self.shared.clock.now_us();
                self.shared.health.trouble(&self.part(), why, now_us);
                None
            }
        }
    }

    /// Joins the destination's group; none if the stage is stopped meanwhile.
    async fn join(&self) -> Result<Option<Reader>, ForwardError> {
        let now_us = self.shared.clock.now_us();
        let first = i64::try_from(self.forward.first_hours)
            .unwrap_or(i64::MAX)
            .saturating_mul(3_600_000_000);
        loop {
            let reads = Reads {
                name: self.config.name.clone(),
                group: self.config.group(),
                routes: Arc::clone(&self.routes),
                first_us: now_us.saturating_sub(first),
            };
            match Reader::join(&self.shared.bus, reads).await {
                Ok(reader) => return Ok(Some(reader)),
                Err(error) => {
                    let waited = retry_or_stop(error, &self.part(), &self.shared.stop).await;
                    if self.shared.stop.is_cancelled() {
                        return Ok(None);
                    }
                    waited?;
                }
            }
        }
    }

    fn tell(&self, reader: &Reader) {
        let window = &reader.window;
        self.standing.comes_round(self.shared.clock.now_us());
        self.standing.holds(window.len(), window.oldest_us());
    }

    /// Takes what is there, and sets aside what of it cannot be read.
    async fn take(&self, reader: &mut Reader, look: Duration) -> Result<(), ForwardError> {
        let clock = self.shared.clock.as_ref();
        tokio::select! {
            () = self.shared.stop.cancelled() => {}
            taken = reader.take(&self.shared.bus, clock, look) => taken?,
        }
        if reader.unreadable.is_empty() {
            return Ok(());
        }
        self.set_aside(&reader.unreadable).await?;
        reader.unreadable.clear();
        Ok(())
    }

    /// Hands a batch over and does what the answer asks for.
    async fn deliver(
        &self,
        destination: &mut dyn Destination,
        reader: &mut Reader,
        pace: &mut Pace,
        refusals: &mut Refusals,
    ) -> Result<(), ForwardError> {
        let BatchLimits {
            notices_max,
            bytes_max,
        } = destination.limits();
        let batch = if pace.is_open() {
            reader.window.probe(pace.failures())
        } else {
            reader
                .window
                .batch(pace.notices_max(notices_max), bytes_max)
        };
        if batch.is_empty() {
            return Ok(());
        }
        let notices: Vec<_> = batch.iter().map(|held| Arc::clone(&held.notice)).collect();
        let reply = tokio::select! {
            // What was under way is delivered again: whether it arrived nobody knows.
            () = self.shared.stop.cancelled() => return Ok(()),
            reply = timeout(DELIVER_MAX, destination.deliver(&notices)) => reply.unwrap_or_else(|_| {
                Reply::later(format!("did not answer within {} s", DELIVER_MAX.as_secs()))
            }),
        };
        let at = Moment {
            now_us: self.shared.clock.now_us(),
            chance: rand::random(),
            notices_max,
        };
        let settled = settle(&batch, &reply, &mut reader.window, pace, at);
        let refused = settled.set_aside.iter().map(|(_, one)| one.why.as_str());
        refusals.note(settled.delivered.len(), refused, at.now_us);
        self.say(&settled, pace, refusals);
        for key in &settled.delivered {
            reader.window.settle(*key);
        }
        let (keys, aside): (Vec<u64>, Vec<SetAside>) = settled.set_aside.into_iter().unzip();
        self.set_aside(&aside).await?;
        for key in keys {
            reader.window.settle(key);
        }
        Ok(())
    }

    async fn set_aside(&self, aside: &[SetAside]) -> Result<(), ForwardError> {
        if aside.is_empty() {
            return Ok(());
        }
        let now_us = self.shared.clock.now_us();
        letters::publish(&self.shared.bus, &self.config.name, aside, now_us).await?;
        for letter in aside {
            tracing::error!(
                destination = self.config.name,
                reason = letter.reason.as_str(),
                why = letter.why,
                topic = %letter.place.topic,
                offset = letter.place.offset,
                "set aside as a dead letter; `vedette forward replay` sends it again"
            );
            metrics::counter!("forward_dead_letters_total",
                "destination" => self.config.name.clone(), "reason" => letter.reason.as_str())
            .increment(1);
        }
        Ok(())
    }

    /// Counts what came of a batch, and tells the process's health how the destination stands.
    fn say(&self, settled: &Settled, pace: &Pace, refusals: &Refusals) {
        let name = || self.config.name.clone();
        if !settled.delivered.is_empty() {
            metrics::counter!("forward_notices_total",
                "destination" => name(), "outcome" => "delivered")
            .increment(settled.delivered.len() as u64);
        }
        let is_open = pace.is_open();
        metrics::gauge!("forward_circuit_open", "destination" => name()).set(if is_open {
            1.0
        } else {
            0.0
        });
        let Some(Again { why, wait, capped }) = &settled.again else {
            let now_us = self.shared.clock.now_us();
            match refusals.trouble(now_us) {
                Some(why) => self.shared.health.trouble(&self.part(), why, now_us),
                None => self.shared.health.well(&self.part()),
            }
            return;
        };
        metrics::counter!("forward_retries_total", "destination" => name()).increment(1);
        if let Some(asked) = capped {
            metrics::counter!("forward_retry_after_capped_total", "destination" => name())
                .increment(1);
            tracing::warn!(
                destination = self.config.name,
                asked_s = asked.as_secs(),
                wait_s = wait.as_secs(),
                "the destination asks for a wait that is not believed"
            );
        }
        tracing::warn!(
            destination = self.config.name,
            failures = pace.failures(),
            why,
            wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
            "not taken; trying again"
        );
        // A try that fails once is no trouble yet; one that is to wait for minutes is.
        if is_open || *wait > crate::pace::BACKOFF_MAX.mul_f64(1.25) {
            let now_us = self.shared.clock.now_us();
            let why = format!("nothing is taken: {why}; what waits is on the bus");
            self.shared.health.trouble(&self.part(), why, now_us);
        }
    }
}
