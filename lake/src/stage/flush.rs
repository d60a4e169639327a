//! From an open batch to a commit, its announcement and the group's offsets, in this order.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use bus::{BusError, Message, Position, Recognised};
use schemas::tables::Table;
use schemas::topics::Topic;

use super::{Arrived, Open, Stage, chain};
use crate::announce;
use crate::delta::{Advance, Partition, Reached};
use crate::derived::{Place, lost, replaced};
use crate::error::LakeError;
use crate::location::home;
use crate::revision::revision;
use crate::stage::partitions::Lost;
use crate::writer::Committed;
use columns::Row;

/// A batch that is closed.
struct Batch {
    home: Table,
    rows: Arc<[Row]>,
    beside: BTreeMap<Table, Vec<Row>>,
    advances: Vec<Advance>,
}

impl Stage {
    /// Commits what waits for a table. When it returns without error, the batch is committed, or will be read again.
    pub(super) async fn flush(&mut self, table: Table) -> Result<(), LakeError> {
        let Some(open) = self.open.remove(&table) else {
            return Ok(());
        };
        let batch = self.close(table, open);
        if batch.advances.is_empty() {
            return Ok(());
        }
        self.comes_round();
        let started = Instant::now();
        let mut done = Vec::new();
        let mut tries = 0;
        let is_fenced = loop {
            match self.commit(&batch, &mut done).await {
                Ok(()) => break false,
                Err(LakeError::Fenced { topic, partition }) => {
                    metrics::counter!("lake_fenced_total").increment(1);
                    tracing::warn!(%topic, partition, "another writer has this partition; the batch is dropped here");
                    break true;
                }
                Err(error) => {
                    if !self.meet_unreadable(&error).await? {
                        self.wait_after(error, tries).await?;
                    }
                }
            }
            tries += 1;
            if self.stop.is_cancelled() {
                return Ok(());
            }
        };
        metrics::histogram!("lake_commit_duration_seconds", "table" => table.name())
            .record(started.elapsed().as_secs_f64());
        self.last_commit = tokio::time::Instant::now();
        let now_us = self.clock.now_us();
        let messages = done
            .iter()
            .flat_map(|commit| announce::messages(commit, now_us))
            .collect();
        if !self.publish(messages).await? {
            return Ok(());
        }
        if is_fenced {
            let ours: Vec<(Topic, i32)> = batch
                .advances
                .iter()
                .map(|advance| (advance.partition.topic, advance.partition.partition))
                .collect();
            return self.take_over(&ours).await;
        }
        self.after_announcement(&batch, &done).await;
        Ok(())
    }

    fn close(&self, home: Table, open: Open) -> Batch {
        let mut beside: BTreeMap<Table, Vec<Row>> = BTreeMap::new();
        for (table, row, _) in open.beside {
            beside.entry(table).or_default().push(row);
        }
        let advances = open
            .reached
            .into_iter()
            .filter_map(|(partition, to)| {
                self.partitions.committed(partition).map(|from| Advance {
                    partition,
                    from,
                    to,
                })
            })
            .collect();
        Batch {
            home,
            rows: open.rows.into_iter().map(|arrived| arrived.row).collect(),
            beside,
            advances,
        }
    }

    /// One try; what became visible is in `done` even if it fails.
    async fn commit(&mut self, batch: &Batch, done: &mut Vec<Committed>) -> Result<(), LakeError> {
        let now_us = self.clock.now_us();
        let Some(writer) = self.writers.get_mut(&batch.home) else {
            return Ok(());
        };
        let sifted = writer.sift(&batch.rows).await?;
        let mut beside = batch.beside.clone();
        let revisions: Vec<Row> = sifted
            .revisions
            .iter()
            .map(|(at, _, changed)| revision(batch.home, &batch.rows[*at], changed))
            .collect();
        if !revisions.is_empty() {
            beside
                .entry(Table::Revisions)
                .or_default()
                .extend(revisions);
        }
        // Rows of other tables come first: the position moves only with the commit to the home table,
        // so a crash between repeats them, and their identities make them one.
        for (table, rows) in beside {
            let Some(writer) = self.writers.get_mut(&table) else {
                continue;
            };
            if let Some(commit) = writer
                .commit_beside(&rows.into(), &batch.advances, now_us)
                .await?
            {
                self.maintenance.committed(table);
                done.push(commit);
            }
        }
        let Some(writer) = self.writers.get_mut(&batch.home) else {
            return Ok(());
        };
        for (at, day, _) in &sifted.revisions {
            writer.revised(day, &batch.rows[*at]);
        }
        let commit = writer
            .commit(&batch.rows, &sifted.new, &batch.advances, now_us)
            .await?;
        self.maintenance.committed(batch.home);
        let name = batch.home.name();
        metrics::counter!("lake_rows_total", "table" => name).increment(sifted.new.len() as u64);
        metrics::counter!("lake_duplicates_total", "table" => name)
            .increment(sifted.duplicates as u64);
        metrics::counter!("lake_revisions_total", "table" => name)
            .increment(sifted.revisions.len() as u64);
        for advance in &batch.advances {
            self.partitions.commit(advance.partition, advance.to);
        }
        done.push(commit);
        Ok(())
    }

