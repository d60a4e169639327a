//! Rules as an operator of DataFusion: rows of files in, hits out. Nothing else evaluates rules over what is stored.
//!
//! ```text
//! row group ─▶ distinct values ─▶ compiled plan ─▶ hits ─▶ their rows, the columns that are asked ─▶ record batches
//!    a partition has some of them, one in memory at a time; a batch is made when it is asked for, and none ahead
//! ```
//! The stream, backtests and reproductions build it directly, so that a batch costs no planning of SQL; `matches()` is a
//! table over it. It computes on the thread that polls or beside it, see [`ComputeThread`]; dropping its stream ends it
//! at the next column.

mod careful;
mod faults;
mod hits;
mod meter;
mod partition;
mod plans;
mod reading;
mod stream;
mod unit;

use std::fmt;
use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType, SchedulingType};
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties,
};

pub(crate) use self::careful::halve;
use self::faults::Faults;
pub use self::faults::LeftOut;
use self::hits::HitColumns;
pub(crate) use self::hits::table_columns;
pub use self::hits::{ROW, RULE, hit_schema};
use self::partition::{Asked, PartitionScan};
pub use self::plans::RulePlans;
pub(crate) use self::plans::revised;
pub use self::stream::ComputeThread;
use self::stream::HitStream;
pub use self::unit::{ScanFile, ScanUnit};

/// Evaluates compiled rules over row groups and batches in memory; a leaf.
///
/// Shape: columns of [`hit_schema`], a row for each hit: by row group, and in it by rule and row for so many rows at a
/// time as a batch of the session has. No order is promised, and how many hits there are is not known before.
#[derive(Debug)]
pub struct RuleScanExec {
    asked: Asked,
    partitions: Vec<Vec<ScanUnit>>,
    thread: ComputeThread,
    metrics: ExecutionPlanMetricsSet,
    properties: Arc<PlanProperties>,
}

impl RuleScanExec {
    /// Rules over the rows of some partitions; `projection` are places of columns of [`hit_schema`].
    ///
    /// A row group that cannot be read and a row at which a rule panics are errors, unless [`Self::leaving_out`].
    ///
    /// # Errors
    /// If a place is outside the schema.
    pub fn new(
        plans: RulePlans,
        mut partitions: Vec<Vec<ScanUnit>>,
        projection: &[usize],
    ) -> Result<Self> {
        let columns = HitColumns::new(plans.table(), projection)?;
        // A scan of no partitions cannot be sorted or joined.
        if partitions.is_empty() {
            partitions.push(Vec::new());
        }
        Ok(Self {
            properties: properties(&columns, partitions.len()),
            asked: Asked {
                plans: Arc::new(plans),
                columns: Arc::new(columns),
                faults: Arc::default(),
            },
            partitions,
            thread: ComputeThread::Blocking,
            metrics: ExecutionPlanMetricsSet::new(),
        })
    }

    /// The same, which leaves out what cannot be evaluated and tells it by [`Self::left_out`].
    #[must_use]
    pub fn leaving_out(mut self) -> Self {
        self.asked.faults = Arc::new(Faults::leaving_out());
        self
    }

    /// The same, computing on a thread of choice.
    #[must_use]
    pub fn on_thread(self, thread: ComputeThread) -> Self {
        Self { thread, ..self }
    }

    /// What was left out since it was last asked.
    pub fn left_out(&self) -> Vec<LeftOut> {
        self.asked.faults.take()
    }

    /// Notes a row that could not be evaluated, which is an error where nothing may be left out.
    pub(crate) fn fault(&self, fault: LeftOut) -> Result<()> {
        self.asked.faults.note(fault)
    }

    fn with_partitions(&self, partitions: Vec<Vec<ScanUnit>>) -> Self {
        Self {
            asked: self.asked.clone(),
            properties: properties(&self.asked.columns, partitions.len()),
            partitions,
            thread: self.thread,
            metrics: ExecutionPlanMetricsSet::new(),
        }
    }
}

/// Hits come as they are found, in no order that anybody is promised.
fn properties(columns: &HitColumns, partitions: usize) -> Arc<PlanProperties> {
    let properties = PlanProperties::new(
        EquivalenceProperties::new(Arc::clone(columns.schema())),
        Partitioning::UnknownPartitioning(partitions),
        EmissionType::Incremental,
        Boundedness::Bounded,
    );
    // Its stream waits for another thread between batches, and so gives way.
    Arc::new(properties.with_scheduling_type(SchedulingType::Cooperative))
}

/// Units in at most so many groups of about the same size.
pub(crate) fn balanced(mut units: Vec<ScanUnit>, partitions: usize) -> Vec<Vec<ScanUnit>> {
    units.sort_by_key(|unit| std::cmp::Reverse(unit.bytes()));
    let mut groups: Vec<(u64, Vec<ScanUnit>)> = Vec::new();
    groups.resize_with(partitions.clamp(1, units.len().max(1)), Default::default);
    for unit in units {
        if let Some((bytes, group)) = groups.iter_mut().min_by_key(|(bytes, _)| *bytes) {
            *bytes += unit.bytes().max(1);
            group.push(unit);
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

impl DisplayAs for RuleScanExec {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units: usize = self.partitions.iter().map(Vec::len).sum();
        let (table, rules) = (self.asked.plans.table(), self.asked.plans.rules());
        match format {
            DisplayFormatType::TreeRender => {
                writeln!(f, "table={table}\nrules={rules}\nunits={units}")
            }
            DisplayFormatType::Default | DisplayFormatType::Verbose => {
                let columns: Vec<&str> = self
                    .asked
                    .columns
                    .schema()
                    .fields()
                    .iter()
                    .map(|field| field.name().as_str())
                    .collect();
                let columns = columns.join(", ");
                write!(
                    f,
                    "RuleScanExec: table={table}, rules={rules}, units={units}, columns=[{columns}]"
                )
            }
        }
    }
}

impl ExecutionPlan for RuleScanExec {
    fn name(&self) -> &'static str {
        "RuleScanExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if children.is_empty() {
            return Ok(self);
        }
        internal_err!(
            "RuleScanExec is a leaf and was given {} children",
            children.len()
        )
    }

    /// Moves whole units between partitions; a unit that is a file is not divided.
    fn repartitioned(
        &self,
        target_partitions: usize,
        _config: &ConfigOptions,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let units: Vec<ScanUnit> = self.partitions.iter().flatten().cloned().collect();
        let partitions = balanced(units, target_partitions);
        if partitions.len() == self.partitions.len() {
            return Ok(None);
        }
        Ok(Some(Arc::new(self.with_partitions(partitions))))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let Some(units) = self.partitions.get(partition) else {
            let count = self.partitions.len();
            return internal_err!(
                "RuleScanExec has {count} partitions, and no partition {partition}"
            );
        };
        let scan = PartitionScan::new(
            self.asked.clone(),
            units.clone(),
            (&self.metrics, partition),
            &context,
        );
        let schema = Arc::clone(self.asked.columns.schema());
        Ok(Box::pin(HitStream::new(scan, schema, self.thread)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}
