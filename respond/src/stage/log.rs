//! Whether the bus still has the entries and cases that it acknowledged; where it has not, all are published again.
//!
//! The journal forgets what was published. A log that is restored from a backup, recreated or moved aside before the
//! lake took them would have them nowhere else; the journal keeps every entry and case, so nothing needs to be lost.

use std::sync::Arc;
use std::time::Duration;

use bus::{Bus, Message, Position, Recognised};
use schemas::coverage::{CoverageRange, CoverageState, Published};
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

    /// Lets the next look compare.
    pub(super) fn compare_at_once(&mut self) {
        self.compared = None;
    }

    /// Compares at the first call and once a minute, and publishes all again where the log is another.
    ///
    /// # Errors
    /// What the bus or the journal said; the next call compares again.
    pub(super) async fn compare_if_due(&mut self) -> Result<(), RespondError> {
        if self
            .compared
            .is_some_and(|compared| compared.elapsed() < COMPARE_EVERY)
        {
            return Ok(());
        }
        let stored = self.ledger.with(|journal| journal.acknowledged()).await?;
        let mut gone = self.bus.recognise(GROUP, &stored).await?;
        gone.retain(|found| !found.is_same_log);
        if !gone.is_empty() {
            self.publish_again(&gone).await?;
        }
        self.compared = Some(Instant::now());
        Ok(())
    }

    /// Whether `count` messages were put before others that the bus had acknowledged: it has another log then.
    ///
    /// # Errors
    /// What the journal said.
    pub(super) async fn went_back(
        &self,
        put: &[Position],
        count: usize,
    ) -> Result<bool, RespondError> {
        let stored = self.ledger.with(|journal| journal.acknowledged()).await?;
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        // One writer and one partition: the first of them cannot stand before the end of what was there.
        Ok(put.iter().any(|at| {
            stored.iter().any(|known| {
                (known.topic, known.partition) == (at.topic, at.partition)
                    && at.next_offset.saturating_sub(count) < known.next_offset
            })
        }))
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

/// The line of a partition. What it tells is a gap, and no loss: the journal has all of it.
fn line(found: &Recognised, now_us: i64) -> wire::Coverage {
    let (at, end) = (found.position, found.end_offset);
    // A shorter log lacks its end at least; of another nobody knows what it has.
    let from = if at.next_offset > end {
        end
    } else {
        found.first_offset
    };
    let to = at.next_offset;
    let detail = format!(
        "lost or replaced from {from} to {to}: the bus had acknowledged messages up to {to}, and its log now ends at {end} or \
         is another; every entry and case of the journal is published again, and readers know by their ids what they have"
    );
    let range = CoverageRange {
        tenant_id: "",
        source: GROUP,
        kind: "range",
        subject: &format!("{}/{}", at.topic, at.partition),
        from,
        to,
    };
    range.line(CoverageState::Gap, Published::default(), &detail, now_us)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bus::config::LogConfig;
    use bus::{Bus, BusConfig, Position};
    use schemas::environment::SystemClock;
    use schemas::topics::Topic;

    use super::Witness;
    use crate::journal::Ledger;
    use crate::journal::sqlite::SqliteJournal;

    fn at(next_offset: i64) -> Position {
        Position {
            topic: Topic::Audit,
            partition: 0,
            next_offset,
            last: None,
        }
    }

    #[tokio::test]
    async fn messages_before_the_end_of_what_was_there_are_in_another_log() {
        let folder = tempfile::tempdir().unwrap();
        let config = BusConfig::Log(LogConfig {
            path: folder.path().join("log"),
            ..LogConfig::default()
        });
        let bus = Bus::open(&config).await.unwrap();
        let journal = SqliteJournal::open(&folder.path().join("journal")).unwrap();
        let ledger = Ledger::new(Arc::new(journal));
        let witness = Witness::new(ledger.clone(), bus, Arc::new(SystemClock));
        assert!(!witness.went_back(&[at(1)], 1).await.unwrap());
        ledger
            .with(|journal| journal.published(0, &[at(7)]))
            .await
            .unwrap();
        for (next_offset, count, is_another) in
            [(8, 1, false), (9, 2, false), (1, 1, true), (9, 9, true)]
        {
            let found = witness.went_back(&[at(next_offset)], count).await.unwrap();
            assert_eq!(found, is_another, "{count} messages up to {next_offset}");
        }
    }
}