    /// Publishes announcements, however often it takes; false if the stage was stopped before.
    async fn publish(&self, messages: Vec<Message>) -> Result<bool, LakeError> {
        if messages.is_empty() {
            return Ok(true);
        }
        let mut tries = 0;
        while let Err(error) = self.bus.publish(Topic::Batches, messages.clone()).await {
            self.wait_after(error.into(), tries).await?;
            tries += 1;
            if self.stop.is_cancelled() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn after_announcement(&mut self, batch: &Batch, done: &[Committed]) {
        for commit in done
            .iter()
            .filter(|commit| announce::is_announced(commit.table))
        {
            if let Some(writer) = self.writers.get_mut(&commit.table) {
                for advance in &batch.advances {
                    writer.announced(advance.partition, advance.to.arrival);
                }
            }
        }
        let positions: Vec<Position> = batch
            .advances
            .iter()
            .map(|advance| advance.to.position(advance.partition))
            .collect();
        self.move_group(&positions).await;
    }

    /// Only for those who watch the group's lag: the Delta log decides where to read on.
    async fn move_group(&mut self, positions: &[Position]) {
        if let Err(error) = self.consumer.commit(positions).await {
            tracing::warn!(error = chain(&error), "could not move the group's offsets");
        }
    }

    /// Reads partitions from now on: from where their tables stand, or from the beginning where another log has taken
    /// the place of the one that they have read. What may not have been announced is announced again.
    pub(super) async fn take_over(&mut self, assigned: &[(Topic, i32)]) -> Result<(), LakeError> {
        self.release(assigned);
        let mut standings = Vec::new();
        for (topic, partition) in assigned {
            let partition = Partition {
                topic: *topic,
                partition: *partition,
            };
            let Some(home) = home(*topic) else { continue };
            let mut tries = 0;
            let reached = loop {
                match self.take_over_one(partition, home).await {
                    Ok(reached) => break reached,
                    Err(error) => self.wait_after(error, tries).await?,
                }
                tries += 1;
                if self.stop.is_cancelled() {
                    return Ok(());
                }
            };
            standings.push((partition, reached));
        }
        let positions: Vec<Position> = standings
            .iter()
            .map(|(partition, reached)| reached.position(*partition))
            .collect();
        let Some(recognised) = self.recognise(&positions).await? else {
            return Ok(());
        };
        let seek: Vec<Position> = recognised.iter().map(Recognised::resume).collect();
        for ((partition, reached), found) in standings.into_iter().zip(&recognised) {
            self.take_up(partition, reached, found);
        }
        self.seek(&seek).await?;
        // Only now: what was committed of a log that is gone would let unread messages of this one be removed.
        let begun = recognised
            .iter()
            .zip(seek)
            .filter(|(found, position)| !found.is_same_log || position.next_offset > 0);
        let begun: Vec<Position> = begun.map(|(_, position)| position).collect();
        self.move_group(&begun).await;
        Ok(())
    }

    /// What the bus has of our positions; none if the stage was stopped before it said so.
    async fn recognise(
        &mut self,
        positions: &[Position],
    ) -> Result<Option<Vec<Recognised>>, LakeError> {
        let mut tries = 0;
        loop {
            match self.bus.recognise(&self.config.group, positions).await {
                Ok(recognised) => return Ok(Some(recognised)),
                Err(error) => self.wait_after(error.into(), tries).await?,
            }
            tries += 1;
            if self.stop.is_cancelled() {
                return Ok(None);
            }
        }
    }

    /// Notes what is read of a partition from now on, and in the ledger if it is another log.
    fn take_up(&mut self, partition: Partition, reached: Reached, found: &Recognised) {
        let next_offset = found.resume().next_offset;
        if found.is_same_log {
            if reached.last.is_none() && next_offset > 0 {
                tracing::info!(topic = %partition.topic, partition = partition.partition, next_offset,
                    "this position was stored without its last message; the log is taken to be the same, this once");
            }
            self.partitions
                .take(partition, reached, next_offset, reached.base);
            return;
        }
        let base = reached.arrival.saturating_sub(next_offset);
        self.partitions.take(partition, reached, next_offset, base);
        self.note_replaced(partition, reached, next_offset);
        // Committed even where nothing comes: whoever asks how far the lake is must know of which log.
        if let Some(open) = home(partition.topic).map(|home| self.open.entry(home).or_default()) {
            open.opened.get_or_insert_with(tokio::time::Instant::now);
            let begin = Reached {
                base,
                last: None,
                ..reached
            };
            open.reached.insert(partition, begin);
        }
    }

    /// Reads on from here; a partition that is no longer ours is left to the next poll, which says so.
    pub(super) async fn seek(&mut self, positions: &[Position]) -> Result<(), LakeError> {
        let mut tries = 0;
        while let Err(error) = self.consumer.seek(positions).await {
            if matches!(error, BusError::NotAssigned { .. }) {
                tracing::warn!(error = chain(&error), "could not seek");
                return Ok(());
            }
            self.wait_after(error.into(), tries).await?;
            tries += 1;
            if self.stop.is_cancelled() {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn take_over_one(
        &mut self,
        partition: Partition,
        home: Table,
    ) -> Result<Reached, LakeError> {
        let mut tables = vec![home];
        if home.is_events() {
            tables.extend([Table::Revisions, Table::OtherEvents]);
        }
        tables.dedup();
        let mut stands = Reached::default();
        for table in tables {
            let Some(writer) = self.writers.get_mut(&table) else {
                continue;
            };
            writer.forget();
            let live = Arc::clone(writer.live());
            let (messages, reached) = {
                let mut live = live.lock().await;
                live.refresh().await?;
                if table == home {
                    stands = live.reached(partition).await?;
                }
                if announce::is_announced(table) {
                    announce::unannounced(&mut live, partition).await?
                } else {
                    (
                        Vec::new(),
                        live.transaction(&partition.position_id()).await?,
                    )
                }
            };
            let again = messages.len();
            if self.publish(messages).await? && again > 0 {
                tracing::info!(%table, topic = %partition.topic, partition = partition.partition, again,
                    "announced commits again");
                if let (Some(reached), Some(writer)) = (reached, self.writers.get_mut(&table)) {
                    writer.announced(partition, reached);
                }
            }
        }
        Ok(stands)
    }

    /// Forgets what waits of partitions that others read from now on.
    pub(super) fn release(&mut self, revoked: &[(Topic, i32)]) {
        for (topic, partition) in revoked {
            let partition = Partition {
                topic: *topic,
                partition: *partition,
            };
            self.partitions.release(partition);
            let Some(open) = home(*topic).and_then(|home| self.open.get_mut(&home)) else {
                continue;
            };
            open.rows.retain(
                |Arrived {
                     partition: from, ..
                 }| *from != partition,
            );
            open.beside.retain(|(_, _, from)| *from != partition);
            open.reached.remove(&partition);
            if open.reached.is_empty() {
                *open = Open::default();
            }
        }
    }

    /// Writes into the ledger that messages were gone before we had read them.
    pub(super) fn note_lost(&mut self, gap: &Lost) {
        let Partition { topic, partition } = gap.partition;
        metrics::counter!("lake_lost_messages_total")
            .increment(u64::try_from(gap.to - gap.from).unwrap_or(0));
        tracing::error!(%topic, partition, from = gap.from, to = gap.to, "messages are gone from the bus");
        let place = Place {
            tenant_id: "unknown",
            topic: &topic.name(),
            partition,
            offset: gap.from,
            now_us: self.clock.now_us(),
        };
        let row = lost(&place, gap.base, gap.to);
        self.add_row(gap.partition, Table::Coverage, row);
    }

    /// Writes into the ledger that the log of a partition is not the one that was read.
    fn note_replaced(&mut self, of: Partition, reached: Reached, first_offset: i64) {
        let Partition { topic, partition } = of;
        let stood_at = reached.position(of).next_offset;
        metrics::counter!("lake_replaced_logs_total").increment(1);
        tracing::error!(%topic, partition, stood_at, first_offset,
            "the bus has another log than the one that was read; it is read from its beginning");
        let place = Place {
            tenant_id: "unknown",
            topic: &topic.name(),
            partition,
            offset: stood_at,
            now_us: self.clock.now_us(),
        };
        let row = replaced(&place, reached.arrival, first_offset);
        self.add_row(of, Table::Coverage, row);
    }

    /// Tells the logs what has been announced; it only spares a restart some work, so a failure is no matter.
    pub(super) async fn settle(&mut self) {
        let now_us = self.clock.now_us();
        for writer in self.writers.values_mut() {
            if let Err(error) = writer.settle(now_us).await {
                tracing::debug!(error = chain(&error), "could not settle");
            }
        }
        self.last_commit = tokio::time::Instant::now();
    }
}
