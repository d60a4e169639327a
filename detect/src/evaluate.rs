//! What the hits of rules mean: alerts, and signals that correlations count.
//!
//! Pure: the same rules and rows give the same alerts always. Rules are evaluated by [`RuleScanExec`] and nothing else.

mod retold;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array as _, AsArray as _};
use arrow::datatypes::{UInt32Type, UInt64Type};
use arrow::record_batch::RecordBatch;
use datafusion::error::DataFusionError;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::ExecutionPlan as _;
use futures::StreamExt as _;
use futures::executor::block_on;
use schemas::tables::Table;
use schemas::wire::Alert;
use sigma::Ruleset;
use sigma::correlation::matched::Counted;
use sigma::correlation::{Evidence, Signal, Subject, matched};
use sigma::plan::chunk::row_group::RowGroup;

pub(crate) use self::retold::told_id;
use crate::alert::{self, Origin};
use crate::error::DetectError;
use crate::graph_alert;
use crate::rule_scan::{
    ComputeThread, LeftOut, ROW, RULE, RulePlans, RuleScanExec, ScanFile, ScanUnit, halve,
    table_columns,
};
pub use crate::stored_event::event;
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

/// A hit: a rule, where the row that it matched stands in its file, and where in a batch.
#[derive(Clone, Copy)]
struct Hit {
    rule: usize,
    place: u64,
    row: usize,
}

impl Evaluation<'_> {
    /// What is found in a batch in memory.
    ///
    /// # Errors
    /// [`DetectError::Evaluate`] if the batch is not of the table's schema.
    pub fn batch(&self, batch: &RecordBatch) -> Result<Findings, DetectError> {
        let unit = ScanUnit::batch(self.file(), batch.clone());
        self.run(&self.scan(vec![unit])?, &Arc::default())
    }

    /// What is found in a row group of the file; an error if any of it cannot be evaluated.
    pub(crate) fn row_group(
        &self,
        group: RowGroup,
        context: &Arc<TaskContext>,
    ) -> Result<Findings, DetectError> {
        let unit = ScanUnit::row_group(self.file(), group);
        self.run(&self.scan(vec![unit])?, context)
    }

    /// The file of the rows, to the operator.
    pub(crate) fn file(&self) -> ScanFile {
        ScanFile {
            path: self.origin.file.clone(),
            tenant_id: self.origin.tenant_id.clone(),
            // No alert says it.
            day: None,
        }
    }

    /// The operator over rows of the file, in one partition, which computes on the thread that runs it.
    pub(crate) fn scan(&self, units: Vec<ScanUnit>) -> Result<RuleScanExec, DetectError> {
        let projection: Vec<usize> = [RULE, ROW]
            .into_iter()
            .chain(table_columns(self.table))
            .collect();
        let plans = RulePlans::of(self.rules, self.table);
        let scan = RuleScanExec::new(plans, vec![units], &projection);
        let scan = scan.map_err(|cause| DetectError::evaluate(self.table, cause))?;
        Ok(scan.on_thread(ComputeThread::Caller))
    }

    /// Runs an operator that [`Self::scan`] made, on this thread: what its hits mean.
    ///
    /// # Errors
    /// [`DetectError::Evaluate`] if rows cannot be read, and where none may be left out if a rule panics at one.
    pub(crate) fn run(
        &self,
        scan: &RuleScanExec,
        context: &Arc<TaskContext>,
    ) -> Result<Findings, DetectError> {
        let failed = |cause| DetectError::evaluate(self.table, cause);
        let mut findings = Findings::default();
        let mut batches = scan.execute(0, Arc::clone(context)).map_err(failed)?;
        while let Some(batch) = block_on(batches.next()) {
            let batch = batch.map_err(failed)?;
            let places = batch.column(1).as_primitive::<UInt64Type>();
            let panicked = halve(0..batch.num_rows(), |rows| {
                findings.extend(self.meaning(&batch.slice(rows.start, rows.len()))?);
                Ok::<(), DetectError>(())
            })?;
            for row in panicked {
                let fault = LeftOut::Row {
                    file: self.origin.file.clone(),
                    row: places.value(row),
                };
                scan.fault(fault).map_err(failed)?;
            }
        }
        Ok(findings)
    }

    /// What hits mean; the first two columns are the rule and the row in the file.
    fn meaning(&self, hits: &RecordBatch) -> Result<Findings, DetectError> {
        let rules = hits.column(0).as_primitive::<UInt32Type>();
        let places = hits.column(1).as_primitive::<UInt64Type>();
        let mut findings = Findings::default();
        let mut of_others: BTreeMap<Table, Vec<Hit>> = BTreeMap::new();
        for row in 0..hits.num_rows() {
            let place = places.value(row);
            if rules.is_null(row) {
                let alerts = graph_alert::of_row(hits, row, place, self.origin, self.now_us);
                findings.alerts.extend(alerts);
                continue;
            }
            let rule = rules.value(row) as usize;
            let hit = Hit { rule, place, row };
            let Some(rule) = self.rules.rules().get(rule) else {
                let unknown = format!("rule {} is not one of the set", hit.rule);
                let unknown = DataFusionError::Internal(unknown);
                return Err(DetectError::evaluate(self.table, unknown));
            };
            if rule.table == self.table {
                self.found(rule.table, hits, hit, &mut findings);
            } else {
                of_others.entry(rule.table).or_default().push(hit);
            }
        }
        for (table, of_other) in of_others {
            self.told_again(table, hits, &of_other, &mut findings)?;
        }
        Ok(findings)
    }

    /// What a hit in a row of `table` means.
    fn found(&self, table: Table, batch: &RecordBatch, hit: Hit, findings: &mut Findings) {
        let rule = &self.rules.rules()[hit.rule];
        let subject = subject::of_row(table, batch, hit.row);
        if let Some(counted) = self.rules.counted(hit.rule) {
            let signal = self.signal(counted, batch, hit, &subject);
            findings.signals.extend(signal);
        }
        if self.rules.alerts(hit.rule) {
            let alert = alert::of_match(rule, &subject, self.origin, hit.place, self.now_us);
            findings.alerts.push(alert);
        }
    }

    fn signal(
        &self,
        counted: &Counted,
        batch: &RecordBatch,
        hit: Hit,
        subject: &alert::Subject,
    ) -> Option<Signal> {
        let evidence = Evidence {
            table: self.origin.table.as_str().into(),
            event_id: Arc::default(),
            file: self.origin.file.as_str().into(),
            row: hit.place,
            version: self.origin.version,
        };
        let subject = Subject {
            user: subject.user.as_str().into(),
            user_id: subject.user_id.as_str().into(),
            ip: subject.ip.as_str().into(),
            session_id: subject.session_id.as_str().into(),
        };
        let tenant_id = self.origin.tenant_id.as_str().into();
        matched::signal(counted, batch, hit.row, &tenant_id, subject, evidence)
    }
}
