//! Whether the bus still has the entries and cases that it acknowledged; where it has not, all are published again.
//!
//! The journal forgets what was published. A log that is restored from a backup, recreated or moved aside before the
//! lake took them would have them nowhere else; the journal keeps every entry and case, so nothing needs to be lost.

use std::sync::Arc;
use std::time::Duration;

use bus::{Bus, Message, Position, Recognised};
use schemas::coverage::forgetful_log;
use schemas::environment::Clock;
use schemas::topics::Topic;
use schemas::wire;
use tokio::time::Instant;

use crate::audit::message_key;
use crate::error::RespondError;
use crate::journal::Ledger;

/// As whom the bus is asked.
const GROUP: &str = "respond";

/// How often the log is compared with what it acknowledged.
const COMPARE_EVERY: Duration = Duration::from_mins(1);

/// Most entries or cases that are published again in one call.
const PAGE_MAX: usize = 500;

/// Compares the log with what it acknowledged.
pub(super) struct Witness {
    pub(super) ledger: Ledger,
    pub(super) bus: Bus,
    clock: Arc<dyn Clock>,
    compared: Option<Instant>,
}

impl Witness {
    pub(super) fn new(ledger: Ledger, bus: Bus, clock: Arc<dyn Clock>) -> Self {
        Self {
            ledger,
            bus,
            clock,
            compared: None,
        }
    }

    /// Compares at the first call and once a minute, and publishes all again where the log is another.
    ///
    /// # Errors
    /// What the bus or the journal said; the next call compares again.
    pub(super) async fn compare_if_due(&mut self) -> Result<(), RespondError> {
        let is_due = self
            .compared
            .is_none_or(|compared| compared.elapsed() >= COMPARE_EVERY);
        if is_due {
            self.compare().await?;
            self.compared = Some(Instant::now());
        }
        Ok(())
    }

    /// Compares, and publishes all again where the log is another; true if it was.
    ///
    /// # Errors
    /// What the bus or the journal said; it is compared again then.
    pub(super) async fn compare(&self) -> Result<bool, RespondError> {
        let stored = self.ledger.with(|journal| journal.acknowledged()).await?;
        let mut gone = self.bus.recognise(GROUP, &stored).await?;
        gone.retain(|found| !found.is_same_log);
        if !gone.is_empty() {
            self.publish_again(&gone).await?;
        }
        Ok(!gone.is_empty())
    }

    async fn publish_again(&self, gone: &[Recognised]) -> Result<(), RespondError> {
        let now_us = self.clock.now_us();
        let lines: Vec<wire::Coverage> = gone.iter().map(|found| line(found, now_us)).collect();
        for line in &lines {
            tracing::error!(place = line.subject, "{}", line.detail);
        }
        metrics::counter!("respond_replaced_logs_total").increment(1);
        // The lines first: a crash between the two finds the same again.
        let lines = lines.iter().map(|line| Message::of(line.id.clone(), line));
        self.bus.publish(Topic::Coverage, lines.collect()).await?;
        let mut placed = self.entries().await?;
        placed.extend(self.cases().await?);
        self.ledger
            .with(move |journal| journal.published_again(&placed))
            .await?;
        Ok(())
    }

    /// Publishes every entry of the chain, in its order; gives where the last ones were put.
    async fn entries(&self) -> Result<Vec<Position>, RespondError> {
        let (mut placed, mut after) = (Vec::new(), 0);
        loop {
            let page = self
                .ledger
                .with(move |journal| journal.audit(after, PAGE_MAX))
                .await?;
            let Some(last) = page.last() else {
                return Ok(placed);
            };
            after = last.sequence;
            let messages = page
                .iter()
                .map(|entry| Message::of(message_key(entry).to_owned(), entry));
            placed = self
                .bus
                .publish_placed(Topic::Audit, messages.collect())
                .await?;
        }
    }

    /// Publishes every case as it stands now; gives where the last ones were put.
    async fn cases(&self) -> Result<Vec<Position>, RespondError> {
        let (mut placed, mut after) = (Vec::new(), String::new());
        loop {
            let page = self
                .ledger
                .with(move |journal| journal.cases_after(&after, PAGE_MAX))
                .await?;
            let Some(last) = page.last() else {
                return Ok(placed);
            };
            after = last.case_id.clone();
            let messages = page
                .iter()
                .map(|case| Message::of(case.case_id.clone(), &case.to_wire()));
            placed = self
                .bus
                .publish_placed(Topic::Cases, messages.collect())
                .await?;
        }
    }
}

/// Whether `count` messages were put before others that the bus had acknowledged: it may have another log then.
pub(super) fn went_back(acknowledged: &[Position], put: &[Position], count: usize) -> bool {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    // One writer and one partition: the first of them cannot stand before the end of what was there.
    put.iter().any(|at| {
        acknowledged.iter().any(|known| {
            (known.topic, known.partition) == (at.topic, at.partition)
                && at.next_offset.saturating_sub(count) < known.next_offset
        })
    })
}

fn line(found: &Recognised, now_us: i64) -> wire::Coverage {
    forgetful_log(
        GROUP,
        (found.position.topic, found.position.partition),
        found.missing(),
        found.end_offset,
        "every entry and case of the journal is published again, and readers know by their ids what they have",
        now_us,
    )
}

#[cfg(test)]
mod tests {
    use bus::Position;
    use schemas::topics::Topic;

    use super::went_back;

    fn at(next_offset: i64) -> Position {
        Position {
            topic: Topic::Audit,
            partition: 0,
            next_offset,
            last: None,
        }
    }

    #[test]
    fn messages_before_the_end_of_what_was_there_are_in_another_log() {
        assert!(!went_back(&[], &[at(1)], 1));
        for (next_offset, count, is_another) in
            [(8, 1, false), (9, 2, false), (1, 1, true), (9, 9, true)]
        {
            assert_eq!(
                went_back(&[at(7)], &[at(next_offset)], count),
                is_another,
                "{count} messages up to {next_offset}"
            );
        }
    }
}
