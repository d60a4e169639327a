//! What an evaluation reads: counted, its memory reserved, and ended when nobody waits for it any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::{Array, ArrayRef};
use arrow::buffer::BooleanBuffer;
use arrow::error::ArrowError;
use datafusion::common::Result;
use datafusion::error::DataFusionError;
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::physical_plan::metrics::{Count, ExecutionPlanMetricsSet, MetricBuilder};
use sigma::plan::chunk::{Chunk, Distinct, Take};

/// Counts and memory of a partition.
pub(super) struct Meter {
    reservation: MemoryReservation,
    stop: Arc<AtomicBool>,
    pub(super) rows: Count,
    pub(super) row_groups: Count,
    pub(super) hits: Count,
    pub(super) row_groups_left_out: Count,
    pub(super) rows_left_out: Count,
    values_tested: Count,
    bytes_decoded: Count,
}

impl Meter {
    pub(super) fn new(
        metrics: &ExecutionPlanMetricsSet,
        partition: usize,
        context: &TaskContext,
    ) -> Self {
        let count = |name: &'static str| MetricBuilder::new(metrics).counter(name, partition);
        Self {
            reservation: MemoryConsumer::new(format!("RuleScanExec[{partition}]"))
                .register(context.memory_pool()),
            stop: Arc::default(),
            rows: count("rows_scanned"),
            row_groups: count("row_groups"),
            hits: count("hits"),
            row_groups_left_out: count("row_groups_left_out"),
            rows_left_out: count("rows_left_out"),
            values_tested: count("values_tested"),
            bytes_decoded: count("bytes_decoded"),
        }
    }

    /// Set when nobody waits any more.
    pub(super) fn stop(&self) -> &Arc<AtomicBool> {
        &self.stop
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Counts bytes that were decoded, which are kept until [`Self::release_to`] gives them back.
    pub(super) fn keep(&self, bytes: usize) -> Result<()> {
        self.bytes_decoded.add(bytes);
        self.reserve(bytes)
    }

    /// Counts bytes that were decoded, which are let go before more are.
    fn pass(&self, bytes: usize) -> Result<()> {
        self.bytes_decoded.add(bytes);
        self.hand_over(bytes)
    }

    /// Makes sure that there is memory for what is given to others now, who reserve it for themselves.
    pub(super) fn hand_over(&self, bytes: usize) -> Result<()> {
        self.reserve(bytes)?;
        self.reservation.shrink(bytes);
        Ok(())
    }

    fn reserve(&self, bytes: usize) -> Result<()> {
        self.reservation.try_grow(bytes).map_err(|cause| {
            cause.context(
                "rules need more memory for a row group than the session leaves them: allow it more, or fewer partitions \
                 at once",
            )
        })
    }

    /// Bytes that are kept.
    pub(super) fn kept(&self) -> usize {
        self.reservation.size()
    }

    /// Gives back what was kept beyond so many bytes.
    pub(super) fn release_to(&self, bytes: usize) {
        let kept = self.reservation.size();
        self.reservation.shrink(kept.saturating_sub(bytes));
    }

    fn go_on(&self) -> Result<()> {
        if self.is_stopped() {
            return Err(DataFusionError::Execution(
                "nobody waits for the hits any more".to_owned(),
            ));
        }
        Ok(())
    }
}

/// A chunk whose reading is metered.
pub(super) struct Metered<'a, C> {
    pub(super) chunk: &'a mut C,
    pub(super) meter: &'a Meter,
}

impl<C: Chunk> Chunk for Metered<'_, C>
where
    DataFusionError: From<C::Error>,
{
    type Error = DataFusionError;

    fn rows(&self) -> usize {
        self.chunk.rows()
    }

    fn distinct(&mut self, column: &str) -> Result<Option<Distinct>> {
        self.meter.go_on()?;
        let distinct = self.chunk.distinct(column)?;
        if let Some(distinct) = &distinct {
            self.meter.values_tested.add(distinct.values.len());
            // All of them are there until the last rule was asked.
            self.meter.keep(distinct.values.get_array_memory_size())?;
        }
        Ok(distinct)
    }

    fn column(&mut self, column: &str) -> Result<ArrayRef> {
        self.meter.go_on()?;
        let array = self.chunk.column(column)?;
        self.meter.pass(array.get_array_memory_size())?;
        Ok(array)
    }

    fn visit(
        &mut self,
        columns: &[&str],
        rows: Option<&BooleanBuffer>,
        take: &mut Take<'_, DataFusionError>,
    ) -> Result<()> {
        self.meter.go_on()?;
        let meter = self.meter;
        let mut failed = None;
        let visited = self.chunk.visit(columns, rows, &mut |arrays| {
            let bytes = arrays.iter().map(Array::get_array_memory_size);
            meter.values_tested.add(arrays.iter().map(Array::len).sum());
            let taken = meter
                .go_on()
                .and_then(|()| meter.pass(bytes.sum()))
                .and_then(|()| take(arrays));
            taken.map_err(|error| {
                failed = Some(error);
                ArrowError::ComputeError("not taken".to_owned()).into()
            })
        });
        match failed {
            Some(error) => Err(error),
            None => Ok(visited?),
        }
    }
}
