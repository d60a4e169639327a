//! Where partitions are read on from, and what is owed for a log that is gone.

use std::collections::BTreeMap;

use bus::{Consumer, Message, Polled, Position};
use schemas::coverage::replaced_log;
use schemas::topics::Topic;
use tokio_util::sync::CancellationToken;

use super::Stage;
use crate::announced::Announced;
use crate::catch_up::CatchUp;
use crate::error::DetectError;
use crate::evaluate::tables;

impl Stage {
    /// Reads what is newly assigned, and what another log took the place of, from where the group stands on it.
    pub(super) async fn begin(
        &mut self,
        consumer: &mut Consumer,
        polled: &Polled,
        stop: &CancellationToken,
    ) -> Result<(), DetectError> {
        if polled.assigned.is_empty() && polled.replaced.is_empty() {
            return Ok(());
        }
        while let Err(error) = self.begin_once(consumer, polled).await {
            self.retry(error, stop).await?;
        }
        Ok(())
    }

    async fn begin_once(
        &mut self,
        consumer: &mut Consumer,
        polled: &Polled,
    ) -> Result<(), DetectError> {
        let mut gone: BTreeMap<(Topic, i32), Position> = polled
            .replaced
            .iter()
            .map(|at| ((at.topic, at.partition), *at))
            .collect();
        let mut fresh = polled.assigned.clone();
        fresh.extend(gone.keys());
        for found in consumer.resume(&fresh).await? {
            let at = found.position;
            gone.entry((at.topic, at.partition)).or_insert(at);
        }
        if !gone.is_empty() {
            self.note_gone(gone.values()).await?;
        }
        if gone.keys().any(|(topic, _)| *topic == Topic::Signals) {
            self.count = None;
        }
        let is_batches = |(topic, _): &&(Topic, i32)| *topic == Topic::Batches;
        if fresh.iter().find(is_batches).is_some() {
            let committed = self
                .bus
                .committed(&self.config.group, Topic::Batches)
                .await?;
            if committed.is_empty() || gone.keys().find(is_batches).is_some() {
                let ends = self.bus.ends(Topic::Batches).await?;
                self.catch_up = Some(CatchUp::to(&ends, self.clock.now_us()));
            }
        }
        Ok(())
    }

    /// Writes into the ledger that logs are gone, and with them what had not been read.
    async fn note_gone<'a>(
        &self,
        gone: impl Iterator<Item = &'a Position>,
    ) -> Result<(), DetectError> {
        let now_us = self.clock.now_us();
        let mut lines = Vec::new();
        for at in gone {
            tracing::error!(topic = %at.topic, partition = at.partition, stood_at = at.next_offset,
                "the bus has another log than the one that was read; it is read from its beginning");
            metrics::counter!("detect_replaced_logs_total").increment(1);
            let line = replaced_log(
                "detect",
                (at.topic, at.partition),
                at.next_offset,
                "the log was replaced or cut: what it had from this offset on and was not read is lost; recent files \
                 of the lake that no announcement names are evaluated",
                now_us,
            );
            lines.push(Message::of(line.id.clone(), &line));
        }
        self.bus.publish(Topic::Coverage, lines).await?;
        Ok(())
    }

    /// Evaluates the recent files that nobody announced, once all announcements are read; until then it takes their
    /// positions out of `done`, which would say that everything before them is evaluated.
    pub(super) async fn catch_up(
        &mut self,
        done: &mut BTreeMap<(Topic, i32), Position>,
        stop: &CancellationToken,
    ) -> Result<(), DetectError> {
        let Some(catch_up) = self.catch_up.take() else {
            return Ok(());
        };
        let is_done = catch_up.is_over() && self.evaluate_unannounced(&catch_up, stop).await?;
        if is_done {
            // Where there is no message, that this group has begun is all that there is to say.
            for at in catch_up.empty() {
                done.entry((at.topic, at.partition)).or_insert(*at);
            }
        } else {
            done.retain(|(topic, _), _| *topic != Topic::Batches);
            self.catch_up = Some(catch_up);
        }
        Ok(())
    }

    /// False if stopped before all of them were evaluated.
    async fn evaluate_unannounced(
        &mut self,
        catch_up: &CatchUp,
        stop: &CancellationToken,
    ) -> Result<bool, DetectError> {
        let mut files = 0;
        for table in tables(&self.rules) {
            for (file, version) in catch_up.unannounced(self.lake.files(table).await?) {
                files += 1;
                let announced = Announced {
                    table,
                    file,
                    version,
                };
                while let Err(error) = self.look_at(announced.clone()).await {
                    let waited = self.retry(error, stop).await;
                    if stop.is_cancelled() {
                        return Ok(false);
                    }
                    waited?;
                }
            }
        }
        if files > 0 {
            tracing::info!(files, "evaluated recent files that no announcement names");
        }
        Ok(true)
    }
}
