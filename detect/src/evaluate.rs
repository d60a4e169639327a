//! The rules of every table, compiled, and what they find in a batch.
//!
//! Pure: no clock, no file, no bus; the same rules and batch give the same alerts always.

use std::collections::BTreeMap;

use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::Expr;
use schemas::arrow::file_schema;
use schemas::tables::Table;
use schemas::wire::{Alert, Event};

use crate::alert::{self, Origin};
use crate::compile::Plan;
use crate::error::DetectError;
use crate::graph_alert;
use crate::mapping::Mapping;
use crate::rule::{Catalogue, Rule};
use crate::subject;

/// Rules, compiled once for each table that they are about.
#[derive(Debug)]
pub struct Ruleset {
    rules: Vec<Rule>,
    plans: BTreeMap<Table, Plan>,
}

impl Ruleset {
    /// Compiles the loaded rules of a catalogue; one that cannot be compiled moves to the rejected ones.
    pub fn compile(catalogue: &mut Catalogue) -> Self {
        let mut rules = Vec::new();
        let mut plans: BTreeMap<Table, Plan> = BTreeMap::new();
        for rule in catalogue.loaded.clone() {
            let plan = plans
                .entry(rule.table)
                .or_insert_with(|| Plan::new(Mapping::Lake(rule.table), file_schema(rule.table)));
            match plan.add(rules.len(), &rule.sigma) {
                Ok(()) => rules.push(rule),
                Err(reason) => catalogue.refuse(&rule, reason),
            }
        }
        Self { rules, plans }
    }

    /// The rules, in the order of their numbers.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The condition of the rule with this id as an expression over its table's columns, for SQL.
    pub fn expression(&self, id: &str) -> Option<(Table, Expr)> {
        let number = self.rules.iter().position(|rule| rule.id == id)?;
        let table = self.rules[number].table;
        Some((table, self.plans.get(&table)?.expression(number)?))
    }

    /// The tables whose batches can raise an alert.
    pub fn tables(&self) -> Vec<Table> {
        let mut tables: Vec<Table> = self.plans.keys().copied().collect();
        for always in [Table::GraphAlerts, Table::Revisions] {
            if !tables.contains(&always) {
                tables.push(always);
            }
        }
        tables
    }

    /// The alerts of a batch of `table`, in the order of rules and rows.
    ///
    /// Shape: the rows of a file from row `origin.first_row` on, in the order of the file.
    ///
    /// # Errors
    /// [`DetectError::Evaluate`] if the batch is not of the table's schema.
    pub fn evaluate(
        &self,
        table: Table,
        batch: &RecordBatch,
        origin: &Origin,
        now_us: i64,
    ) -> Result<Vec<Alert>, DetectError> {
        let failed = |cause: DataFusionError| DetectError::Evaluate {
            table: table.name(),
            cause: Box::new(cause),
        };
        if table == Table::Revisions {
            return self
                .evaluate_revisions(batch, origin, now_us)
                .map_err(failed);
        }
        let rows: Vec<u64> = (0..batch.num_rows() as u64).collect();
        self.evaluate_rows(table, batch, &rows, origin, now_us)
            .map_err(failed)
    }

    /// `rows[n]` is the row in the file's batch that row `n` of `batch` stands for.
    fn evaluate_rows(
        &self,
        table: Table,
        batch: &RecordBatch,
        rows: &[u64],
        origin: &Origin,
        now_us: i64,
    ) -> Result<Vec<Alert>, DataFusionError> {
        let mut alerts = Vec::new();
        if table == Table::GraphAlerts {
            for (row, place) in rows.iter().enumerate() {
                let origin = Origin {
                    first_row: origin.first_row + place - row as u64,
                    ..origin.clone()
                };
                alerts.extend(graph_alert::of_row(batch, row, &origin, now_us));
            }
        }
        let Some(plan) = self.plans.get(&table) else {
            return Ok(alerts);
        };
        for hits in plan.evaluate(batch)? {
            let rule = &self.rules[hits.rule];
            alerts.extend(hits.rows.into_iter().map(|row| {
                let subject = subject::of_row(table, batch, row);
                alert::of_match(rule, &subject, origin, rows[row], now_us)
            }));
        }
        Ok(alerts)
    }

    /// New content of known events: evaluated as what it is new content of.
    fn evaluate_revisions(
        &self,
        batch: &RecordBatch,
        origin: &Origin,
        now_us: i64,
    ) -> Result<Vec<Alert>, DataFusionError> {
        let mut by_table: BTreeMap<Table, (Vec<Event>, Vec<u64>)> = BTreeMap::new();
        for row in 0..batch.num_rows() {
            let Some(table) = subject::text(batch, "event_table", row)
                .and_then(|name| Table::of_name(&name))
                .filter(|table| table.is_events())
            else {
                continue;
            };
            let (events, places) = by_table.entry(table).or_default();
            events.push(event(batch, row));
            places.push(row as u64);
        }
        let mut alerts = Vec::new();
        for (table, (events, places)) in by_table {
            let rows = lake::event_batch(table, &events)
                .map_err(|cause: ArrowError| DataFusionError::from(cause))?;
            alerts.extend(self.evaluate_rows(table, &rows, &places, origin, now_us)?);
        }
        Ok(alerts)
    }
}

/// The event that a revision is new content of.
fn event(batch: &RecordBatch, row: usize) -> Event {
    let text = |name: &str| subject::text(batch, name, row);
    Event {
        event_id: text("event_id").unwrap_or_default(),
        event_time_us: subject::time(batch, "event_time", row),
        ingest_time_us: subject::time(batch, "ingest_time", row).unwrap_or(0),
        source: text("source").unwrap_or_default(),
        category: text("category").unwrap_or_default(),
        raw: text("raw").unwrap_or_default().into(),
        ..Event::default()
    }
}
