//! What the rules find in a file or a batch, as alerts and as signals that correlations count.
//!
//! Pure but for reading the file: the same rules and rows give the same alerts always.

mod careful;
mod retold;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::BooleanBufferBuilder;
use arrow::buffer::BooleanBuffer;
use arrow::record_batch::RecordBatch;
use schemas::tables::Table;
use schemas::wire::{Alert, Event};
use sigma::correlation::matched::Counted;
use sigma::correlation::{Evidence, Signal, Subject, matched};
use sigma::mapping::TENANT_ID;
use sigma::plan::chunk::of_tenant::OfTenant;
use sigma::plan::chunk::row_group::RowGroup;
use sigma::plan::chunk::{Batch, Chunk as _};
use sigma::plan::fields;
use sigma::{Hits, Plan, Ruleset};

pub(crate) use self::retold::told_id;
use crate::alert::{self, Origin};
use crate::error::DetectError;
use crate::graph_alert;
use crate::subject;

/// The tables whose rows can raise an alert.
pub fn tables(rules: &Ruleset) -> Vec<Table> {
    let mut tables: Vec<Table> = rules.tables().collect();
    for always in [Table::GraphAlerts, Table::Revisions] {
        if !tables.contains(&always) {
            tables.push(always);
        }
    }
    tables
}

/// Rules, and the rows of one table that they are asked about.
#[derive(Debug, Clone, Copy)]
pub struct Evaluation<'a> {
    /// The rules.
    pub rules: &'a Ruleset,
    /// The table.
    pub table: Table,
    /// Where the rows stand.
    pub origin: &'a Origin,
    /// When, in microseconds since the Unix epoch, UTC.
    pub now_us: i64,
}

/// What rules find.
#[derive(Debug, Default)]
pub struct Findings {
    /// Alerts, in the order of row groups, rules and rows.
    pub alerts: Vec<Alert>,
    /// Matches that correlations count.
    pub signals: Vec<Signal>,
}

impl Findings {
    /// Adds others.
    pub fn extend(&mut self, others: Self) {
        self.alerts.extend(others.alerts);
        self.signals.extend(others.signals);
    }
}

