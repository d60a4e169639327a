//! The compiled rules that are asked of the rows of one table.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use datafusion::common::Result;
use datafusion::error::DataFusionError;
use schemas::tables::Table;
use schemas::wire::Event;
use sigma::plan::chunk::of_tenant::OfTenant;
use sigma::plan::chunk::{Batch, Chunk};
use sigma::plan::fields;
use sigma::{Hits, Plan, Ruleset};

use super::hits::{hit_schema, table_columns};
use super::meter::{Meter, Metered};
use super::unit::ScanRows;
use crate::stored_event::event;

/// The compiled rules that are asked of the rows of one table: those about it, those about tables whose acts it tells
/// too, and of new content of known events those about the tables that they stand in.
#[derive(Debug, Clone)]
pub struct RulePlans {
    table: Table,
    /// What the rows of each table are asked.
    plans: BTreeMap<Table, Vec<Arc<Plan>>>,
    /// True if every row comes out once without a rule, for what it says itself.
    has_every_row: bool,
}

impl RulePlans {
    /// The rules of a set that the rows of `table` are asked; of Microsoft's alerts every row comes out besides.
    pub fn of(rules: &Ruleset, table: Table) -> Self {
        let asked = match table {
            Table::Revisions => Table::EVENTS,
            _ => std::slice::from_ref(&table),
        };
        let plans_of = |table: &Table| {
            let retold = rules.retold(*table).map(|(_, plan)| plan);
            let plans: Vec<_> = rules
                .plan(*table)
                .into_iter()
                .chain(retold)
                .cloned()
                .collect();
            (!plans.is_empty()).then_some((*table, plans))
        };
        Self {
            table,
            plans: asked.iter().filter_map(plans_of).collect(),
            has_every_row: table == Table::GraphAlerts,
        }
    }

    /// One plan over the rows of `table`.
    pub fn one(table: Table, plan: Arc<Plan>) -> Self {
        Self {
            table,
            plans: BTreeMap::from([(table, vec![plan])]),
            has_every_row: false,
        }
    }

    /// The table of the rows.
    pub fn table(&self) -> Table {
        self.table
    }

    /// Number of rules, each once for every table whose rows it is asked of.
    pub fn rules(&self) -> usize {
        self.plans.values().flatten().map(|plan| plan.rules()).sum()
    }

    pub(super) fn has_every_row(&self) -> bool {
        self.has_every_row
    }

    /// The rows that each rule matches.
    pub(super) fn ask(
        &self,
        rows: &ScanRows,
        tenant_id: &str,
        meter: &Meter,
        batch_rows: usize,
    ) -> Result<Vec<Hits>> {
        match rows {
            _ if self.plans.is_empty() => Ok(Vec::new()),
            _ if self.table == Table::Revisions => {
                self.ask_revisions(rows, tenant_id, meter, batch_rows)
            }
            ScanRows::RowGroup(group) => {
                self.ask_chunk(self.table, &mut group.clone(), tenant_id, meter)
            }
            ScanRows::Batch(batch) => self.ask_batch(batch, tenant_id, meter),
            ScanRows::File { .. } => Ok(Vec::new()),
        }
    }

    /// The rows in memory that each rule matches.
    pub(super) fn ask_batch(
        &self,
        batch: &RecordBatch,
        tenant_id: &str,
        meter: &Meter,
    ) -> Result<Vec<Hits>> {
        if self.table == Table::Revisions {
            return self.ask_revised(batch, 0, tenant_id, meter);
        }
        self.ask_chunk(self.table, &mut Batch(batch), tenant_id, meter)
    }

    fn ask_chunk<C: Chunk>(
        &self,
        table: Table,
        chunk: &mut C,
        tenant_id: &str,
        meter: &Meter,
    ) -> Result<Vec<Hits>>
    where
        DataFusionError: From<C::Error>,
    {
        let mut all = Vec::new();
        for plan in self.plans.get(&table).into_iter().flatten() {
            let kept = meter.kept();
            let mut metered = Metered { chunk, meter };
            let found = plan.evaluate(&mut OfTenant::new(&mut metered, tenant_id));
            meter.release_to(kept);
            all.extend(found?);
        }
        Ok(all)
    }

    /// New content of known events, some rows at a time.
    fn ask_revisions(
        &self,
        rows: &ScanRows,
        tenant_id: &str,
        meter: &Meter,
        batch_rows: usize,
    ) -> Result<Vec<Hits>> {
        let schema = hit_schema(self.table);
        let columns: Vec<&str> = table_columns(self.table)
            .map(|place| schema.field(place).name().as_str())
            .collect();
        let (mut all, mut before) = (Vec::new(), 0);
        for batch in rows.batches(&columns, None, batch_rows)? {
            let (batch, kept) = (batch?, meter.kept());
            meter.keep(batch.get_array_memory_size())?;
            all.extend(self.ask_revised(&batch, before, tenant_id, meter)?);
            meter.release_to(kept);
            before += batch.num_rows();
        }
        Ok(all)
    }

    /// New content of known events: asked as what it is new content of. There are so many rows before these.
    fn ask_revised(
        &self,
        batch: &RecordBatch,
        before: usize,
        tenant_id: &str,
        meter: &Meter,
    ) -> Result<Vec<Hits>> {
        let mut by_table: BTreeMap<Table, (Vec<Event>, Vec<usize>)> = BTreeMap::new();
        for row in 0..batch.num_rows() {
            if let Some(table) = revised(batch, row).filter(|table| self.plans.contains_key(table))
            {
                let (events, rows) = by_table.entry(table).or_default();
                events.push(event(batch, row));
                rows.push(before + row);
            }
        }
        let mut all = Vec::new();
        for (table, (events, rows)) in by_table {
            let made = columns::event_batch(table, &events)?;
            for mut hits in self.ask_chunk(table, &mut Batch(&made), tenant_id, meter)? {
                for row in &mut hits.rows {
                    *row = rows[*row];
                }
                all.push(hits);
            }
        }
        Ok(all)
    }
}

/// The table of the event that a row is new content of.
pub(crate) fn revised(batch: &RecordBatch, row: usize) -> Option<Table> {
    fields::text(batch, "event_table", row)
        .and_then(|name| Table::of_name(&name))
        .filter(|table| table.is_events())
}
