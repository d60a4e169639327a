//! Announced files: read, evaluated and told, or written into the ledger as not evaluated.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use bus::Message;
use lake::{RowError, literals};
use schemas::coverage::CoverageState;
use schemas::ids;
use schemas::invariants::{self, AlertTold};
use schemas::limits::PUBLISH_RECORDS_MAX;
use schemas::topics::Topic;
use schemas::wire::{Alert, Coverage};
use tokio_util::sync::CancellationToken;

use super::{Stage, chain, leave_out, measure};
use crate::alert::CATEGORY;
use crate::announced::{Announced, Seen};
use crate::damaged;
use crate::error::DetectError;
use crate::evaluate::Findings;
use crate::missing;
use crate::published::{Told, news};
use crate::signal::to_wire;

/// Tries of a file before it is written into the ledger, and the pause before the second; each is twice as long.
const TRIES_AT_ONCE: u32 = 3;
const PAUSE: Duration = Duration::from_millis(100);

/// Tenants and days that are remembered as evaluated whole.
const DAYS_MAX: usize = 10_000;

/// The part that is in trouble while files wait to be read.
const FILES: &str = "detect/files";

/// Checks that an alert of a rule is named by tenant, rule and event; Microsoft's have names of their own.
fn check_id(alert: &Alert) {
    let is_of_rule = alert.category == CATEGORY && alert.counted == 0;
    if let (true, [event]) = (is_of_rule, alert.evidence.as_slice()) {
        invariants::check(&AlertTold {
            id: alert.alert_id.clone(),
            of_causes: ids::alert(&alert.tenant_id, &alert.rule_id, &event.event_id, 0),
        });
    }
}

impl Stage {
    /// Evaluates an announced file; false if it cannot be read: then it is in the ledger, and waits.
    pub(super) async fn look_at(
        &mut self,
        announced: Announced,
    ) -> Result<Option<u64>, DetectError> {
        self.comes_round();
        if self.has_evaluated_day(&announced) {
            return Ok(Some(announced.file.rows));
        }
        let mut tries = 0;
        loop {
            let (error, partly) = match self.evaluate(&announced).await {
                Ok(mut seen) => {
                    let Some(error) = seen.damage.take() else {
                        let rows = seen.rows;
                        self.tell_seen(&announced, seen).await?;
                        return Ok(Some(rows));
                    };
                    (error, Some(seen))
                }
                Err(error) if error.is_of_file() => (error, None),
                Err(error) => return Err(error),
            };
            tries += 1;
            if tries >= TRIES_AT_ONCE || matches!(error, DetectError::Missing { .. }) {
                if let Some(seen) = partly {
                    self.tell_partly(&announced, seen).await?;
                }
                self.leave_gap(announced, &error).await?;
                return Ok(None);
            }
            tokio::time::sleep(PAUSE * 2_u32.pow(tries - 1)).await;
        }
    }

    async fn evaluate(&self, announced: &Announced) -> Result<Seen, DetectError> {
        announced
            .evaluate(&self.rules, &self.lake, self.clock.now_us())
            .await
    }

    /// True if the file is gone and all files of its tenant and day have been evaluated since it was written.
    fn has_evaluated_day(&self, announced: &Announced) -> bool {
        let file = &announced.file;
        let day = (announced.table, file.tenant_id.clone(), file.day.clone());
        self.of_day
            .get(&day)
            .is_some_and(|version| announced.version <= *version)
            && matches!(
                self.lake.open_file(announced.table, &file.path),
                Err(lake::LakeError::File { .. })
            )
    }

    async fn tell_seen(&mut self, announced: &Announced, seen: Seen) -> Result<(), DetectError> {
        metrics::counter!("detect_rows_total").increment(announced.file.rows.min(seen.rows));
        let now_us = self.clock.now_us();
        let panicked = seen.panicked.iter();
        let lines: Vec<Coverage> = panicked
            .map(|(file, row)| announced.line_of_row(file, *row, now_us))
            .collect();
        if !lines.is_empty() {
            tracing::error!(table = %announced.table, file = announced.file.path, rows = lines.len(),
                "rules panicked at rows; all others were evaluated");
            metrics::counter!("detect_panics_total").increment(lines.len() as u64);
        }
        self.note(&lines).await?;
        self.publish(seen.findings).await?;
        if let Some(version) = seen.of_version {
            metrics::counter!("detect_files_moved_total").increment(1);
            tracing::info!(table = %announced.table, file = announced.file.path,
                "announced file was replaced; its rows were evaluated where they stand now");
            if self.of_day.len() >= DAYS_MAX {
                self.of_day.clear();
            }
            let file = &announced.file;
            let day = (announced.table, file.tenant_id.clone(), file.day.clone());
            self.of_day.insert(day, version);
        }
        Ok(())
    }

    /// Tells what the row groups have that can be read; the file stays in the ledger as not evaluated.
    async fn tell_partly(&mut self, announced: &Announced, seen: Seen) -> Result<(), DetectError> {
        let seen = Seen {
            // Its day has not been evaluated whole.
            of_version: None,
            ..seen
        };
        self.tell_seen(announced, seen).await
    }

