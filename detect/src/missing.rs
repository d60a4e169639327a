//! Announced rows that were not evaluated: lines of the completeness ledger, and the way back from them.

use std::sync::Arc;

use bus::{Bus, Message};
use lake::{Lake, RowError};
use schemas::coverage::{CoverageRange, CoverageState, Published};
use schemas::limits::PUBLISH_RECORDS_MAX;
use schemas::tables::Table;
use schemas::topics::Topic;
use schemas::wire::{BatchFile, Coverage};
use serde::Deserialize;
use serde_json::json;
use sigma::Ruleset;

use crate::announced::Announced;
use crate::error::DetectError;
use crate::published::news;
use crate::signal::to_wire;

/// The connector's place in lines of the ledger.
const SOURCE: &str = "detect";

/// Lines about files that no other line fills.
const QUERY: &str = "SELECT * FROM coverage
WHERE source = 'detect' AND coverage_kind = 'file' AND NOT EXISTS (
    SELECT 1 FROM coverage AS filled
    WHERE filled.source = 'detect' AND filled.coverage_kind = 'file' AND filled.coverage_state = 'read'
    AND filled.tenant_id = coverage.tenant_id AND filled.subject = coverage.subject)
ORDER BY tenant_id, subject";

/// What a line about a file says beside the range.
#[derive(Deserialize)]
struct OfFile {
    day: String,
    version: i64,
}

impl Announced {
    /// The line of the ledger that says whether its rows were evaluated.
    pub fn line(&self, state: CoverageState, why: &str, now_us: i64) -> Coverage {
        let detail = json!({"day": self.file.day, "version": self.version, "why": why});
        let range = CoverageRange {
            tenant_id: &self.file.tenant_id,
            source: SOURCE,
            kind: "file",
            subject: &format!("{}/{}", self.table, self.file.path),
            from: 0,
            to: i64::try_from(self.file.rows).unwrap_or(i64::MAX),
        };
        range.line(state, Published::default(), &detail.to_string(), now_us)
    }

    /// The line that says that a rule panicked at a row.
    pub fn line_of_row(&self, file: &str, row: u64, now_us: i64) -> Coverage {
        let row = i64::try_from(row).unwrap_or(i64::MAX);
        let range = CoverageRange {
            tenant_id: &self.file.tenant_id,
            source: SOURCE,
            kind: "range",
            subject: &format!("{}/{file}", self.table),
            from: row,
            to: row.saturating_add(1),
        };
        let detail = json!({"why": "a rule panicked at this row"}).to_string();
        range.line(CoverageState::Gap, Published::default(), &detail, now_us)
    }
}

/// The line of an announcement that cannot be read.
pub(crate) fn line_of_announcement(offset: i64, why: &str, now_us: i64) -> Coverage {
    let range = CoverageRange {
        tenant_id: "",
        source: SOURCE,
        kind: "range",
        subject: "batches",
        from: offset,
        to: offset.saturating_add(1),
    };
    range.line(CoverageState::Gap, Published::default(), why, now_us)
}

/// Evaluates a file that was not, publishes what is found, and says so in the ledger; how many alerts that were.
///
/// Of a file with a row group that cannot be read the others are published, and it stays in the ledger.
///
/// # Errors
/// As [`Announced::evaluate`], [`DetectError::Evaluate`] for what cannot be read, and [`DetectError::Bus`].
pub async fn fill(
    announced: &Announced,
    rules: &Arc<Ruleset>,
    lake: &Lake,
    bus: &Bus,
    now_us: i64,
) -> Result<usize, DetectError> {
    let seen = announced.evaluate(rules, lake, now_us).await?;
    let signals = seen.findings.signals.iter();
    let signals: Vec<Message> = signals
        .map(|signal| to_wire(signal, now_us))
        .map(|signal| Message::of(signal.signal_id.clone(), &signal))
        .collect();
    let mut alerts: Vec<Message> = Vec::new();
    for alert in seen.findings.alerts {
        let news = news(None, alert)?;
        alerts.extend(news.map(|alert| Message::of(alert.alert_id.clone(), &alert)));
    }
    let raised = alerts.len();
    let panicked = seen.panicked.iter();
    let mut lines: Vec<Coverage> = panicked
        .map(|(file, row)| announced.line_of_row(file, *row, now_us))
        .collect();
    if seen.damage.is_none() {
        lines.push(announced.line(CoverageState::Read, "it was read at a later try", now_us));
    }
    let lines = lines.iter().map(|line| Message::of(line.id.clone(), line));
    for (topic, messages) in [
        (Topic::Signals, signals),
        (Topic::Alerts, alerts),
        // Last: what is not told is not filled.
        (Topic::Coverage, lines.collect()),
    ] {
        for part in messages.chunks(PUBLISH_RECORDS_MAX) {
            bus.publish(topic, part.to_vec()).await?;
        }
    }
    match seen.damage {
        Some(error) => Err(error),
        None => Ok(raised),
    }
}

/// The announced files that the ledger says were not evaluated, and not since; and lines of it that cannot be read.
///
/// # Errors
/// [`DetectError::Lake`] if the ledger cannot be read.
pub async fn of_lake(lake: &Lake) -> Result<(Vec<Announced>, Vec<RowError>), DetectError> {
    let (lines, mut damaged) = lake.rows::<Coverage>(QUERY).await?;
    let mut missing = Vec::new();
    for line in &lines {
        match announced(line) {
            Ok(announced) => missing.push(announced),
            Err(error) => damaged.push(error),
        }
    }
    Ok((missing, damaged))
}

/// The file that a line is about.
fn announced(line: &Coverage) -> Result<Announced, RowError> {
    let refused = |column, value: &str, why: String| {
        RowError::value(Table::Coverage, &line.id, column, value, &why)
    };
    let named = line.subject.split_once('/');
    let named = named.and_then(|(name, path)| Some((Table::of_name(name)?, path)));
    let Some((table, path)) = named else {
        let why = "it must be a table and a file of it".to_owned();
        return Err(refused("subject", &line.subject, why));
    };
    let of_file: OfFile = serde_json::from_str(&line.detail)
        .map_err(|why| refused("detail", &line.detail, why.to_string()))?;
    let rows = u64::try_from(line.to)
        .map_err(|why| refused("range_to", &line.to.to_string(), why.to_string()))?;
    Ok(Announced {
        table,
        file: BatchFile {
            path: path.to_owned(),
            tenant_id: line.tenant_id.clone(),
            day: of_file.day,
            rows,
            bytes: 0,
        },
        version: of_file.version,
    })
}
