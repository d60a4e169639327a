//! One partition: a unit after another, its hits a batch at a time; what cannot be evaluated costs itself alone.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use arrow::record_batch::RecordBatch;
use datafusion::common::Result;
use datafusion::error::DataFusionError;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet};
use schemas::tables::Table;
use schemas::wire::Event;
use sigma::Hits;

use super::careful::halve;
use super::faults::{Faults, LeftOut};
use super::hits::HitColumns;
use super::meter::Meter;
use super::plans::RulePlans;
use super::reading::Reading;
use super::unit::{ScanRows, ScanUnit};
use crate::stored_event::event;

/// What every partition is asked.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) plans: Arc<RulePlans>,
    pub(super) columns: Arc<HitColumns>,
    pub(super) faults: Arc<Faults>,
}

/// What is left of a partition.
pub(super) struct PartitionScan {
    asked: Asked,
    units: VecDeque<ScanUnit>,
    reading: Option<Reading>,
    batch_rows: usize,
    meter: Meter,
    baseline: BaselineMetrics,
}

impl PartitionScan {
    pub(super) fn new(
        asked: Asked,
        units: Vec<ScanUnit>,
        (metrics, partition): (&ExecutionPlanMetricsSet, usize),
        context: &TaskContext,
    ) -> Self {
        Self {
            asked,
            units: units.into(),
            reading: None,
            batch_rows: context.session_config().batch_size().max(1),
            meter: Meter::new(metrics, partition, context),
            baseline: BaselineMetrics::new(metrics, partition),
        }
    }

    /// Set when nobody waits any more.
    pub(super) fn stop(&self) -> &Arc<AtomicBool> {
        self.meter.stop()
    }

    /// The next hits; none if there are no more.
    pub(super) fn next(&mut self) -> Option<Result<RecordBatch>> {
        let time = self.baseline.elapsed_compute().clone();
        let _timer = time.timer();
        let next = self.advance().transpose();
        match &next {
            Some(Ok(batch)) => self.baseline.record_output(batch.num_rows()),
            _ => self.baseline.done(),
        }
        next
    }

    fn advance(&mut self) -> Result<Option<RecordBatch>> {
        while !self.meter.is_stopped() {
            if let Some(mut reading) = self.reading.take() {
                let (columns, meter) = (&self.asked.columns, &self.meter);
                match caught(|| reading.next(columns, self.batch_rows, meter)) {
                    Ok(Some(batch)) => {
                        self.reading = Some(reading);
                        return Ok(Some(batch));
                    }
                    Ok(None) => {}
                    Err(cause) => self.leave_out(&reading.unit, cause)?,
                }
            } else if let Some(unit) = self.units.pop_front() {
                self.begin(unit)?;
            } else {
                return Ok(None);
            }
        }
        Ok(None)
    }

    /// Evaluates a unit; of a file, makes its row groups the next units.
    fn begin(&mut self, unit: ScanUnit) -> Result<()> {
        if matches!(unit.rows, ScanRows::File { .. }) {
            for unit in unit.opened(self.asked.plans.table())?.into_iter().rev() {
                self.units.push_front(unit);
            }
            return Ok(());
        }
        self.meter.row_groups.add(1);
        self.meter.rows.add(unit.rows.count());
        match self.evaluate(&unit) {
            Ok(reading) => self.reading = reading,
            Err(cause) => self.leave_out(&unit, cause)?,
        }
        Ok(())
    }

    fn evaluate(&self, unit: &ScanUnit) -> Result<Option<Reading>> {
        let tenant_id = &unit.file.tenant_id;
        let ask = || {
            self.asked
                .plans
                .ask(&unit.rows, tenant_id, &self.meter, self.batch_rows)
        };
        let hits = match catch_unwind(AssertUnwindSafe(ask)) {
            Ok(hits) => hits?,
            Err(_) => caught(|| self.one_by_one(unit))?,
        };
        caught(|| {
            let has_every_row = self.asked.plans.has_every_row();
            Reading::begin(
                unit,
                hits,
                has_every_row,
                &self.asked.columns,
                self.batch_rows,
            )
        })
    }

    /// The hits of a unit at one of whose rows, at least, a rule panics.
    fn one_by_one(&self, unit: &ScanUnit) -> Result<Vec<Hits>> {
        self.meter.release_to(0);
        let batch = unit.rows.read()?;
        self.meter.keep(batch.get_array_memory_size())?;
        let mut by_rule: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        let panicked = halve(0..batch.num_rows(), |rows| {
            let start = rows.start;
            for hits in self.some(&batch, rows, &unit.file.tenant_id)? {
                let rows = hits.rows.iter().map(|row| start + row);
                by_rule.entry(hits.rule).or_default().extend(rows);
            }
            Ok::<(), DataFusionError>(())
        })?;
        self.meter.release_to(0);
        let first_row = unit.rows.first_row();
        for row in panicked {
            self.meter.rows_left_out.add(1);
            self.asked.faults.note(LeftOut::Row {
                file: unit.file.path.clone(),
                row: first_row + row as u64,
            })?;
        }
        let by_rule = by_rule.into_iter();
        Ok(by_rule.map(|(rule, rows)| Hits { rule, rows }).collect())
    }

    /// The hits in some rows, made anew: a slice still has the dictionaries of all rows, and rules look at those.
    fn some(&self, batch: &RecordBatch, rows: Range<usize>, tenant_id: &str) -> Result<Vec<Hits>> {
        let table = self.asked.plans.table();
        let made = if table == Table::Revisions {
            batch.slice(rows.start, rows.len())
        } else {
            let events: Vec<Event> = rows.map(|row| event(batch, row)).collect();
            columns::event_batch(table, &events)?
        };
        self.asked.plans.ask_batch(&made, tenant_id, &self.meter)
    }

    /// Leaves out what could not be evaluated; too little memory is no fault of the rows.
    fn leave_out(&mut self, unit: &ScanUnit, cause: DataFusionError) -> Result<()> {
        self.meter.release_to(0);
        if self.meter.is_stopped() {
            return Ok(());
        }
        if matches!(cause.find_root(), DataFusionError::ResourcesExhausted(_)) {
            self.units.clear();
            return Err(cause);
        }
        self.meter.row_groups_left_out.add(1);
        let noted = self.asked.faults.note(LeftOut::RowGroup {
            file: unit.file.path.clone(),
            at: unit.rows.at(),
            rows: unit.rows.count() as u64,
            cause,
        });
        if noted.is_err() {
            self.units.clear();
        }
        noted
    }
}

/// What is done with rows; a reader that panics at damaged bytes is an error.
fn caught<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let said = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("a panic");
        Err(DataFusionError::Execution(format!(
            "reading went beyond what its code can hold ({said})"
        )))
    })
}