impl Evaluation<'_> {
    /// What is found in a row group; reads only rows that a rule matched.
    ///
    /// # Errors
    /// [`DetectError::Evaluate`] if the file cannot be read.
    pub fn row_group(&self, mut group: RowGroup) -> Result<Findings, DetectError> {
        // Every row of these is looked at.
        if matches!(self.table, Table::GraphAlerts | Table::Revisions) {
            let first_row = group.first_row();
            let batch = group
                .read(None)
                .map_err(|cause| DetectError::evaluate(self.table, cause))?;
            let places: Vec<u64> = (first_row..).take(batch.num_rows()).collect();
            return self.rows(&batch, &places);
        }
        let mut findings = Findings::default();
        if let Some(plan) = self.rules.plan(self.table)
            && let Some(found) = self.hits(plan, &mut group)?
        {
            findings.extend(self.findings(&found.batch, &found.places, &found.hits));
        }
        for (told, plan) in self.rules.retold(self.table) {
            if let Some(found) = self.hits(plan, &mut group)? {
                findings.extend(self.retold(told, &found.batch, &found.places, &found.hits)?);
            }
        }
        Ok(findings)
    }

    /// The rows of a row group that a plan's rules match, read; none if there are none.
    fn hits(&self, plan: &Plan, group: &mut RowGroup) -> Result<Option<Matched>, DetectError> {
        let failed = |cause| DetectError::evaluate(self.table, cause);
        let mut hits = plan
            .evaluate(&mut OfTenant::new(group, &self.origin.tenant_id))
            .map_err(failed)?;
        if hits.is_empty() {
            return Ok(None);
        }
        let wanted = union(&hits, group.rows());
        let batch = group.read(Some(&wanted)).map_err(failed)?;
        let rows: Vec<usize> = wanted.set_indices().collect();
        for hit in &mut hits {
            for row in &mut hit.rows {
                *row = rows.partition_point(|earlier| earlier < row);
            }
        }
        let first_row = group.first_row();
        let places = rows.iter().map(|row| first_row + *row as u64).collect();
        Ok(Some(Matched {
            batch,
            places,
            hits,
        }))
    }

    /// What is found in a batch in memory.
    ///
    /// # Errors
    /// [`DetectError::Evaluate`] if the batch is not of the table's schema.
    pub fn batch(&self, batch: &RecordBatch) -> Result<Findings, DetectError> {
        let places: Vec<u64> = (0..batch.num_rows() as u64).collect();
        self.rows(batch, &places)
    }

    /// `places[n]` is where row `n` of the batch stands in its file.
    fn rows(&self, batch: &RecordBatch, places: &[u64]) -> Result<Findings, DetectError> {
        if self.table == Table::Revisions {
            return self.revisions(batch, places);
        }
        let mut findings = Findings::default();
        if self.table == Table::GraphAlerts {
            let alerts = places.iter().enumerate().flat_map(|(row, place)| {
                graph_alert::of_row(batch, row, *place, self.origin, self.now_us)
            });
            findings.alerts.extend(alerts);
        }
        let evaluate = |plan: &Plan| {
            plan.evaluate(&mut OfTenant::new(
                &mut Batch(batch),
                &self.origin.tenant_id,
            ))
            .map_err(|cause| DetectError::evaluate(self.table, cause.into()))
        };
        if let Some(plan) = self.rules.plan(self.table) {
            findings.extend(self.findings(batch, places, &evaluate(plan)?));
        }
        for (told, plan) in self.rules.retold(self.table) {
            findings.extend(self.retold(told, batch, places, &evaluate(plan)?)?);
        }
        Ok(findings)
    }

    fn findings(&self, batch: &RecordBatch, places: &[u64], hits: &[Hits]) -> Findings {
        let mut findings = Findings::default();
        for hit in hits {
            let rule = &self.rules.rules()[hit.rule];
            let counted = self.rules.counted(hit.rule);
            for row in &hit.rows {
                let subject = subject::of_row(self.table, batch, *row);
                let place = places[*row];
                if let Some(counted) = counted {
                    let signal = self.signal(counted, batch, *row, place, &subject);
                    findings.signals.extend(signal);
                }
                if self.rules.alerts(hit.rule) {
                    let alert = alert::of_match(rule, &subject, self.origin, place, self.now_us);
                    findings.alerts.push(alert);
                }
            }
        }
        findings
    }

    fn signal(
        &self,
        counted: &Counted,
        batch: &RecordBatch,
        row: usize,
        place: u64,
        subject: &alert::Subject,
    ) -> Option<Signal> {
        let evidence = Evidence {
            table: self.origin.table.as_str().into(),
            event_id: Arc::default(),
            file: self.origin.file.as_str().into(),
            row: place,
            version: self.origin.version,
        };
        let subject = Subject {
            user: subject.user.as_str().into(),
            user_id: subject.user_id.as_str().into(),
            ip: subject.ip.as_str().into(),
            session_id: subject.session_id.as_str().into(),
        };
        let tenant_id = self.origin.tenant_id.as_str().into();
        matched::signal(counted, batch, row, &tenant_id, subject, evidence)
    }

    /// New content of known events: evaluated as what it is new content of.
    fn revisions(&self, batch: &RecordBatch, places: &[u64]) -> Result<Findings, DetectError> {
        let mut by_table: BTreeMap<Table, (Vec<Event>, Vec<u64>)> = BTreeMap::new();
        for (row, place) in places.iter().enumerate() {
            let Some(table) = fields::text(batch, "event_table", row)
                .and_then(|name| Table::of_name(&name))
                .filter(|table| table.is_events())
            else {
                continue;
            };
            let (events, places) = by_table.entry(table).or_default();
            events.push(event(batch, row));
            places.push(*place);
        }
        let mut findings = Findings::default();
        for (table, (events, places)) in by_table {
            let rows = columns::event_batch(table, &events)
                .map_err(|cause| DetectError::evaluate(self.table, cause.into()))?;
            let evaluation = Evaluation { table, ..*self };
            findings.extend(evaluation.rows(&rows, &places)?);
        }
        Ok(findings)
    }
}

/// Rows that rules matched.
struct Matched {
    batch: RecordBatch,
    /// Where each row of the batch stands in its file.
    places: Vec<u64>,
    hits: Vec<Hits>,
}

/// The rows that any rule matched, of so many.
fn union(hits: &[Hits], rows: usize) -> BooleanBuffer {
    let mut union = BooleanBufferBuilder::new(rows);
    union.append_n(rows, false);
    for row in hits.iter().flat_map(|hit| &hit.rows) {
        union.set_bit(*row, true);
    }
    union.finish()
}

/// The event in a row; of a revision, what it is new content of.
pub fn event(batch: &RecordBatch, row: usize) -> Event {
    let text = |name: &str| fields::text(batch, name, row);
    Event {
        event_id: text("event_id").unwrap_or_default(),
        // Of rows that a query gave; those of a file do not say whose they are.
        tenant_id: text(TENANT_ID).unwrap_or_default(),
        event_time_us: fields::time(batch, "event_time", row),
        ingest_time_us: fields::time(batch, "ingest_time", row).unwrap_or(0),
        source: text("source").unwrap_or_default(),
        category: text("category").unwrap_or_default(),
        raw: text("raw").unwrap_or_default().into(),
        provenance: fields::provenance(batch, row).to_string(),
        ..Event::default()
    }
}
