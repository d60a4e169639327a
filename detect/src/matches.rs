//! A rule as a table of SQL: `SELECT … FROM matches('RULE')` are the rows that it finds in its table.
//!
//! The table is a [`RuleScanExec`], the operator that evaluates rules on the stream; it reads of the rows that the rule
//! finds the columns that the query names, and of others none.

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Result, plan_err, project_schema};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use lake::{Conditions, Lake, TableSnapshot};
use schemas::tables::Table;
use sigma::{Plan, Rule, Ruleset};
use tokio::sync::OnceCell;

use crate::config::DetectConfig;
use crate::domains;
use crate::rule_scan::{RulePlans, RuleScanExec, ScanUnit, balanced, hit_schema, table_columns};
use crate::rules::ruleset;

/// Rules that SQL can name, by label, id, or title in any letter case; compiled when a query first names one.
#[derive(Debug)]
pub struct RuleConditions {
    config: DetectConfig,
    rules: OnceCell<Ruleset>,
}

impl RuleConditions {
    /// The rules of a configuration, which will know the domains that the lake's directory has.
    pub fn new(config: DetectConfig) -> Self {
        Self {
            config,
            rules: OnceCell::new(),
        }
    }

    /// The rule of a name, with its number.
    fn find(&self, name: &str) -> Option<(usize, &Rule)> {
        let is_called = |(_, rule): &(usize, &Rule)| {
            [&rule.label, &rule.id, &rule.sigma.title]
                .iter()
                .any(|known| known.eq_ignore_ascii_case(name))
        };
        let mut rules = self.rules.get()?.rules().iter().enumerate();
        rules.find(is_called)
    }
}

#[async_trait]
impl Conditions for RuleConditions {
    async fn prepare(&self, lake: &Lake) -> Result<()> {
        let compile = || async {
            let domains = domains::of_lake_or_none(lake).await;
            ruleset(&domains::join(self.config.clone(), &domains))
        };
        let compiled = self.rules.get_or_try_init(compile).await;
        compiled.map_err(|error| DataFusionError::External(Box::new(error)))?;
        Ok(())
    }

    fn table(&self, name: &str) -> Option<Table> {
        self.find(name).map(|(_, rule)| rule.table)
    }

    fn rows(&self, name: &str, table: TableSnapshot) -> Result<Arc<dyn TableProvider>> {
        let rule = self.find(name).map(|(number, _)| number);
        let plan = rule.zip(self.rules.get());
        let Some(plan) = plan.and_then(|(number, rules)| rules.plan_alone(number)) else {
            return plan_err!("rule \"{name}\" cannot be compiled by itself");
        };
        Ok(Arc::new(MatchesTable::new(plan, table)))
    }

    fn names(&self) -> Vec<String> {
        let rules = self.rules.get().map_or(&[][..], Ruleset::rules).iter();
        rules.map(|rule| rule.label.clone()).collect()
    }
}

/// The rows of a table that one rule finds.
#[derive(Debug)]
struct MatchesTable {
    plan: Arc<Plan>,
    table: TableSnapshot,
    schema: SchemaRef,
}

impl MatchesTable {
    fn new(plan: Plan, table: TableSnapshot) -> Self {
        let all = hit_schema(table.table());
        // Without which rule it was, and where: every row is of this one.
        let fields = &all.fields()[table_columns(table.table()).start..];
        Self {
            plan: Arc::new(plan),
            schema: Arc::new(Schema::new(fields.to_vec())),
            table,
        }
    }

    /// The units of the files: where there are fewer files than cores, their row groups.
    async fn units(
        &self,
        state: &dyn Session,
        filters: &[Expr],
        partitions: usize,
    ) -> Result<Vec<ScanUnit>> {
        let (lake, table) = (self.table.lake(), self.table.table());
        let files = self.table.files(state, filters)?;
        let units = files.iter().map(|file| ScanUnit::file(lake, file));
        let units: Vec<ScanUnit> = units.collect();
        if units.len() >= partitions {
            return Ok(units);
        }
        let open = move || {
            let opened = units.into_iter().map(|unit| unit.opened(table));
            let opened: Vec<Vec<ScanUnit>> = opened.collect::<Result<_>>()?;
            Ok(opened.into_iter().flatten().collect())
        };
        let opened = tokio::task::spawn_blocking(open).await;
        opened.map_err(|cause| DataFusionError::ExecutionJoin(Box::new(cause)))?
    }
}

#[async_trait]
impl TableProvider for MatchesTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let partitions = state.config().target_partitions();
        let units = self.units(state, filters, partitions).await?;
        if units.is_empty() {
            // A scan of nothing says so to the planner.
            let schema = project_schema(&self.schema, projection)?;
            return Ok(Arc::new(EmptyExec::new(schema)));
        }
        let first = table_columns(self.table.table()).start;
        let asked: Vec<usize> = match projection {
            Some(places) => places.iter().map(|place| first + place).collect(),
            None => (first..first + self.schema.fields().len()).collect(),
        };
        let plans = RulePlans::one(self.table.table(), Arc::clone(&self.plan));
        let scan = RuleScanExec::new(plans, balanced(units, partitions), &asked)?;
        Ok(Arc::new(scan))
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        // They skip files; the planner keeps them above the scan all the same.
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }
}