    async fn leave_gap(
        &mut self,
        announced: Announced,
        error: &DetectError,
    ) -> Result<(), DetectError> {
        leave_out(error);
        metrics::counter!("detect_files_missing_total").increment(1);
        let now_us = self.clock.now_us();
        self.note(&[announced.line(CoverageState::Gap, &chain(error), now_us)])
            .await?;
        // What leads out of the table stays wrong.
        if !matches!(
            error,
            DetectError::Lake(lake::LakeError::ForeignPath { .. })
        ) {
            self.gaps.add(announced, Instant::now());
            self.health.trouble(FILES, chain(error), now_us);
        }
        Ok(())
    }

    /// Looks again at files that could not be read, those of the ledger at first; one that cannot wait for another.
    pub(super) async fn fill_gaps(&mut self, stop: &CancellationToken) -> Result<(), DetectError> {
        if !self.gaps.is_recalled {
            let (missing, damaged) = missing::of_lake(&self.lake).await?;
            self.note_damaged(&damaged).await?;
            let now = Instant::now();
            for announced in missing {
                self.gaps.add(announced, now);
            }
            self.gaps.is_recalled = true;
        }
        let now = Instant::now();
        while let Some(gap) = self.gaps.next(now) {
            let evaluated = self.evaluate(&gap.announced).await;
            match evaluated.and_then(Seen::whole) {
                Ok(seen) => {
                    if let Err(error) = self.fill(&gap.announced, seen).await {
                        self.gaps.again(gap, Instant::now());
                        return Err(error);
                    }
                }
                Err(error) if error.is_of_file() => {
                    let path = gap.announced.file.path.clone();
                    if !self.gaps.again(gap, Instant::now()) {
                        tracing::error!(path, error = %chain(&error),
                            "the file stays in the ledger; vedette rules backtest --missing tries it again");
                    }
                }
                Err(error) => {
                    self.gaps.again(gap, Instant::now());
                    return Err(error);
                }
            }
            if stop.is_cancelled() {
                break;
            }
        }
        if self.gaps.len() == 0 {
            self.health.well(FILES);
        }
        Ok(())
    }

    async fn fill(&mut self, announced: &Announced, seen: Seen) -> Result<(), DetectError> {
        self.tell_seen(announced, seen).await?;
        let why = "it was read at a later try";
        let now_us = self.clock.now_us();
        self.note(&[announced.line(CoverageState::Read, why, now_us)])
            .await?;
        metrics::counter!("detect_gaps_filled_total").increment(1);
        Ok(())
    }

    /// Writes lines into the ledger.
    pub(super) async fn note(&self, lines: &[Coverage]) -> Result<(), DetectError> {
        for part in lines.chunks(PUBLISH_RECORDS_MAX) {
            let messages = part.iter().map(|line| Message::of(line.id.clone(), line));
            self.bus
                .publish(Topic::Coverage, messages.collect())
                .await?;
        }
        Ok(())
    }

    /// Writes into the ledger that rows of the lake cannot be read.
    pub(super) async fn note_damaged(&self, damaged: &[RowError]) -> Result<(), DetectError> {
        self.note(&damaged::lines(damaged, self.clock.now_us()))
            .await
    }

    async fn publish(&mut self, findings: Findings) -> Result<(), DetectError> {
        let now_us = self.clock.now_us();
        for part in findings.signals.chunks(PUBLISH_RECORDS_MAX) {
            let messages = part.iter().map(|signal| {
                let signal = to_wire(signal, now_us);
                Message::of(signal.signal_id.clone(), &signal)
            });
            self.bus.publish(Topic::Signals, messages.collect()).await?;
            metrics::counter!("detect_signals_total").increment(part.len() as u64);
        }
        self.recall_told(&findings.alerts).await?;
        let mut told: HashMap<String, Told> = HashMap::new();
        let mut fresh = Vec::new();
        for alert in findings.alerts {
            let known = told.get(&alert.alert_id).copied();
            let known = known.or_else(|| self.published.told(&alert.alert_id));
            check_id(&alert);
            if let Some(news) = news(known, alert)? {
                told.insert(news.alert_id.clone(), Told::of(&news)?);
                fresh.push(news);
            }
        }
        self.tell(&fresh).await?;
        for (id, told) in told {
            self.published.insert(&id, told);
        }
        Ok(())
    }

    /// Reads from the lake what was told of alerts that have versions, where this process has not told it.
    async fn recall_told(&mut self, alerts: &[Alert]) -> Result<(), DetectError> {
        let has_versions = |alert: &&Alert| alert.counted > 0;
        let ids: Vec<&str> = alerts
            .iter()
            .filter(has_versions)
            .map(|alert| alert.alert_id.as_str())
            .filter(|id| self.published.told(id).is_none())
            .collect();
        for ids in ids.chunks(500) {
            let query = format!(
                "SELECT * FROM alerts_current WHERE alert_id IN ({})",
                literals(ids)
            );
            let (known, damaged) = self.lake.rows::<Alert>(&query).await?;
            // What was told of these is not known: they are told again.
            self.note_damaged(&damaged).await?;
            for alert in known {
                self.published.insert(&alert.alert_id, Told::of(&alert)?);
            }
        }
        Ok(())
    }

    pub(super) async fn tell(&self, alerts: &[Alert]) -> Result<(), DetectError> {
        for part in alerts.chunks(PUBLISH_RECORDS_MAX) {
            let messages = part
                .iter()
                .map(|alert| Message::of(alert.alert_id.clone(), alert));
            self.bus.publish(Topic::Alerts, messages.collect()).await?;
            part.iter().for_each(measure);
        }
        Ok(())
    }
}
